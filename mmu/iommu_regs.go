package mmu

// Register offsets of the IOMMU (specification, "Register layout").
const (
	RegCapabilities = 0
	RegFctl         = 8
	RegDDTP         = 16
	RegCQB          = 24
	RegCQH          = 32
	RegCQT          = 36
	RegFQB          = 40
	RegFQH          = 48
	RegFQT          = 52
	RegPQB          = 56
	RegPQH          = 64
	RegPQT          = 68
	RegCQCSR        = 72
	RegFQCSR        = 76
	RegPQCSR        = 80
	RegIPSR         = 84
	RegTrReqIOVA    = 600
	RegTrReqCtl     = 608
	RegTrResponse   = 616
	RegICVec        = 760
	RegMSITable     = 768
)

// Capabilities bits.
const (
	CapSv39    = 1 << 9
	CapSv48    = 1 << 10
	CapSv57    = 1 << 11
	CapSvpbmt  = 1 << 15
	CapSv39x4  = 1 << 17
	CapSv48x4  = 1 << 18
	CapSv57x4  = 1 << 19
	CapAMOHWAD = 1 << 24
	CapATS     = 1 << 25
	CapT2GPA   = 1 << 26
	CapIGS     = 3 << 28
	CapDBG     = 1 << 31
	CapPD8     = 1 << 38
	CapPD17    = 1 << 39
	CapPD20    = 1 << 40
	CapNL      = 1 << 42
	CapS       = 1 << 43
	capPAS     = 32
	capVersion = 0x10 // 1.0
)

// Interrupt generation of capabilities.IGS.
const (
	igsMSI  = 0
	igsWSI  = 1
	igsBoth = 2
)

// DefaultCapabilities is what the IOMMU of a simulated host reports: every
// paging mode, hardware A/D, ATS registers, wired interrupts, 56 physical bits.
const DefaultCapabilities = capVersion | CapSv39 | CapSv48 | CapSv57 | CapSvpbmt | CapSv39x4 | CapSv48x4 |
	CapSv57x4 | CapAMOHWAD | CapATS | CapT2GPA | igsWSI<<28 | CapDBG | 56<<capPAS | CapPD8 | CapPD17 | CapPD20 | CapNL | CapS

// Directory modes of ddtp.
const (
	DDTOff = iota
	DDTBare
	DDT1Level
	DDT2Level
	DDT3Level
)

// Queue control and status bits, common to cqcsr, fqcsr and pqcsr.
const (
	CSREnable    = 1 << 0
	CSRInterrupt = 1 << 1
	CSRMemFault  = 1 << 8
	CSROverflow  = 1 << 9  // fqcsr, pqcsr
	CSRTimeout   = 1 << 9  // cqcsr
	CSRIllegal   = 1 << 10 // cqcsr
	CSRFence     = 1 << 11 // cqcsr: fence_w_ip
	CSROn        = 1 << 16
)

// Interrupt causes: bits of ipsr.
const (
	IPCommand = 1 << 0
	IPFault   = 1 << 1
	IPPage    = 1 << 3
)

const (
	fctlWSI  = 1 << 1
	qbLog2   = 0x1f
	qbPPN    = ppnMask << 10
	ddtpMode = 0xf
	icvecAll = 0xffff
	msiCount = 16
)

// msiEntry is a row of the MSI configuration table.
type msiEntry struct {
	addr    uint64
	data    uint32
	masked  bool
	pending bool
}

// MMIORead returns a register's value: size is 4 or 8, off aligned to it.
// What does not exist reads as zero.
func (c *iommuCore) MMIORead(off uint64, size int) uint64 {
	if off%uint64(size) != 0 {
		return 0
	}
	v := c.readReg(off &^ 7)
	if size == 4 {
		v = v >> (off & 4 * 8) & 0xffffffff
	}
	return v
}

// readReg returns the 8 bytes at an aligned offset.
func (c *iommuCore) readReg(off uint64) uint64 {
	pair := func(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }
	switch off {
	case RegCapabilities:
		return c.caps
	case RegFctl:
		return uint64(c.fctl)
	case RegDDTP:
		return c.ddtp
	case RegCQB:
		return c.cqb
	case RegCQH:
		return pair(c.cq.head, c.cq.tail)
	case RegFQB:
		return c.fqb
	case RegFQH:
		return pair(c.fq.head, c.fq.tail)
	case RegCQCSR:
		return pair(c.cq.csr, c.ringCSR(&c.fq, c.fie))
	case RegIPSR &^ 7:
		return pair(c.ringCSR(&c.pq, c.pie), c.ipsr)
	case RegPQB:
		return c.pqb
	case RegPQH:
		return pair(c.pq.head, c.pq.tail)
	case RegTrReqIOVA:
		return c.trIOVA
	case RegTrReqCtl:
		return c.trCtl
	case RegTrResponse:
		return c.trResponse
	case RegICVec:
		return c.icvec
	}
	return c.readMSI(off)
}

func (c *iommuCore) ringCSR(q *recordRing, ie bool) uint32 {
	v := uint32(bit(ie, 1) | bit(q.memFault, 8) | bit(q.overflow, 9))
	if q.on {
		v |= CSREnable | CSROn
	}
	return v
}

func (c *iommuCore) igs() uint64 { return c.caps >> 28 & 3 }

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

// MMIOWrite writes a register as a store of 4 or 8 bytes does: WARL fields keep
// legal values, read-only ones ignore the write.
func (c *iommuCore) MMIOWrite(off uint64, size int, v uint64) {
	switch {
	case off%uint64(size) != 0:
	case size == 8:
		c.writeReg(off, v, ^uint64(0))
	case off&4 != 0:
		c.writeReg(off&^7, v<<32, 0xffffffff_00000000)
	default:
		c.writeReg(off, v&0xffffffff, 0xffffffff)
	}
}

// writeReg writes the bytes of mask of the 8 bytes at an aligned offset.
func (c *iommuCore) writeReg(off, v, mask uint64) {
	low, high := mask&1 != 0, mask>>32 != 0
	merge := func(old uint64) uint64 { return old&^mask | v&mask }
	switch off {
	case RegFctl:
		if low && c.igs() == igsBoth {
			c.fctl = uint32(v) & fctlWSI
			c.raise(0)
		}
	case RegDDTP:
		c.writeDDTP(merge(c.ddtp))
	case RegCQB:
		c.cqb = merge(c.cqb) & (qbLog2 | qbPPN)
		c.cq.base, c.cq.log2 = queueBase(c.cqb)
		c.cq.tail &= c.cq.mask()
	case RegCQH:
		if high {
			c.cq.tail = uint32(v>>32) & c.cq.mask()
			c.kick(&c.cq)
		}
	case RegFQB:
		c.fqb = merge(c.fqb) & (qbLog2 | qbPPN)
		c.fq.base, c.fq.log2 = queueBase(c.fqb)
		c.fq.head &= c.fq.mask()
	case RegFQH:
		if low {
			c.fq.head = uint32(v) & c.fq.mask()
		}
	case RegPQB:
		if c.caps&CapATS != 0 {
			c.pqb = merge(c.pqb) & (qbLog2 | qbPPN)
			c.pq.base, c.pq.log2 = queueBase(c.pqb)
			c.pq.head &= c.pq.mask()
		}
	case RegPQH:
		if low && c.caps&CapATS != 0 {
			c.pq.head = uint32(v) & c.pq.mask()
		}
	case RegCQCSR:
		if low {
			c.writeCQCSR(uint32(v))
		}
		if high {
			c.fie = v>>33&1 != 0
			writeRingCSR(&c.fq, uint32(v>>32))
		}
	case RegIPSR &^ 7:
		if low && c.caps&CapATS != 0 {
			c.pie = v>>1&1 != 0
			writeRingCSR(&c.pq, uint32(v))
		}
		if high {
			c.ipsr &^= uint32(v >> 32)
		}
	case RegTrReqIOVA, RegTrReqCtl:
		c.writeDebug(off, merge)
		return
	case RegICVec:
		c.icvec = merge(c.icvec) & icvecAll
	default:
		c.writeMSI(off, v, mask)
		return
	}
	c.raise(0)
}

// queueBase splits a queue base register.
func queueBase(v uint64) (base uint64, log2 uint) {
	return v >> 10 & ppnMask << pageShift, uint(v&qbLog2) + 1
}

// writeDDTP takes a new directory root; an illegal mode keeps the register.
func (c *iommuCore) writeDDTP(v uint64) {
	if v&ddtpMode > DDT3Level {
		return
	}
	c.ddtp = v & (ddtpMode | qbPPN)
	c.forgetWalks()
}

// writeRingCSR writes fqcsr or pqcsr.
func writeRingCSR(q *recordRing, v uint32) {
	if v&CSRMemFault != 0 {
		q.memFault = false
	}
	if v&CSROverflow != 0 {
		q.overflow = false
	}
	switch on := v&CSREnable != 0; {
	case on && !q.on:
		q.enable()
	case !on:
		q.on = false
	}
}

func (c *iommuCore) writeCQCSR(v uint32) {
	q := &c.cq
	q.csr &^= v & (CSRMemFault | CSRTimeout | CSRIllegal | CSRFence)
	was := q.csr & CSREnable
	q.csr = q.csr&^(CSREnable|CSRInterrupt|CSROn) | v&(CSREnable|CSRInterrupt)
	if v&CSREnable != 0 {
		q.csr |= CSROn
		if was == 0 {
			q.head = 0
			q.csr &^= CSRMemFault | CSRTimeout | CSRIllegal | CSRFence
		}
	}
	c.kick(q)
}

func (c *iommuCore) writeMSI(off, v, mask uint64) {
	e := c.msiAt(off)
	if e == nil {
		return
	}
	if off&8 == 0 {
		e.addr = (e.addr&^mask | v&mask) & 0xff_ffff_ffff_fffc
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
