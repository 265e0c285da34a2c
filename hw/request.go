// Package hw holds the contracts by which the blocks of the device, the host
// around it and the drivers meet. It has no behaviour of its own.
//
// Downwards, every access to memory is a Request handed to a Target. Between
// device and host stand Host (what a device needs) and Function (what a host
// sees). A driver sees Bus alone.
package hw

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Op says what a Request does.
type Op uint8

// Operations.
const (
	Read  Op = iota
	Write    // bytes are written when Done fires
)

// Status is how a Request ended.
type Status uint8

// Statuses of a finished request.
const (
	OK          Status = iota
	PageFault          // no valid translation at FaultAddr
	PermFault          // a translation that does not allow the access
	Unsupported        // nothing answers at this address (PCIe UR, an IOMMU's refusal)
	Aborted            // the completer failed (PCIe CA, poisoned data)
	MemoryError        // uncorrectable error of device memory
	TimedOut           // no completion came (PCIe completion time-out)
)

var statusNames = [...]string{"ok", "page fault", "permission fault", "unsupported request",
	"completer abort", "memory error", "completion time-out"}

func (s Status) String() string { return statusNames[s] }

// codes is what a request's failure is called where software sees it.
var codes = [...]abi.Status{abi.StatusOK, abi.StatusPageFault, abi.StatusPermFault, abi.StatusBusError,
	abi.StatusBusError, abi.StatusMemoryError, abi.StatusBusTimeout}

// Code returns the status of work that a failed request ended.
func (s Status) Code() abi.Status { return codes[s] }

// Space says what a Request's address means.
type Space uint8

// Address spaces.
const (
	Device  Space = iota // byte offset in device memory
	BusAddr              // address on the PCIe bus (what the host's IOMMU calls IOVA)
	Context              // virtual address of the context ASID, translated by the device MMU
)

// Source numbers who asks inside the device; arbiters order equal instants by
// it, and statistics are kept by it.
type Source uint8

// Request is one access of contiguous bytes. The requester owns it and keeps
// it unchanged until Done fires; it is then free for reuse. Targets set the
// result fields, which are zero when it is submitted (see Send). Who translates
// may change Space, Addr, PASID, HasPASID and Done while it hands the request on;
// when Done fires they are what they were.
//
// Data is nil when the values are of no interest (timing alone); otherwise it
// has Bytes bytes: filled in at the time the target serves a read, taken at
// the time it serves a write. Timing never depends on Data or Zero.
type Request struct {
	Op       Op
	Space    Space
	Source   Source
	Atomic   bool   // an aligned 8-byte (or 4-byte) write that is seen whole: fences
	Exec     bool   // fetches commands: needs the page's X or R permission
	Priv     bool   // supervisor access
	ASID     uint16 // the context, for Space Context
	PASID    uint32 // process id on the bus; valid when HasPASID
	HasPASID bool
	Addr     uint64
	Bytes    int64
	Data     []byte
	Zero     bool // in (write): all bytes are zero and Data is not read. Out (read that ends well): likewise, Data left untouched

	// Results.
	Status    Status
	FaultAddr uint64   // with a fault: the address that failed, in the request's space
	Remote    bool     // served by the bus rather than by device memory (any part)
	Stalled   sim.Time // of the time it took: waiting for translation

	Done sim.Call
}

// Send clears the results of an earlier use and submits r to t. Requesters
// that use a Request again go through it.
func (r *Request) Send(t Target) {
	r.Status, r.FaultAddr, r.Remote, r.Stalled = OK, 0, false, 0
	t.Submit(r)
}

// Answer gives r the results of a copy of it that was served in its place.
func (r *Request) Answer(copy *Request) {
	r.Status, r.FaultAddr, r.Remote, r.Stalled = copy.Status, copy.FaultAddr, copy.Remote, copy.Stalled
	if r.Op == Read {
		r.Zero = copy.Zero
	}
}

// Target serves requests: a memory, a link, a translating port.
//
// Submit always accepts; a requester bounds its own outstanding requests. Done
// fires exactly once, in a later event than Submit's: for a read when the last
// byte has reached the requester, for a write when every later read by anybody
// sees it. Two writes by one requester through one target become visible in
// the order of Submit when they go to the bus; to device memory they may pass
// each other unless the first's Done was awaited.
type Target interface {
	Submit(r *Request)
}

// TargetFunc makes a function a Target.
type TargetFunc func(r *Request)

// Submit implements Target.
func (f TargetFunc) Submit(r *Request) { f(r) }
