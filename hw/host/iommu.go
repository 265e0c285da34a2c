package host

import (
	"encoding/binary"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/sim"
)

// Formats of the RISC-V IOMMU 1.0 that its driver uses (directories: chapter 3,
// commands: chapter 4).
const (
	queueLog2    = 8 // entries of the command and fault queues
	commandBytes = 16
	recordBytes  = 32

	contextValid = 1
	fscSv39      = 8

	opInvalidate = 1 // IOTINVAL.VMA: function 0
	opFence      = 2 // IOFENCE.C
	addressValid = 1 << 10
)

// iommuDriver programs the IOMMU as a host's kernel does: a device directory, a
// command queue and a fault queue in memory, and its registers.
type iommuDriver struct {
	h        *Host
	lock     *sim.Mutex
	commands uint64 // physical addresses of the queues
	faults   uint64
	tail     uint32
}

func (d *iommuDriver) init(h *Host) {
	d.h, d.lock = h, h.e.NewMutex()
	h.tables.root = d.pages(1)
	d.commands, d.faults = d.pages(1), d.pages(2)
	d.directory()
	io := h.iommu
	io.MMIOWrite(mmu.RegCQB, 8, d.commands>>pageBits<<10|(queueLog2-1))
	io.MMIOWrite(mmu.RegFQB, 8, d.faults>>pageBits<<10|(queueLog2-1))
	io.MMIOWrite(mmu.RegCQCSR, 4, mmu.CSREnable)
	io.MMIOWrite(mmu.RegFQCSR, 4, mmu.CSREnable)
}

// pages returns n zeroed pages for the IOMMU's structures. It is called when the
// host is built, with all of its memory free.
func (d *iommuDriver) pages(n uint64) uint64 {
	at, ok := d.h.phys.Take(n*uint64(pageSize), n*uint64(pageSize))
	if !ok {
		panic("host: no memory for the IOMMU's structures")
	}
	return at
}

// directory makes the two-level device directory with the one device: base
// format, 128 contexts of 32 bytes a leaf page.
func (d *iommuDriver) directory() {
	t := &d.h.tables
	root, leaf := d.pages(1), d.pages(1)
	t.save(root+deviceID>>7*8, leaf>>pageBits<<10|contextValid)
	context := leaf + deviceID&0x7f*32
	t.save(context+24, fscSv39<<60|t.root>>pageBits)
	t.save(context, contextValid)
	d.h.iommu.MMIOWrite(mmu.RegDDTP, 8, root>>pageBits<<10|mmu.DDT2Level)
}

// push queues one command.
func (d *iommuDriver) push(lo, hi uint64) {
	t := &d.h.tables
	at := d.commands + uint64(d.tail)*commandBytes
	t.save(at, lo)
	t.save(at+8, hi)
	d.tail = (d.tail + 1) % (1 << queueLog2)
}

// invalidate drops what the IOMMU has cached of a range and returns when the
// IOMMU has done so and accesses that used it are over (IOFENCE.C). A large
// range is dropped with everything else.
func (h *Host) invalidate(iova, n uint64) {
	const few = 64
	if h.e.Current() == nil {
		return // before the simulation runs nothing is cached
	}
	d := &h.driver
	d.lock.Lock()
	defer d.lock.Unlock()
	if n/uint64(pageSize) > few {
		d.push(opInvalidate, 0)
	} else {
		for at := iova; at < iova+n; at += uint64(pageSize) {
			d.push(opInvalidate|addressValid, at>>pageBits<<10)
		}
	}
	d.push(opFence, 0)
	h.iommu.MMIOWrite(mmu.RegCQT, 4, uint64(d.tail))
	for end := h.e.Now() + invalidateLimit; uint32(h.iommu.MMIORead(mmu.RegCQH, 4)) != d.tail; {
		if h.e.Now() > end {
			h.e.Fail(fmt.Errorf("host: the IOMMU's command queue stands still, cqcsr %#x", h.iommu.MMIORead(mmu.RegCQCSR, 4)))
			return
		}
		h.e.Sleep(invalidatePoll)
	}
}

// everything, as a size, drops all of the IOMMU's translations and pointers to
// tables. By an address only leaf entries are dropped (IOTINVAL.VMA with AV).
const everything = 1 << 62

// invalidateLimit is beyond what any access takes that an IOFENCE.C awaits.
const invalidateLimit = 10 * sim.Second

// invalidatePoll is how often the driver looks whether commands are done.
const invalidatePoll = 100 * sim.Nanosecond

// Fault is a record of the IOMMU's fault queue.
type Fault struct {
	Cause uint16
	IOVA  uint64
	Write bool
}

// Faults takes the records out of the IOMMU's fault queue, oldest first.
func (h *Host) Faults() (out []Fault) {
	io := h.iommu
	head, tail := uint32(io.MMIORead(mmu.RegFQH, 4)), uint32(io.MMIORead(mmu.RegFQT, 4))
	for ; head != tail; head = (head + 1) % (1 << queueLog2) {
		var p [recordBytes]byte
		h.memory.store.Peek(h.driver.faults+uint64(head)*recordBytes, p[:])
		w := binary.LittleEndian.Uint64(p[:])
		out = append(out, Fault{Cause: uint16(w & 0xfff), IOVA: binary.LittleEndian.Uint64(p[16:]), Write: w>>34&0x3f == 3})
	}
	io.MMIOWrite(mmu.RegFQH, 4, uint64(head))
	return out
}

func (f Fault) String() string {
	what := "read"
	if f.Write {
		what = "write"
	}
	return fmt.Sprintf("iommu: %s of bus address %#x refused, cause %d", what, f.IOVA, f.Cause)
}

// hostSource is the source of the IOMMU's own accesses to host memory.
const hostSource hw.Source = 0

func newIOMMU(e *sim.Engine, cfg mmu.IOMMUConfig, memory hw.Target) *mmu.IOMMU {
	return mmu.NewIOMMU(e, cfg, mmu.DefaultCapabilities, memory, hostSource)
}
