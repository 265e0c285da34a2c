package npu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// front takes the host's accesses to the BARs in their order. Writes to different
// bytes of device memory overlap in time, as its controller may turn them round;
// everything else waits until those before it are visible. So a doorbell that
// software rings behind page tables or data written through BAR2 finds them there,
// and a read through BAR2 sees what was written through it, however busy the
// memory is.
type front struct {
	d      *Device
	source hw.Source // of accesses to device memory
	writes int       // to device memory, not yet visible
	held   sim.FIFO[frontAccess]
	memory relay
	answer sim.Handler
	quick  sim.FIFO[*hw.Request] // accesses that are done at the end of the instant
}

type frontAccess struct {
	bar int
	r   *hw.Request
}

func (f *front) init(d *Device, source hw.Source) {
	f.d, f.source = d, source
	f.memory.init(d.e, "memory window access", f.memoryDone)
	f.answer = d.e.Register("register access", func(uint64) { d.e.Fire(f.quick.Pop().Done) })
}

// submit is an access of the host to BAR0 or BAR2.
func (f *front) submit(bar int, r *hw.Request) {
	if f.held.Len() > 0 || f.mustWait(bar, r) {
		f.held.Push(frontAccess{bar, r})
		return
	}
	f.serve(bar, r)
}

func (f *front) mustWait(bar int, r *hw.Request) bool {
	if f.writes == 0 {
		return false
	}
	if bar != abi.BARMemory || r.Op != hw.Write {
		return true
	}
	for _, s := range f.memory.slots {
		if s.of != nil && r.Addr < s.copy.Addr+uint64(s.copy.Bytes) && s.copy.Addr < r.Addr+uint64(r.Bytes) {
			return true
		}
	}
	return false
}

func (f *front) serve(bar int, r *hw.Request) {
	switch {
	case bar != abi.BARMemory:
		f.serveRegisters(r)
	case f.d.mgmt.Ready():
		f.serveMemory(r)
	default:
		f.refuseMemory(r)
	}
}

// refuseMemory is an access to BAR2 before the management controller has brought
// device memory up: reads are all ones, writes are dropped.
func (f *front) refuseMemory(r *hw.Request) {
	r.Status, r.Zero = hw.OK, false
	if r.Op == hw.Read {
		for i := range r.Data {
			r.Data[i] = 0xff
		}
	}
	f.quick.Push(r)
	f.d.e.After(0, sim.Call{H: f.answer})
}

// serveRegisters is an access to BAR0. Before the management controller is up
// only its own block and identification take writes.
func (f *front) serveRegisters(r *hw.Request) {
	d := f.d
	r.Status = hw.OK
	switch {
	case r.Op == hw.Read:
		d.bar0.Read(r.Addr, r.Data)
	case d.mgmt.Ready() || r.Addr < abi.BaseMMU || r.Addr >= abi.BaseMgmt && r.Addr < abi.BaseQueues:
		d.bar0.Write(r.Addr, r.Data)
	}
	f.quick.Push(r)
	d.e.After(0, sim.Call{H: f.answer})
}

// serveMemory is an access to BAR2: device memory, beside the device MMU.
func (f *front) serveMemory(r *hw.Request) {
	c := f.memory.carry(r)
	c.Space, c.Source = hw.Device, f.source
	if r.Op == hw.Write {
		f.writes++
	}
	f.d.dram.Submit(c)
}

func (f *front) memoryDone(r *hw.Request) {
	if r.Op == hw.Write {
		f.writes--
	}
	f.d.e.Fire(r.Done)
	for f.held.Len() > 0 && !f.mustWait(f.held.Front().bar, f.held.Front().r) {
		a := f.held.Pop()
		f.serve(a.bar, a.r)
	}
}

// idle returns an error when an access is under way.
func (f *front) idle() error {
	if n := f.memory.underway() + f.held.Len() + f.quick.Len(); n > 0 {
		return fmt.Errorf("npu: %d accesses of the host are under way", n)
	}
	return nil
}
