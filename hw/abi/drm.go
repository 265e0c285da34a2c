package abi

// The ioctls that the framework's core serves for every driver: the numbers
// and structs of include/uapi/drm/drm.h.

// Numbers of the core's ioctls.
const (
	NrVersion           = 0x00
	NrGetUnique         = 0x01
	NrGetMagic          = 0x02
	NrSetVersion        = 0x07
	NrGemClose          = 0x09
	NrGetCap            = 0x0c
	NrSetClientCap      = 0x0d
	NrAuthMagic         = 0x11
	NrSetMaster         = 0x1e
	NrDropMaster        = 0x1f
	NrPrimeHandleToFD   = 0x2d
	NrPrimeFDToHandle   = 0x2e
	NrModeSetCRTC       = 0xa2
	NrModePageFlip      = 0xb0
	NrModeSetPlane      = 0xb7
	NrModeAtomic        = 0xbc
	NrSyncobjCreate     = 0xbf
	NrSyncobjDestroy    = 0xc0
	NrSyncobjHandleToFD = 0xc1
	NrSyncobjFDToHandle = 0xc2
	NrSyncobjWait       = 0xc3
	NrSyncobjReset      = 0xc4
	NrSyncobjSignal     = 0xc5
	NrSyncobjTimeWait   = 0xca
	NrSyncobjQuery      = 0xcb
	NrSyncobjTransfer   = 0xcc
	NrSyncobjTimeSignal = 0xcd
	NrSyncobjEventfd    = 0xcf
)

// DRMType is the type byte of every ioctl of an accel node.
const DRMType = 'd'

// Direction bits of an ioctl's number, as its caller sees the data.
const (
	IoctlNone  = 0
	IoctlWrite = 1
	IoctlRead  = 2
)

// Request encodes an ioctl's number as Linux does (asm-generic/ioctl.h):
// direction in bits 31:30, size 29:16, type 15:8, number 7:0.
func Request(direction, nr uint32, size int) uint32 {
	return direction<<30 | uint32(size)<<16 | DRMType<<8 | nr
}

// RequestOf is Request for a read-write struct.
func RequestOf[T any](nr uint32) uint32 { return Request(IoctlRead|IoctlWrite, nr, SizeOf[T]()) }

// Capabilities of GET_CAP.
const (
	CapPrime              = 0x5
	CapTimestampMonotonic = 0x6
	CapSyncobj            = 0x13
	CapSyncobjTimeline    = 0x14

	PrimeImport = 1 << 0
	PrimeExport = 1 << 1
)

// VersionInfo is drm_version (64 B).
type VersionInfo struct {
	Major, Minor, Patch int32
	Pad                 uint32
	NameLen, Name       uint64
	DateLen, Date       uint64
	DescLen, Desc       uint64
}

// GetCap is drm_get_cap (16 B).
type GetCap struct{ Capability, Value uint64 }

// GemClose is drm_gem_close (8 B).
type GemClose struct{ Handle, Pad uint32 }

// PrimeHandle is drm_prime_handle (12 B).
type PrimeHandle struct {
	Handle, Flags uint32
	FD            int32
}

// Flags of syncobjs.
const (
	SyncobjCreateSignaled     = 1 << 0
	SyncobjWaitAll            = 1 << 0
	SyncobjWaitForSubmit      = 1 << 1
	SyncobjWaitAvailable      = 1 << 2
	SyncobjWaitDeadline       = 1 << 3
	SyncobjQueryLastSubmitted = 1 << 0
	SyncobjSyncFile           = 1 << 0
	SyncobjTimeline           = 1 << 1 // of HANDLE_TO_FD and FD_TO_HANDLE: point counts
)

// SyncobjCreate is drm_syncobj_create (8 B); SyncobjDestroy has its layout.
type SyncobjCreate struct{ Handle, Flags uint32 }

// SyncobjHandle is drm_syncobj_handle (24 B).
type SyncobjHandle struct {
	Handle, Flags uint32
	FD            int32
	Pad           uint32
	Point         uint64
}

// SyncobjWait is drm_syncobj_wait (40 B).
type SyncobjWait struct {
	Handles       uint64
	TimeoutNS     int64 // absolute
	Count, Flags  uint32
	FirstSignaled uint32
	Pad           uint32
	DeadlineNS    uint64
}

// SyncobjTimelineWait is drm_syncobj_timeline_wait (48 B).
type SyncobjTimelineWait struct {
	Handles, Points uint64
	TimeoutNS       int64
	Count, Flags    uint32
	FirstSignaled   uint32
	Pad             uint32
	DeadlineNS      uint64
}

// SyncobjArray is drm_syncobj_array (16 B), for RESET and SIGNAL.
type SyncobjArray struct {
	Handles    uint64
	Count, Pad uint32
}

// SyncobjTimelineArray is drm_syncobj_timeline_array (24 B), for QUERY and
// TIMELINE_SIGNAL.
type SyncobjTimelineArray struct {
	Handles, Points uint64
	Count, Flags    uint32
}

// SyncobjTransfer is drm_syncobj_transfer (32 B).
type SyncobjTransfer struct {
	Src, Dst           uint32
	SrcPoint, DstPoint uint64
	Flags, Pad         uint32
}

// SyncobjEventfd is drm_syncobj_eventfd (24 B).
type SyncobjEventfd struct {
	Handle, Flags uint32
	Point         uint64
	FD            int32
	Pad           uint32
}
