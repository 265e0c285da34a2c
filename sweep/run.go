package sweep

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/presi-sim/presi/lab"
)

// Options say how to run a plan.
type Options struct {
	Dir     string // of the journal
	Workers int    // simulations at a time; 0: as many as processors
	Retry   bool   // run points again that failed
	// Progress is told how many of all points are done, and how many of them failed.
	Progress func(done, failed, total int)
	// Note takes remarks for people, such as on a torn journal.
	Note func(string)
}

// Outcome is the state of a plan's points.
type Outcome struct {
	Plan        *Plan
	Results     []*Result // one a point, in the plan's order; nil: not simulated
	Resumed     int       // were in the journal already
	Failed      int
	Foreign     int  // results in the journal that are of no point of this plan
	Interrupted bool // the context ended before all points were done
}

// Done counts the points that have a result, failed ones among them.
func (o *Outcome) Done() (n int) {
	for _, r := range o.Results {
		if r != nil {
			n++
		}
	}
	return n
}

// Run simulates the points that the journal lacks. When ctx ends, those under
// way are given up and the rest is left for another time: that is no error. An
// error is of the journal; what is wrong with a point is in its Result.
func (p *Plan) Run(ctx context.Context, o Options) (*Outcome, error) {
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	j, err := openJournal(o.Dir, o.Note)
	if err != nil {
		return nil, err
	}
	r := &runner{plan: p, o: o, journal: j, points: map[string]int{}, out: &Outcome{Plan: p, Results: make([]*Result, len(p.Points))}}
	err = r.run(ctx, r.missing())
	return r.out, errors.Join(err, j.close())
}

type runner struct {
	plan    *Plan
	o       Options
	journal *journal
	out     *Outcome
	points  map[string]int // how many points each simulation stands for
	state   struct{ done, failed int }
}

// missing counts what the journal has and returns the points it lacks. Points
// that are one and the same simulation run once.
func (r *runner) missing() (left []int) {
	for i := range r.plan.Points {
		key := r.plan.Points[i].Key
		r.points[key]++
		res := r.journal.done[key]
		if res != nil && r.o.Retry && res.Error != "" {
			res = nil
		}
		if res != nil {
			r.out.Resumed++
			r.count(res, 1)
		} else if r.points[key] == 1 {
			left = append(left, i)
		}
	}
	for key := range r.journal.done {
		if r.points[key] == 0 {
			r.out.Foreign++
		}
	}
	return left
}

// count adds n points with a result and tells of them.
func (r *runner) count(res *Result, n int) {
	r.state.done += n
	if res.Error != "" {
		r.state.failed += n
	}
	if r.o.Progress != nil {
		r.o.Progress(r.state.done, r.state.failed, len(r.plan.Points))
	}
}

// finished is a point's result on its way to the journal; nil when it was given up.
type finished struct {
	result *Result
	err    error
}

// run shares the points among workers. One goroutine, this one, writes.
func (r *runner) run(ctx context.Context, left []int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	points, done := make(chan int), make(chan finished)
	go func() {
		defer close(points)
		for _, i := range left {
			select {
			case points <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range min(r.o.Workers, len(left)) {
		workers.Go(func() {
			for i := range points {
				res, err := r.plan.simulate(ctx, &r.plan.Points[i])
				done <- finished{res, err}
			}
		})
	}
	go func() {
		workers.Wait()
		close(done)
	}()
	var broken error
	for f := range done {
		if broken != nil {
			continue // the journal takes no more; hear everybody out
		}
		if broken = r.keep(f); broken != nil {
			cancel()
		}
	}
	r.settle()
	r.out.Interrupted = broken == nil && r.state.done < len(r.plan.Points)
	return broken
}

// keep writes a result down.
func (r *runner) keep(f finished) error {
	if f.err != nil || f.result == nil {
		return f.err
	}
	if err := r.journal.add(f.result); err != nil {
		return err
	}
	r.count(f.result, r.points[f.result.Key])
	return nil
}

// settle gives every point its result and counts the failures.
func (r *runner) settle() {
	for i := range r.plan.Points {
		res := r.journal.done[r.plan.Points[i].Key]
		r.out.Results[i] = res
		if res != nil && res.Error != "" {
			r.out.Failed++
		}
	}
}

// simulate runs one point. It returns no result when ctx ended it.
func (p *Plan) simulate(ctx context.Context, pt *Point) (*Result, error) {
	res, err := p.newResult(pt)
	if err != nil {
		return nil, err
	}
	report, err := p.report(ctx, pt)
	if errors.Is(err, lab.ErrInterrupted) {
		return nil, nil
	}
	if err != nil {
		res.Error = err.Error()
		return res, nil
	}
	res.Measures = measure(report)
	return res, nil
}

// report is the simulation itself. A defect of a model that shows at one point
// is that point's failure, not the sweep's end.
func (p *Plan) report(ctx context.Context, pt *Point) (report *lab.Report, err error) {
	defer func() {
		if v := recover(); v != nil {
			report, err = nil, fmt.Errorf("defect of the simulator: %v\n%s", v, debug.Stack())
		}
	}()
	if pt.Err != nil {
		return nil, pt.Err
	}
	return lab.Run(ctx, lab.Options{Machine: pt.Machine, Graph: pt.Graph, TimingOnly: !p.Spec.Functional, Workers: 1, Seed: p.Spec.Seed})
}
