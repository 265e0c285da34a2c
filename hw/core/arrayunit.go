package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// arrayUnit runs products. With overlap it takes the next product while the
// last fold of the one before streams, so that its weights load behind it.
type arrayUnit struct {
	c         *core
	queue     ring[arrayOp]
	closed    bool  // until the present product's last fold
	streamEnd int64 // edge at which the present product's last row has entered
	lastEnd   int64 // edge of its last result
	busyTo    sim.Time
	accept    sim.Handler
	done      sim.Handler
}

func (a *arrayUnit) init(c *core, name string) {
	*a = arrayUnit{c: c}
	a.accept = c.e.Register(name+" accept", a.open)
	a.done = c.e.Register(name+" done", a.finish)
}

// start begins the next product if it may.
func (a *arrayUnit) start() bool {
	c, q := a.c, &a.queue
	if a.closed || !q.waiting() {
		return false
	}
	o := q.at(q.next)
	if !c.take(&o.token) {
		return false
	}
	q.next++
	o.start, o.bill = c.e.Now(), c.bill
	c.inflight++
	if o.spec.M == 0 { // a no-operation
		c.e.At(max(c.e.Now(), c.clock.Edge(a.lastEnd)), sim.Call{H: a.done})
		a.closed = true
		return true
	}
	a.schedule(o)
	c.exec.array(c, o, q.next-1)
	return true
}

// schedule computes when o's weights are in, its rows have entered and its sums
// are out, and puts the two events in the calendar.
func (a *arrayUnit) schedule(o *arrayOp) {
	c := a.c
	now := c.e.Now()
	edge := c.clock.EdgeAtOrAfter(now)
	cost := c.cfg.Array.Cost(&o.spec)
	stream := c.spad.limit(abi.UnitArray, cost.Stream, c.cfg.Array.traffic(&o.spec))
	a.streamEnd = max(edge+cost.Preload, a.streamEnd) + stream
	a.lastEnd = max(a.streamEnd+cost.Drain, a.lastEnd)
	o.extra = c.clock.Duration(stream - cost.Stream)
	c.total.ScratchStall += int64(o.extra)
	open := a.lastEnd
	if c.cfg.Array.Overlap == DoubleBuffered {
		open = max(edge, a.streamEnd-cost.Last)
	}
	a.closed = true
	end := c.clock.Edge(a.lastEnd)
	c.e.At(max(now, c.clock.Edge(open)), sim.Call{H: a.accept})
	c.e.At(end, sim.Call{H: a.done})
	c.total.ArrayBusy += int64(end - max(now, a.busyTo))
	a.busyTo = end
	c.total.MACs += o.spec.MACs()
}

// path is the critical path through o up to now.
func (o *arrayOp) path(now sim.Time) hw.Bill {
	return limitedPath(o.bill, o.start, now, o.extra, hw.Array)
}

// limitedPath adds the time since start to a path: extra of it to the
// scratchpad, the rest to the unit.
func limitedPath(b hw.Bill, start, now, extra sim.Time, unit hw.Resource) hw.Bill {
	d := now - start
	extra = min(extra, d)
	b[hw.Scratchpad] += extra
	b[unit] += d - extra
	return b
}

// open lets the next product in.
func (a *arrayUnit) open(uint64) {
	c := a.c
	a.closed = false
	if c.stopped() || !a.queue.waiting() || a.queue.head == a.queue.next {
		return
	}
	c.bill = a.queue.at(a.queue.next - 1).path(c.e.Now())
	if a.start() {
		c.advance()
	}
}

// finish is the end of the oldest product under way.
func (a *arrayUnit) finish(uint64) {
	c, q := a.c, &a.queue
	o := q.at(q.head)
	c.inflight--
	c.exec.joinArray(q.head)
	q.head++
	if q.head == q.next {
		c.spad.release(abi.UnitArray)
	}
	if o.spec.M == 0 {
		a.closed = false
	}
	if c.stopped() {
		c.settle()
		return
	}
	c.bill = o.path(c.e.Now())
	c.complete(abi.UnitArray, &o.token, c.labels[abi.UnitArray], uint64(o.spec.MACs()))
	c.advance()
}
