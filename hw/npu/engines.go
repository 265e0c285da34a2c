package npu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// engines is the queues' way to cores and copy engines. It passes work on, unless
// a fault has it hang or begin late, or chaos mode puts it off.
type engines struct {
	d     *Device
	chaos *sim.Stream // nil: off
	held  []held
	begin sim.Handler
}

// held is work that is not passed on: for ever, or yet.
type held struct {
	launch *hw.Launch
	copy   *hw.Copy
	round  uint32 // of the slot, so that an event of an earlier use is void
}

// chaosWork is the longest that chaos mode puts off a kernel or a copy.
const chaosWork = 3 * sim.Microsecond

func (x *engines) init(d *Device) {
	x.d = d
	x.begin = d.e.Register("late work", func(arg uint64) {
		if h := &x.held[uint32(arg)]; h.round == uint32(arg>>32) {
			x.pass(h)
		}
	})
}

// Launch implements hw.Computer.
func (x *engines) Launch(l *hw.Launch) {
	if !x.holds(abi.EngineCompute, held{launch: l}) {
		x.d.cores.Launch(l)
	}
}

// Copy implements hw.Copier.
func (x *engines) Copy(c *hw.Copy) {
	if !x.holds(abi.EngineCopy, held{copy: c}) {
		x.d.dma.Copy(c)
	}
}

// holds gives work its chances, and reports whether it is kept back.
func (x *engines) holds(engine int, h held) bool {
	faults := x.d.faults
	if faults.Hit(fault.EngineHang, engine, 0) != nil {
		x.keep(h)
		return true
	}
	late := sim.Time(0)
	if s := faults.Hit(fault.EngineSlow, engine, 0); s != nil {
		late = s.Duration
	}
	if x.chaos != nil {
		late += fault.Pick(x.chaos, chaosWork)
	}
	if late == 0 {
		return false
	}
	i := x.keep(h)
	x.d.e.After(late, sim.Call{H: x.begin, Arg: uint64(i) | uint64(x.held[i].round)<<32})
	return true
}

// keep puts work into a free slot.
func (x *engines) keep(h held) int {
	i := 0
	for i < len(x.held) && x.held[i].busy() {
		i++
	}
	if i == len(x.held) {
		x.held = append(x.held, held{})
	}
	h.round = x.held[i].round
	x.held[i] = h
	return i
}

func (h *held) busy() bool { return h.launch != nil || h.copy != nil }

// pass hands work on.
func (x *engines) pass(h *held) {
	launch, copy := h.launch, h.copy
	h.free()
	if launch != nil {
		x.d.cores.Launch(launch)
	} else if copy != nil {
		x.d.dma.Copy(copy)
	}
}

func (h *held) free() { *h = held{round: h.round + 1} }

// haltCores halts the cores, and ends the kernels that are kept back.
func (x *engines) haltCores(done sim.Call) {
	for i := range x.held {
		if h := &x.held[i]; h.launch != nil {
			h.launch.Result = hw.Result{Code: abi.StatusAborted}
			x.d.e.After(0, h.launch.Done)
			h.free()
		}
	}
	x.d.cores.Halt(done)
}

// haltDMA is haltCores for copies.
func (x *engines) haltDMA(done sim.Call) {
	for i := range x.held {
		if h := &x.held[i]; h.copy != nil {
			h.copy.Result = hw.Result{Code: abi.StatusAborted}
			x.d.e.After(0, h.copy.Done)
			h.free()
		}
	}
	x.d.dma.Halt(done)
}

// idle returns an error while work is kept back.
func (x *engines) idle() error {
	for i := range x.held {
		if x.held[i].busy() {
			return fmt.Errorf("npu: a kernel or copy is kept back by a fault")
		}
	}
	return nil
}
