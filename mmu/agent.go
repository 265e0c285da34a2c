package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// route says where a table's address lies: the space and the address in it.
type route func(addr uint64) (hw.Space, uint64)

// agent runs one machine in simulated time: each access is a request to a
// target, and the machine goes on when it is served.
type agent struct {
	m      machine
	target hw.Target
	route  route
	ended  func()
	reads  *int64
	op     MemOp
	req    hw.Request
	busy   bool
}

func newAgent(e *sim.Engine, name string, src hw.Source, target hw.Target, rt route, m machine, ended func()) *agent {
	a := &agent{m: m, target: target, route: rt, ended: ended, reads: new(int64)}
	a.req.Source = src
	a.req.Done = sim.Call{H: e.Register(name, a.served)}
	return a
}

// start runs the machine from its beginning; a running one goes on by itself.
func (a *agent) start() {
	if !a.busy {
		a.busy = true
		a.proceed()
	}
}

func (a *agent) proceed() {
	if !a.m.Resume(&a.op) {
		a.busy = false
		a.ended()
		return
	}
	r := &a.req
	r.Space, r.Addr = a.route(a.op.Addr)
	r.Op, r.Atomic, r.Zero = hw.Read, false, false
	if a.op.Write {
		r.Op, r.Atomic = hw.Write, a.op.Bytes <= 8
	} else {
		*a.reads++
	}
	r.Bytes, r.Data = int64(a.op.Bytes), a.op.Buf[:a.op.Bytes]
	r.Status = hw.OK
	a.target.Submit(r)
}

func (a *agent) served(uint64) {
	if a.req.Zero && !a.op.Write {
		clear(a.op.Buf[:a.op.Bytes])
	}
	a.op.Status = a.req.Status
	a.proceed()
}
