package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/sweep"
)

// sweepFlags are the flags of presi sweep.
type sweepFlags struct {
	dir           string
	retry         bool
	workers, best *uint64
}

const maxBest = 100_000

func (a *app) sweepCommand() *cobra.Command {
	f := &sweepFlags{}
	c := a.command(&cobra.Command{
		Use:   "sweep FILE.toml [flags]",
		Short: "run a grid of machines and workloads and rank them",
		Long: `Sweep simulates every point of a grid: machines that differ in the values of some
configuration keys, times workloads. Each finished point is a line of JSON in
DIR/` + sweep.JournalName + `; started again, a sweep goes on where it stopped.

A sweep file:

  base      = "edge"                            # a shipped machine, or a file beside this one
  workloads = ["resnet18", "gemm:512x512x512"]  # networks, network files, shorthands
  dtype     = ["bf16", "int8"]                  # not given: each workload's own
  batch     = [1, 8]                            # not given: each workload's own

  [axes]                                        # each combination is a machine
  "dram.channels" = [1, 2, 4]
  "array.rows,array.cols" = [8, 16, [16, 32]]   # one axis of two keys; one value is for both

  [set]                                         # the same everywhere
  "dram.size" = "2GiB"                          # what a single channel can have

Points are timing-only; with functional = true values are computed, too.`,
		Example: "  presi sweep arrays.toml\n  presi sweep arrays.toml -o results --best 10",
		Args:    arguments("one sweep file", 1, 1),
	}, func(c *cobra.Command, args []string) error { return a.sweep(c.Context(), args[0], f) })
	a.pathFlag(c, &f.dir, "output", "o", "`DIR` for results (default: the file's name without .toml, then -sweep)")
	c.Flags().BoolVar(&f.retry, "retry", false, "run points again that failed")
	f.workers = a.numberFlag(c, "workers", 0, 0, maxWorkers, "simulations at a time (default: as many as processors)")
	f.best = a.numberFlag(c, "best", 5, 1, maxBest, "points to print of each workload")
	return c
}

func (a *app) sweep(ctx context.Context, file string, f *sweepFlags) error {
	plan, err := planOf(ctx, file)
	if ctx.Err() != nil {
		return errGoesOn
	}
	if err := input(append(a.mistakes, err)...); err != nil {
		return err
	}
	if f.dir == "" {
		f.dir = plan.Spec.Name() + "-sweep"
	}
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return inputf("-o %s: cannot be the folder of results: %w", f.dir, reason(err))
	}
	bar := a.newBar("points")
	out, err := plan.Run(ctx, sweep.Options{Dir: f.dir, Workers: int(*f.workers), Retry: f.retry,
		Note:     func(s string) { fmt.Fprintln(a.err, s) },
		Progress: func(done, _, total int) { bar.show(done, total) }})
	bar.clear()
	if err != nil {
		return err
	}
	if err := writeOutcome(a.out, out, filepath.Join(f.dir, sweep.JournalName), int(*f.best)); err != nil {
		return err
	}
	switch {
	case out.Interrupted:
		return errGoesOn
	case out.Failed > 0:
		return fmt.Errorf("%w: %d of %d, listed above", errPoints, out.Failed, len(plan.Points))
	}
	return nil
}

// errGoesOn ends an interrupted sweep.
var errGoesOn = fmt.Errorf("%w; the same command goes on from here", errInterrupted)

func planOf(ctx context.Context, file string) (*sweep.Plan, error) {
	spec, err := sweep.Load(ctx, file)
	if err != nil {
		return nil, err
	}
	return spec.Plan(ctx, build())
}
