package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// descriptor is a kernel descriptor, fetched ahead or on demand.
type descriptor struct {
	u     *Unit
	valid bool // fetched or being fetched for addr
	busy  bool
	addr  uint64
	buf   [abi.KernelSize]byte
	req   hw.Request
}

func (d *descriptor) init(u *Unit, done sim.Call) {
	d.u = u
	d.req = hw.Request{Op: hw.Read, Source: u.parts.Source, Exec: true, Bytes: abi.KernelSize, Done: done}
	d.req.Data = d.buf[:]
}

func (d *descriptor) fetch(asid uint16, addr uint64) {
	if d.busy {
		return
	}
	d.valid, d.busy, d.addr = true, true, addr
	d.req.Space, d.req.ASID, d.req.Addr, d.req.Zero = hw.Context, asid, addr, false
	d.req.Send(d.u.parts.Port)
}
