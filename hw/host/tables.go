package host

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/mem"
)

// tables is the device's first-stage page table, Sv39, in host memory: what the
// host's IOMMU walks. Level 2 is the root.
type tables struct {
	store *mem.Store
	alloc func() (at uint64, ok bool) // a zeroed page of host memory, when there is one
	root  uint64
	// largest is the level of the largest pages: larger ranges are mapped by many.
	largest int
	// orphans are tables that a large page has replaced: the IOMMU may have
	// cached pointers to them.
	orphans []uint64
}

const (
	levels    = 3
	tableBits = 9
	pageBits  = 12
)

func span(level int) uint64 { return 1 << (pageBits + tableBits*level) }

// permissions: A and D are preset, so that the IOMMU never writes tables; U,
// because requests without a process id are user accesses (RISC-V IOMMU 1.0,
// section 2.3).
func permissions(dir hw.Direction) uint64 {
	bits := uint64(abi.PTEValid | abi.PTEUser | abi.PTEAccess | abi.PTEDirty)
	if dir&hw.DeviceReads != 0 {
		bits |= abi.PTERead
	}
	if dir&hw.DeviceWrites != 0 {
		bits |= abi.PTERead | abi.PTEWrite // W without R is reserved
	}
	return bits
}

func (t *tables) load(at uint64) uint64 {
	var p [8]byte
	t.store.Peek(at, p[:])
	return binary.LittleEndian.Uint64(p[:])
}

func (t *tables) save(at, v uint64) {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], v)
	t.store.Poke(at, p[:])
}

// entry returns the address of iova's entry at a level, making tables above it;
// not ok when there is no memory for one.
func (t *tables) entry(iova uint64, level int) (at uint64, ok bool) {
	table := t.root
	for l := levels - 1; ; l-- {
		at := table + iova>>(pageBits+tableBits*l)&(1<<tableBits-1)*8
		if l == level {
			return at, true
		}
		e := t.load(at)
		if e&abi.PTEValid == 0 {
			page, ok := t.alloc()
			if !ok {
				return 0, false
			}
			e = abi.PTE(page, abi.PTEValid)
			t.save(at, e)
		}
		table = e >> 10 << pageBits
	}
}

// level is the largest page that fits at both addresses within n bytes.
func (t *tables) level(iova, phys, n uint64) int {
	for l := t.largest; l > 0; l-- {
		if s := span(l); (iova|phys)&(s-1) == 0 && n >= s {
			return l
		}
	}
	return 0
}

// set maps n bytes, or none when there is no memory for a table. Tables that it
// has made before that stay for whoever maps there next.
func (t *tables) set(iova, phys, n uint64, dir hw.Direction) (ok bool) {
	for done := uint64(0); done < n; {
		l := t.level(iova+done, phys+done, n-done)
		at, ok := t.entry(iova+done, l)
		if !ok {
			t.clear(iova, done)
			return false
		}
		t.orphan(t.load(at), l)
		t.save(at, abi.PTE(phys+done, permissions(dir)))
		done += span(l)
	}
	return true
}

// orphan collects the empty tables below an entry that is to be replaced.
func (t *tables) orphan(e uint64, level int) {
	if e&abi.PTEValid == 0 || level == 0 {
		return
	}
	table := e >> 10 << pageBits
	for i := range uint64(1 << tableBits) {
		t.orphan(t.load(table+i*8), level-1)
	}
	t.orphans = append(t.orphans, table)
}

// clear unmaps the first n bytes that one set has mapped, by whole entries.
func (t *tables) clear(iova, n uint64) {
	for n > 0 {
		table, l := t.root, levels-1
		for ; ; l-- {
			at := table + iova>>(pageBits+tableBits*l)&(1<<tableBits-1)*8
			e := t.load(at)
			if e&(abi.PTERead|abi.PTEWrite) != 0 || l == 0 {
				t.save(at, 0)
				break
			}
			table = e >> 10 << pageBits
		}
		iova, n = iova+span(l), n-span(l)
	}
}
