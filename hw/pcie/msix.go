package pcie

import (
	"encoding/binary"
	"math/bits"

	"github.com/presi-sim/presi/hw"
)

const (
	msixBAR   = 4
	entrySize = 16
)

// vectorTable is the MSI-X table and its pending bits (section 7.7.2): the table
// at offset 0 of its BAR, the pending bits in the upper half.
type vectorTable struct {
	words     []uint32 // four a vector: address low and high, data, control
	pending   []uint64
	pba       uint64 // offset of the pending bits
	barSize   uint64
	hostOwned bool
}

// wordMask is what software may write of an entry's four words (7.7.2.5 to 7.7.2.8).
var wordMask = [4]uint32{^uint32(3), all, all, 1}

func (t *vectorTable) init(vectors int) {
	t.words = make([]uint32, 4*vectors)
	t.pending = make([]uint64, (vectors+63)/64)
	t.pba = max(page/2, uint64(1)<<bits.Len64(uint64(vectors*entrySize-1)))
	t.barSize = 2 * t.pba
	t.reset()
}

// reset masks every vector and forgets what is pending.
func (t *vectorTable) reset() {
	clear(t.words)
	clear(t.pending)
	for v := 3; v < len(t.words); v += 4 {
		t.words[v] = 1
	}
}

func (t *vectorTable) masked(v int) bool { return t.words[4*v+3]&1 != 0 }

// read returns the dword at an offset of the BAR.
func (t *vectorTable) read(off uint64) uint32 {
	if off < t.pba {
		if off/4 < uint64(len(t.words)) {
			return t.words[off/4]
		}
		return 0
	}
	if i := (off - t.pba) / 8; i < uint64(len(t.pending)) {
		return uint32(t.pending[i] >> (8 * (off & 4)))
	}
	return 0
}

// write stores a dword; pending bits are read-only.
func (t *vectorTable) write(off uint64, v uint32) {
	if i := off / 4; off < t.pba && i < uint64(len(t.words)) {
		t.words[i] = v & wordMask[i%4]
	}
}

// serveMSIX serves BAR4: aligned accesses of 4 and 8 bytes, as the
// specification allows (section 7.7.2).
func (f *Function) serveMSIX(r *hw.Request) {
	if r.Bytes != 4 && r.Bytes != 8 || r.Addr%uint64(r.Bytes) != 0 {
		f.refuse(r)
		return
	}
	for i := uint64(0); i < uint64(len(r.Data)); i += 4 {
		if r.Op == hw.Read {
			binary.LittleEndian.PutUint32(r.Data[i:], f.msix.read(r.Addr+i))
		} else {
			f.msix.write(r.Addr+i, binary.LittleEndian.Uint32(r.Data[i:]))
		}
	}
	r.Status = hw.OK
	f.flush()
	f.e.After(0, r.Done)
}

// HostOwnsVectors says that the host keeps the MSI-X table itself, as a virtual
// machine monitor does: every Raise goes out by its number.
func (f *Function) HostOwnsVectors() { f.msix.hostOwned = true }

// Raise sends the message of a vector, or holds it in the pending bits while
// it is masked. A vector that the function does not have, and any while MSI-X
// is off, goes nowhere.
func (f *Function) Raise(vector int) {
	if f.faults.Injector == nil || !f.interferes(vector) {
		f.raise(vector)
	}
}

func (f *Function) raise(vector int) {
	t := &f.msix
	switch {
	case t.hostOwned:
		f.stats.Interrupts++
		f.host.Interrupt(vector, 0, 0)
	case vector < 0 || vector >= len(t.words)/4 || f.cfg.get(regMSIX, 2)&msixEnable == 0:
	case f.held(vector):
		f.stats.Held++
		t.pending[vector/64] |= 1 << (vector % 64)
	default:
		f.send(vector)
	}
}

// held reports whether a vector's message must wait.
func (f *Function) held(vector int) bool {
	return f.cfg.get(regMSIX, 2)&msixMask != 0 || f.msix.masked(vector) || !f.mayMaster()
}

func (f *Function) send(vector int) {
	w := f.msix.words[4*vector:]
	f.stats.Interrupts++
	f.host.Interrupt(vector, uint64(w[0])|uint64(w[1])<<32, w[2])
}

// flush sends what is pending and no longer held, lowest vector first.
func (f *Function) flush() {
	if f.cfg.get(regMSIX, 2)&(msixEnable|msixMask) != msixEnable || !f.mayMaster() {
		return
	}
	for i := range f.msix.pending {
		for p := f.msix.pending[i]; p != 0; p &= p - 1 {
			bit := bits.TrailingZeros64(p)
			if v := 64*i + bit; !f.msix.masked(v) {
				f.msix.pending[i] &^= 1 << bit
				f.send(v)
			}
		}
	}
}
