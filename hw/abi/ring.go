package abi

import (
	"encoding/binary"
	"fmt"
)

var le = binary.LittleEndian

// Sizes of ring entries in bytes.
const (
	SubmissionSize = 64
	CompletionSize = 32
)

// Ring opcodes.
const (
	RingNop = 0 // completes at once
	RingRun = 1 // runs a command buffer
)

// Flags of a submission.
const (
	SubmitIRQ     = 1 << 0 // interrupt when done
	SubmitTrusted = 1 << 1 // addresses are bus and device addresses; only the kernel writes rings
	submitFlags   = SubmitIRQ | SubmitTrusted
)

// Submission is one entry of a submission ring (64 B). Index is free-running:
// the entry's position since ENABLE; a mismatch is STALE_ENTRY.
type Submission struct {
	Op         uint8  // 0
	Flags      uint8  // 1
	ASID       uint16 // 2
	Index      uint32 // 4
	Seqno      uint64 // 8
	Command    uint64 // 16: command buffer address
	Bytes      uint32 // 24
	CoreMask   uint32 // 28: 0 is all
	Fence      uint64 // 32: bus address of an aligned u64, 0 none
	FenceValue uint64 // 40
	Cookie     uint64 // 48
	WatchdogUS uint32 // 56: 0 none
	// 60: u32 reserved
}

// Encode lays s out in p[:64].
func (s *Submission) Encode(p []byte) {
	_ = p[SubmissionSize-1]
	p[0], p[1] = s.Op, s.Flags
	le.PutUint16(p[2:], s.ASID)
	le.PutUint32(p[4:], s.Index)
	le.PutUint64(p[8:], s.Seqno)
	le.PutUint64(p[16:], s.Command)
	le.PutUint32(p[24:], s.Bytes)
	le.PutUint32(p[28:], s.CoreMask)
	le.PutUint64(p[32:], s.Fence)
	le.PutUint64(p[40:], s.FenceValue)
	le.PutUint64(p[48:], s.Cookie)
	le.PutUint32(p[56:], s.WatchdogUS)
	le.PutUint32(p[60:], 0)
}

// Decode reads p[:64]; the status says what is wrong with the form.
func (s *Submission) Decode(p []byte) Status {
	*s = Submission{
		Op: p[0], Flags: p[1], ASID: le.Uint16(p[2:]), Index: le.Uint32(p[4:]),
		Seqno: le.Uint64(p[8:]), Command: le.Uint64(p[16:]), Bytes: le.Uint32(p[24:]),
		CoreMask: le.Uint32(p[28:]), Fence: le.Uint64(p[32:]), FenceValue: le.Uint64(p[40:]),
		Cookie: le.Uint64(p[48:]), WatchdogUS: le.Uint32(p[56:]),
	}
	switch {
	case s.Op > RingRun:
		return StatusBadOpcode
	case le.Uint32(p[60:]) != 0, s.Flags&^submitFlags != 0, s.Fence%8 != 0,
		s.Bytes%16 != 0, s.Bytes > MaxCommandBytes, s.Command%16 != 0:
		return StatusBadEntry
	}
	return StatusOK
}

// Completion is one entry of a completion ring (32 B).
type Completion struct {
	Seqno  uint64 // 0
	EndNS  uint64 // 8: device time
	BusyNS uint64 // 16
	Status Status // 24
	Epoch  uint16 // 26: resets of the queue; entries of an old one are void
	Phase  bool   // 28, bit 31: flips at each wrap, 1 in the first round
	Offset uint32 // 28, bits 30:0: command offset / 16 of the failing packet
}

// Encode lays c out in p[:32].
func (c *Completion) Encode(p []byte) {
	le.PutUint64(p[0:], c.Seqno)
	le.PutUint64(p[8:], c.EndNS)
	le.PutUint64(p[16:], c.BusyNS)
	le.PutUint16(p[24:], uint16(c.Status))
	le.PutUint16(p[26:], c.Epoch)
	w := c.Offset &^ (1 << 31)
	if c.Phase {
		w |= 1 << 31
	}
	le.PutUint32(p[28:], w)
}

// Decode reads p[:32].
func (c *Completion) Decode(p []byte) {
	w := le.Uint32(p[28:])
	*c = Completion{
		Seqno: le.Uint64(p[0:]), EndNS: le.Uint64(p[8:]), BusyNS: le.Uint64(p[16:]),
		Status: Status(le.Uint16(p[24:])), Epoch: le.Uint16(p[26:]),
		Phase: w>>31 != 0, Offset: w &^ (1 << 31),
	}
}

// FaultSize is the size of a record of the fault ring.
const FaultSize = 32

// Fault is a record of the fault ring: the format of the RISC-V IOMMU's fault
// queue (section 4.2), with the context in PID and 0 as device.
type Fault struct {
	Cause uint16 // bits 11:0
	ASID  uint32 // PID, bits 31:12, when Valid
	Valid bool   // PV, bit 32
	Priv  bool   // bit 33
	Type  uint8  // TTYP, bits 39:34: 1 fetch, 2 read, 3 write
	Addr  uint64 // iotval, offset 16
}

// Encode lays f out in p[:32].
func (f *Fault) Encode(p []byte) {
	clear(p[:FaultSize])
	w := uint64(f.Cause&0xfff) | uint64(f.ASID&0xfffff)<<12 | uint64(f.Type&0x3f)<<34
	if f.Valid {
		w |= 1 << 32
	}
	if f.Priv {
		w |= 1 << 33
	}
	put64(p, w, 0, f.Addr)
}

// Decode reads p[:32].
func (f *Fault) Decode(p []byte) {
	w := le.Uint64(p)
	*f = Fault{Cause: uint16(w & 0xfff), ASID: uint32(w >> 12 & 0xfffff), Valid: w>>32&1 != 0, Priv: w>>33&1 != 0,
		Type: uint8(w >> 34 & 0x3f), Addr: le.Uint64(p[16:])}
}

func (f Fault) String() string {
	return fmt.Sprintf("fault cause %d (type %d) of context %d at address %#x", f.Cause, f.Type, f.ASID, f.Addr)
}
