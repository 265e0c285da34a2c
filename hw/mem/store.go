// Package mem models memory: the bytes of a memory as a sparse Store, and the
// time of device memory as a DRAM controller with its channels.
//
// The controller follows the JEDEC command protocols (DDR4 JESD79-4, DDR5
// JESD79-5, LPDDR5 JESD209-5, GDDR6 JESD250, HBM2 JESD235, HBM3 JESD238, HBM4
// JESD270-4): timestamps of banks, bank groups and ranks in place of a ticking
// clock, first-ready scheduling, refresh and write draining. DEVIATIONS.md
// lists what differs from the real thing.
package mem

import (
	"fmt"

	"github.com/presi-sim/presi/sim"
)

// ChunkBytes is the granule in which a Store allocates backing.
const ChunkBytes = 64 << 10

type block [ChunkBytes]byte

// chunk is one granule. A store has a million of them: they hold no pointer, so
// that the garbage collector passes over them.
type chunk struct {
	slab   int32  // that backs it, or absent or zeroed
	pinned uint16 // pages of which a slice was handed out, a bit each: it must not move
}

// pageBytes is the granule in which slices are handed out and end.
const pageBytes = ChunkBytes / 16

// pages returns the bits of a chunk for those of its pages that touch a range.
func pages(chunk int, addr uint64, n int64) uint16 {
	base := uint64(chunk) * ChunkBytes
	from, to := max(addr, base), min(addr+uint64(n), base+ChunkBytes)
	if from >= to {
		return 0
	}
	first, last := (from-base)/pageBytes, (to-1-base)/pageBytes
	return uint16(1<<(last+1) - 1<<first)
}

// Numbers of no slab. The content of an absent chunk is the store's default,
// zero or noise after Scramble; a zeroed one was zeroed as a whole.
const (
	absent = iota
	zeroed
	firstSlab
)

// slab is one allocation that backs consecutive chunks.
type slab struct {
	first int
	live  int // chunks that still use it
	data  []byte
}

// Store is the bytes of a memory: sparse, of fixed size, zero until written.
// Peek and Poke are its back door, which takes no time: for verification and for
// loading. Addresses are byte offsets; a range outside the
// store is a caller's bug and panics.
type Store struct {
	size     uint64
	chunks   []chunk
	slabs    []slab // from firstSlab on
	present  int    // chunks that are not absent
	freeIDs  []int32
	noise    uint64
	scramble bool // absent chunks hold noise
	resident int64
}

// NewStore returns a store of size bytes, all zero and without backing.
func NewStore(size sim.Bytes) *Store {
	if size < 0 {
		panic("mem: a store cannot have a negative size")
	}
	n := (int64(size) + ChunkBytes - 1) / ChunkBytes
	return &Store{size: uint64(size), chunks: make([]chunk, n), slabs: make([]slab, firstSlab)}
}

// Size returns the store's size.
func (s *Store) Size() sim.Bytes { return sim.Bytes(s.size) }

// Resident returns how many bytes have backing.
func (s *Store) Resident() sim.Bytes { return sim.Bytes(s.resident) }

// Contains reports whether n bytes at addr lie within the store.
func (s *Store) Contains(addr uint64, n int64) bool {
	return n >= 0 && addr <= s.size && uint64(n) <= s.size-addr
}

func (s *Store) check(addr uint64, n int64) {
	if !s.Contains(addr, n) {
		panic(fmt.Sprintf("mem: %d bytes at %#x lie outside a store of %d bytes", n, addr, s.size))
	}
}

// Peek copies bytes out.
func (s *Store) Peek(addr uint64, p []byte) {
	if s.Read(addr, p) {
		clear(p)
	}
}

// Poke copies bytes in.
func (s *Store) Poke(addr uint64, p []byte) {
	s.check(addr, int64(len(p)))
	for len(p) > 0 {
		i, off := addr/ChunkBytes, addr%ChunkBytes
		n := min(uint64(len(p)), ChunkBytes-off)
		copy(s.backing(int(i))[off:], p[:n])
		p, addr = p[n:], addr+n
	}
}

// Read copies the bytes at addr to p unless all of them are known to be zero
// for want of backing: then it leaves p alone and returns true.
func (s *Store) Read(addr uint64, p []byte) (absentZero bool) {
	s.check(addr, int64(len(p)))
	if s.allZero(addr, int64(len(p))) {
		return true
	}
	for len(p) > 0 {
		i, off := addr/ChunkBytes, addr%ChunkBytes
		n := min(uint64(len(p)), ChunkBytes-off)
		if c := s.data(int(i)); c != nil {
			copy(p[:n], c[off:])
		} else if s.scramble && s.chunks[i].slab == absent {
			s.fillNoise(addr, p[:n])
		} else {
			clear(p[:n])
		}
		p, addr = p[n:], addr+n
	}
	return false
}

// allZero reports whether no chunk of the range has real backing and all are zero.
func (s *Store) allZero(addr uint64, n int64) bool {
	if n == 0 {
		return true
	}
	last := (addr + uint64(n) - 1) / ChunkBytes
	for i := addr / ChunkBytes; i <= last; i++ {
		if k := s.chunks[i].slab; k >= firstSlab || k == absent && s.scramble {
			return false
		}
	}
	return true
}

// Zero clears n bytes at addr. Chunks covered whole lose their backing unless
// a slice of them was handed out.
func (s *Store) Zero(addr uint64, n int64) {
	s.check(addr, n)
	end := addr + uint64(n)
	for addr < end {
		i, off := addr/ChunkBytes, addr%ChunkBytes
		m := min(end-addr, ChunkBytes-off)
		c := &s.chunks[i]
		switch {
		case m == ChunkBytes && c.pinned == 0:
			s.drop(int(i))
			if s.scramble {
				c.slab = zeroed
				s.present++
			}
		case c.slab == zeroed || c.slab == absent && !s.scramble:
		default:
			clear(s.backing(int(i))[off : off+m])
		}
		addr += m
	}
}

// Free is Zero that also ends the life of slices handed out by Bytes, by whole pages
// of 4 KiB: whoever holds one must not use it any more.
func (s *Store) Free(addr uint64, n int64) {
	s.check(addr, n)
	first := (addr + pageBytes - 1) &^ (pageBytes - 1)
	last := (addr + uint64(n)) &^ (pageBytes - 1)
	for i := int(first / ChunkBytes); uint64(i)*ChunkBytes < last; i++ {
		s.chunks[i].pinned &^= pages(i, first, int64(last-first))
	}
	s.Zero(addr, n)
}

// Bytes returns the n bytes at addr as one slice, giving them backing if they
// have none. The slice stays valid until Free. Ranges within one chunk may
// share it; a longer range must not share a chunk with a range handed out
// before unless it lies within that range: the caller aligns those.
func (s *Store) Bytes(addr uint64, n int64) []byte {
	s.check(addr, n)
	if n == 0 {
		return nil
	}
	first, last := int(addr/ChunkBytes), int((addr+uint64(n)-1)/ChunkBytes)
	if !s.contiguous(first, last) {
		s.gather(first, last)
	}
	for i := first; i <= last; i++ {
		s.chunks[i].pinned |= pages(i, addr, n)
	}
	sl := &s.slabs[s.chunks[first].slab]
	off := addr - uint64(sl.first)*ChunkBytes
	return sl.data[off : off+uint64(n) : off+uint64(n)]
}

// contiguous reports whether one slab backs the chunks first..last.
func (s *Store) contiguous(first, last int) bool {
	for i := first; i <= last; i++ {
		if k := s.chunks[i].slab; k < firstSlab || k != s.chunks[first].slab {
			return false
		}
	}
	return true
}

// gather moves the chunks first..last into one new slab.
func (s *Store) gather(first, last int) {
	data := make([]byte, (last-first+1)*ChunkBytes)
	for i := first; i <= last; i++ {
		c := &s.chunks[i]
		if c.pinned != 0 {
			panic(fmt.Sprintf("mem: the chunk at %#x is in use by another slice and cannot move", uint64(i)*ChunkBytes))
		}
		part := data[(i-first)*ChunkBytes:][:ChunkBytes]
		switch {
		case c.slab >= firstSlab:
			copy(part, s.data(i)[:])
		case c.slab == absent && s.scramble:
			s.fillNoise(uint64(i)*ChunkBytes, part)
		}
	}
	id := s.addSlab(slab{first: first, live: last - first + 1, data: data})
	for i := first; i <= last; i++ {
		s.drop(i)
		s.chunks[i].slab = id
		s.present++
	}
	s.resident += int64(len(data))
}

func (s *Store) addSlab(sl slab) int32 {
	if n := len(s.freeIDs); n > 0 {
		id := s.freeIDs[n-1]
		s.freeIDs = s.freeIDs[:n-1]
		s.slabs[id] = sl
		return id
	}
	s.slabs = append(s.slabs, sl)
	return int32(len(s.slabs) - 1)
}

// backing returns chunk i's bytes, allocating them when absent.
func (s *Store) backing(i int) *block {
	if s.chunks[i].slab < firstSlab {
		s.gather(i, i)
	}
	return s.data(i)
}

// data returns chunk i's bytes, nil when it has no backing.
func (s *Store) data(i int) *block {
	k := s.chunks[i].slab
	if k < firstSlab {
		return nil
	}
	sl := &s.slabs[k]
	return (*block)(sl.data[(i-sl.first)*ChunkBytes:])
}

// drop takes chunk i's backing away.
func (s *Store) drop(i int) {
	k := s.chunks[i].slab
	if k == absent {
		return
	}
	s.chunks[i].slab = absent
	s.present--
	if k == zeroed {
		return
	}
	s.resident -= ChunkBytes
	sl := &s.slabs[k]
	if sl.live--; sl.live == 0 {
		sl.data = nil
		s.freeIDs = append(s.freeIDs, k)
	}
}

// Scramble replaces the whole content by noise of the stream, as DRAM holds
// after it has lost its refresh. Backing is given up; noise takes none.
func (s *Store) Scramble(stream *sim.Stream) {
	s.noise, s.scramble = stream.Uint64(), true
	for i := 0; i < len(s.chunks) && s.present > 0; i++ {
		if s.chunks[i].pinned != 0 {
			s.fillNoise(uint64(i)*ChunkBytes, s.data(i)[:])
			continue
		}
		s.drop(i)
	}
}

// fillNoise writes the noise that belongs to addr: a SplitMix64 word for every
// aligned eight bytes, so that it does not depend on how a range is cut.
func (s *Store) fillNoise(addr uint64, p []byte) {
	for k := range p {
		a := addr + uint64(k)
		p[k] = byte(mix(s.noise+a>>3*0x9e3779b97f4a7c15) >> (8 * (a & 7)))
	}
}

// mix is the output function of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
