package npu

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// resets is the reset tree. A reset halts what it covers, waits until nothing
// is outstanding, resets it and reports. One at a time.
type resets struct {
	d      *Device
	busy   bool
	left   int
	finish func()
	halted sim.Handler
}

func (x *resets) init(d *Device) {
	x.d = d
	x.halted = d.e.Register("reset halted", func(uint64) {
		if x.left--; x.left == 0 {
			x.finish()
		}
	})
}

// begin halts the given blocks and calls finish when all are quiet.
func (x *resets) begin(finish func(), halts ...func(sim.Call)) {
	x.busy, x.left, x.finish = true, len(halts), finish
	for _, halt := range halts {
		halt(sim.Call{H: x.halted})
	}
}

// request is a write to RESET_CTRL; ignored while a reset is busy, FAILED for a
// domain or index that does not exist.
func (x *resets) request(domain uint64, index int) {
	if x.busy {
		return
	}
	d := x.d
	queues := func(i int) func(sim.Call) { return func(done sim.Call) { d.queues.Halt(i, done) } }
	x.status(abi.ResetBusy)
	switch {
	case domain == abi.ResetQueue && index < d.cfg.Queue.Count:
		x.begin(func() { x.end(d.queues.Reset(index)) }, queues(index))
	case domain == abi.ResetEngine && index == abi.EngineCompute:
		x.begin(func() { d.cores.Reset(); x.end(d.queues.Reset(-1)) }, queues(-1), d.cores.Halt)
	case domain == abi.ResetEngine && index == abi.EngineCopy:
		x.begin(func() { d.dma.Reset(); x.end(d.queues.Reset(-1)) }, queues(-1), d.dma.Halt)
	case domain == abi.ResetCompute:
		x.begin(func() { x.end(x.compute()) }, queues(-1), d.cores.Halt, d.dma.Halt, d.mmu.Halt)
	default:
		x.status(abi.ResetFailed)
	}
}

// compute resets engines, queues and TLBs; memory is kept.
func (x *resets) compute() (asids uint64) {
	d := x.d
	d.cores.Reset()
	d.dma.Reset()
	d.mmu.Reset()
	d.trans.reset()
	return d.queues.Reset(-1)
}

func (x *resets) end(asids uint64) {
	x.busy = false
	regs := x.d.ident.regs
	regs.Set(regs.Ref("RESET_ASIDS"), 0, asids)
	x.status(abi.ResetDone)
	x.d.event(abi.CauseReset)
}

func (x *resets) status(s uint64) {
	regs := x.d.ident.regs
	regs.Set(regs.Ref("RESET_STATUS"), 0, s)
}

// functionReset is a function-level reset: everything, and memory is lost.
func (d *Device) functionReset(done sim.Call) {
	x := &d.resets
	finish := func() {
		x.compute()
		x.busy = false
		d.mgmt.Reset()
		d.ident.reset()
		d.tele.regs.Reset()
		d.queues.Moderate(0, 0)
		d.store.Scramble(d.e.Stream("memory after reset"))
		d.e.After(0, done)
	}
	all := func(done sim.Call) { d.queues.Halt(-1, done) }
	x.begin(finish, all, d.cores.Halt, d.dma.Halt, d.mmu.Halt)
}
