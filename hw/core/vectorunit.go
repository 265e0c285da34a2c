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
	done  sim.Handler
}

func (v *vectorUnit) init(c *core, name string) {
	*v = vectorUnit{c: c}
	v.done = c.e.Register(name+" done", v.finish)
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
	now := c.e.Now()
	o.start, o.bill = now, c.bill
	c.working++
	end := now
	if o.rows > 0 {
		own := c.cfg.Vector.Cycles(o.spec(&c.cfg))
		cycles := c.spad.limit(abi.UnitVector, own, o.traffic())
		o.extra = c.clock.Duration(cycles - own)
		end = c.clock.After(now, cycles)
		c.exec.vector(c, o)
	}
	c.e.At(end, sim.Call{H: v.done, Arg: c.epoch})
	return true
}

// finish is the end of the operation under way.
func (v *vectorUnit) finish(epoch uint64) {
	c, q := v.c, &v.queue
	if epoch != c.epoch {
		return
	}
	now, o := c.e.Now(), q.at(q.head)
	c.working--
	c.total.VectorBusy += int64(now - o.start)
	c.total.ScratchStall += int64(o.extra)
	c.exec.joinVector(c)
	q.head++
	c.spad.release(abi.UnitVector)
	c.bill = limitedPath(o.bill, o.start, now, o.extra, hw.Vector)
	c.complete(abi.UnitVector, &o.token, c.x.vectorLabels[o.op], uint64(o.rows*o.cols))
	c.advance()
}
