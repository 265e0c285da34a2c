package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// vectorUnit runs one operation at a time.
type vectorUnit struct {
	c     *core
	queue ring[vectorOp]
	done  *sim.Timer
}

func (v *vectorUnit) init(c *core, name string) {
	*v = vectorUnit{c: c}
	v.done = c.e.NewTimer(name+" done", v.finish)
}

// clear forgets what is under way.
func (v *vectorUnit) clear() {
	v.queue.clear()
	v.done.Stop()
}

// arm sets the timer by the pace of the unit.
func (v *vectorUnit) arm() {
	if c, q := v.c, &v.queue; q.head != q.next {
		v.done.Set(c.edgeOf(&c.spad.vector, q.at(q.head).end), 0)
	}
}

// start begins the next operation if it may.
func (v *vectorUnit) start() bool {
	c, q := v.c, &v.queue
	if q.head != q.next || !q.waiting() {
		return false
	}
	o := q.at(q.next)
	if !c.take(&o.token) {
		return false
	}
	q.next++
	o.start, o.bill = c.e.Now(), c.bill
	c.working++
	pace, edge := &c.spad.vector, c.clock.EdgeAtOrAfter(c.e.Now())
	o.lag = pace.lag(edge)
	if o.rows > 0 {
		own := c.cfg.Vector.Cycles(o.spec(&c.cfg))
		alone := c.spad.alone(own, o.traffic())
		o.end = pace.at(edge) + cycles(alone)
		o.stretch = cycles(alone - own)
		c.want(abi.UnitVector, demandOf(o.traffic(), alone))
		c.exec.vector(c, o)
	}
	v.arm()
	return true
}

// finish is the end of the operation under way.
func (v *vectorUnit) finish(uint64) {
	c, q := v.c, &v.queue
	now, o := c.e.Now(), q.at(q.head)
	c.working--
	c.total.VectorBusy += int64(now - o.start)
	extra := c.behind(&c.spad.vector, o.lag-o.stretch)
	c.total.ScratchStall += int64(extra)
	c.exec.joinVector(c)
	q.head++
	c.bill = limitedPath(o.bill, o.start, now, extra, hw.Vector)
	c.want(abi.UnitVector, 0)
	c.complete(abi.UnitVector, &o.token, c.x.vectorLabels[o.op], uint64(o.rows*o.cols))
	c.advance()
}
