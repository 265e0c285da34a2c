package mmu

import "github.com/presi-sim/presi/hw"

// msiEntry is a row of the MSI configuration table.
type msiEntry struct {
	addr    uint64
	data    uint32
	masked  bool
	pending bool
}

func (c *iommuCore) msiAt(off uint64) *msiEntry {
	if off < RegMSITable || off >= RegMSITable+msiCount*16 || c.igs() == igsWSI {
		return nil
	}
	return &c.msi[(off-RegMSITable)/16]
}

func (c *iommuCore) readMSI(off uint64) uint64 {
	e := c.msiAt(off)
	switch {
	case e == nil:
		return 0
	case off&8 == 0:
		return e.addr
	}
	return uint64(e.data) | bit(e.masked, 32)
}

func (c *iommuCore) writeMSI(off, v, mask uint64) {
	e := c.msiAt(off)
	if e == nil {
		return
	}
	if off&8 == 0 {
		e.addr = (e.addr&^mask | v&mask) & c.physicalMask() &^ 3
		return
	}
	if mask&1 != 0 {
		e.data = uint32(v)
	}
	if mask>>32 != 0 {
		e.masked = v>>32&1 != 0
		c.sendPending(int(off-RegMSITable) / 16)
	}
}

// raise sets the interrupts of events in ipsr, and those whose condition
// holds, and signals each that becomes pending.
func (c *iommuCore) raise(events uint32) {
	if c.cq.csr&CSRInterrupt != 0 && c.cq.csr&(CSRMemFault|CSRTimeout|CSRIllegal|CSRFence) != 0 {
		events |= IPCommand
	}
	if c.fie && (c.fq.overflow || c.fq.memFault) {
		events |= IPFault
	}
	if c.pie && (c.pq.overflow || c.pq.memFault) {
		events |= IPPage
	}
	fresh := events &^ c.ipsr
	c.ipsr |= events
	for n := range 4 {
		if fresh>>n&1 != 0 {
			c.signal(int(c.icvec >> (4 * n) & 0xf))
		}
	}
}

// signal raises a vector: a wire, or a message.
func (c *iommuCore) signal(vector int) {
	if c.fctl&fctlWSI != 0 {
		c.wire(vector)
		return
	}
	c.msi[vector].pending = true
	c.sendPending(vector)
}

// sendPending queues a vector's message unless it is masked.
func (c *iommuCore) sendPending(vector int) {
	e := &c.msi[vector]
	if !e.pending || e.masked || c.fctl&fctlWSI != 0 {
		return
	}
	e.pending = false
	c.messages.add(e.addr, e.data)
	c.kick(&c.messages)
}

// msiWriter is the machine that writes the IOMMU's own interrupt messages.
type msiWriter struct {
	c       *iommuCore
	waiting []msiWrite
	current msiWrite
	busy    bool
	wrote   func(addr uint64, data uint32)
}

type msiWrite struct {
	addr uint64
	data uint32
}

func (w *msiWriter) add(addr uint64, data uint32) {
	w.waiting = append(w.waiting, msiWrite{addr, data})
}

// Resume implements machine.
func (w *msiWriter) Resume(op *MemOp) bool {
	if w.busy {
		w.busy = false
		if op.Status != hw.OK {
			w.c.report(FaultRecord{Cause: MSIAccessFault, TTYP: TTYPNone, Iotval: w.current.addr}, false)
		} else if w.wrote != nil {
			w.wrote(w.current.addr, w.current.data)
		}
	}
	if len(w.waiting) == 0 {
		return false
	}
	w.current = w.waiting[0]
	w.waiting = w.waiting[:copy(w.waiting, w.waiting[1:])]
	w.busy = true
	op.write(w.current.addr, 4)
	op.setWord(0, uint64(w.current.data))
	return true
}
