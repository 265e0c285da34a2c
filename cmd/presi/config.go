package main

import (
	"fmt"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/configs"
)

func (a *app) configCommand() *cobra.Command {
	return a.group("config", "list, show and check machines", a.configList(), a.configShow(), a.configCheck(), a.configKeys())
}

func (a *app) configList() *cobra.Command {
	return a.command(&cobra.Command{Use: "list", Short: "list the shipped machines"}, func(*cobra.Command, []string) error {
		tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		for _, m := range configs.List() {
			fmt.Fprintf(tw, "%s\t%s\n", m.Name, m.Description)
		}
		return tw.Flush()
	})
}

// machineArgument returns the machine a command is given, the default without one.
func machineArgument(args []string) string {
	if len(args) == 0 {
		return "edge"
	}
	return args[0]
}

func (a *app) configShow() *cobra.Command {
	var f machineFlags
	c := a.command(&cobra.Command{
		Use:   "show [MACHINE|FILE] [--set KEY=VALUE]",
		Short: "print a machine as TOML",
		Long: `Show prints a machine as TOML: a shipped one as its file is, with the comments
that say where each value comes from; any other, or with --set, as it resolves.`,
		Args: arguments("one machine", 0, 1),
	}, func(_ *cobra.Command, args []string) error {
		f.name = machineArgument(args)
		if text, shipped := configs.Text(f.name); shipped && len(f.sets) == 0 {
			_, err := a.out.Write(text)
			return err
		}
		m, err := f.load()
		if err != nil {
			return input(err)
		}
		return configs.Encode(a.out, m)
	})
	f.addSet(c)
	return c
}

func (a *app) configCheck() *cobra.Command {
	var f machineFlags
	c := a.command(&cobra.Command{
		Use:   "check FILE… [--set KEY=VALUE]",
		Short: "check machine files and report every mistake in them",
		Args:  arguments("one or more machines or files", 1, math.MaxInt),
	}, func(_ *cobra.Command, args []string) error {
		var errs []error
		for _, f.name = range args {
			m, err := f.load()
			if errs = append(errs, err); err == nil {
				fmt.Fprintf(a.out, "%s: fine: %s\n", f.name, m.Description)
			}
		}
		return input(errs...)
	})
	f.addSet(c)
	return c
}

func (a *app) configKeys() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "keys [MACHINE|FILE]",
		Short: "print every configuration key with its meaning, as Markdown",
		Args:  arguments("one machine for the examples", 0, 1),
	}, func(_ *cobra.Command, args []string) error {
		m, err := configs.Machine(machineArgument(args))
		if err != nil {
			return input(err)
		}
		return configs.Reference(a.out, m)
	})
}
