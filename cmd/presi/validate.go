package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate"
	"github.com/presi-sim/presi/validate/refs"
)

func (a *app) validateCommand() *cobra.Command {
	var asJSON bool
	var dir string
	c := a.command(&cobra.Command{
		Use:   "validate [--json] [--refs DIR]",
		Short: "hold the timing models against references and print how far off they are",
		Long: `Validate drives the memory controllers, the PCIe link, the IOMMU and the systolic
array with what simulators, models and devices of others were given, and prints
the errors: mean, 90th percentile, and the worst with its point. The references
are shipped; --refs takes those of a folder of the same layout first, which may
have more: whole files of IOMMU scenarios, and tpu_v4/gemm.csv.`,
		Example: "  presi validate\n  presi validate --json --refs ../refs",
	}, func(c *cobra.Command, _ []string) error {
		files, err := refs.In(dir)
		if err != nil {
			return inputf("--refs %w", err)
		}
		bar := a.newBar("references")
		tables, err := validate.Run(c.Context(), validate.Options{Refs: files, Progress: bar.show})
		bar.clear()
		interrupted := c.Context().Err() != nil
		if err != nil && !interrupted {
			return err
		}
		if err := a.printTables(tables, asJSON, interrupted); err != nil {
			return err
		}
		if interrupted {
			return errInterrupted
		}
		if !validate.Passed(tables) {
			return errors.New("some targets are missed")
		}
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print the tables as JSON")
	c.Flags().StringVar(&dir, "refs", "", "`DIR` with references that come first, or are not shipped")
	return c
}

// printTables prints what a validation has measured, nothing as text if it is
// nothing.
func (a *app) printTables(tables []validate.Table, asJSON, interrupted bool) error {
	switch {
	case asJSON:
		return validate.WriteJSON(a.out, tables, interrupted)
	case len(tables) == 0:
		return nil
	}
	return validate.WriteText(a.out, tables)
}
