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
	closed    bool     // until the present product's last fold
	streamEnd int64    // edge at which the present product's last row has entered
	lastEnd   int64    // edge of its last result
	busyTo    sim.Time // the last product's end
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
	c.working++
	if o.spec.M == 0 { // a no-operation
		c.e.At(max(c.e.Now(), c.clock.Edge(a.lastEnd)), sim.Call{H: a.done, Arg: c.epoch})
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
	begin := edge + cost.Preload
	if a.streamEnd > 0 {
		begin = max(begin, a.streamEnd+int64(c.cfg.Array.TurnCycles))
	}
	a.streamEnd = begin + stream
	a.lastEnd = max(a.streamEnd+cost.Drain, a.lastEnd)
	o.extra = c.clock.Duration(stream - cost.Stream)
	open := a.lastEnd
	if c.cfg.Array.Overlap == DoubleBuffered {
		open = max(edge, a.streamEnd-cost.Last)
	}
	a.closed = true
	c.e.At(max(now, c.clock.Edge(open)), sim.Call{H: a.accept, Arg: c.epoch})
	c.e.At(c.clock.Edge(a.lastEnd), sim.Call{H: a.done, Arg: c.epoch})
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
func (a *arrayUnit) open(epoch uint64) {
	c := a.c
	if epoch != c.epoch {
		return
	}
	a.closed = false
	if c.stopped() || !a.queue.waiting() {
		return
	}
	c.bill = a.queue.at(a.queue.next - 1).path(c.e.Now())
	if a.start() {
		c.advance()
	}
}

// finish is the end of the oldest product under way.
func (a *arrayUnit) finish(epoch uint64) {
	c, q := a.c, &a.queue
	if epoch != c.epoch {
		return
	}
	now, o := c.e.Now(), q.at(q.head)
	c.working--
	c.total.ArrayBusy += int64(now - max(o.start, a.busyTo))
	c.total.ScratchStall += int64(o.extra)
	c.total.MACs += o.spec.MACs()
	a.busyTo = now
	c.exec.joinArray(q.head)
	q.head++
	if q.head == q.next {
		c.spad.release(abi.UnitArray)
	}
	if o.spec.M == 0 {
		a.closed = false
	}
	c.bill = o.path(now)
	c.complete(abi.UnitArray, &o.token, c.labels[abi.UnitArray], uint64(o.spec.MACs()))
	c.advance()
}
