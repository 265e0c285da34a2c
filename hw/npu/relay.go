package npu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// relay carries requests on as copies that may say another address, space or source.
type relay struct {
	e     *sim.Engine
	done  sim.Handler
	ended func(r *hw.Request) // the results are in r; what is left is to fire its Done
	slots []*carried
	free  []int
}

type carried struct {
	of   *hw.Request // nil: the slot is free
	copy hw.Request
}

func (x *relay) init(e *sim.Engine, name string, ended func(r *hw.Request)) {
	x.e, x.ended = e, ended
	x.done = e.Register(name, func(i uint64) { x.end(int(i)) })
}

// carry returns a copy of r for the caller to change and submit.
func (x *relay) carry(r *hw.Request) *hw.Request {
	if len(x.free) == 0 {
		x.free = append(x.free, len(x.slots))
		x.slots = append(x.slots, &carried{})
	}
	i := x.free[len(x.free)-1]
	x.free = x.free[:len(x.free)-1]
	s := x.slots[i]
	s.of, s.copy = r, *r
	s.copy.Done = sim.Call{H: x.done, Arg: uint64(i)}
	return &s.copy
}

func (x *relay) end(i int) {
	s := x.slots[i]
	r := s.of
	r.Answer(&s.copy)
	s.of = nil
	x.free = append(x.free, i)
	x.ended(r)
}

// underway returns how many copies are.
func (x *relay) underway() int { return len(x.slots) - len(x.free) }
