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

// trusted carries requests in physical addresses.
type trusted struct{ relay }

func (t *trusted) init(e *sim.Engine) {
	t.relay.init(e, "trusted access", func(r *hw.Request) { e.Fire(r.Done) })
}

func (t *trusted) submit(r *hw.Request, route hw.Target) {
	c := t.carry(r)
	c.Space = hw.BusAddr
	if r.Addr&abi.DeviceBit != 0 {
		c.Space, c.Addr = hw.Device, r.Addr&^abi.DeviceBit
	}
	route.Submit(c)
}

// idle returns an error when an access is under way.
func (t *trusted) idle() error {
	if n := t.underway(); n > 0 {
		return fmt.Errorf("npu: %d accesses in physical addresses are under way", n)
	}
	return nil
}
