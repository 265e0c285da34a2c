package mem

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// TestStoreIsAByteArray drives a store and a plain array alike.
func TestStoreIsAByteArray(t *testing.T) {
	const size = 5*ChunkBytes + 123
	rapid.Check(t, func(t *rapid.T) {
		s, want := NewStore(size), make([]byte, size)
		seed := rapid.Uint64().Draw(t, "seed")
		stream := sim.NewStream(seed, "store")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			n := rapid.Int64Range(0, 3*ChunkBytes).Draw(t, "n")
			addr := uint64(rapid.Int64Range(0, size-n).Draw(t, "addr"))
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				p := make([]byte, n)
				for i := range p {
					p[i] = byte(stream.Uint64())
				}
				s.Poke(addr, p)
				copy(want[addr:], p)
			case 1:
				s.Zero(addr, n)
				clear(want[addr : addr+uint64(n)])
			case 2:
				s.Free(addr, n)
				clear(want[addr : addr+uint64(n)])
			case 3:
				s.Scramble(stream)
				s.Peek(0, want)
			}
			got := make([]byte, n)
			s.Peek(addr, got)
			require.True(t, bytes.Equal(want[addr:addr+uint64(n)], got))
		}
		got := make([]byte, size)
		s.Peek(0, got)
		require.True(t, bytes.Equal(want, got))
	})
}

func TestStoreReadTellsZeroWithoutBacking(t *testing.T) {
	s := NewStore(8 * ChunkBytes)
	p := []byte{1, 2, 3}
	assert.True(t, s.Read(5, p))
	assert.Equal(t, []byte{1, 2, 3}, p, "left untouched")
	s.Poke(ChunkBytes, []byte{9})
	q := make([]byte, 2)
	assert.False(t, s.Read(ChunkBytes-1, q))
	assert.Equal(t, []byte{0, 9}, q)
	assert.Equal(t, sim.Bytes(ChunkBytes), s.Resident())
	s.Zero(ChunkBytes, ChunkBytes)
	assert.True(t, s.Read(ChunkBytes, q))
	assert.Zero(t, s.Resident())
	s.Scramble(sim.NewStream(1, "x"))
	assert.False(t, s.Read(0, q), "scrambled memory is not zero")
	s.Zero(0, ChunkBytes)
	assert.True(t, s.Read(0, q))
}

func TestStoreBytesIsTheMemoryItself(t *testing.T) {
	s := NewStore(64 * ChunkBytes)
	s.Poke(3*ChunkBytes+7, []byte("before"))
	b := s.Bytes(2*ChunkBytes, 5*ChunkBytes)
	require.Len(t, b, 5*ChunkBytes)
	assert.Equal(t, "before", string(b[ChunkBytes+7:][:6]))
	s.Poke(6*ChunkBytes, []byte("poked"))
	assert.Equal(t, "poked", string(b[4*ChunkBytes:][:5]))
	b[0] = 77
	p := make([]byte, 1)
	s.Peek(2*ChunkBytes, p)
	assert.Equal(t, byte(77), p[0])
	s.Zero(2*ChunkBytes, 5*ChunkBytes)
	assert.Equal(t, byte(0), b[0], "zeroed in place while a slice is out")
	inner := s.Bytes(4*ChunkBytes+100, ChunkBytes)
	inner[0] = 5
	assert.Equal(t, byte(5), b[2*ChunkBytes+100])
	assert.Panics(t, func() { s.Bytes(ChunkBytes, 3*ChunkBytes) }, "would move what is in use")
	s.Free(2*ChunkBytes, 5*ChunkBytes)
	assert.Zero(t, s.Resident())
	assert.Len(t, s.Bytes(ChunkBytes, 3*ChunkBytes), 3*ChunkBytes)
}

// Slices that share a chunk end page by page: with the last the chunk can move.
func TestStoreFreesSlicesByPage(t *testing.T) {
	s := NewStore(4 * ChunkBytes)
	a, b := s.Bytes(ChunkBytes, pageBytes), s.Bytes(ChunkBytes+3*pageBytes, 2*pageBytes)
	a[0], b[0] = 1, 2
	wide := func() { s.Bytes(0, 3*ChunkBytes) }
	assert.Panics(t, wide)
	s.Free(ChunkBytes, pageBytes)
	assert.Panics(t, wide, "the other is in use")
	s.Free(ChunkBytes+3*pageBytes, pageBytes)
	assert.Panics(t, wide, "half of it is")
	s.Free(ChunkBytes+4*pageBytes+1, pageBytes-1)
	assert.Panics(t, wide, "no whole page was freed")
	s.Free(ChunkBytes+4*pageBytes, pageBytes)
	s.Poke(2*ChunkBytes, []byte{7})
	assert.NotPanics(t, wide)
	assert.EqualValues(t, 7, s.Bytes(0, 3*ChunkBytes)[2*ChunkBytes])
	assert.Zero(t, s.Bytes(ChunkBytes, 1)[0])
}

func TestStoreDoesNotAllocateWhereBackingExists(t *testing.T) {
	s, p := NewStore(sim.GiB), make([]byte, 3*ChunkBytes)
	s.Poke(100, p)
	assert.Zero(t, testing.AllocsPerRun(20, func() { s.Poke(100, p); s.Peek(77, p) }))
}

func TestServe(t *testing.T) {
	s := NewStore(4 * ChunkBytes)
	w := &hw.Request{Op: hw.Write, Addr: 10, Bytes: 4, Data: []byte("data")}
	Serve(w, s)
	assert.Equal(t, hw.OK, w.Status)
	r := &hw.Request{Addr: 10, Bytes: 4, Data: make([]byte, 4)}
	Serve(r, s)
	assert.Equal(t, "data", string(r.Data))
	assert.False(t, r.Zero)
	Serve(&hw.Request{Op: hw.Write, Addr: 0, Bytes: ChunkBytes, Zero: true}, s)
	Serve(r, s)
	assert.True(t, r.Zero)
	assert.Equal(t, "data", string(r.Data), "left untouched")
	Serve(&hw.Request{Op: hw.Write, Addr: 10, Bytes: 4}, s)
	assert.Zero(t, s.Resident(), "a write without values writes none")
	out := &hw.Request{Addr: 4*ChunkBytes - 2, Bytes: 4, Data: make([]byte, 4)}
	Serve(out, s)
	assert.Equal(t, hw.Unsupported, out.Status)
	assert.Equal(t, out.Addr, out.FaultAddr)
}

func BenchmarkStorePeek1MiB(b *testing.B) {
	s, p := NewStore(sim.GiB), make([]byte, 1<<20)
	s.Poke(0, p)
	b.SetBytes(1 << 20)
	for b.Loop() {
		s.Peek(0, p)
	}
}
