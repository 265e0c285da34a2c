package npu

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// translation is the MMU block: it binds the device MMU to its registers.
// Invalidations take sequence numbers in the order of INV_CMD and are reported
// in that order.
type translation struct {
	d     *Device
	regs  *reg.File
	r     map[string]reg.Ref // by name, at construction and in control accesses alone
	asked uint32
	done  uint32
	ended map[uint32]bool // finished before an earlier one
	call  sim.Handler
	fault sim.Handler
	hung  bool // a fault: nothing is reported
	late  sim.Handler
	chaos *sim.Stream // of how late invalidations begin; nil: at once
	begin sim.Handler
	held  []dropping
	round uint32 // of resets: what was asked for before the last is void
}

// dropping is an invalidation that chaos mode puts off: the caches keep their entries
// until then.
type dropping struct {
	n, round          uint32
	asid, addr, bytes uint64
}

// chaosInvalidate is the longest that chaos mode puts off an invalidation.
const chaosInvalidate = 20 * sim.Microsecond

// allContexts in INV_ASID means every context.
const allContexts = 0xffffffff

// faultLog2Max bounds FAULT_LOG2.
const faultLog2Max = 16

func newTranslation(d *Device) *translation {
	t := &translation{d: d, regs: reg.NewFile(abi.MMU), r: map[string]reg.Ref{}, ended: map[uint32]bool{}}
	for _, row := range abi.MMU.Registers {
		t.r[row.Name] = t.regs.Ref(row.Name)
	}
	t.call = d.e.Register("mmu invalidated", func(n uint64) { t.finish(uint32(n)) })
	t.begin = d.e.Register("late invalidation", t.drop)
	t.late = d.e.Register("mmu reports again", func(uint64) { t.hung = false; t.report() })
	t.fault = d.e.Register("mmu fault", func(uint64) { t.faulted() })
	d.mmu.Faults().OnFault(sim.Call{H: t.fault})
	on := func(name string, fn func(v uint64)) {
		t.regs.OnWrite(name, func(_ int, _, v uint64) { fn(v) })
	}
	on("CTX_BASE_HI", func(uint64) { d.mmu.SetContextTable(t.wide("CTX_BASE"), abi.MaxContexts) })
	on("INV_CMD", func(uint64) { t.invalidate() })
	on("FAULT_LOG2", t.enableFaults)
	on("FAULT_HEAD", func(v uint64) { d.mmu.Faults().SetHead(uint32(v)) })
	t.regs.OnWrite("FAULT_STATUS", func(_ int, old, v uint64) {
		if v != old {
			d.mmu.Faults().ClearErrors()
		}
	})
	t.regs.OnRead("INV_DONE", func(int) uint64 { return uint64(t.done) })
	t.regs.OnRead("FAULT_TAIL", func(int) uint64 { return uint64(d.mmu.Faults().Tail()) })
	return t
}

func (t *translation) get(name string) uint64 { return t.regs.Get(t.r[name], 0) }

// wide joins a pair of registers.
func (t *translation) wide(name string) uint64 { return t.get(name+"_HI")<<32 | t.get(name+"_LO") }

func (t *translation) invalidate() {
	t.asked++
	asid := t.get("INV_ASID")
	if asid >= abi.MaxContexts && asid != allContexts {
		asid = 0 // nobody's: nothing is cached of it
	}
	t.held = append(t.held, dropping{t.asked, t.round, asid, t.wide("INV_ADDR"), t.wide("INV_SIZE")})
	if t.chaos == nil {
		t.drop(0)
		return
	}
	t.d.e.After(fault.Pick(t.chaos, chaosInvalidate), sim.Call{H: t.begin})
}

// drop begins the oldest invalidation of those that are held.
func (t *translation) drop(uint64) {
	h := t.held[0]
	t.held = append(t.held[:0], t.held[1:]...)
	if h.round == t.round {
		t.d.mmu.Invalidate(uint16(h.asid), h.addr, h.bytes, h.asid == allContexts, sim.Call{H: t.call, Arg: uint64(h.n)})
	}
}

// finish reports invalidations in the order in which they were asked for.
func (t *translation) finish(n uint32) {
	t.ended[n] = true
	if s := t.d.faults.Hit(fault.InvalidateHang, 0, 0); s != nil {
		t.hung = true
		if s.Duration > 0 {
			t.d.e.After(s.Duration, sim.Call{H: t.late})
		}
	}
	t.report()
}

// report shows what has finished, up to the first that has not.
func (t *translation) report() {
	for !t.hung && t.ended[t.done+1] {
		t.done++
		delete(t.ended, t.done)
	}
}

func (t *translation) enableFaults(log2 uint64) {
	log2 = min(log2, faultLog2Max)
	t.d.mmu.Faults().Configure(t.wide("FAULT_BASE"), uint(log2), log2 > 0)
}

// faulted is a record written, or lost.
func (t *translation) faulted() {
	f := t.d.mmu.Faults()
	var status uint64
	if f.Overflow() {
		status |= 1
	}
	if f.MemoryFault() {
		status |= 2
	}
	t.regs.Set(t.r["FAULT_STATUS"], 0, status)
	t.d.event(abi.CauseFault)
}

func (t *translation) reset() {
	t.regs.Reset()
	t.asked, t.done, t.hung = 0, 0, false
	t.round++
	clear(t.ended)
}
