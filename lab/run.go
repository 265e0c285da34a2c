// Package lab is one run: a machine and a workload in, a report out. The
// workload's program opens the device through the driver, as any program does;
// the lab watches the device from outside.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// Options say what to run.
type Options struct {
	Machine *configs.Config
	Graph   *workload.Graph
	// TimingOnly leaves the values of kernels out; simulated time is the same.
	TimingOnly bool
	// Verify holds every operator against reference loops after the run.
	Verify bool
	// Workers compute kernels and references; 0: as many as processors.
	Workers int
	Seed    uint64
	// Trace, when set, takes a trace that ui.perfetto.dev opens; TraceText the
	// same as text. A run that does not come to its end writes what it has.
	Trace, TraceText io.Writer
	// Progress is told how many of all jobs are done.
	Progress func(done, total int)
	// Log takes the driver's messages.
	Log func(format string, args ...any)
}

// ErrInterrupted is wrapped by the error of a run that its context ended; the
// report then has what was finished.
var ErrInterrupted = errors.New("interrupted")

// ErrUnsupported is wrapped by the error of a workload with an operator that no
// kernel expresses or that does not fit the machine.
var ErrUnsupported = rt.ErrUnsupported

// Run simulates the workload on the machine.
func Run(ctx context.Context, o Options) (*Report, error) {
	began := time.Now()
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Verify && o.TimingOnly {
		return nil, errors.New("a run without values has nothing to verify: leave out either --verify or --timing-only")
	}
	var pool *kern.Pool
	if !o.TimingOnly {
		pool = kern.NewPool(o.Workers)
		defer pool.Close()
	}
	resolved, err := configs.Object(o.Machine)
	if err != nil {
		return nil, err
	}
	machine := *o.Machine
	machine.Faults = nil // armed below, to be asked what became of them
	r := newRun(o, NewSystem(&machine, pool, o.Seed, o.Trace != nil || o.TraceText != nil))
	defer r.sys.Engine.Shutdown()
	if err := r.arm(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { r.sys.Engine.Post(r.sys.Engine.Stop) })
	defer stop()
	r.ctx = ctx
	if ctx.Err() == nil {
		err = r.sys.Run("program", r.program)
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
	}
	report := r.report()
	report.Config = resolved
	report.Interrupted = ctx.Err() != nil
	report.HostSeconds = time.Since(began).Seconds()
	if r.sys.Engine.Now() > 0 { // of a run that failed or was interrupted, too: what happened until then
		err = errors.Join(err, r.writeTraces())
	}
	return report, err
}

// run is a run under way.
type run struct {
	o   Options
	ctx context.Context
	g   *workload.Graph
	sys *System

	x      *Session
	p      program
	jobs   []jobInfo // by the program's job number − 1
	rows   []Layer   // of the report; jobs of later inferences add to them
	bills  []hw.Bill
	track  sim.Track   // of layers, when there is a trace
	labels []sim.Label // of each row
	done   int
	seen   core.Counts // of launches since the last job's end
	total  int
	start  sim.Time // first submission
	last   sim.Time // end of the latest job
	head   hw.Bill  // outside of jobs
	end    sim.Time
	setup  sim.Time
	upload int64

	accuracy, reference *float64
	same                *bool
	verified            *bool
	failures            []string
	armed               []armed            // a fault of the machine's each
	failed              map[uint64]failure // jobs, by their numbers
}

// jobInfo says what a job is for.
type jobInfo struct {
	row   int // of the report, −1 for none
	bytes int64
}

func newRun(o Options, sys *System) *run {
	r := &run{o: o, ctx: context.Background(), g: o.Graph, sys: sys}
	sys.Device.Queues().Observe = r.jobDone
	sys.Device.Cores().Observer = r
	sys.Class.OnTrace(r.traced)
	return r
}

// armed is a fault that the device waits for.
type armed interface {
	Struck() int
	Seen() int64
}

// arm arms the configured faults.
func (r *run) arm() error {
	for _, s := range r.o.Machine.Faults {
		armed, err := r.sys.Device.Inject(s)
		if err != nil {
			return err
		}
		r.armed = append(r.armed, armed)
	}
	return nil
}

// Launched implements core.Observer.
func (r *run) Launched(o *core.Observation) {
	r.seen.MACs += o.MACs
	r.seen.LoadBytes += o.LoadBytes
	r.seen.StoreBytes += o.StoreBytes
}

// jobDone accounts a finished job: its time is from the end of the one before
// it to its own, of which the critical path says what took how long.
func (r *run) jobDone(rec *queue.Record) {
	counts := r.seen
	r.seen = core.Counts{}
	if rec.Cookie == 0 || rec.Cookie > uint64(len(r.jobs)) {
		return
	}
	job := r.jobs[rec.Cookie-1]
	if job.row < 0 {
		return
	}
	l, bill := &r.rows[job.row], &r.bills[job.row]
	from := max(r.last, r.start)
	l.Time += rec.Ended - from
	l.MACs += counts.MACs
	l.Bytes += counts.LoadBytes + counts.StoreBytes + job.bytes
	for k, t := range rec.Bill {
		bill[k] += t
	}
	lead := leadBill(rec, from)
	for k, t := range lead {
		bill[k] += t
	}
	if tr := r.sys.Engine.Trace; tr != nil {
		tr.Add(sim.Span{Start: from, End: rec.Ended, Track: r.track, Label: r.labels[job.row], Arg: rec.Cookie})
	}
	r.last = rec.Ended
	r.done++
	if r.o.Progress != nil {
		r.o.Progress(r.done, r.total)
	}
}

// leadBill is the critical path from an instant to a job's start: the queue's,
// but for what the reads of its entry and commands waited for translation when
// it began as soon as it had been read.
func leadBill(rec *queue.Record, from sim.Time) (b hw.Bill) {
	b[hw.Queue] = rec.Started - from
	if rec.Started == rec.Ready {
		entry := min(rec.Stalled.Entry, rec.Fetched-from)
		commands := min(rec.Stalled.Commands, rec.Ready-max(rec.Fetched, from))
		b[hw.Translation] = max(entry, 0) + commands
		b[hw.Queue] -= b[hw.Translation]
	}
	return b
}

// report makes the report of what has been observed.
func (r *run) report() *Report {
	cfg := r.o.Machine
	clock := sim.NewClock(cfg.Core.Clock)
	end := r.end
	if end == 0 {
		end = max(r.last, r.start)
	}
	rep := &Report{Machine: cfg.Name, Workload: r.g.Name, DType: r.g.DType.String(), Batch: r.g.Batch, Inferences: r.p.inferences,
		SimTime: end - r.start, WakeTime: r.head[hw.Queue], SetupTime: r.setup, UploadBytes: r.upload,
		Verified: r.verified, VerifyFailures: r.failures, Accuracy: r.accuracy, ReferenceAccuracy: r.reference, SameAsReference: r.same}
	rep.Cycles = clock.Cycles(rep.SimTime)
	operands := abi.BF16 // or int8, which has its rate
	if r.g.DType == workload.F32 {
		operands = abi.F32
	}
	rep.PeakRate = float64(cfg.Core.Count) * cfg.Array.PeakOf(operands) * float64(cfg.Core.Clock)
	rep.PeakMemory = float64(r.sys.Device.DRAM().PeakRate())
	for i, a := range r.armed {
		rep.Faults = append(rep.Faults, FaultCount{cfg.Faults[i].Kind, a.Struck(), a.Seen()})
	}
	rep.Layers = []Layer{}
	total := r.head
	for i := range r.rows {
		l := r.rows[i]
		if l.Time == 0 && r.ctx.Err() != nil {
			continue // not finished once
		}
		l.Cycles = clock.Cycles(l.Time)
		if l.Time > 0 {
			l.ArrayUtil = float64(l.MACs) / (l.Time.Seconds() * rep.PeakRate)
			l.Bandwidth = float64(l.Bytes) / l.Time.Seconds()
		}
		l.BoundBy = r.bills[i].Bound().String()
		l.Bill = billMap(&r.bills[i])
		for k, t := range r.bills[i] {
			total[k] += t
		}
		rep.MACs += l.MACs
		rep.Bytes += l.Bytes
		rep.Layers = append(rep.Layers, l)
	}
	if rep.SimTime > 0 {
		rep.MACRate = float64(rep.MACs) / rep.SimTime.Seconds()
		rep.ArrayUtil = rep.MACRate / rep.PeakRate
	}
	if len(rep.Layers) > 0 {
		rep.BoundBy = total.Bound().String()
	}
	rep.Bill = billMap(&total)
	return rep
}

func (r *run) writeTraces() error {
	t := r.sys.Engine.Trace
	if r.o.Trace != nil {
		if err := t.WritePerfetto(r.o.Trace); err != nil {
			return fmt.Errorf("trace: %w", err)
		}
	}
	if r.o.TraceText != nil {
		if err := t.WriteText(r.o.TraceText); err != nil {
			return fmt.Errorf("trace: %w", err)
		}
	}
	return nil
}
