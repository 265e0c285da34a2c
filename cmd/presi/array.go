package main

import (
	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate/batch"
)

func (a *app) arrayCommand() *cobra.Command {
	var file string
	f := machineFlags{}
	c := a.command(&cobra.Command{
		Use:   "array --batch FILE",
		Short: "count the cycles of products in systolic arrays",
		Long: `Array counts the cycles that a systolic array takes for a product, or for a
convolution in tiles. Columns: M,K,N (or a convolution's ifmap_h,ifmap_w,filt_h,
filt_w,channels,num_filt and optionally stride_h,stride_w), array_h,array_w,
dataflow (ws, os, is), overlap (double_buffered, scalesim), and optionally dtype,
groups, line and mapping (a tiling, [T] … - [O] … - [I] …). A convolution's
channels and num_filt are those of all its groups; of products and tilings,
groups counts how many follow one another. What no column says is of the machine
given by --config; without one, of a bare array, which takes a row of any type
in a cycle. A machine's scratchpad must have room for a mapping's tile: its input
(by stride_h and stride_w, 1 if not given), its weights and its 4-byte sums;
products and convolutions are not held against it. A line repeats its row; its
util_pct are the multiply-accumulates as a share of the peak of their type.` + batchHelp,
		Example: `  presi array --batch layers.csv
  presi array -c edge --batch tiles.csv`,
	}, func(c *cobra.Command, _ []string) error {
		if err := wantsBatch(c, file); err != nil {
			return err
		}
		base := batch.BareArray
		if len(f.sets) > 0 && f.name == "" {
			return inputf("--set: wants --config, the machine to change")
		}
		if f.name != "" {
			m, err := f.load()
			if err != nil {
				return input(err)
			}
			base = m.Config.Config
		}
		return a.batch(c.Context(), batch.Array(base), file)
	})
	c.Flags().StringVarP(&f.name, "config", "c", "", "machine: `NAME` of a shipped one or a TOML file, for what no column says")
	f.addSet(c)
	a.batchFlag(c, &file, "M,K,N,array_h,array_w,dataflow,overlap and others, see above")
	return c
}
