package main

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/workload"
)

func (a *app) workloadCommand() *cobra.Command {
	return a.group("workload", "list and show workloads", a.workloadList(), a.workloadShow())
}

func (a *app) workloadList() *cobra.Command {
	return a.command(&cobra.Command{Use: "list", Short: "list the shipped networks"}, func(*cobra.Command, []string) error {
		tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "network\tlayers\tparameters\tMACs\ttitle")
		for _, name := range workload.List() {
			g, err := workload.Load(name, workload.Options{})
			if err != nil {
				return fmt.Errorf("shipped network: %w", err)
			}
			fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%s\n", name, len(g.Ops), g.Params(), g.MACs(), g.Title)
		}
		return tw.Flush()
	})
}

func (a *app) workloadShow() *cobra.Command {
	var f workloadFlags
	c := a.command(&cobra.Command{
		Use:     "show WORKLOAD [--batch N] [--dtype TYPE]",
		Short:   "print a workload's layers with their work",
		Long:    "Show prints a line a layer of a network, a network file or a shorthand: its shape,\nmultiply-accumulates, parameters and the least traffic, each element once.",
		Example: "  presi workload show resnet18\n  presi workload show conv:1x56x56x64,64x3x3,pad=1",
		Args:    arguments("one workload", 1, 1),
	}, func(_ *cobra.Command, args []string) error {
		g, err := f.load(args[0])
		if err := input(append(a.mistakes, workloadError(err))...); err != nil {
			return err
		}
		return a.showWorkload(g)
	})
	f.add(a, c)
	return c
}

func (a *app) showWorkload(g *workload.Graph) error {
	fmt.Fprintf(a.out, "%s: %s\nsource: %s\n%s, batch %d\n\n", g.Name, g.Title, g.Source, g.DType, g.Batch)
	tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "layer\top\tshape\tMACs\tparameters\tbytes")
	var bytes int64
	for _, r := range g.Table() {
		bytes += r.Bytes
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\n", r.Name, r.Op, r.Shape, r.MACs, r.Params, r.Bytes)
	}
	fmt.Fprintf(tw, "total\t\t%d layers\t%d\t%d\t%d\n", len(g.Ops), g.MACs(), g.Params(), bytes)
	return tw.Flush()
}

// workloadError says what to do about a file that cannot be read; all other
// mistakes speak for themselves.
func workloadError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: cannot read it: %w; want a network file, one of presi workload list, or an operator such as gemm:256x1024x512", path.Path, path.Err)
	}
	return err
}
