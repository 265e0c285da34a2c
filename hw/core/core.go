package core

import (
	"fmt"
	"math/bits"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// expander is the sequencer's state for one kind of kernel: it appends
// micro-operations to the units' queues as far as they have room.
type expander interface {
	// fill reports whether there is nothing left to append.
	fill(c *core) (finished bool)
}

// core is one compute core.
type core struct {
	e     *sim.Engine
	x     *Complex
	id    int
	cfg   Config
	clock sim.Clock
	port  hw.Target

	load, store memUnit
	array       arrayUnit
	vector      vectorUnit
	spad        scratchpad
	exec        exec

	run       *run
	gen       expander
	finished  bool // the expander has nothing left
	product   productExpander
	vectors   vectorExpander
	program   programExpander
	completed [numUnits]uint64
	sems      [abi.Semaphores]uint32
	inflight  int     // requests in flight, and the wiping of the scratchpad
	working   int     // operations in the array and the vector unit
	bill      hw.Bill // critical path to the present event
	indices   []byte  // two buffers of a gather's row numbers

	begin sim.Handler
	mark  Counts // total when the launch began
	since sim.Time
	total Counts

	tracks [numUnits]sim.Track // of the trace
	labels [numUnits]sim.Label
}

var unitNames = [numUnits]string{abi.UnitLoad: "load", abi.UnitArray: "array", abi.UnitVector: "vector", abi.UnitStore: "store"}

func (c *core) init(x *Complex, id int, port hw.Target, functional bool) {
	name := fmt.Sprintf("core%d", id)
	*c = core{e: x.e, x: x, id: id, cfg: x.cfg, clock: x.clock, port: port}
	c.spad.cfg = &c.cfg.Scratchpad
	if functional {
		c.spad.bytes = make([]byte, c.cfg.Scratchpad.Size)
		c.exec.init(x.parts.Pool)
	}
	c.indices = make([]byte, 2*4*abi.MaxGatherRows)
	c.load.init(c, abi.UnitLoad, hw.Read, name+".load")
	c.store.init(c, abi.UnitStore, hw.Write, name+".store")
	c.array.init(c, name+".array")
	c.vector.init(c, name+".vector")
	c.program.init(c, name+".fetch")
	c.begin = c.e.Register(name+" begin", func(uint64) { c.inflight--; c.start() })
	for u, n := range unitNames {
		c.tracks[u], c.labels[u] = c.e.Track(name+"."+n), c.e.Label(n)
	}
	c.e.Stats.Add(name, c.total.counters()...)
}

func (c *core) source() hw.Source { return c.x.parts.Source + hw.Source(c.id) }

// enter takes the core's share of a launch: the i-th of n. The launch's own time
// passes first; a scratchpad that holds another context's bytes is wiped.
func (c *core) enter(i, n int64) {
	r := c.run
	c.mark, c.since, c.bill = c.total, c.e.Now(), r.lead
	c.sems, c.completed, c.finished = [abi.Semaphores]uint32{}, [numUnits]uint64{}, false
	c.gen = c.expander(i, n)
	c.spad.start(c.clock.EdgeAtOrAfter(c.since))
	wait := c.cfg.Core.LaunchTime
	if n > 1 {
		wait += c.cfg.Core.ShareTime
	}
	c.bill[hw.Queue] += wait
	if c.spad.enter(r.launch.ASID) {
		wipe := c.clock.After(c.e.Now(), c.cfg.Scratchpad.clearCycles()) - c.e.Now()
		c.bill[hw.Scratchpad] += wipe
		wait += wipe
	}
	if wait > 0 {
		c.inflight++
		c.e.After(wait, sim.Call{H: c.begin})
		return
	}
	c.start()
}

func (c *core) expander(i, n int64) expander {
	p := &c.run.plan
	switch p.k.Kind {
	case abi.KernelVector:
		return c.vectors.reset(p, i, n)
	case abi.KernelProgram:
		return c.program.reset(p, i)
	}
	return c.product.reset(p, i, n)
}

func (c *core) start() {
	if c.stopped() {
		c.settle()
		return
	}
	c.advance()
}

// stopped reports that nothing new may start.
func (c *core) stopped() bool { return c.run == nil || c.run.stopped }

// advance starts whatever can start at this instant. c.bill is the critical
// path to it.
func (c *core) advance() {
	for again := true; again && !c.stopped(); {
		if !c.finished {
			c.finished = c.gen.fill(c)
		}
		again = c.load.issue()
		c.array.start()
		c.vector.start()
		again = c.store.issue() || again
	}
	c.settle()
}

// take checks what an operation waits for and takes its semaphores.
func (c *core) take(t *token) bool {
	for u, n := range t.need {
		if c.completed[u] < n {
			return false
		}
	}
	for w := t.wait; w != 0; w &= w - 1 {
		if c.sems[bits.TrailingZeros16(w)] == 0 {
			return false
		}
	}
	for w := t.wait; w != 0; w &= w - 1 {
		c.sems[bits.TrailingZeros16(w)]--
	}
	return true
}

// want takes a unit's demand for the scratchpad from now on, bytes a cycle in
// 1/demandUnit. The array and the vector unit go by what that leaves them.
func (c *core) want(unit int, demand int64) {
	if demand != c.spad.demand[unit] && c.spad.want(unit, demand, c.clock.EdgeAtOrAfter(c.e.Now())) {
		c.array.arm()
		c.vector.arm()
	}
}

// edgeOf returns the instant at which a unit's own time is t, at the earliest now.
func (c *core) edgeOf(p *pace, t ticks) sim.Time {
	return max(c.e.Now(), c.clock.Edge(p.edge(t)))
}

// behind returns by how much a unit's own time has fallen back since its lag was a
// given one.
func (c *core) behind(p *pace, since ticks) sim.Time {
	return c.clock.Duration(ceilDiv(int64(p.lag(c.clock.EdgeAtOrAfter(c.e.Now()))-since), cycleTicks))
}

// complete counts an operation of a unit, raises its semaphores and traces it.
func (c *core) complete(unit int, t *token, label sim.Label, arg uint64) {
	c.completed[unit]++
	c.total.Ops++
	if p := c.run.launch.Progress; p != nil {
		*p++
	}
	for p := t.post; p != 0; p &= p - 1 {
		c.sems[bits.TrailingZeros16(p)]++
	}
	if c.e.Trace != nil {
		c.e.Trace.Add(sim.Span{Start: t.start, End: c.e.Now(), Track: c.tracks[unit], Label: label, Arg: arg})
	}
}

// settle ends the core's share when nothing is left of it or under way; after a
// stop what is in the array and the vector unit is cut short, but every request
// is awaited. Units that all wait while nothing is under way wait for ever: a
// PROGRAM's mistake.
func (c *core) settle() {
	if c.run == nil || c.inflight > 0 || c.working > 0 && !c.run.stopped {
		return
	}
	if !c.run.stopped && !(c.finished && c.idle()) {
		if c.run.plan.k.Kind != abi.KernelProgram {
			panic("core: the sequencer's own order deadlocks")
		}
		c.run.stop(abi.StatusBadDescriptor, c.program.position())
		return
	}
	c.leave()
}

func (c *core) idle() bool {
	return c.load.queue.empty() && c.array.queue.empty() && c.vector.queue.empty() && c.store.queue.empty()
}

// leave hands the share back. After a stop the time that no operation accounts
// for is memory's: the core waited for what was outstanding.
func (c *core) leave() {
	r := c.run
	if r.stopped {
		c.bill[hw.Memory] += c.e.Now() - r.since - c.bill.Total()
	}
	c.total.Busy += int64(c.e.Now() - c.since)
	c.clearUnits()
	c.run = nil
	share := c.total
	share.sub(&c.mark)
	r.left(&share, &c.bill)
}

// clearUnits forgets what was queued.
func (c *core) clearUnits() {
	c.working = 0
	c.load.queue.clear()
	c.store.queue.clear()
	c.array.clear()
	c.vector.clear()
	c.load.cur, c.store.cur = nil, nil
	c.load.portFree, c.store.portFree = 0, 0
	c.load.wants, c.store.wants = 0, 0
	c.exec.drain(c)
}

func (r *ring[T]) clear() { r.head, r.next, r.tail = 0, 0, 0 }
