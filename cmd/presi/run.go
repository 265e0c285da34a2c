package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/lab"
)

// runFlags are the flags of presi run.
type runFlags struct {
	machine  machineFlags
	workload workloadFlags

	name                              string
	timingOnly, verify, json, verbose bool
	workers, seed                     *uint64
	trace, traceText                  string
	faults                            []string
}

const maxWorkers = 4096

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	c := a.command(&cobra.Command{
		Use:   "run [flags]",
		Short: "run a workload on a machine and say what bounded it",
		Long: `Run simulates a workload on a machine: its driver submits each layer, the device
computes it, and the report has a line a layer and the totals. Without flags,
handwritten digits are classified on the edge machine.`,
		Example: `  presi run -w resnet50 -c datacenter --timing-only
  presi run -w gemm:256x1024x512,bias,act=gelu --dtype int8 --verify
  presi run -w gpt2-decode,context=512 --set dram.channels=1 --set dram.size=2GiB --json`,
	}, func(c *cobra.Command, _ []string) error { return a.run(c.Context(), f) })
	f.machine.add(c)
	f.workload.add(a, c)
	flags := c.Flags()
	flags.StringVarP(&f.name, "workload", "w", "digits", "`WORKLOAD`: a network (presi workload list), a TOML file, or an operator as gemm:MxKxN")
	flags.BoolVar(&f.timingOnly, "timing-only", false, "leave values out; simulated time is the same")
	flags.BoolVar(&f.verify, "verify", false, "hold every layer against reference loops on the device's own inputs")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print the driver's messages")
	a.pathFlag(c, &f.trace, "trace", "", "write a trace for ui.perfetto.dev to `FILE`")
	a.pathFlag(c, &f.traceText, "trace-text", "", "write the same trace as text to `FILE`, - for standard output, before the report")
	flags.StringArrayVar(&f.faults, "fault", nil, "let the device fail, `FAULT` as the keys of [[fault]]: kind=dma-error,count=3; again for more")
	f.workers = a.numberFlag(c, "workers", 0, 0, maxWorkers, "threads that compute values (default: as many as processors)")
	f.seed = a.numberFlag(c, "seed", 1, 0, math.MaxUint64, "of all random values")
	return c
}

// options checks everything and returns all mistakes at once.
func (f *runFlags) options(a *app) (o lab.Options, err error) {
	errs := a.mistakes
	var fault error
	o.Machine, fault = f.machine.load()
	errs = append(errs, fault)
	if fault != nil {
		o.Machine = &configs.Config{} // to go on with what else is wrong
	}
	for _, text := range f.faults {
		errs = append(errs, o.Machine.Inject(text))
	}
	o.Graph, fault = f.workload.load(f.name)
	errs = append(errs, workloadError(fault))
	if f.verify && f.timingOnly {
		errs = append(errs, errors.New("--verify: wants values, which --timing-only leaves out; give one of the two"))
	}
	switch {
	case f.trace == "-":
		errs = append(errs, errors.New("--trace -: the report goes to standard output; want a file"))
	case f.trace != "" && f.trace == f.traceText:
		errs = append(errs, fmt.Errorf("--trace-text %s: is the file of --trace, too", f.trace))
	}
	o.TimingOnly, o.Verify = f.timingOnly, f.verify
	o.Workers, o.Seed = int(*f.workers), *f.seed
	if f.verbose {
		o.Log = func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
	}
	return o, input(errs...)
}

func (a *app) run(ctx context.Context, f *runFlags) error {
	o, err := f.options(a)
	if err != nil {
		return err
	}
	traces, err := a.openTraces(f.trace, f.traceText)
	if err != nil {
		return err
	}
	defer traces.discard()
	o.Trace, o.TraceText = traces.writer(0), traces.writer(1)
	bar := a.newBar("jobs")
	o.Progress = bar.show
	report, err := lab.Run(ctx, o)
	bar.clear()
	unwritten := traces.close(err == nil, func(s string) { fmt.Fprintln(a.err, "presi:", s) })
	if report != nil && (err == nil || errors.Is(err, lab.ErrInterrupted)) {
		err = errors.Join(err, a.print(report, f.json))
	}
	return errors.Join(outcome(report, err), unwritten)
}

func (a *app) print(r *lab.Report, json bool) error {
	if json {
		return r.WriteJSON(a.out)
	}
	return r.WriteText(a.out)
}

// outcome is what a run comes to.
func outcome(r *lab.Report, err error) error {
	var memory *lab.MemoryError
	switch {
	case errors.Is(err, lab.ErrUnsupported), errors.As(err, &memory):
		return input(err)
	case errors.Is(err, lab.ErrInterrupted):
		return errInterrupted
	case err == nil && r.Verified != nil && !*r.Verified:
		return fmt.Errorf("--verify: %d layers outside their tolerance", len(r.VerifyFailures))
	}
	return err
}
