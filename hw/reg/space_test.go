package reg

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func pair(name string, base uint64) Table {
	return Table{Name: name, Base: base, Size: 8, Registers: []Register{{Name: "A", Size: 4}, {Offset: 4, Name: "B", Size: 4}}}
}

// bar has a block, a gap, its neighbour right behind it, and three instances
// with gaps between them.
func bar() (*Space, []*File) {
	s := &Space{}
	files := NewFiles(sample())
	s.Map(files...)
	s.Map(NewFile(pair("second", 0x18)))
	s.Map(NewFile(pair("first", 0x10)))
	return s, files
}

func TestSpaceRoutes(t *testing.T) {
	s, files := bar()
	p := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for i, f := range files {
		require.False(t, s.Write(0x1010+uint64(i)*0x100, p[i:i+4]))
		assert.EqualValues(t, p[i], f.Get(f.Ref("ADDR"), 0)&0xff)
	}
	require.False(t, s.Write(0x14, p[:4]))
	require.False(t, s.Write(0x18, p[4:]))

	got := make([]byte, 12)
	s.Read(0x12, got)
	assert.Equal(t, []byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0}, got, "a read over the border of two blocks")
	s.Read(0x1c, got)
	assert.Equal(t, []byte{0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}, got, "and out of the last")
	s.Read(0x107c, got[:8])
	assert.Equal(t, []byte{0, 0, 0, 0, 255, 255, 255, 255}, got[:8], "between two instances")
	s.Read(0xc, got[:8])
	assert.Equal(t, []byte{255, 255, 255, 255, 0, 0, 0, 0}, got[:8])
}

func TestSpaceDropsWhatNobodyDecodes(t *testing.T) {
	s, _ := bar()
	p := make([]byte, 8)
	assert.True(t, s.Write(0, p[:4]))
	assert.True(t, s.Write(0x1080, p[:4]), "between two instances")
	assert.True(t, s.Write(0x14, p), "over two blocks")
	assert.True(t, s.Write(1<<40, p))
	assert.EqualValues(t, 4, s.Dropped())
}

func TestSpaceNames(t *testing.T) {
	s, files := bar()
	f, i, name := s.NameAt(0x1234)
	assert.Same(t, files[2], f)
	assert.Equal(t, 2, i)
	assert.Equal(t, "BASE[1]", name)
	f, _, _ = s.NameAt(0x1080)
	assert.Nil(t, f)
}

func TestSpaceRefusesOverlap(t *testing.T) {
	s, _ := bar()
	for _, base := range []uint64{0x8, 0x10, 0x18, 0x1278} {
		if base == 0x8 {
			s.Map(NewFile(pair("fits", base)))
			continue
		}
		assert.Panicsf(t, func() { s.Map(NewFile(pair("late", base))) }, "at %#x", base)
	}
}

// A read through the space equals its bytes read one by one.
func TestSpaceReadsBytewise(t *testing.T) {
	s, files := bar()
	for _, f := range files {
		f.Set(f.Ref("ADDR"), 0, 0x0807060504030201)
		f.OnRead("COUNT", func(int) uint64 { return 0x1817161514131211 })
	}
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.OneOf(rapid.Uint64Range(0, 0x40), rapid.Uint64Range(0xff8, 0x1300), rapid.Uint64Range(^uint64(0)-20, ^uint64(0)-16)).Draw(t, "offset")
		whole, one := make([]byte, rapid.IntRange(1, 16).Draw(t, "size")), make([]byte, 1)
		for _, f := range files {
			f.Reset()
		}
		s.Read(off, whole)
		for _, f := range files {
			f.Reset()
		}
		for i := range whole {
			s.Read(off+uint64(i), one)
			require.Equalf(t, one[0], whole[i], "byte %d at %#x", i, off)
		}
	})
}

func BenchmarkSpaceRead32(b *testing.B) {
	s, _ := bar()
	var p [4]byte
	b.ReportAllocs()
	for range b.N {
		s.Read(0x1204, p[:])
	}
}
