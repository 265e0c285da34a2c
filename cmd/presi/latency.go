package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/lab"
)

func (a *app) latencyCommand() *cobra.Command {
	var machine machineFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "latency [-c MACHINE] [--json]",
		Short: "show where the time of a job that does nothing goes",
		Long: `Latency runs a job that does nothing on an idle machine, through the driver, and
prints its stages from the program's call to its wake-up.`,
	}
	machine.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return a.command(c, func(*cobra.Command, []string) error {
		cfg, err := machine.load()
		if err := input(err); err != nil {
			return err
		}
		stages, err := lab.NoOpLatency(cfg)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(a.out).Encode(stages)
		}
		var whole lab.Stage
		for _, s := range stages {
			fmt.Fprintln(a.out, s)
			whole.Time += s.Time
		}
		whole.Name = "the job"
		fmt.Fprintln(a.out, whole)
		return nil
	})
}
