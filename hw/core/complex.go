package core

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// Complex is the compute complex; it implements hw.Computer and hw.Resetter.
//
// A launch takes the cores that share its kernel at once: all of its mask, or as
// many as the descriptor says, the first that are free. Launches that find theirs
// free run side by side; one that waits keeps its whole mask from those behind it.
// Result.Bill covers the time from Launch to Done; waiting for cores is Queue.
type Complex struct {
	// Observer, unless nil, is told of every launch that ends.
	Observer Observer

	e       *sim.Engine
	cfg     Config
	clock   sim.Clock
	parts   Parts
	cores   []core
	runs    []*run
	free    []*run
	pending []*run // accepted, waiting for cores
	live    int    // accepted and not ended
	busy    uint32 // cores taken
	ended   sim.Handler
	halted  bool

	arbiter *sim.Arbiter
	onHalt  sim.Call
	seen    Observation

	vectorLabels [abi.NumVecOps + 1]sim.Label // of the trace
}

// Parts is what a complex works with.
type Parts struct {
	Ports  []hw.Target // each core's own way to memory, for requests in Space Context
	Source hw.Source   // of core 0's requests; core i's have Source + i
	Pool   *kern.Pool  // computes the values. Nil: there are none, in the same time
}

// New returns a complex of cfg.Core.Count cores. cfg must be valid.
func New(e *sim.Engine, cfg Config, parts Parts) *Complex {
	if errs := cfg.Validate(); len(errs) > 0 {
		panic(fmt.Sprintf("core: New with a configuration that was not validated: %v", errors.Join(errs...)))
	}
	if len(parts.Ports) != cfg.Core.Count {
		panic(fmt.Sprintf("core: %d ports for %d cores", len(parts.Ports), cfg.Core.Count))
	}
	x := &Complex{e: e, cfg: cfg, clock: sim.NewClock(cfg.Core.Clock), parts: parts, cores: make([]core, cfg.Core.Count)}
	x.ended = e.Register("core launch end", x.end)
	x.arbiter = e.NewArbiter("core dispatch", x.dispatch)
	for op, name := range abi.VecOpNames {
		x.vectorLabels[op] = e.Label(name)
	}
	x.vectorLabels[opEpilogue] = e.Label("epilogue")
	for i := range x.cores {
		x.cores[i].init(x, i, parts.Ports[i], parts.Pool != nil)
	}
	return x
}

// run is a launch on its way.
type run struct {
	x       *Complex
	index   int
	launch  *hw.Launch
	plan    plan
	mask    uint32   // while it waits, the cores it may have; then those it has
	cores   int      // how many share it
	since   sim.Time // when it was accepted
	begun   sim.Time
	lead    hw.Bill // before it began
	open    int     // cores not finished
	stopped bool
	code    abi.Status
	addr    uint64
	bill    hw.Bill
	counts  Counts
}

// Launch implements hw.Computer. A mask of 0 means all cores; cores that do not
// exist are a bad descriptor.
func (x *Complex) Launch(l *hw.Launch) {
	r := x.take()
	*r = run{x: x, index: r.index, launch: l, mask: l.Cores, since: x.e.Now()}
	x.live++
	all := uint32(1)<<len(x.cores) - 1
	if r.mask == 0 {
		r.mask = all
	}
	switch {
	case x.halted:
		r.code = abi.StatusAborted
	case r.mask&^all != 0:
		r.code = abi.StatusBadDescriptor
	default:
		r.cores, r.code = r.plan.check(l.Desc[:], &x.cfg, bits.OnesCount32(r.mask))
	}
	if r.code != abi.StatusOK {
		r.mask = 0
		x.e.After(0, sim.Call{H: x.ended, Arg: uint64(r.index)})
		return
	}
	x.pending = append(x.pending, r)
	x.arbiter.Ask()
}

// take returns a run to fill.
func (x *Complex) take() *run {
	if n := len(x.free); n > 0 {
		r := x.free[n-1]
		x.free = x.free[:n-1]
		return r
	}
	r := &run{index: len(x.runs)}
	x.runs = append(x.runs, r)
	return r
}

// before orders launches that wait: by priority, then by queue, then by arrival.
func before(a, b *run) int {
	return cmp.Or(cmp.Compare(a.launch.Priority, b.launch.Priority)*-1, cmp.Compare(a.launch.Queue, b.launch.Queue))
}

// dispatch starts what waits and finds its cores free. A launch that waits keeps
// its mask from those behind it. Every launch of an instant is seen before one
// is started.
func (x *Complex) dispatch() {
	slices.SortStableFunc(x.pending, before)
	taken, kept := x.busy, x.pending[:0]
	for _, r := range x.pending {
		if free := r.mask &^ taken; bits.OnesCount32(free) >= r.cores {
			r.mask = first(free, r.cores)
			x.begin(r)
		} else {
			kept = append(kept, r)
		}
		taken |= r.mask
	}
	clear(x.pending[len(kept):])
	x.pending = kept
}

// first returns the lowest n bits that are set in mask.
func first(mask uint32, n int) (some uint32) {
	for range n {
		some |= mask & -mask
		mask &= mask - 1
	}
	return some
}

// begin puts r on its cores. A share may be empty and end at once, and the first
// shares may stop the launch before the last has begun.
func (x *Complex) begin(r *run) {
	x.busy |= r.mask
	r.begun = x.e.Now()
	r.lead[hw.Queue] = r.begun - r.since
	r.open = r.cores
	n := int64(r.open)
	for m := r.mask; m != 0; m &= m - 1 {
		x.cores[bits.TrailingZeros32(m)].run = r
	}
	i := int64(0)
	for m := r.mask; m != 0; m &= m - 1 {
		if c := &x.cores[bits.TrailingZeros32(m)]; c.run == r {
			c.enter(i, n)
		}
		i++
	}
}

// stop keeps the launch from starting anything new; the first reason counts.
func (r *run) stop(code abi.Status, addr uint64) {
	if r.stopped {
		return
	}
	r.stopped, r.code, r.addr = true, code, addr
	for m := r.mask; m != 0; m &= m - 1 {
		if c := &r.x.cores[bits.TrailingZeros32(m)]; c.run == r {
			c.settle()
		}
	}
}

// left takes back a core's share; the last one's path is the launch's.
func (r *run) left(n *Counts, path *hw.Bill) {
	r.counts.add(n)
	r.open--
	if r.open == 0 {
		r.bill = *path
		r.x.e.After(0, sim.Call{H: r.x.ended, Arg: uint64(r.index)})
	}
}

// end reports a launch's result and lets the next ones begin.
func (x *Complex) end(index uint64) {
	r := x.runs[index]
	l := r.launch
	l.Result = hw.Result{Code: r.code, Addr: r.addr, Bill: r.bill}
	if x.Observer != nil {
		k := &r.plan.k
		x.seen = Observation{Launch: l, Kind: k.Kind, Op: k.Op, Cores: bits.OnesCount32(r.mask),
			Submitted: r.since, Start: r.begun, End: x.e.Now(), Counts: r.counts}
		x.Observer.Launched(&x.seen)
	}
	x.busy &^= r.mask
	r.launch = nil
	x.free = append(x.free, r)
	x.live--
	x.e.Fire(l.Done)
	x.arbiter.Ask()
	if x.halted && x.live == 0 {
		x.e.After(0, x.onHalt)
		x.onHalt = sim.Call{}
	}
}

// drop aborts a launch that has not begun.
func (x *Complex) drop(r *run) {
	r.code, r.mask = abi.StatusAborted, 0
	r.bill[hw.Queue] = x.e.Now() - r.since
	x.e.After(0, sim.Call{H: x.ended, Arg: uint64(r.index)})
}

// Halt implements hw.Resetter: launches end as aborted, and done fires when
// none is left and nothing is outstanding.
func (x *Complex) Halt(done sim.Call) {
	x.halted, x.onHalt = true, done
	for _, r := range x.pending {
		x.drop(r)
	}
	clear(x.pending)
	x.pending = x.pending[:0]
	for _, r := range x.runs {
		if r.launch != nil && r.open > 0 {
			r.stop(abi.StatusAborted, 0)
		}
	}
	if x.live == 0 {
		x.e.After(0, done)
		x.onHalt = sim.Call{}
	}
}

// Reset implements hw.Resetter: scratchpads are wiped, launches accepted again.
// Only a halted complex may be reset.
func (x *Complex) Reset() {
	if err := x.Idle(); err != nil {
		panic("core: reset while busy: " + err.Error())
	}
	for i := range x.cores {
		s := &x.cores[i].spad
		clear(s.bytes)
		s.used = false
	}
	x.halted = false
}

// ErrBusy is wrapped by Idle's error.
var ErrBusy = errors.New("core: work is outstanding")

// Idle returns an error that names what is outstanding, if anything is: the
// check that a test ends with.
func (x *Complex) Idle() error {
	if x.live > 0 {
		return fmt.Errorf("%w: %d launches, %d of them waiting for cores", ErrBusy, x.live, len(x.pending))
	}
	for i := range x.cores {
		c := &x.cores[i]
		if c.run != nil || c.inflight+c.working != 0 || !c.idle() || len(c.load.free)+len(c.store.free) != 2*x.cfg.Core.Outstanding {
			return fmt.Errorf("%w: core %d: %d requests and %d operations under way", ErrBusy, i, c.inflight, c.working)
		}
	}
	return nil
}

// Progress counts micro-operations completed by all cores, ever: a launch that
// is slow moves it, one that hangs does not.
func (x *Complex) Progress() (n int64) {
	for i := range x.cores {
		n += x.cores[i].total.Ops
	}
	return n
}

// Total returns the counts of all cores since power-on.
func (x *Complex) Total() (n Counts) {
	for i := range x.cores {
		n.add(&x.cores[i].total)
	}
	return n
}
