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

// Interrupt generation of capabilities.IGS; 0 is messages alone.
const (
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
	icvecCIV = 0xf
	icvecFIV = 0xf0
	icvecPIV = 0xf000
	msiCount = 16
)

// iommuReg is 8 bytes of the register file: a 64-bit register or two of 32.
// write gets the bytes to change in mask and may be nil.
type iommuReg struct {
	off   uint64
	read  func(c *iommuCore) uint64
	write func(c *iommuCore, v, mask uint64)
}

// iommuRegs is the register file, the MSI table apart.
var iommuRegs = [...]iommuReg{
	{RegCapabilities, func(c *iommuCore) uint64 { return c.caps }, nil},
	{RegFctl, func(c *iommuCore) uint64 { return uint64(c.fctl) }, (*iommuCore).writeFctl},
	{RegDDTP, func(c *iommuCore) uint64 { return c.ddtp }, (*iommuCore).writeDDTP},
	{RegCQB, func(c *iommuCore) uint64 { return c.cqb }, (*iommuCore).writeCQB},
	{RegCQH, func(c *iommuCore) uint64 { return pair(c.cq.head, c.cq.tail) }, (*iommuCore).writeCQT},
	{RegFQB, func(c *iommuCore) uint64 { return c.fqb },
		func(c *iommuCore, v, mask uint64) { c.setBase(&c.fq, &c.fqb, v, mask) }},
	{RegFQH, func(c *iommuCore) uint64 { return pair(c.fq.head, c.fq.tail) },
		func(c *iommuCore, v, mask uint64) { setHead(&c.fq, v, mask) }},
	{RegPQB, func(c *iommuCore) uint64 { return c.pqb }, (*iommuCore).writePQB},
	{RegPQH, func(c *iommuCore) uint64 { return pair(c.pq.head, c.pq.tail) }, (*iommuCore).writePQH},
	{RegCQCSR, func(c *iommuCore) uint64 { return pair(c.cq.csr, c.ringCSR(&c.fq, c.fie)) }, (*iommuCore).writeCSRs},
	{RegPQCSR, func(c *iommuCore) uint64 { return pair(c.ringCSR(&c.pq, c.pie), c.ipsr) }, (*iommuCore).writePQCSR},
	{RegTrReqIOVA, func(c *iommuCore) uint64 { return c.trIOVA }, (*iommuCore).writeTrIOVA},
	{RegTrReqCtl, func(c *iommuCore) uint64 { return c.trCtl }, (*iommuCore).writeTrCtl},
	{RegTrResponse, func(c *iommuCore) uint64 { return c.trResponse }, nil},
	{RegICVec, func(c *iommuCore) uint64 { return c.icvec }, (*iommuCore).writeICVec},
}

// iommuRegAt finds a row by offset/8.
var iommuRegAt = func() (at [RegMSITable / 8]*iommuReg) {
	for i := range iommuRegs {
		at[iommuRegs[i].off/8] = &iommuRegs[i]
	}
	return at
}()

// aligned reports whether an access has a size and place that registers answer.
func aligned(off uint64, size int) bool {
	return (size == 4 || size == 8) && off%uint64(size) == 0
}

func pair(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }

// MMIORead returns a register's value: size is 4 or 8, off aligned to it.
// What does not exist reads as zero.
func (c *iommuCore) MMIORead(off uint64, size int) uint64 {
	if !aligned(off, size) {
		return 0
	}
	v := c.readReg(off &^ 7)
	if size == 4 {
		v = v >> (off & 4 * 8) & 0xffffffff
	}
	return v
}

func (c *iommuCore) readReg(off uint64) uint64 {
	if off >= RegMSITable {
		return c.readMSI(off)
	}
	if r := iommuRegAt[off/8]; r != nil {
		return r.read(c)
	}
	return 0
}

func (c *iommuCore) ringCSR(q *recordRing, ie bool) uint32 {
	v := uint32(bit(ie, 1) | bit(q.memFault, 8) | bit(q.overflow, 9))
	if q.on {
		v |= CSREnable | CSROn
	}
	return v
}

func (c *iommuCore) igs() uint64 { return c.caps >> 28 & 3 }

// MMIOWrite writes a register as a store of 4 or 8 bytes does: WARL fields keep
// legal values, read-only ones ignore the write.
func (c *iommuCore) MMIOWrite(off uint64, size int, v uint64) {
	switch {
	case !aligned(off, size):
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
	if off >= RegMSITable {
		c.writeMSI(off, v, mask)
	} else if r := iommuRegAt[off/8]; r != nil && r.write != nil {
		r.write(c, v, mask)
	}
	c.raise(0)
}

// lowHalf and highHalf say which registers of a pair a write concerns.
func lowHalf(mask uint64) bool  { return mask&1 != 0 }
func highHalf(mask uint64) bool { return mask>>32 != 0 }

func (c *iommuCore) writeFctl(v, mask uint64) {
	if lowHalf(mask) && c.igs() == igsBoth {
		c.fctl = uint32(v) & fctlWSI
	}
}

// writeICVec takes the vectors of the causes that exist: pmiv is 0 without a
// performance monitor, piv without ATS.
func (c *iommuCore) writeICVec(v, mask uint64) {
	fields := uint64(icvecCIV | icvecFIV)
	if c.caps&CapATS != 0 {
		fields |= icvecPIV
	}
	c.icvec = (c.icvec&^mask | v&mask) & fields
}

// writeDDTP takes a new directory root; an illegal mode keeps the register.
func (c *iommuCore) writeDDTP(v, mask uint64) {
	v = c.ddtp&^mask | v&mask
	if v&ddtpMode > DDT3Level {
		return
	}
	c.ddtp, c.recent = v&(ddtpMode|c.ppnField()), recent{}
	c.forgetWalks()
}

// ppnField returns the bits of a PPN field, at bit 10 of ddtp, cqb, fqb and
// pqb, that an address within capabilities.PAS can set: the field is WARL.
func (c *iommuCore) ppnField() uint64 { return c.physicalMask() >> pageShift << 10 & qbPPN }

// physicalMask has the bits of a physical address.
func (c *iommuCore) physicalMask() uint64 { return 1<<(c.caps>>capPAS&0x3f) - 1 }

// queueBase splits a queue base register.
func queueBase(v uint64) (base uint64, log2 uint) {
	return v >> 10 & ppnMask << pageShift, uint(v&qbLog2) + 1
}

func (c *iommuCore) writeCQB(v, mask uint64) {
	c.cqb = (c.cqb&^mask | v&mask) & (qbLog2 | c.ppnField())
	c.cq.base, c.cq.log2 = queueBase(c.cqb)
	c.cq.tail = 0 // the specification leaves its bits open
}

func (c *iommuCore) writeCQT(v, mask uint64) {
	if highHalf(mask) {
		c.cq.tail = uint32(v>>32) & c.cq.mask()
		c.kick(&c.cq)
	}
}

// setBase writes fqb or pqb, setHead fqh or pqh. A new base zeroes the head,
// whose bits the specification leaves open.
func (c *iommuCore) setBase(q *recordRing, reg *uint64, v, mask uint64) {
	*reg = (*reg&^mask | v&mask) & (qbLog2 | c.ppnField())
	q.base, q.log2 = queueBase(*reg)
	q.head = 0
}

func setHead(q *recordRing, v, mask uint64) {
	if lowHalf(mask) {
		q.head = uint32(v) & q.mask()
	}
}

// The page-request queue's registers exist only with ATS.
func (c *iommuCore) writePQB(v, mask uint64) {
	if c.caps&CapATS != 0 {
		c.setBase(&c.pq, &c.pqb, v, mask)
	}
}

func (c *iommuCore) writePQH(v, mask uint64) {
	if c.caps&CapATS != 0 {
		setHead(&c.pq, v, mask)
	}
}

// writeCSRs writes cqcsr and fqcsr.
func (c *iommuCore) writeCSRs(v, mask uint64) {
	if lowHalf(mask) {
		c.writeCQCSR(uint32(v))
	}
	if highHalf(mask) {
		c.fie = v>>33&1 != 0
		writeRingCSR(&c.fq, uint32(v>>32))
	}
}

// writePQCSR writes pqcsr and ipsr.
func (c *iommuCore) writePQCSR(v, mask uint64) {
	if lowHalf(mask) && c.caps&CapATS != 0 {
		c.pie = v>>1&1 != 0
		writeRingCSR(&c.pq, uint32(v))
	}
	if highHalf(mask) {
		c.ipsr &^= uint32(v >> 32)
	}
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
