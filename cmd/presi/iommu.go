package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/validate/batch"
	"github.com/presi-sim/presi/validate/rig"
)

// iommuFlags are the flags of presi iommu.
type iommuFlags struct {
	machine     machineFlags
	replay      string
	skip        []string
	curve, json bool
}

func (a *app) iommuCommand() *cobra.Command {
	f := &iommuFlags{}
	c := a.command(&cobra.Command{
		Use:   "iommu --replay FILE | --curve",
		Short: "replay recorded scenarios of the IOMMU, or measure DMA behind it",
		Long: `With --replay, iommu runs scenarios that an executable model of the RISC-V IOMMU
specification answered, and prints each mismatch and a count. With --curve it
prints the bandwidth of DMA reads, at random places of a buffer of 4 KiB pages,
against the buffer's size: what an IOTLB of some entries does to a device.`,
		Example: `  presi iommu --replay 02_first_stage.jsonl.gz
  presi iommu --replay 08_registers.jsonl.gz --skip msi_irq
  presi iommu --curve -c datacenter --set iommu.iotlb_entries=64 --set pcie.gen=3 --set pcie.lanes=8`,
	}, func(c *cobra.Command, _ []string) error {
		beside, idle := "replay", []string{"config", "set", "json"}
		if f.curve {
			beside, idle = "curve", []string{"skip"}
		}
		if (f.replay != "") == f.curve {
			return inputf("%s: wants one of --replay FILE and --curve; see %s --help", c.CommandPath(), c.CommandPath())
		}
		if err := without(c, beside, idle...); err != nil {
			return err
		}
		if f.curve {
			return a.iommuCurve(c.Context(), f)
		}
		return a.iommuReplay(c.Context(), f)
	})
	f.machine.add(c)
	c.Flags().StringVar(&f.replay, "replay", "", "replay the scenarios of `FILE`.jsonl, or .jsonl.gz")
	c.Flags().StringSliceVar(&f.skip, "skip", nil, "skip scenarios with a `TAG`; again, or by commas, for more")
	c.Flags().BoolVar(&f.curve, "curve", false, "print DMA read bandwidth against the buffer's window on --config")
	c.Flags().BoolVar(&f.json, "json", false, "with --curve: a line of JSON a point")
	return c
}

func (a *app) iommuReplay(ctx context.Context, f *iommuFlags) error {
	file, err := os.Open(f.replay)
	if err != nil {
		return input(err)
	}
	defer file.Close()
	skipped := map[string]int{}
	res, err := mmu.Replay(ctx, file, a.out, mmu.ReplayOptions{Skip: f.skip, Skipped: skipped, Limit: math.MaxInt})
	idle := slices.IndexFunc(f.skip, func(tag string) bool { return skipped[tag] == 0 })
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(a.out, "%d passed, %d failed\n", res.Passed, res.Failed)
		return errInterrupted
	case errors.Is(err, mmu.ErrReplay):
		return input(fmt.Errorf("%s: %w", f.replay, err))
	case err != nil:
		return err
	case idle >= 0:
		return inputf("--skip %s: no scenario of %s has this tag", f.skip[idle], f.replay)
	case res.Failed > 0:
		return fmt.Errorf("%s: %d scenarios failed", f.replay, res.Failed)
	}
	return nil
}

// curveSizes are the reads of the curve, as Neugebauer et al. (SIGCOMM 2018,
// figure 9) measure them.
var curveSizes = []sim.Bytes{64, 256, 512}

func (a *app) iommuCurve(ctx context.Context, f *iommuFlags) error {
	m, err := f.machine.load()
	if err != nil {
		return input(err)
	}
	var points []rig.Window
	for w := 4 * sim.KiB; w <= 16*sim.MiB; w *= 2 {
		for _, size := range curveSizes {
			points = append(points, rig.Window{Machine: m, Buffer: w, Size: size})
		}
	}
	type outcome struct {
		rig.WindowRate
		error
	}
	enc := json.NewEncoder(a.out)
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if !f.json {
		fmt.Fprintf(a.out, "DMA reads on %s: Gbit/s (and share of IOTLB hits), %d entries\n", m.Name, m.IOMMU.IOTLBEntries)
		fmt.Fprint(tw, "window\t64 B\t\t256 B\t\t512 B\t\t\n")
	}
	err = batch.Ordered(ctx, len(points), 0, func(i int) outcome {
		r, err := points[i].Measure()
		return outcome{r, err}
	}, func(i int, o outcome) error {
		switch column := i % len(curveSizes); {
		case o.error != nil:
			return o.error
		case f.json:
			return enc.Encode(o.WindowRate)
		case column == 0:
			fmt.Fprintf(tw, "%v\t", points[i].Buffer)
			fallthrough
		default:
			fmt.Fprintf(tw, "%.2f\t%.0f %%\t", o.ReadGbps, 100*o.IOTLBHitRate)
			if column == len(curveSizes)-1 {
				fmt.Fprintln(tw)
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return errInterrupted
	}
	return errors.Join(err, tw.Flush())
}
