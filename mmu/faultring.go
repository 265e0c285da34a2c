package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// FaultRing is the device's queue of fault records in memory: 32-byte records
// in the IOMMU's format, PID holding the ASID. The device owns the tail,
// software the head; one slot stays empty. A record that finds the ring full
// is dropped and sets Overflow, which ends recording until it is cleared.
type FaultRing struct {
	ring    recordRing
	agent   *agent
	e       *sim.Engine
	notify  sim.Call
	dropped int64
	idle    func()
}

func newFaultRing(e *sim.Engine, name string, src hw.Source, target hw.Target) *FaultRing {
	f := &FaultRing{e: e, idle: func() {}}
	f.ring.bytes = FaultBytes
	f.ring.stored = func() { e.Fire(f.notify) }
	f.agent = newAgent(e, name, src, target, deviceRoute, &f.ring, f.ended)
	return f
}

// Configure sets the ring's physical base (see context.go) and log2 of its entries
// and empties it; enable false turns it off.
func (f *FaultRing) Configure(base uint64, log2Entries uint, enable bool) {
	f.ring.base, f.ring.log2, f.ring.head = base, log2Entries, 0
	f.ring.enable()
	f.ring.on = enable
}

// OnFault sets the call fired at each record written, and when one is lost.
func (f *FaultRing) OnFault(c sim.Call) { f.notify = c }

// SetHead gives slots back to the device.
func (f *FaultRing) SetHead(head uint32) { f.ring.head = head & f.ring.mask() }

// Tail returns the index of the next record the device writes.
func (f *FaultRing) Tail() uint32 { return f.ring.tail }

// Overflow reports whether a record was dropped because the ring was full.
func (f *FaultRing) Overflow() bool { return f.ring.overflow }

// MemoryFault reports whether a record could not be written.
func (f *FaultRing) MemoryFault() bool { return f.ring.memFault }

// ClearErrors clears Overflow and MemoryFault: recording goes on.
func (f *FaultRing) ClearErrors() { f.ring.overflow, f.ring.memFault = false, false }

func (f *FaultRing) put(rec FaultRecord) {
	if !f.ring.put(rec.Encode()) {
		f.dropped++
		return
	}
	f.agent.start()
}

// lose drops a record as if the ring were full.
func (f *FaultRing) lose() {
	f.ring.overflow = true
	f.dropped++
	f.e.Fire(f.notify)
}

func (f *FaultRing) ended()     { f.idle() }
func (f *FaultRing) busy() bool { return f.agent.busy }

// reset turns the ring off and empties it.
func (f *FaultRing) reset() {
	f.Configure(0, 0, false)
	f.ring.waiting = f.ring.waiting[:0]
}
