package mmu

import (
	"encoding/binary"
	"math/bits"
)

// PCIe message codes.
const (
	MsgInvalidationRequest = 0x01
	MsgPageRequest         = 0x04
	MsgPageResponse        = 0x05
)

// Message is a PCIe message from the IOMMU to a device function.
type Message struct {
	Code    uint8
	Tag     uint8 // of an invalidation request
	RID     uint16
	DSV     bool
	DSeg    uint8
	PV      bool
	PID     uint32
	Payload uint64
}

// atsTag is one outstanding ATS.INVAL.
type atsTag struct {
	busy bool
	rid  uint16
	dsv  bool
	dseg uint8
	left int // completions still to come; 0: none has come yet
}

func (q *commandQueue) outstanding() bool { return q.itags[0].busy || q.itags[1].busy }

// ats executes ATS.INVAL and ATS.PRGR; false if no tag is free.
func (q *commandQueue) ats() bool {
	m := Message{Code: MsgPageResponse, RID: uint16(q.lo >> 40), DSV: q.lo&cmdDSV != 0,
		PV: q.lo&cmdPV != 0, Payload: q.hi}
	if m.DSV {
		m.DSeg = uint8(q.lo >> 56)
	}
	if m.PV {
		m.PID = uint32(q.lo >> 12 & pidMask)
	}
	if q.lo>>7&7 == 0 {
		tag := 0
		for tag < len(q.itags) && q.itags[tag].busy {
			tag++
		}
		if tag == len(q.itags) {
			return false
		}
		q.itags[tag] = atsTag{busy: true, rid: m.RID, dsv: m.DSV, dseg: m.DSeg}
		m.Code, m.Tag = MsgInvalidationRequest, uint8(tag)
	}
	q.c.send(m)
	return true
}

// invalidationCompletion takes a device's Invalidation Completion message: a
// bit vector of the tags it completes, and of how many messages it is one (0
// means 8). It reports whether it was expected.
func (q *commandQueue) invalidationCompletion(rid uint16, dsv bool, dseg uint8, count int, itags uint32) bool {
	for v := itags; v != 0; v &= v - 1 {
		i := bits.TrailingZeros32(v)
		if i >= len(q.itags) {
			return false
		}
		if t := &q.itags[i]; !t.busy || t.rid != rid || t.dsv != dsv || t.dseg != dseg {
			return false
		}
	}
	if count == 0 {
		count = 8
	}
	for v := itags; v != 0; v &= v - 1 {
		t := &q.itags[bits.TrailingZeros32(v)]
		if t.left == 0 {
			t.left = count
		}
		if t.left--; t.left == 0 {
			t.busy = false
		}
	}
	return true
}

// invalidationTimeout ends tags whose timer has expired; the next fence says so.
func (q *commandQueue) invalidationTimeout(itags uint32) {
	for i := range q.itags {
		if itags>>i&1 != 0 && q.itags[i].busy {
			q.itags[i].busy = false
			q.timedOut = true
		}
	}
}

// ATSResponse answers a translation request.
type ATSResponse struct {
	Status        string // "ok", "ur", "ca"
	PA            uint64
	Shift         uint8
	R, W, X, Priv bool
	Global        bool
	PBMT          uint8
}

// atsAnswer returns the status by which a cause answers a translation request
// (specification, "PCIe ATS translation request handling").
func atsAnswer(cause Cause) string {
	switch cause {
	case FetchAccessFault, LoadAccessFault, StoreAccessFault, PDTAccessFault, PDTMisconfigured,
		DDTCorrupted, PDTCorrupted, PTCorrupted:
		return "ca"
	case FetchPageFault, LoadPageFault, StorePageFault, FetchGuestFault, LoadGuestFault, StoreGuestFault, PDTNotValid:
		return "ok"
	}
	return "ur"
}

// atsResponse makes the response from a translation that has ended.
func (x *translation) atsResponse() ATSResponse {
	if x.Cause != 0 {
		return ATSResponse{Status: atsAnswer(x.Cause), Priv: x.t.PV && x.t.Priv}
	}
	r := ATSResponse{Status: "ok", PA: x.PA, Shift: x.Shift, Priv: x.t.PV && x.t.Priv}
	granted := CanRead | CanWrite | CanExec
	if !x.identity {
		granted = x.walk.Granted
		r.Global = x.t.PV && x.walk.First.Levels != 0 && x.walk.Perm&GlobalPage != 0
		r.PBMT = x.walk.PBMTOut
		if x.dc.has(DCT2GPA) {
			r.PA = x.walk.GPA
		}
	}
	r.R = granted&CanRead != 0
	r.W = granted&CanWrite != 0 && (x.identity || x.walk.Perm&CanWrite != 0)
	r.X = r.R && x.t.Exec && granted&CanExec != 0
	return r
}

const pageRequestBytes = 16

// PageRequest is a Page Request or Stop Marker message from a device.
type PageRequest struct {
	RID     uint16
	DSV     bool
	DSeg    uint8
	PV      bool
	PID     uint32
	Priv    bool
	Exec    bool
	Payload uint64 // R[0] W[1] L[2] PRGI[11:3] address[63:12]
}

func (r *PageRequest) deviceID() uint32 {
	if r.DSV {
		return uint32(r.DSeg)<<16 | uint32(r.RID)
	}
	return uint32(r.RID)
}

// Response codes of a page request group.
const (
	prgSuccess = 0
	prgInvalid = 1
	prgFailure = 0xf
)

// pageRequest serves a page request against a memory (specification, "PCIe ATS
// Page Request handling").
func (c *iommuCore) pageRequest(r PageRequest, mem Memory) {
	x := newTranslation(c)
	x.contextOnly = true
	x.Begin(Transaction{DID: r.deviceID(), PID: r.PID, PV: r.PV, Priv: r.Priv})
	if c.mode() == DDTBare {
		x.Cause = TypeDisallowed
	} else {
		run(x, mem)
	}
	x.fill()
	if x.Cause == 0 && (!x.dc.has(DCATS) || !x.dc.has(DCPRI)) {
		x.Cause = TypeDisallowed
	}
	if x.Cause != 0 {
		c.report(FaultRecord{Cause: x.Cause, DID: r.deviceID(), PID: r.PID, PV: r.PV, Priv: r.Priv,
			TTYP: TTYPMessage, Iotval: MsgPageRequest}, x.hidden())
		code := uint64(prgFailure)
		if x.Cause == TypeDisallowed {
			code = prgInvalid
		}
		c.respond(&r, code, x.haveDC && x.dc.has(DCPRPR))
		return
	}
	if code := c.queuePageRequest(&r, mem); code != prgQueued {
		c.respond(&r, code, x.dc.has(DCPRPR))
	}
}

// prgQueued is no response code: the request is in the queue.
const prgQueued = 16

func (c *iommuCore) queuePageRequest(r *PageRequest, mem Memory) uint64 {
	q := &c.pq
	if q.on && !q.memFault && !q.overflow {
		tail := q.tail
		q.put(r.encode())
		run(q, mem)
		if q.tail != tail {
			return prgQueued
		}
	}
	if !q.on || q.memFault {
		return prgFailure
	}
	return prgSuccess
}

func (r *PageRequest) encode() (p [FaultBytes]byte) {
	w := uint64(r.deviceID()) << 40
	if r.PV {
		w |= uint64(r.PID)<<12 | 1<<32 | bit(r.Priv, 33) | bit(r.Exec, 34)
	}
	binary.LittleEndian.PutUint64(p[0:], w)
	binary.LittleEndian.PutUint64(p[8:], r.Payload)
	return p
}

// respond answers a page request that could not be queued, if it wants one.
func (c *iommuCore) respond(r *PageRequest, code uint64, prpr bool) {
	last, stop := r.Payload&4 != 0, r.Payload&7 == 4
	if !last || stop {
		return
	}
	m := Message{Code: MsgPageResponse, RID: r.RID, DSV: r.DSV, DSeg: r.DSeg,
		Payload: r.Payload>>3&0x1ff<<32 | code<<44 | uint64(r.RID)<<48}
	if r.PV && (prpr || code == prgFailure) {
		m.PV, m.PID = true, r.PID
	}
	c.send(m)
}
