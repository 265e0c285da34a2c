package hw

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Resource is what an architect can buy more of; the critical path is
// accounted to these.
type Resource uint8

// Resources, in the order of reports.
const (
	Array Resource = iota
	Vector
	Scratchpad
	Memory      // device memory
	Link        // PCIe and host memory behind it
	Translation // device MMU and IOMMU
	Queue       // queue, command processing and driver
	NumResources
)

var resourceNames = [...]string{"array", "vector", "scratchpad", "memory", "link", "translation", "queue"}

func (r Resource) String() string { return resourceNames[r] }

// Bill is a critical path: how much of it each resource took. The sum is the
// path's length.
type Bill [NumResources]sim.Time

// Total returns the path's length.
func (b *Bill) Total() (t sim.Time) {
	for _, v := range b {
		t += v
	}
	return t
}

// Bound returns the resource with the largest share, the first of equals.
func (b *Bill) Bound() Resource {
	best := Resource(0)
	for r := range b {
		if b[r] > b[best] {
			best = Resource(r)
		}
	}
	return best
}

// Result is how a unit of work ended.
type Result struct {
	Code abi.Status // StatusOK is success
	Addr uint64     // with an address error: the context address
	Bill Bill       // critical path from start to end
}

// Copy is work for a DMA engine: rows of bytes between two context addresses,
// in two counted dimensions. A fill has Fill set and repeats an 8-byte pattern.
type Copy struct {
	Progress  *uint32 // raised by one a request moved; may be nil
	Queue     uint8   // who asks: arbiters order an instant's requests by it
	Priority  uint8   // 0 low to 3 realtime
	ASID      uint16
	Fill      bool
	Pattern   uint64
	Src, Dst  uint64
	RowBytes  int64
	Counts    [2]int64 // rows, planes; at least 1 each
	SrcStride [2]int64 // bytes from row to row, plane to plane
	DstStride [2]int64
	Result    Result
	Done      sim.Call
}

// Copier is a set of DMA channels. Copy always accepts; Done fires when every
// byte is visible, or when the first error ended it and nothing is outstanding.
type Copier interface {
	Copy(c *Copy)
}

// Launch is work for the compute cores: a kernel descriptor, as fetched.
type Launch struct {
	Progress *uint32 // raised by one a micro-operation ended; may be nil
	Queue    uint8   // as in Copy
	Priority uint8
	ASID     uint16
	Desc     [256]byte // abi.Kernel on the wire, checked by the cores
	Cores    uint32    // mask
	Result   Result
	Done     sim.Call
}

// Computer is the compute complex. Launch always accepts; a launch runs on as
// many cores of its mask as its kernel asks for, on all at once, and Done fires when the
// last of them is finished.
type Computer interface {
	Launch(l *Launch)
}

// Resetter is a block in the reset tree. Halt stops it from starting anything
// new and fires done when nothing is outstanding; Reset then returns it to its
// power-on state.
type Resetter interface {
	Halt(done sim.Call)
	Reset()
}
