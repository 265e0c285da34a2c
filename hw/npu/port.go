package npu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// port is a requester's way to memory: through the device MMU by context.
// ASID 0 is no context: a trusted ring entry's addresses are physical, device
// memory or bus, and go past the MMU.
type port struct {
	d     *Device
	mmu   hw.Target
	route hw.Target
}

// Submit implements hw.Target.
func (p *port) Submit(r *hw.Request) {
	if r.Space == hw.Context && r.ASID == 0 {
		p.d.trusted.submit(r, p.route)
		return
	}
	p.mmu.Submit(r)
}

// trusted carries requests in physical addresses: each goes on as a copy, since
// the requester's own stays as it is.
type trusted struct {
	e     *sim.Engine
	done  sim.Handler
	slots []*trustedSlot
	free  []int
}

type trustedSlot struct {
	of   *hw.Request
	copy hw.Request
}

func (t *trusted) init(e *sim.Engine) {
	t.e = e
	t.done = e.Register("trusted access", func(i uint64) { t.end(int(i)) })
}

func (t *trusted) submit(r *hw.Request, route hw.Target) {
	if len(t.free) == 0 {
		t.free = append(t.free, len(t.slots))
		t.slots = append(t.slots, &trustedSlot{})
	}
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	s := t.slots[i]
	s.of, s.copy = r, *r
	s.copy.Space, s.copy.Done = hw.BusAddr, sim.Call{H: t.done, Arg: uint64(i)}
	if r.Addr&abi.DeviceBit != 0 {
		s.copy.Space, s.copy.Addr = hw.Device, r.Addr&^abi.DeviceBit
	}
	route.Submit(&s.copy)
}

func (t *trusted) end(i int) {
	s := t.slots[i]
	r := s.of
	r.Status, r.FaultAddr, r.Zero = s.copy.Status, s.copy.FaultAddr, s.copy.Zero
	r.Remote, r.Stalled = s.copy.Remote, s.copy.Stalled
	s.of = nil
	t.free = append(t.free, i)
	t.e.Fire(r.Done)
}

// idle returns an error when an access is under way.
func (t *trusted) idle() error {
	if n := len(t.slots) - len(t.free); n > 0 {
		return fmt.Errorf("npu: %d accesses in physical addresses are under way", n)
	}
	return nil
}
