package mmu

// deviceContext is a device directory's leaf in base format (specification,
// "Device-context fields").
type deviceContext struct{ tc, iohgatp, ta, fsc uint64 }

// Translation control bits of a device context.
const (
	DCValid = 1 << 0
	DCATS   = 1 << 1
	DCPRI   = 1 << 2
	DCT2GPA = 1 << 3
	DCDTF   = 1 << 4
	DCPDTV  = 1 << 5
	DCPRPR  = 1 << 6
	DCGADE  = 1 << 7
	DCSADE  = 1 << 8
	DCDPE   = 1 << 9
	dcSBE   = 1 << 10
	dcSXL   = 1 << 11

	dcReserved      = 0xffffffff_00fff000
	dcTAReserved    = 0xffffff_ff_00000_fff // QoS identifiers are not implemented
	fscReserved     = 0xffff << 44
	iohgatpAlign    = 3
	deviceCtxBytes  = 32
	processCtxBytes = 16
)

// Process context bits.
const (
	PCValid    = 1 << 0
	PCENS      = 1 << 1
	PCSUM      = 1 << 2
	pcReserved = 0xffffffff_00000ff8
	dirValid   = 1 << 0
	dirRsvd    = 0xffc00000_000003fe
)

// Process directory modes.
const (
	pdtBare = iota
	PD8
	PD17
	PD20
)

func modeOf(w uint64) uint64 { return w >> 60 }

func (d *deviceContext) has(flag uint64) bool { return d.tc&flag != 0 }

// allowed is a table of "if cond then the mode's capability bit".
var (
	firstCap  = [16]uint64{ModeSv39: CapSv39, ModeSv48: CapSv48, ModeSv57: CapSv57}
	secondCap = [16]uint64{ModeSv39: CapSv39x4, ModeSv48: CapSv48x4, ModeSv57: CapSv57x4}
	pdtCap    = [16]uint64{PD8: CapPD8, PD17: CapPD17, PD20: CapPD20}
)

// modeOK reports whether a mode is Bare or a supported one.
func (c *iommuCore) modeOK(mode uint64, caps *[16]uint64) bool {
	return mode == ModeBare || c.caps&caps[mode] != 0
}

// checkDC applies the device-context configuration checks, in their order.
func (c *iommuCore) checkDC(d *deviceContext) bool {
	ats, pdtv := c.caps&CapATS != 0, d.has(DCPDTV)
	fscCaps := &firstCap
	if pdtv {
		fscCaps = &pdtCap
	}
	switch {
	case d.tc&dcReserved != 0, d.ta&dcTAReserved != 0, d.fsc&fscReserved != 0:
	case !ats && d.has(DCATS|DCPRI|DCPRPR):
	case !d.has(DCATS) && d.has(DCT2GPA|DCPRI):
	case !d.has(DCPRI) && d.has(DCPRPR):
	case d.has(DCT2GPA) && (c.caps&CapT2GPA == 0 || modeOf(d.iohgatp) == ModeBare):
	case !c.modeOK(modeOf(d.fsc), fscCaps):
	case !pdtv && d.has(DCDPE):
	case !c.modeOK(modeOf(d.iohgatp), &secondCap):
	case modeOf(d.iohgatp) != ModeBare && d.iohgatp&iohgatpAlign != 0:
	case c.caps&CapAMOHWAD == 0 && d.has(DCSADE|DCGADE):
	case d.has(dcSBE | dcSXL): // fctl.BE and GXL are zero and not writable
	default:
		return true
	}
	return false
}

// processContext is a process directory's leaf.
type processContext struct{ ta, fsc uint64 }

func (c *iommuCore) checkPC(p *processContext) bool {
	return p.ta&pcReserved == 0 && p.fsc&fscReserved == 0 && c.modeOK(modeOf(p.fsc), &firstCap)
}

// space is the address space of a transaction: the tables of both stages and
// the tag of its cached translations.
type space struct {
	first, second Table
	tag           uint64
	sum           bool
}

// Tag of cached translations: PSCID[19:0], first stage on [20], GSCID[47:32],
// second stage on [48]. The second stage's own tables are tagged by GSCID.
const (
	tagFirst   = 1 << 20
	tagSecond  = 1 << 48
	tagGSCID   = 0xffff << 32
	tagPSCID   = 1<<20 - 1
	gscidShift = 32
)

// setSecond takes the second stage from a device context.
func (s *space) setSecond(d *deviceContext) {
	s.second = tableOf(d.iohgatp, d.has(DCGADE))
	if s.second.Levels != 0 {
		s.tag |= tagSecond | d.iohgatp>>44&0xffff<<gscidShift
	}
}

// setFirst takes the first stage from a mode and root, and its PSCID.
func (s *space) setFirst(fsc, ta uint64, update bool) {
	s.first = tableOf(fsc, update)
	if s.first.Levels != 0 {
		s.tag |= tagFirst | ta>>12&tagPSCID
	}
}

func tableOf(w uint64, update bool) Table {
	return Table{Levels: levelsOf(modeOf(w)), Root: w & ppnMask << pageShift, UpdateAD: update}
}

// knownDevice and knownProcess are contexts as they are cached: with the space
// of the transactions that use them.
type knownDevice struct {
	deviceContext
	space space
}

type knownProcess struct {
	processContext
	space space
}

// Transaction is a request as the IOMMU sees it.
type Transaction struct {
	DID, PID uint32
	PV, Priv bool
	AT       uint8 // 0 untranslated, 1 ATS translation request, 2 translated
	Kind     Access
	NoWrite  bool // ATS: write permission is not asked for
	Exec     bool // ATS: execute permission is asked for
	IOVA     uint64
}

// Address types of a Transaction.
const (
	Untranslated = iota
	TranslationRequest
	Translated
)

// needsProcess says whether a transaction uses the process directory, and for
// which process.
func (t *Transaction) needsProcess(d *deviceContext) (pid uint32, needs bool) {
	if !d.has(DCPDTV) || modeOf(d.fsc) == pdtBare || t.AT == Translated {
		return 0, false
	}
	switch {
	case t.PV:
		return t.PID, true
	case d.has(DCDPE):
		return 0, true
	}
	return 0, false
}

func pdtKey(did, pid uint32) uint64 { return uint64(did)<<20 | uint64(pid) }

var pidBits = [16]uint{PD8: 8, PD17: 17, PD20: 20}

// refused applies the checks that follow the device context: true means
// "transaction type disallowed".
func (t *Transaction) refused(d *deviceContext) bool {
	switch {
	case t.AT != Untranslated && !d.has(DCATS), t.PV && !d.has(DCPDTV):
		return true
	case t.PV:
		mode := modeOf(d.fsc)
		return mode != pdtBare && t.PID>>pidBits[mode] != 0
	}
	return false
}

// tooWide reports whether a device id does not fit the directory's levels.
func (c *iommuCore) tooWide(did uint32) bool {
	switch c.mode() {
	case DDT1Level:
		return did&^c.ignored>>7 != 0
	case DDT2Level:
		return did>>16 != 0
	}
	return false
}

// modelIgnores is what the executable model behind the recorded scenarios does
// not look at in a device id under a one-level directory: bit 15, the top of
// DDI[1]. The specification wants it zero; only a replay ignores it.
const modelIgnores = 1 << 15

// spaceOf returns the address space of a transaction whose contexts are known.
func spaceOf(t *Transaction, d *deviceContext, p *processContext) (s space) {
	s.setSecond(d)
	switch {
	case t.AT == Translated:
	case p != nil:
		s.setFirst(p.fsc, p.ta, d.has(DCSADE))
		s.sum = p.ta&PCSUM != 0
	case !d.has(DCPDTV):
		s.setFirst(d.fsc, d.ta, d.has(DCSADE))
	}
	return s
}
