package mmu

import (
	"math/bits"

	"github.com/presi-sim/presi/hw"
)

// Commands: opcode in bits [6:0], func3 in [9:7] of the first word.
const (
	CmdIOTINVAL  = 1
	CmdIOFENCE   = 2
	CmdIODIR     = 3
	CmdATS       = 4
	commandBytes = 16

	cmdAV    = 1 << 10
	cmdWSI   = 1 << 11
	cmdPR    = 1 << 12
	cmdPW    = 1 << 13
	cmdPSCV  = 1 << 32
	cmdGV    = 1 << 33
	cmdNL    = 1 << 34
	cmdDV    = 1 << 33
	cmdPV    = 1 << 32
	cmdDSV   = 1 << 33
	cmdRange = 1 << 9 // S, in the second word
)

// commandQueue is the machine that fetches and executes commands. It stops
// when the queue is empty, on an error, and while a command waits; kick it when
// that may have changed.
type commandQueue struct {
	c          *iommuCore
	base       uint64
	log2       uint
	head, tail uint32
	csr        uint32
	lo, hi     uint64
	next       func(*commandQueue, *MemOp) bool

	itags    [2]atsTag
	timedOut bool
	drained  bool // the fence at the head has seen earlier accesses complete
	draining bool

	// fenced is called for each fence with PR and PW, and what it wrote.
	fenced func(pr, pw bool)
	wrote  func(addr uint64, data uint32)
}

func (q *commandQueue) reset() {
	*q = commandQueue{c: q.c, fenced: q.fenced, wrote: q.wrote}
	q.base, q.log2 = queueBase(0)
	q.next = (*commandQueue).fetch
}

func (q *commandQueue) mask() uint32 { return 1<<q.log2 - 1 }

func (q *commandQueue) stalled() bool {
	return q.csr&CSROn == 0 || q.csr&(CSRMemFault|CSRTimeout|CSRIllegal) != 0
}

// Resume implements machine.
func (q *commandQueue) Resume(op *MemOp) bool { return q.next(q, op) }

// rest stops the machine; it starts again with a fetch.
func (q *commandQueue) rest() bool {
	q.next = (*commandQueue).fetch
	return false
}

func (q *commandQueue) fetch(op *MemOp) bool {
	if q.stalled() || q.head == q.tail || q.draining {
		return q.rest()
	}
	op.read(q.base+uint64(q.head)*commandBytes, commandBytes)
	q.next = (*commandQueue).fetched
	return true
}

func (q *commandQueue) fail(flag uint32) bool {
	q.csr |= flag
	q.c.raise(0)
	return q.rest()
}

func (q *commandQueue) fetched(op *MemOp) bool {
	if q.stalled() { // turned off meanwhile
		return q.rest()
	}
	if op.Status != hw.OK {
		return q.fail(CSRMemFault)
	}
	q.lo, q.hi = op.Word(0), op.Word(1)
	if !q.legal() {
		return q.fail(CSRIllegal)
	}
	switch q.lo & 0x7f {
	case CmdIOTINVAL:
		q.c.invalidate(q.lo, q.hi)
	case CmdIODIR:
		q.c.invalidateDir(q.lo)
	case CmdATS:
		if !q.ats() {
			return q.rest()
		}
	case CmdIOFENCE:
		return q.fence(op)
	}
	return q.advance(op)
}

func (q *commandQueue) advance(op *MemOp) bool {
	q.head = (q.head + 1) & q.mask()
	q.drained = false
	return q.fetch(op)
}

// legal reports whether the command is defined, supported and has no reserved
// bit set.
func (q *commandQueue) legal() bool {
	op, f3 := q.lo&0x7f, q.lo>>7&7
	caps := q.c.caps
	var lo, hi uint64 // reserved bits
	switch {
	case op == CmdIOTINVAL && f3 <= 1:
		lo, hi = 0xf0000ff8_00000800, 0xc0000000_000003ff
		if caps&CapNL == 0 {
			lo |= cmdNL
		}
		if caps&CapS != 0 {
			hi &^= cmdRange
		}
		if f3 == 1 {
			lo |= cmdPSCV
		}
	case op == CmdIOFENCE && f3 == 0:
		lo, hi = 0xffffc000, 0xc0000000_00000000
		if q.c.fctl&fctlWSI == 0 {
			lo |= cmdWSI
		}
	case op == CmdIODIR && f3 <= 1:
		lo, hi = 0x000000fd_00000c00, ^uint64(0)
		if f3 == 0 {
			lo |= 0xfffff000
		} else if q.lo&cmdDV == 0 {
			return false
		} else {
			lo |= pidMask &^ (1<<q.c.pidWidth() - 1) << 12 // too wide
		}
	case op == CmdATS && f3 <= 1 && caps&CapATS != 0:
		lo = 0x000000fc_00000c00
	default:
		return false
	}
	return q.lo&lo == 0 && q.hi&hi == 0
}

// pidWidth returns the bits of the widest process id that the IOMMU supports.
func (c *iommuCore) pidWidth() uint {
	switch {
	case c.caps&CapPD20 != 0:
		return pidBits[PD20]
	case c.caps&CapPD17 != 0:
		return pidBits[PD17]
	}
	return pidBits[PD8]
}

// fence completes when everything before it has.
func (q *commandQueue) fence(op *MemOp) bool {
	if q.outstanding() {
		return q.rest()
	}
	if q.timedOut {
		q.timedOut = false
		return q.fail(CSRTimeout)
	}
	if q.lo&(cmdPR|cmdPW) != 0 && !q.drained {
		if q.draining = !q.c.drain(); q.draining {
			return q.rest()
		}
	}
	if q.fenced != nil && q.lo&(cmdPR|cmdPW) != 0 {
		q.fenced(q.lo&cmdPR != 0, q.lo&cmdPW != 0)
	}
	if q.lo&cmdAV == 0 {
		return q.fenceDone(op)
	}
	op.write(q.hi<<2, 4)
	op.setWord(0, q.lo>>32)
	q.next = (*commandQueue).fenceWrote
	return true
}

// afterDrain lets the fence at the head go on.
func (q *commandQueue) afterDrain() {
	if q.draining {
		q.draining, q.drained = false, true
		q.c.kick(q)
	}
}

func (q *commandQueue) fenceWrote(op *MemOp) bool {
	if op.Status != hw.OK {
		return q.fail(CSRMemFault)
	}
	if q.wrote != nil {
		q.wrote(q.hi<<2, uint32(q.lo>>32))
	}
	return q.fenceDone(op)
}

func (q *commandQueue) fenceDone(op *MemOp) bool {
	if q.lo&cmdWSI != 0 {
		q.csr |= CSRFence
		q.c.raise(0)
	}
	return q.advance(op)
}

// invalidate executes IOTINVAL.VMA and IOTINVAL.GVMA.
func (c *iommuCore) invalidate(lo, hi uint64) {
	gv, av, nl := lo&cmdGV != 0, lo&cmdAV != 0, lo&cmdNL != 0
	f := Filter{TagMask: tagSecond}
	if gv {
		f.Tag, f.TagMask = tagSecond|lo>>44&0xffff<<gscidShift, tagSecond|tagGSCID
	}
	addr, bytes := invalidRange(hi)
	if lo>>7&7 == 1 {
		c.forgetWalks()
		c.invalidateGuest(f, gv, av, nl, addr, bytes)
		return
	}
	if lo&cmdPSCV != 0 {
		f.Tag |= tagFirst | lo>>12&tagPSCID
		f.TagMask |= tagFirst | tagPSCID
		f.KeepGlobal = true
	}
	if av {
		f.Addr, f.Bytes = addr, bytes
	}
	c.iotlb.Drop(f)
	f.KeepGlobal = false
	c.stale.add(f)
	if !av || nl {
		c.dropTables(f)
	}
}

// invalidateGuest drops what the second stage contributed to. Entries of the
// IOTLB and first-stage pointers are of both stages: they go by GSCID.
func (c *iommuCore) invalidateGuest(f Filter, gv, av, nl bool, addr, bytes uint64) {
	if !gv {
		f = Filter{Tag: tagSecond, TagMask: tagSecond}
	}
	c.iotlb.Drop(f)
	c.dropTables(f)
	if c.gtables == nil || gv && av && !nl {
		return
	}
	if gv && av {
		f.Addr, f.Bytes = addr, bytes
	}
	c.gtables.Drop(f)
}

// invalidRange decodes ADDR and S of an IOTINVAL: a page, or the naturally
// aligned range that the address's trailing ones name.
func invalidRange(hi uint64) (addr, bytes uint64) {
	page := hi >> 10
	if hi&cmdRange == 0 {
		return page << pageShift, 1 << pageShift
	}
	ones := bits.TrailingZeros64(^page)
	if ones >= 51 {
		return 0, 0
	}
	size := uint64(1) << (ones + 1 + pageShift)
	return page << pageShift &^ (size - 1), size
}

// invalidateDir executes IODIR.INVAL_DDT and IODIR.INVAL_PDT.
func (c *iommuCore) invalidateDir(lo uint64) {
	c.forgetWalks()
	did := lo >> 40 & 0xffffff
	switch {
	case lo>>7&7 == 1:
		c.pdt.drop(pdtKey(uint32(did), uint32(lo>>12&pidMask)), ^uint64(0))
	case lo&cmdDV == 0:
		c.ddt.drop(0, 0)
		c.pdt.drop(0, 0)
	default:
		c.ddt.drop(did, ^uint64(0))
		c.pdt.drop(did<<20, ^uint64(pidMask))
	}
}
