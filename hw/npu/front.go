package npu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// front takes the host's accesses to the BARs in their order. Writes to different
// bytes of device memory overlap in time, as its controller may turn them round;
// everything else waits until those before it are visible. So a doorbell that software rings behind page tables or data written through BAR2
// finds them there, and a read through BAR2 sees what was written through it,
// however busy the memory is.
type front struct {
	d      *Device
	writes int // to device memory, not yet visible
	held   []frontAccess
	slots  []*frontSlot
	free   []int
	memory sim.Handler
	answer sim.Handler
	quick  []*hw.Request // register accesses, done at the end of the instant
}

type frontAccess struct {
	bar int
	r   *hw.Request
}

// frontSlot carries an access to device memory: a copy, since the host's own
// request stays as it is.
type frontSlot struct {
	of   *hw.Request
	copy hw.Request
}

func (f *front) init(d *Device) {
	f.d = d
	f.memory = d.e.Register("memory window access", func(i uint64) { f.memoryDone(int(i)) })
	f.answer = d.e.Register("register access", func(uint64) {
		r := f.quick[0]
		f.quick = append(f.quick[:0], f.quick[1:]...)
		d.e.Fire(r.Done)
	})
}

// submit is an access of the host to BAR0 or BAR2.
func (f *front) submit(bar int, r *hw.Request) {
	if len(f.held) > 0 || f.mustWait(bar, r) {
		f.held = append(f.held, frontAccess{bar, r})
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
	for _, s := range f.slots {
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
	f.quick = append(f.quick, r)
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
	f.quick = append(f.quick, r)
	d.e.After(0, sim.Call{H: f.answer})
}

// serveMemory is an access to BAR2: device memory, beside the device MMU.
func (f *front) serveMemory(r *hw.Request) {
	if len(f.free) == 0 {
		f.free = append(f.free, len(f.slots))
		f.slots = append(f.slots, &frontSlot{})
	}
	i := f.free[len(f.free)-1]
	f.free = f.free[:len(f.free)-1]
	s := f.slots[i]
	s.of, s.copy = r, *r
	s.copy.Space, s.copy.Source = hw.Device, hw.Source(f.d.cfg.sources().memory)
	s.copy.Done = sim.Call{H: f.memory, Arg: uint64(i)}
	if r.Op == hw.Write {
		f.writes++
	}
	f.d.dram.Submit(&s.copy)
}

func (f *front) memoryDone(i int) {
	s := f.slots[i]
	r := s.of
	r.Status, r.FaultAddr, r.Zero = s.copy.Status, s.copy.FaultAddr, s.copy.Zero
	s.of = nil
	f.free = append(f.free, i)
	if r.Op == hw.Write {
		f.writes--
	}
	f.d.e.Fire(r.Done)
	for len(f.held) > 0 && !f.mustWait(f.held[0].bar, f.held[0].r) {
		a := f.held[0]
		f.held = append(f.held[:0], f.held[1:]...)
		f.serve(a.bar, a.r)
	}
}

// idle returns an error when an access is under way.
func (f *front) idle() error {
	if n := len(f.slots) - len(f.free) + len(f.held) + len(f.quick); n > 0 {
		return fmt.Errorf("npu: %d accesses of the host are under way", n)
	}
	return nil
}
