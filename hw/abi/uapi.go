package abi

import "unsafe"

// The uAPI: ioctls of the accel node. Structs are laid out as in C, with
// explicit padding, natural alignment and sizes that are multiples of 8;
// presi_accel.h is the same in C, and a test compares the two. Load and Store
// move them between Go and user memory on little-endian hosts.

// Numbers of the driver's ioctls.
const (
	NrQuery        = CommandBase + 0
	NrBOCreate     = CommandBase + 1
	NrBOInfo       = CommandBase + 2
	NrQueueCreate  = CommandBase + 3
	NrQueueDestroy = CommandBase + 4
	NrSubmit       = CommandBase + 5
	NrQueueStatus  = CommandBase + 6
)

// A driver's own ioctls have the numbers from CommandBase to below CommandEnd
// (DRM_COMMAND_BASE, DRM_COMMAND_END).
const (
	CommandBase = 0x40
	CommandEnd  = 0xa0
)

// Types of QUERY.
const (
	QueryDevice    = 0 // DeviceInfo
	QueryTelemetry = 1 // TelemetryInfo
	QueryReset     = 2 // ResetInfo
)

// Query reads a struct of information (presi_query, 24 B).
type Query struct {
	Type uint32
	Size uint32 // in: bytes at Ptr; out: bytes there are
	Ptr  uint64 // 0: asks for the size
	Pad  uint64
}

// DeviceInfo is presi_device_info (120 B).
type DeviceInfo struct {
	HWVersion, ABIVersion               uint32
	Platform                            uint32
	NumCores, NumQueues, NumDMAChannels uint32
	ArrayRows, ArrayCols, VectorLanes   uint32
	VABits                              uint32
	DTypes                              uint64
	MemSize, MemAvailable               uint64
	ScratchpadSize                      uint64
	CoreClockHz                         uint64
	TimestampHz                         uint64
	VAStart, VAEnd                      uint64
	PageSizes                           uint64
	Pad                                 uint64
}

// Flags of a buffer object; exactly one of BODevice and BOHost.
const (
	BODevice   = 1 << 0 // place in device memory; may be evicted
	BOHost     = 1 << 1 // place in host memory
	BOCommand  = 1 << 2 // may hold commands; the device only reads
	BOReadOnly = 1 << 3 // the device may not write it
	BOUncached = 1 << 4 // write-combined CPU mapping
	BOFlags    = 1<<5 - 1
)

// BOCreate is presi_bo_create (32 B).
type BOCreate struct {
	Size       uint64 // in: bytes; out: rounded up to pages
	Flags      uint32
	Handle     uint32 // out, never 0
	DeviceAddr uint64 // out, in the file's address space
	Pad        uint64
}

// BOInfo is presi_bo_info (40 B).
type BOInfo struct {
	Handle                       uint32 // in
	Flags                        uint32
	Size, DeviceAddr, MmapOffset uint64
	Resident                     uint32 // 1 device memory, 0 host memory
	Pad                          uint32
}

// QueueCreate is presi_queue_create (24 B).
type QueueCreate struct {
	Engine   uint32 // EngineCompute, EngineCopy
	Priority uint32
	CoreMask uint32 // 0: all
	Flags    uint32
	Queue    uint32 // out, never 0
	Pad      uint32
}

// QueueDestroy is presi_queue_destroy (8 B).
type QueueDestroy struct{ Queue, Pad uint32 }

// Sync names a point of a syncobj (presi_sync, 16 B).
type Sync struct {
	Syncobj, Flags uint32
	Point          uint64 // 0: binary
}

// SubmitNonblock makes SUBMIT return EAGAIN where it would wait.
const SubmitNonblock = 1 << 0

// Submit is presi_submit (80 B).
type Submit struct {
	Queue, Flags           uint32
	CommandBO, NumBOs      uint32
	Offset                 uint64 // of the first packet, a multiple of 16
	Length                 uint64 // bytes, a multiple of 16, at most MaxCommandBytes
	BOs                    uint64 // u32 handles: everything the job touches
	InSyncs, OutSyncs      uint64 // Sync arrays
	NumInSyncs, NumOutSync uint32
	TimeoutNS              uint64 // 0: the queue's default
	Seqno                  uint64 // out, per queue, from 1
}

// QueueStatus is presi_queue_status (40 B).
type QueueStatus struct {
	Queue                        uint32 // in
	Error                        int32  // 0 or -errno of the first failed job
	LastSubmitted, LastCompleted uint64
	FailedSeqno                  uint64
	Guilty                       uint32
	ResetCount                   uint32
}

// ResetInfo is presi_reset_info (32 B).
type ResetInfo struct {
	ResetCount, EngineResets uint32
	State                    uint32 // 0 ok, 1 resetting, 2 wedged
	LastError                int32
	LastResetNS, Pad         uint64
}

// TelemetryInfo is presi_telemetry (128 B).
type TelemetryInfo struct {
	TimestampNS                                          uint64
	CoreBusyNS, DMABusyNS                                uint64
	LinkRxBytes, LinkTxBytes, MemReadBytes, MemWriteByte uint64
	JobsCompleted, JobsFailed                            uint64
	TLBHits, TLBMisses, Faults                           uint64
	ECCCorrected, ECCUncorrected                         uint64
	PowerMW, TemperatureMC                               uint32
	Pad                                                  uint64
}

// Load reads a wire struct from the start of p, which must be long enough.
func Load[T any](p []byte) (v T) {
	n := unsafe.Sizeof(v)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), n), p[:n])
	return v
}

// Store writes a wire struct to the start of p, which must be long enough.
func Store[T any](p []byte, v *T) {
	n := unsafe.Sizeof(*v)
	copy(p[:n], unsafe.Slice((*byte)(unsafe.Pointer(v)), n))
}

// SizeOf returns a wire struct's bytes.
func SizeOf[T any]() int {
	var v T
	return int(unsafe.Sizeof(v))
}
