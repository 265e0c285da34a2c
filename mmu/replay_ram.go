package mmu

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
)

// replayRAM is the memory of a scenario: sparse, zero-filled, [0, 4 GiB), with
// poisoned words; it records what is read and what atomics write.
type replayRAM struct {
	pages   map[uint64]*[4096]byte
	poison  map[uint64]bool
	reads   []hexPair
	updates []hexPair
}

const replayRAMBytes = 1 << 32

func (m *replayRAM) page(addr uint64) *[4096]byte {
	p := m.pages[addr>>pageShift]
	if p == nil {
		p = new([4096]byte)
		m.pages[addr>>pageShift] = p
	}
	return p
}

func (m *replayRAM) get(addr uint64) uint64 {
	return binary.LittleEndian.Uint64(m.page(addr)[addr&pageMask:])
}

func (m *replayRAM) put(addr, v uint64) {
	binary.LittleEndian.PutUint64(m.page(addr)[addr&pageMask:], v)
}

// Do implements Memory.
func (m *replayRAM) Do(op *MemOp) {
	op.Status = hw.OK
	if !op.Write && !op.Atomic {
		m.reads = append(m.reads, hexPair{hex(op.Addr), hex(op.Bytes)})
	}
	if op.Addr >= replayRAMBytes {
		op.Status = hw.Unsupported
		return
	}
	p := m.page(op.Addr)[op.Addr&pageMask:][:op.Bytes]
	if op.Write {
		copy(p, op.Buf[:op.Bytes])
		if op.Atomic {
			m.updates = append(m.updates, hexPair{hex(op.Addr), hex(op.Word(0))})
		}
		return
	}
	copy(op.Buf[:], p)
	for a := op.Addr &^ 7; a < op.Addr+uint64(op.Bytes); a += 8 {
		if m.poison[a] {
			op.Status = hw.MemoryError
		}
	}
}
