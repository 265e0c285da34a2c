package npu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// resets is the reset tree: queue, engine, compute, function. A reset halts what
// it covers, waits until nothing of that is outstanding, resets it and reports.
// One runs at a time; a wider one takes the place of a narrower one that is busy
// (its engine hangs, say), as it halts all that the narrower one does.
type resets struct {
	d      *Device
	domain uint64 // that is busy, 0 none
	round  uint64 // of halts; answers to an earlier one are void
	left   int    // halts without answer
	finish func()
	halted sim.Handler
	stuck  bool // a fault: it has halted everything and goes no further
	late   sim.Handler
}

// domainFunction is a function-level reset, which configuration space asks for.
const domainFunction = abi.ResetCompute + 1

func (x *resets) init(d *Device) {
	x.d = d
	x.halted = d.e.Register("reset halted", func(round uint64) {
		if round != x.round {
			return
		}
		if x.left--; x.left == 0 {
			x.domain = 0
			x.finish()
		}
	})
	x.late = d.e.Register("late reset", func(round uint64) {
		if round == x.round && x.stuck {
			x.domain, x.stuck = 0, false
			x.finish()
		}
	})
	x.surprises()
}

// begin halts the given blocks and calls finish when all are quiet.
func (x *resets) begin(domain uint64, finish func(), halts ...func(sim.Call)) {
	x.domain, x.left, x.finish, x.stuck = domain, len(halts), finish, false
	x.round++
	for _, halt := range halts {
		halt(sim.Call{H: x.halted, Arg: x.round})
	}
}

// request is a write to RESET_CTRL: ignored while a reset of the domain or a
// wider one is busy, FAILED for a domain or index that does not exist.
func (x *resets) request(domain uint64, index int) {
	d := x.d
	if x.domain != 0 && domain <= x.domain {
		return
	}
	queues := func(i int) func(sim.Call) { return func(done sim.Call) { d.queues.Halt(i, done) } }
	begin := func(reset func() (asids uint64), halts ...func(sim.Call)) {
		x.begin(domain, x.fate(domain, func() { x.end(reset()) }), halts...)
	}
	switch {
	case domain == abi.ResetQueue && index < d.cfg.Queue.Count:
		begin(func() uint64 { return d.queues.Reset(index) }, queues(index))
	case domain == abi.ResetEngine && index == abi.EngineCompute:
		begin(func() uint64 { d.cores.Reset(); return d.queues.Reset(-1) }, queues(-1), d.engines.haltCores)
	case domain == abi.ResetEngine && index == abi.EngineCopy:
		begin(func() uint64 { d.dma.Reset(); return d.queues.Reset(-1) }, queues(-1), d.engines.haltDMA)
	case domain == abi.ResetCompute:
		begin(x.compute, queues(-1), d.engines.haltCores, d.engines.haltDMA, d.mmu.Halt)
	case x.domain == 0:
		x.status(abi.ResetFailed)
		return
	default:
		return
	}
	x.status(abi.ResetBusy)
}

// fate gives a reset its chances: it returns what happens when everything has
// halted.
func (x *resets) fate(domain uint64, finish func()) func() {
	faults := x.d.faults
	if faults.Hit(fault.ResetFail, int(domain), 0) != nil {
		return func() {
			x.status(abi.ResetFailed)
			x.d.event(abi.CauseReset)
		}
	}
	s := faults.Hit(fault.ResetHang, int(domain), 0)
	if s == nil {
		return finish
	}
	after := s.Duration
	return func() {
		x.domain, x.stuck, x.finish = domain, true, finish
		if after > 0 {
			x.d.e.After(after, sim.Call{H: x.late, Arg: x.round})
		}
	}
}

// PowerCycle takes the device through D3cold: configuration space is as at power-on,
// sticky bits too, and memory is lost. done fires when the device is back.
func (d *Device) PowerCycle(done sim.Call) {
	d.function.ConventionalReset(true, done)
}

// compute resets engines, queues and TLBs; memory is kept.
func (x *resets) compute() (asids uint64) {
	d := x.d
	for _, block := range []hw.Resetter{d.cores, d.dma, d.mmu} {
		block.Reset()
	}
	d.trans.reset()
	return d.queues.Reset(-1)
}

func (x *resets) end(asids uint64) {
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
	finish := func() {
		d.resets.compute()
		d.mgmt.Reset()
		d.hot.temperature = 0
		d.ident.reset()
		d.tele.regs.Reset()
		d.queues.Moderate(0, 0)
		d.store.Scramble(d.e.Stream("memory after reset"))
		d.e.After(0, done)
	}
	all := func(done sim.Call) { d.queues.Halt(-1, done) }
	if s := d.faults.Hit(fault.ResetHang, domainFunction, 0); s != nil && s.Duration == 0 {
		finish = func() { d.resets.domain, d.resets.stuck = domainFunction, true }
	}
	d.resets.begin(domainFunction, finish, all, d.engines.haltCores, d.engines.haltDMA, d.mmu.Halt)
}

// surprises are resets that nobody asked for: each begins once the access that met the
// fault is under way.
func (x *resets) surprises() {
	done := x.d.e.Register("surprise reset done", func(uint64) {})
	begin := x.d.e.Register("surprise reset", func(uint64) { x.d.functionReset(sim.Call{H: done}) })
	x.d.faults.On(fault.SurpriseReset, func(*fault.Strike) { x.d.e.After(0, sim.Call{H: begin}) })
}

// idle returns an error while a reset is busy.
func (x *resets) idle() error {
	if x.domain != 0 && !x.stuck {
		return fmt.Errorf("npu: a reset of domain %d waits for %d blocks", x.domain, x.left)
	}
	return nil
}
