package host

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// Bus is hw.Bus for the one device of this host.
type Bus struct {
	kernel
	*Host
	bars  [6]uint64 // sizes, once asked for
	sized bool
	power power
	aer   recovery
}

// access is a posted write on its way, with its bytes.
type access struct {
	r    hw.Request
	buf  [8]byte
	slot int
}

func newBus(h *Host) *Bus {
	b := &Bus{kernel: h.kernel, Host: h}
	h.link.OnErrors(b.aer.arrived(b))
	return b
}

// Address implements hw.Bus.
func (b *Bus) Address() string { return address }

// ConfigRead implements hw.Bus.
func (b *Bus) ConfigRead(off, size int) uint32 {
	a := pcie.ConfigAccess{Off: off, Size: size}
	b.config(&a)
	return a.Value
}

// ConfigWrite implements hw.Bus.
func (b *Bus) ConfigWrite(off, size int, v uint32) {
	b.config(&pcie.ConfigAccess{Write: true, Off: off, Size: size, Value: v})
}

func (b *Bus) config(a *pcie.ConfigAccess) {
	b.e.Await("configuration space", func(done sim.Call) {
		a.Done = done
		b.link.AccessConfig(a)
	})
}

// BARSize implements hw.Bus: on first use it sizes all BARs as firmware does, by
// writing all ones while decoding is off (PCI Local Bus 3.0, section 6.2.5.1).
func (b *Bus) BARSize(bar int) uint64 {
	if bar < 0 || bar > 5 {
		return 0
	}
	if !b.sized {
		b.sized = true
		command := b.ConfigRead(regCommand, 2)
		b.ConfigWrite(regCommand, 2, 0)
		for i := 0; i < len(b.bars); i++ {
			var wide bool
			if b.bars[i], wide = b.size(i); wide {
				i++ // the upper half of this one
			}
		}
		b.ConfigWrite(regCommand, 2, command)
	}
	return b.bars[bar]
}

// probe returns which bits of a BAR register stick.
func (b *Bus) probe(off int) uint64 {
	old := b.ConfigRead(off, 4)
	b.ConfigWrite(off, 4, ^uint32(0))
	mask := b.ConfigRead(off, 4)
	b.ConfigWrite(off, 4, old)
	return uint64(mask)
}

func (b *Bus) size(bar int) (bytes uint64, wide bool) {
	off := regBAR0 + 4*bar
	mask := b.probe(off)
	if mask == 0 || mask == 0xffffffff {
		return 0, false
	}
	wide = mask&6 == 4
	mask &^= 0xf
	if wide && bar < 5 {
		return -(mask | b.probe(off+4)<<32), true
	}
	return -(mask | 0xffffffff<<32), false
}

// Read32 implements hw.Bus.
func (b *Bus) Read32(bar int, off uint64) uint32 {
	var p [4]byte
	b.ReadBAR(bar, off, p[:])
	return binary.LittleEndian.Uint32(p[:])
}

// Read64 implements hw.Bus.
func (b *Bus) Read64(bar int, off uint64) uint64 {
	var p [8]byte
	b.ReadBAR(bar, off, p[:])
	return binary.LittleEndian.Uint64(p[:])
}

// ReadBAR implements hw.Bus.
func (b *Bus) ReadBAR(bar int, off uint64, p []byte) {
	for len(p) > 0 {
		n := pieceOf(off, len(p))
		r := hw.Request{Op: hw.Read, Addr: off, Bytes: int64(n), Data: p[:n]}
		b.e.Await("an MMIO read", func(done sim.Call) {
			r.Done = done
			b.link.MMIO(bar, &r)
		})
		if r.Zero {
			clear(p[:n])
		}
		off, p = off+uint64(n), p[n:]
	}
	b.ReadBarrier()
}

// pieceOf cuts a BAR access at 4 KiB boundaries, which no TLP crosses.
func pieceOf(off uint64, n int) int { return min(n, int(pageSize)-int(off%uint64(pageSize))) }

// Write32 implements hw.Bus.
func (b *Bus) Write32(bar int, off uint64, v uint32) {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	b.WriteBAR(bar, off, p[:])
}

// Write64 implements hw.Bus.
func (b *Bus) Write64(bar int, off uint64, v uint64) {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], v)
	b.WriteBAR(bar, off, p[:])
}

// WriteBAR implements hw.Bus. The caller is busy for the stores alone.
func (b *Bus) WriteBAR(bar int, off uint64, p []byte) {
	b.order.drain()
	for len(p) > 0 {
		n := pieceOf(off, len(p))
		b.post(bar, off, p[:n])
		b.e.Sleep(b.link.WriteCost(int64(n)))
		off, p = off+uint64(n), p[n:]
	}
}

// post sends a write from a buffer of its own.
func (b *Bus) post(bar int, off uint64, p []byte) {
	a := b.Host.takeAccess()
	data := a.buf[:0]
	data = append(data, p...)
	a.r = hw.Request{Op: hw.Write, Addr: off, Bytes: int64(len(p)), Data: data,
		Done: sim.Call{H: b.Host.posted, Arg: uint64(a.slot)}}
	b.link.MMIO(bar, &a.r)
}

// takeAccess returns a record for a posted write.
func (h *Host) takeAccess() *access {
	if n := len(h.freeAccesses); n > 0 {
		a := h.accesses[h.freeAccesses[n-1]]
		h.freeAccesses = h.freeAccesses[:n-1]
		return a
	}
	a := &access{slot: len(h.accesses)}
	h.accesses = append(h.accesses, a)
	return a
}

// WriteBarrier implements hw.Bus.
func (b *Bus) WriteBarrier() { b.order.store() }

// ReadBarrier implements hw.Bus.
func (b *Bus) ReadBarrier() { b.order.load(b.order.written()) }

// SetDMAMask implements hw.Bus: mappings that are made from now on have bus
// addresses that the device can drive.
func (b *Bus) SetDMAMask(bits int) error { return b.iova.mask(bits) }
