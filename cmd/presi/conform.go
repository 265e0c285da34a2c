package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/fwtest"
)

func (a *app) conformCommand() *cobra.Command {
	var asJSON bool
	var only int
	var machine string
	c := a.command(&cobra.Command{
		Use:   "conform [-c MACHINE] [--json] [--statement N]",
		Short: "hold the driver to what framework-compliant means, and to every fault",
		Long: `Conform runs the conformance suite on simulated computers with the reference
driver: thirty statements on nodes, ioctls, buffers, jobs, fences, recovery,
removal and telemetry, each with its tests, then every kind of fault under every
workload. A cell of that matrix passes when the fault strikes, the struck job ends
with an errno that the fault documents or completes with right data, a bystander
finishes with right data, nothing hangs and nothing is left over.

The larger the machine's memory the longer it takes: tiny a few seconds,
datacenter a minute. Faults of a machine's file are not armed.`,
		Example: "  presi conform\n  presi conform --statement 20\n  presi conform -c datacenter --json",
	}, func(c *cobra.Command, _ []string) error {
		if n := len(fwtest.Statements); c.Flags().Changed("statement") && (only < 1 || only > n) {
			return inputf("--statement %d: a number from 1 to %d", only, n)
		}
		if _, err := configs.Machine(machine); err != nil {
			return input(err)
		}
		bar := a.newBar("statements and cells")
		r := fwtest.Conform(c.Context(), fwtest.InProcess(fwtest.Machine(machine)), only, bar.show)
		bar.clear()
		write := writeConform
		if asJSON {
			write = writeConformJSON
		}
		if err := write(a.out, &r); err != nil {
			return err
		}
		if c.Context().Err() != nil {
			return errInterrupted
		}
		if r.Failed > 0 {
			return errors.New("the driver does not conform")
		}
		return nil
	})
	c.Flags().StringVarP(&machine, "config", "c", "tiny", "machine: `NAME` of a shipped one (presi config list) or a TOML file")
	c.Flags().BoolVar(&asJSON, "json", false, "print the outcomes as JSON")
	c.Flags().IntVar(&only, "statement", 0, "run the tests of statement `N` alone")
	return c
}

func writeConformJSON(w io.Writer, r *fwtest.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// writeConform prints a line a statement and a cell, and behind them what failed.
func writeConform(w io.Writer, r *fwtest.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "statement\tstatus\ttests\twhat it says")
	for _, s := range r.Statements {
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\n", s.Number, s.Status, s.Tests, s.Name)
	}
	if len(r.Faults) > 0 {
		fmt.Fprintln(t, "\nfault\tworkload\tstatus\toutcome")
	}
	for _, f := range r.Faults {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Name(), f.Workload, f.Status, f.Outcome)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.Statements {
		for _, l := range s.Log {
			fmt.Fprintf(w, "\nstatement %d: %s", s.Number, l)
		}
	}
	for _, f := range r.Faults {
		for _, l := range f.Log {
			fmt.Fprintf(w, "\n%s under %s: %s", f.Name(), f.Workload, l)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", r.Passed, r.Failed, r.Skipped)
	return err
}
