package hw

import "errors"

// Bus is what a driver needs of the system below it, as a kernel gives it to a
// C driver: configuration space, BARs, DMA memory, interrupts, time and
// threads. Calls that take time suspend the calling process.
type Bus interface {
	Kernel

	// Address is the function's bus address, "0000:01:00.0".
	Address() string
	ConfigRead(off, size int) uint32
	ConfigWrite(off, size int, v uint32)
	// BARSize returns a BAR's size in bytes, 0 if there is none.
	BARSize(bar int) uint64
	// Read32 and Read64 stall the caller for the link's round trip; a device
	// that is gone reads all ones. Writes are posted.
	Read32(bar int, off uint64) uint32
	Read64(bar int, off uint64) uint64
	Write32(bar int, off uint64, v uint32)
	Write64(bar int, off uint64, v uint64)
	// ReadBAR and WriteBAR move bytes through a prefetchable BAR
	// (write-combined: full-size posted writes).
	ReadBAR(bar int, off uint64, p []byte)
	WriteBAR(bar int, off uint64, p []byte)

	// SetDMAMask says how many address bits the device drives.
	SetDMAMask(bits int) error
	// AllocDMA returns zeroed memory that device and CPU both see, mapped for
	// the device (coherent). Free it with FreeDMA.
	AllocDMA(bytes int64) (*DMA, error)
	FreeDMA(*DMA)
	// WriteBarrier orders the CPU's stores to coherent memory (dma_wmb): the device
	// sees those before it before any store or register write behind it. A register
	// write alone orders nothing, as writel_relaxed: a doorbell can overtake the
	// entry that it announces.
	WriteBarrier()
	// ReadBarrier orders the CPU's loads of coherent memory (dma_rmb): who has seen
	// one thing that the device wrote sees, behind the barrier, all that the device
	// wrote before it. Without one a load may be older than the one in front of it.
	// A register read, as readl, and the start of an interrupt handler, for what the
	// device wrote before the message, order loads too.
	ReadBarrier()
	// AllocPages returns memory that no device sees until MapDMA; payload of
	// buffer objects. Backing appears as it is touched.
	AllocPages(bytes int64) (*Pages, error)
	FreePages(*Pages)
	// MapDMA maps pages for the device and returns their bus address; Unmap
	// takes the mapping away and invalidates the IOMMU's caches.
	MapDMA(p *Pages, dir Direction) (uint64, error)
	UnmapDMA(p *Pages)

	// AllocVectors enables between low and high MSI-X vectors and returns how
	// many there are.
	AllocVectors(low, high int) (int, error)
	FreeVectors()
	// RequestIRQ binds a handler, run in an interrupt thread at each message.
	RequestIRQ(vector int, name string, handler func()) error
	FreeIRQ(vector int)

	// ResetFunction performs a function-level reset and restores
	// configuration space.
	ResetFunction() error
	// SetPower changes the function's power state. On the way back from D3cold
	// configuration space is restored; everything else is as after power-on.
	SetPower(PowerState) error
	// SetErrorHandlers registers what the driver does about errors of the bus, and
	// turns their reporting on; nil takes it back.
	SetErrorHandlers(*ErrorHandlers)
}

// Kernel is the part of Bus that has no device: clock and threads.
type Kernel interface {
	// Now is the monotonic clock in nanoseconds.
	Now() int64
	// Sleep suspends the caller.
	Sleep(ns int64)
	// Charge spends CPU time of the driver, as the configuration states it.
	Charge(c Cost)
	// Self returns the calling thread.
	Self() Thread
	// Spawn starts a kernel thread. A daemon may wait for ever.
	Spawn(name string, daemon bool, fn func())
	NewMutex() Mutex
	NewWaitQueue() WaitQueue
	// Timer calls fn in its own thread after ns unless stopped before.
	Timer(name string, ns int64, fn func()) (stop func() bool)
	// NewTimer returns a timer that calls fn in a thread of its own whenever it runs
	// out: for what is timed again and again.
	NewTimer(name string, fn func()) Timer
}

// Timer is one that can be set again.
type Timer interface {
	// Start lets it run out after ns, instead of when it was set for before.
	Start(ns int64)
	// Stop calls it off; it reports whether it was running.
	Stop() bool
}

// Thread tells who calls: a comparable value, nil for nobody.
type Thread any

// Mutex is a lock that yields.
type Mutex interface {
	Lock()
	Unlock()
}

// WaitQueue is where threads wait; waking is a hint, test the condition again.
type WaitQueue interface {
	Wait(why string)
	// WaitUntil is Wait until an absolute time in ns; false when it passed.
	WaitUntil(why string, ns int64) bool
	WakeAll()
}

// Cost names what a driver spends CPU time on; [host] in the configuration
// gives each its length.
type Cost uint8

// Costs.
const (
	CostIoctl  Cost = iota // entering and leaving an ioctl
	CostSubmit             // checking and queueing one job
	CostIRQ                // interrupt entry, handler, exit
	CostWake               // waking a thread that waits
	NumCosts
)

// Direction of a DMA mapping, from the device's view.
type Direction uint8

// Directions.
const (
	DeviceReads Direction = 1 << iota
	DeviceWrites
	Bidirectional = DeviceReads | DeviceWrites
)

// DMA is coherent memory: CPU sees Bytes, the device sees Addr.
type DMA struct {
	Bytes []byte
	Addr  uint64
}

// Pages is memory of the host, physically contiguous from Phys.
type Pages struct {
	Phys uint64
	Size int64
	Bus  uint64 // bus address while mapped, else 0
	// Touch returns the bytes, giving them backing if they have none yet.
	Touch func() []byte
}

// Errors of a Bus; drivers turn them into errnos.
var (
	ErrGone     = errors.New("the device is gone")
	ErrNoMemory = errors.New("out of memory")
	ErrNoVector = errors.New("not enough interrupt vectors")
	ErrMask     = errors.New("DMA mask cannot be met")
)
