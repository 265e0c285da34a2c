package mmu

import "github.com/presi-sim/presi/hw"

// translation is the machine that translates one transaction: the directories,
// then the page tables ("Process to translate an IOVA").
type translation struct {
	c     *iommuCore
	t     Transaction
	since uint64 // invalidations before the start

	dc       deviceContext
	pc       processContext
	pid      uint32
	haveDC   bool
	havePC   bool
	space    space
	walk     Walk
	level    int
	dirAddr  uint64
	identity bool // not translated at all
	// contextOnly ends the machine with the device context.
	contextOnly bool

	// Results.
	Cause   Cause // 0: translated
	Iotval2 uint64
	Status  hw.Status
	PA      uint64
	Shift   uint8 // log2 of the bytes the translation covers, 64: all

	guestFrom func(gpa uint64) TableAt
	next      func(*translation, *MemOp) bool
}

func newTranslation(c *iommuCore) *translation {
	x := &translation{c: c}
	if c.gtables != nil {
		x.guestFrom = x.guestTable
	}
	return x
}

// Begin prepares the machine for a transaction.
func (x *translation) Begin(t Transaction) {
	t.Priv = t.Priv && t.PV
	x.t, x.since = t, x.c.stale.now
	x.haveDC, x.havePC, x.identity = false, false, false
	x.Cause, x.Iotval2, x.Status, x.PA, x.Shift = 0, 0, hw.OK, t.IOVA, 64
	x.space = space{}
	x.next = (*translation).start
}

// Resume implements machine. An access beyond the physical address size fails
// without being made.
func (x *translation) Resume(op *MemOp) bool {
	for x.next(x, op) {
		if op.Addr>>(x.c.caps>>capPAS&0x3f) == 0 {
			return true
		}
		op.Status = hw.Unsupported
	}
	return false
}

func (x *translation) stop(cause Cause) bool {
	x.Cause, x.Status = cause, hw.Unsupported
	return false
}

func (x *translation) pass() bool {
	x.identity = true
	return false
}

func (x *translation) start(op *MemOp) bool {
	switch mode := x.c.mode(); {
	case mode == DDTOff:
		return x.stop(AllDisallowed)
	case mode == DDTBare && x.t.AT != Untranslated, x.c.tooWide(x.t.DID):
		return x.stop(TypeDisallowed)
	case mode == DDTBare:
		return x.pass()
	}
	return x.findDC(op)
}

// DDI[0] is device_id[6:0], DDI[1] [15:7], DDI[2] [23:16].
var ddiShift = [3]uint{0, 7, 16}
var ddiMask = [3]uint32{0x7f, 0x1ff, 0xff}

func (x *translation) findDC(op *MemOp) bool {
	if d := x.c.ddt.lookup(uint64(x.t.DID)); d != nil {
		x.dc, x.haveDC = d.deviceContext, true
		return x.gotContext(op)
	}
	x.level = int(x.c.mode() - DDT1Level)
	x.dirAddr = x.c.ddtp >> 10 & ppnMask << pageShift
	return x.readDDT(op)
}

func (x *translation) readDDT(op *MemOp) bool {
	ddi := uint64(x.t.DID >> ddiShift[x.level] & ddiMask[x.level])
	if x.level == 0 {
		op.read(x.dirAddr+ddi*deviceCtxBytes, deviceCtxBytes)
		x.next = (*translation).gotDC
		return true
	}
	op.read(x.dirAddr+ddi*8, 8)
	x.next = (*translation).gotDDT
	return true
}

func (x *translation) gotDDT(op *MemOp) bool {
	e := op.Word(0)
	switch {
	case op.Status == hw.MemoryError:
		return x.stop(DDTCorrupted)
	case op.Status != hw.OK:
		return x.stop(DDTAccessFault)
	case e&dirValid == 0:
		return x.stop(DDTNotValid)
	case e&dirRsvd != 0:
		return x.stop(DDTMisconfigured)
	}
	x.level--
	x.dirAddr = e >> 10 & ppnMask << pageShift
	return x.readDDT(op)
}

func (x *translation) gotDC(op *MemOp) bool {
	x.dc = deviceContext{op.Word(0), op.Word(1), op.Word(2), op.Word(3)}
	switch {
	case op.Status == hw.MemoryError:
		return x.stop(DDTCorrupted)
	case op.Status != hw.OK:
		return x.stop(DDTAccessFault)
	case !x.dc.has(DCValid):
		return x.stop(DDTNotValid)
	case !x.c.checkDC(&x.dc):
		return x.stop(DDTMisconfigured)
	}
	x.haveDC = true
	return x.gotContext(op)
}

// gotContext goes on with the device context in hand.
func (x *translation) gotContext(op *MemOp) bool {
	if x.contextOnly {
		return false
	}
	if x.t.refused(&x.dc) {
		return x.stop(TypeDisallowed)
	}
	if x.t.AT == Translated && !x.dc.has(DCT2GPA) {
		return x.pass()
	}
	pid, needs := x.t.needsProcess(&x.dc)
	if !needs {
		return x.translate(op)
	}
	x.pid = pid
	if p := x.c.pdt.lookup(pdtKey(x.t.DID, pid)); p != nil {
		x.pc, x.havePC = p.processContext, true
		return x.gotProcess(op)
	}
	x.space.setSecond(&x.dc)
	x.level = int(modeOf(x.dc.fsc)) - 1
	x.dirAddr = x.dc.fsc & ppnMask << pageShift
	return x.addressPDT(op)
}

// PDI[0] is process_id[7:0], PDI[1] [16:8], PDI[2] [19:17].
var pdiShift = [3]uint{0, 8, 17}
var pdiMask = [3]uint32{0xff, 0x1ff, 7}

// addressPDT finds where the entry of the level lies; with a second stage that
// is a guest physical address to be translated, as an implicit read.
func (x *translation) addressPDT(op *MemOp) bool {
	pdi := uint64(x.pid >> pdiShift[x.level] & pdiMask[x.level])
	if x.level == 0 {
		x.dirAddr += pdi * processCtxBytes
	} else {
		x.dirAddr += pdi * 8
	}
	if x.space.second.Levels == 0 {
		return x.readPDT(op)
	}
	x.walk = Walk{Second: x.space.second, PBMT: x.c.caps&CapSvpbmt != 0, VA: x.dirAddr, Kind: Load, Implicit: true}
	x.walk.Begin()
	x.next = (*translation).walkPDT
	return x.walkPDT(op)
}

func (x *translation) walkPDT(op *MemOp) bool {
	if x.walk.Resume(op) {
		return true
	}
	switch x.walk.Fault {
	case NoFault:
		x.dirAddr = x.walk.PA
		return x.readPDT(op)
	case FaultAccess:
		return x.stop(PDTAccessFault)
	case FaultPoison:
		return x.stop(PDTCorrupted)
	}
	return x.walkFault()
}

func (x *translation) readPDT(op *MemOp) bool {
	op.read(x.dirAddr, 8)
	x.next = (*translation).gotPDT
	if x.level == 0 {
		op.read(x.dirAddr, processCtxBytes)
		x.next = (*translation).gotPC
	}
	return true
}

func (x *translation) gotPDT(op *MemOp) bool {
	e := op.Word(0)
	switch {
	case op.Status == hw.MemoryError:
		return x.stop(PDTCorrupted)
	case op.Status != hw.OK:
		return x.stop(PDTAccessFault)
	case e&dirValid == 0:
		return x.stop(PDTNotValid)
	case e&dirRsvd != 0:
		return x.stop(PDTMisconfigured)
	}
	x.level--
	x.dirAddr = e >> 10 & ppnMask << pageShift
	return x.addressPDT(op)
}

func (x *translation) gotPC(op *MemOp) bool {
	x.pc = processContext{op.Word(0), op.Word(1)}
	switch {
	case op.Status == hw.MemoryError:
		return x.stop(PDTCorrupted)
	case op.Status != hw.OK:
		return x.stop(PDTAccessFault)
	case x.pc.ta&PCValid == 0:
		return x.stop(PDTNotValid)
	case !x.c.checkPC(&x.pc):
		return x.stop(PDTMisconfigured)
	}
	x.havePC = true
	return x.gotProcess(op)
}

func (x *translation) gotProcess(op *MemOp) bool {
	if x.t.Priv && x.pc.ta&PCENS == 0 {
		return x.stop(TypeDisallowed)
	}
	return x.translate(op)
}

// translate walks the page tables of the transaction's space.
func (x *translation) translate(op *MemOp) bool {
	var p *processContext
	if x.havePC {
		p = &x.pc
	}
	x.space = spaceOf(&x.t, &x.dc, p)
	if x.space.tag == 0 {
		return x.pass()
	}
	t := &x.t
	x.walk = Walk{First: x.space.first, Second: x.space.second, PBMT: x.c.caps&CapSvpbmt != 0,
		VA: t.IOVA, Kind: t.Kind, Priv: t.Priv, SUM: x.space.sum,
		GuestFrom: x.guestFrom}
	if t.AT == TranslationRequest {
		x.walk.ATS = ATS{On: true, Write: !t.NoWrite, Exec: t.Exec}
	}
	x.walk.From = x.c.tableFor(x.space.tag, t.IOVA, &x.space)
	x.walk.Begin()
	x.next = (*translation).walking
	return x.walking(op)
}

func (x *translation) walking(op *MemOp) bool {
	if x.walk.Resume(op) {
		return true
	}
	if x.walk.Fault != NoFault {
		return x.walkFault()
	}
	x.PA, x.Shift = x.walk.PA, x.walk.Shift
	return false
}

// walkFault turns a walk's fault into a cause and iotval2.
func (x *translation) walkFault() bool {
	w := &x.walk
	if w.Fault == FaultGuestPage {
		x.Iotval2 = w.FaultGPA&^3 | bit(w.FaultImplicit, 0) | bit(w.FaultWrite, 1)
	}
	return x.stop(causeOf(x.faultKind(), w.Fault))
}

// faultKind is the access that causes are named after; a translation request
// counts as a read, or as a fetch if it asks for that.
func (x *translation) faultKind() Access {
	if x.t.AT == TranslationRequest {
		if x.t.Exec {
			return Fetch
		}
		return Load
	}
	return x.t.Kind
}

// record is the fault record of a failed translation.
func (x *translation) record() FaultRecord {
	t := &x.t
	r := FaultRecord{Cause: x.Cause, DID: t.DID, PID: t.PID, PV: t.PV, Priv: t.Priv, Iotval: t.IOVA, Iotval2: x.Iotval2}
	switch t.AT {
	case Untranslated:
		r.TTYP = TTYPUntranslated + ttypOffset[t.Kind]
	case Translated:
		r.TTYP = TTYPTranslated + ttypOffset[t.Kind]
	default:
		r.TTYP = TTYPATS
	}
	return r
}

// hidden reports whether the device context keeps faults out of the queue.
func (x *translation) hidden() bool { return x.haveDC && x.dc.has(DCDTF) }
