package edudrv

import "github.com/presi-sim/presi/hw/abi"

// Numbers of the driver's ioctls.
const (
	NrIdentify  = abi.CommandBase + 0
	NrLiveness  = abi.CommandBase + 1
	NrFactorial = abi.CommandBase + 2
	NrBOCreate  = abi.CommandBase + 3
	NrCopy      = abi.CommandBase + 4
)

// The structs of the ioctls, laid out as in C: natural alignment, explicit padding,
// sizes that are multiples of 8.

// Identify tells the card's version (8 B).
type Identify struct {
	Major, Minor uint32 // out
}

// Liveness asks the card to invert a value (8 B).
type Liveness struct {
	Value  uint32
	Answer uint32 // out: all bits of Value inverted
}

// Factorial computes N! modulo 2^32 and waits for it (16 B). ETIME: the time has
// passed; the card goes on, and the next caller waits for it.
type Factorial struct {
	N         uint32
	Result    uint32 // out
	TimeoutNS int64  // absolute, of the monotonic clock; 0 does not wait
}

// BOCreate makes a buffer that the card reaches (24 B). Close its handle with
// GEM_CLOSE.
type BOCreate struct {
	Size   uint64 // out: rounded up to whole pages
	Handle uint32 // out
	Pad    uint32
	Offset uint64 // out: for mmap
}

// Copy has the card copy bytes between two buffers, or within one when the ranges
// do not overlap (48 B). The copies of a file run in order.
type Copy struct {
	Dst, Src             uint32 // handles
	DstOffset, SrcOffset uint64
	Length               uint64
	InSync               uint32 // syncobj to wait for before, 0 for none
	OutSync              uint32 // syncobj that is given the copy's fence, 0 for none
	Pad                  uint64
}
