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
	openAt    ticks    // when that begins,
	streamEnd ticks    // when its last row has entered,
	lastEnd   ticks    // and when its last result is out, in the unit's own time
	busyTo    sim.Time // the last product's end,
	lag       ticks    // and how far the own time was behind then
	accept    *sim.Timer
	done      *sim.Timer // of the oldest product under way
	turn      *sim.Timer // the last product's, when the rows of the one before have entered:
	turnAt    ticks
	wants     int64 // what it wants of the scratchpad then; already: its turn has come
}

const already = -1

func (a *arrayUnit) init(c *core, name string) {
	*a = arrayUnit{c: c, wants: already}
	a.accept = c.e.NewTimer(name+" accept", a.open)
	a.done = c.e.NewTimer(name+" done", a.finish)
	a.turn = c.e.NewTimer(name+" turn", func(uint64) { a.takeTurn() })
}

// clear forgets what is under way.
func (a *arrayUnit) clear() {
	a.queue.clear()
	a.closed, a.openAt, a.streamEnd, a.lastEnd, a.lag, a.wants = false, 0, 0, 0, 0, already
	a.accept.Stop()
	a.done.Stop()
	a.turn.Stop()
}

// arm sets the timers by the pace of the unit.
func (a *arrayUnit) arm() {
	c, q := a.c, &a.queue
	if a.closed && q.at(q.next-1).spec.M != 0 {
		a.accept.Set(c.edgeOf(&c.spad.array, a.openAt), 0)
	}
	if q.head != q.next {
		a.done.Set(c.edgeOf(&c.spad.array, q.at(q.head).end), 0)
	}
	if a.wants != already {
		a.turn.Set(c.edgeOf(&c.spad.array, a.turnAt), 0)
	}
}

// takeTurn has the scratchpad serve the last product, from now on.
func (a *arrayUnit) takeTurn() {
	wants := a.wants
	a.wants = already
	a.turn.Stop()
	a.c.want(abi.UnitArray, wants)
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
	a.closed = true
	if o.spec.M == 0 { // a no-operation
		o.end, o.lag = a.lastEnd, c.spad.array.lag(c.clock.EdgeAtOrAfter(o.start))
		a.arm()
		return true
	}
	a.schedule(o)
	c.exec.array(c, o, q.next-1)
	return true
}

// schedule computes when o's weights are in, its rows have entered and its sums
// are out, in the unit's own time, and sets the timers.
func (a *arrayUnit) schedule(o *arrayOp) {
	c := a.c
	edge := c.clock.EdgeAtOrAfter(c.e.Now())
	cost, traffic := c.cfg.Array.Cost(&o.spec), c.cfg.Array.traffic(&o.spec)
	stream := c.spad.alone(cost.Stream, traffic)
	now := c.spad.array.at(edge)
	if a.wants != already && now >= a.turnAt {
		a.takeTurn() // its timer is of this instant, too
	}
	o.lag, o.stretch = c.spad.array.lag(edge), cycles(stream-cost.Stream)
	begin, before := now+cycles(cost.Preload), max(now, a.streamEnd)
	if a.streamEnd > 0 {
		begin = max(begin, a.streamEnd+cycles(int64(c.cfg.Array.TurnCycles)))
	}
	a.streamEnd = begin + cycles(stream)
	a.lastEnd = max(a.streamEnd+cycles(cost.Drain), a.lastEnd)
	o.end = a.lastEnd
	if c.cfg.Array.Overlap == DoubleBuffered {
		a.openAt = max(now, a.streamEnd-cycles(cost.Last))
	} else {
		a.openAt = a.lastEnd
	}
	wants := demandOf(traffic, int64(a.streamEnd-before)/cycleTicks)
	switch {
	case before <= now:
		c.want(abi.UnitArray, wants)
	case wants != c.spad.demand[abi.UnitArray]:
		a.wants, a.turnAt = wants, before
	}
	a.arm()
}

// path is the critical path through a product under way up to now.
func (a *arrayUnit) path(o *arrayOp, now sim.Time) hw.Bill {
	return limitedPath(o.bill, o.start, now, a.c.behind(&a.c.spad.array, o.lag-o.stretch), hw.Array)
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
	if c.stopped() || !a.queue.waiting() {
		return
	}
	c.bill = a.path(a.queue.at(a.queue.next-1), c.e.Now())
	if a.start() {
		c.advance()
	}
}

// finish is the end of the oldest product under way.
func (a *arrayUnit) finish(uint64) {
	c, q := a.c, &a.queue
	now, o := c.e.Now(), q.at(q.head)
	c.working--
	c.total.ArrayBusy += int64(now - max(o.start, a.busyTo))
	c.total.ScratchStall += int64(c.behind(&c.spad.array, max(o.lag, a.lag)-o.stretch))
	a.lag = c.spad.array.lag(c.clock.EdgeAtOrAfter(now))
	c.total.MACs += o.spec.MACs()
	a.busyTo = now
	c.exec.joinArray(q.head)
	c.bill = a.path(o, now)
	q.head++
	if o.spec.M == 0 {
		a.closed = false
	}
	if q.head == q.next {
		c.want(abi.UnitArray, 0)
	} else {
		a.arm()
	}
	c.complete(abi.UnitArray, &o.token, c.labels[abi.UnitArray], uint64(o.spec.MACs()))
	c.advance()
}
