package main

import (
	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate/batch"
)

func (a *app) gemmCommand() *cobra.Command {
	var file string
	f := machineFlags{}
	c := a.command(&cobra.Command{
		Use:   "gemm [-c MACHINE] --batch FILE",
		Short: "time matrix products on a machine",
		Long: `Gemm submits products of an M×K and a K×N matrix in device memory to a machine,
through its driver, and prints what the device takes: from the kernel's arrival
at the cores to its last result in memory. A line repeats its row; its util_pct
are the multiply-accumulates as a share of the peak of their type.` + batchHelp,
		Example: "  presi gemm -c datacenter --batch shapes.csv",
	}, func(c *cobra.Command, _ []string) error {
		if err := wantsBatch(c, file); err != nil {
			return err
		}
		m, err := f.load()
		if err != nil {
			return input(err)
		}
		return a.batch(c.Context(), batch.Gemm(c.Context(), m), file)
	})
	f.add(c)
	a.batchFlag(c, &file, "M,N,K and optionally dtype (bf16, int8, f32)")
	return c
}
