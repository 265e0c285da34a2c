package rig

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// passes stands where the device MMU stands between a requester and the link:
// addresses with hostSide go to the link, without it; the others are of a memory
// that takes no time.
type passes struct {
	e    *sim.Engine
	link hw.Target
	seen func(op hw.Op, took sim.Time)
	all  []*pass
	free []int
	done sim.Handler
}

// pass is a request on its way through the link.
type pass struct {
	hw.Request
	of    *hw.Request
	since sim.Time
}

func newPasses(e *sim.Engine, link hw.Target, seen func(hw.Op, sim.Time)) *passes {
	p := &passes{e: e, link: link, seen: seen}
	p.done = e.Register("bench", p.onDone)
	return p
}

// Submit implements hw.Target.
func (p *passes) Submit(r *hw.Request) {
	if r.Addr&hostSide == 0 {
		p.e.After(0, r.Done)
		return
	}
	i := len(p.all)
	if n := len(p.free); n > 0 {
		i = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		p.all = append(p.all, &pass{})
	}
	t := p.all[i]
	t.of, t.since = r, p.e.Now()
	t.Request = hw.Request{Op: r.Op, Space: hw.BusAddr, Source: r.Source, Addr: r.Addr &^ hostSide, Bytes: r.Bytes,
		Done: sim.Call{H: p.done, Arg: uint64(i)}}
	p.link.Submit(&t.Request)
}

func (p *passes) onDone(i uint64) {
	t := p.all[i]
	t.of.Status, t.of.FaultAddr, t.of.Remote, t.of.Stalled = t.Status, t.FaultAddr, true, t.Stalled
	if t.FaultAddr != 0 {
		t.of.FaultAddr |= hostSide
	}
	p.free = append(p.free, int(i))
	p.seen(t.Op, p.e.Now()-t.since)
	p.e.Fire(t.of.Done)
}
