package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
)

// Configuration space that the host's PCI core uses (PCI Local Bus 3.0,
// sections 6.2 and 6.8.2; PCI Express 5.0, section 7.5.3).
const (
	regCommand  = 0x04
	regBAR0     = 0x10
	capPointer  = 0x34
	capMSIX     = 0x11
	capExpress  = 0x10
	msixControl = 2 // of the capability
	msixTable   = 4
	msixEnable  = 1 << 15
	devCtl      = 8
	devCtlFLR   = 1 << 15

	messageAddress = 0xfee00000 // where an x86 host takes messages
	entryBytes     = 16
)

// capability returns the offset of a capability, 0 if there is none. Each step
// is an access.
func (b *Bus) capability(id uint32) int { return findCapability(b.ConfigRead, id) }

// findCapability walks the list of capabilities by a way to read them.
func findCapability(read func(off, size int) uint32, id uint32) int {
	at := int(read(capPointer, 1))
	for hops := 0; at >= 0x40 && hops < 48; hops++ {
		head := read(at, 2)
		if head&0xff == id {
			return at
		}
		at = int(head >> 8)
	}
	return 0
}

// AllocVectors implements hw.Bus: it programs the MSI-X table and enables it.
func (b *Bus) AllocVectors(low, high int) (int, error) {
	at := b.capability(capMSIX)
	if at == 0 {
		return 0, fmt.Errorf("%w: the function has no MSI-X capability", hw.ErrNoVector)
	}
	n := min(int(b.ConfigRead(at+msixControl, 2)&0x7ff)+1, high, b.vectorLimit)
	if n < low {
		return 0, fmt.Errorf("%w: %d wanted, %d can be had", hw.ErrNoVector, low, n)
	}
	b.programMSIX(at, n)
	b.irqs.resize(n)
	b.ConfigWrite(at+msixControl, 2, msixEnable)
	return n, nil
}

// FreeVectors implements hw.Bus.
func (b *Bus) FreeVectors() {
	if at := b.capability(capMSIX); at != 0 {
		b.ConfigWrite(at+msixControl, 2, 0)
	}
	for v := range b.irqs.vectors {
		b.irqs.release(v)
	}
	b.irqs.resize(0)
}

// RequestIRQ implements hw.Bus.
func (b *Bus) RequestIRQ(v int, name string, handler func()) error {
	return b.irqs.request(v, name, handler)
}

// FreeIRQ implements hw.Bus.
func (b *Bus) FreeIRQ(v int) { b.irqs.release(v) }

// ResetFunction implements hw.Bus: a function-level reset, the wait of 100 ms
// that software owes the function (section 6.6.2), and the return of what
// configuration space held.
func (b *Bus) ResetFunction() error {
	at := b.capability(capExpress)
	if at == 0 {
		return fmt.Errorf("%w: no PCI Express capability", hw.ErrGone)
	}
	saved := b.saveConfig()
	b.ConfigWrite(at+devCtl, 2, b.ConfigRead(at+devCtl, 2)|devCtlFLR)
	b.Sleep(100e6)
	if b.ConfigRead(0, 4) == ^uint32(0) {
		return fmt.Errorf("%w: no answer after a function-level reset", hw.ErrGone)
	}
	b.restoreConfig(saved)
	return nil
}

// saved is what a function-level reset loses.
type saved struct {
	bars    [6]uint32
	command uint32
	control uint32 // of the PCI Express capability
	vectors int
}

func (b *Bus) saveConfig() (s saved) {
	for i := range s.bars {
		s.bars[i] = b.ConfigRead(regBAR0+4*i, 4)
	}
	s.command = b.ConfigRead(regCommand, 2)
	if at := b.capability(capExpress); at != 0 {
		s.control = b.ConfigRead(at+devCtl, 2)
	}
	s.vectors = len(b.irqs.vectors)
	return s
}

func (b *Bus) restoreConfig(s saved) {
	for i, v := range s.bars {
		b.ConfigWrite(regBAR0+4*i, 4, v)
	}
	b.ConfigWrite(regCommand, 2, s.command)
	if at := b.capability(capExpress); at != 0 {
		b.ConfigWrite(at+devCtl, 2, s.control&^devCtlFLR)
	}
	if at := b.capability(capMSIX); at != 0 && s.vectors > 0 {
		b.programMSIX(at, s.vectors)
		b.ConfigWrite(at+msixControl, 2, msixEnable)
	}
}

// programMSIX fills in and unmasks the first n entries of the table.
func (b *Bus) programMSIX(at, n int) {
	table := b.ConfigRead(at+msixTable, 4)
	bar, base := int(table&7), uint64(table&^7)
	for v := range n {
		e := base + uint64(v)*entryBytes
		b.Write32(bar, e, messageAddress)
		b.Write32(bar, e+4, 0)
		b.Write32(bar, e+8, uint32(v))
		b.Write32(bar, e+12, 0)
	}
}
