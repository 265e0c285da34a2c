package reg

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func read(f *File, off uint64, size int) uint64 {
	var p [8]byte
	f.Read(off, p[:size])
	return binary.LittleEndian.Uint64(p[:])
}

func write(f *File, off uint64, size int, v uint64) bool {
	p := binary.LittleEndian.AppendUint64(nil, v)
	return f.Write(off, p[:size])
}

func TestReadsOfEverySize(t *testing.T) {
	for _, c := range []struct {
		off  uint64
		size int
		want uint64
	}{
		{0x00, 1, 0x01}, {0x01, 1, 0x00}, {0x02, 2, 0xacc1}, {0x00, 4, 0xacc10001},
		{0x03, 2, 0x10ac},             // the last byte of ID, the first of CTRL
		{0x00, 8, 0xfa510010acc10001}, // two registers at once
		{0x08, 8, 0x1122334455667788}, {0x08, 4, 0x55667788}, {0x0c, 4, 0x11223344},
		{0x0a, 4, 0x33445566}, // over the middle of an 8-byte register
		{0x1c, 4, 7},          // reserved bits read zero
		{0x18, 4, 0},          // WO
		{0x38, 8, 0xffffffff}, // LEN[1] and a reserved word
		{0x58, 4, 0}, {0x5e, 8, 0},
		{0x7e, 4, 0xffff0000},     // two reserved bytes, two outside
		{0x80, 8, ^uint64(0)},     // outside
		{1 << 40, 4, 0xffffffff},  // far outside
		{^uint64(0) - 1, 1, 0xff}, // the last offset but one
	} {
		assert.Equalf(t, c.want, read(NewFile(sample()), c.off, c.size), "%d bytes at %#x", c.size, c.off)
	}
}

func TestWritesTakeOnlyWholeRegisters(t *testing.T) {
	for _, c := range []struct {
		off     uint64
		size    int
		dropped bool
	}{
		{0x04, 4, false}, {0x04, 1, true}, {0x04, 2, true}, {0x05, 1, true}, {0x06, 2, true},
		{0x04, 8, true}, // CTRL and half of COUNT
		{0x06, 4, true},
		{0x10, 8, false}, {0x10, 4, false}, {0x14, 4, false}, {0x14, 8, true}, {0x12, 4, true}, {0x10, 2, true},
		{0x00, 4, false}, // read-only: taken, without effect
		{0x60, 4, true}, {0x60, 8, true}, {0x78, 8, true},
		{0x80, 4, true}, {^uint64(3), 4, true},
	} {
		f := NewFile(sample())
		before := append([]uint64(nil), f.values...)
		assert.Equalf(t, c.dropped, write(f, c.off, c.size, ^uint64(0)), "%d bytes at %#x", c.size, c.off)
		if c.dropped {
			assert.Equal(t, before, f.values)
			assert.EqualValues(t, 1, f.Dropped())
		} else {
			assert.Zero(t, f.Dropped())
		}
	}
}

func TestAccessKinds(t *testing.T) {
	f := NewFile(sample())
	ctrl := f.Ref("CTRL")
	require.False(t, write(f, 4, 4, 0x0ff001ff)) // RW 0:0 and 5:4, WO 8, W1C 27:20; the rest ignores
	assert.Equal(t, uint64(0xf0010131), f.Get(ctrl, 0))
	assert.Equal(t, uint64(0xf0010031), read(f, 4, 4), "WO reads zero, RC shows once")
	assert.Equal(t, uint64(0x00010031), read(f, 4, 4))
	f.Set(ctrl, 0, ^uint64(0))
	assert.Equal(t, uint64(0xfff10131), f.Get(ctrl, 0), "hardware sets read-only bits, and none that is reserved")
	write(f, 4, 4, 0x05000000)
	assert.Equal(t, uint64(0xaf), f.Get(ctrl, 0)>>20&0xff, "each written 1 clears its bit")

	assert.Equal(t, uint64(0x66), read(f, 0x0a, 1))
	assert.Equal(t, uint64(0x1122334455007788), read(f, 0x08, 8), "RC loses what was read alone")
	assert.Zero(t, f.Get(f.Ref("COUNT"), 0))

	write(f, 0x14, 4, 0xdead)
	write(f, 0x10, 4, 0xbeef)
	assert.Equal(t, uint64(0xdead0000beef), read(f, 0x10, 8), "halves of an 8-byte register")
	f.Reset()
	assert.Equal(t, NewFile(sample()).values, f.values)
}

func TestHooks(t *testing.T) {
	f := NewFile(sample())
	var got [][3]uint64
	note := func(i int, old, new uint64) { got = append(got, [3]uint64{uint64(i), old, new}) }
	for _, name := range []string{"BASE", "LEN", "ID", "KEY", "STAT"} {
		f.OnWrite(name, note)
	}
	write(f, 0x40, 8, 5) // BASE[2]
	write(f, 0x44, 4, 1)
	write(f, 0x38, 4, 0xf0) // LEN[1]
	write(f, 0x18, 4, 9)    // KEY
	write(f, 0x00, 4, 1)    // ID: nothing to write
	write(f, 0x1c, 4, 1)    // STAT: its fields are RO as it is
	write(f, 0x40, 2, 7)    // dropped
	f.Set(f.Ref("BASE"), 0, 1)
	assert.Equal(t, [][3]uint64{{2, 0, 5}, {2, 5, 1<<32 | 5}, {1, 0xffffffff, 0xffffff0f}, {0, 0, 9}}, got)

	calls := 0
	f.OnRead("COUNT", func(i int) uint64 { calls++; return 0xabcd })
	assert.Equal(t, uint64(0xab), read(f, 9, 1))
	assert.Equal(t, 1, calls, "one access asks once")
	assert.Equal(t, uint64(0xcd), f.Get(f.Ref("COUNT"), 0), "stored, and the byte that was read cleared")
}

func TestWriteInsideAHookStands(t *testing.T) {
	f := NewFile(sample())
	ctrl := f.Ref("CTRL")
	f.OnWrite("CTRL", func(_ int, _, new uint64) { f.Set(ctrl, 0, new&^1) })
	write(f, 4, 4, 1)
	assert.Zero(t, f.Get(ctrl, 0)&1, "a self-clearing bit")
}

func TestNames(t *testing.T) {
	f := NewFile(sample())
	assert.Equal(t, "BASE[1]", f.NameAt(0x34))
	assert.Equal(t, "CTRL", f.NameAt(7))
	assert.Empty(t, f.NameAt(0x60))
	assert.Empty(t, f.NameAt(0x80))
	assert.PanicsWithValue(t, `reg: table unit has no register "CTRLS"`, func() { f.Ref("CTRLS") })
	assert.PanicsWithValue(t, "reg: unit.BASE has no element 3", func() { f.Get(f.Ref("BASE"), 3) })
	assert.Panics(t, func() { f.OnWrite("CTRLS", nil) })
	assert.Panics(t, func() { NewFile(Table{Name: "t"}) })
}

func TestAccessesDoNotAllocate(t *testing.T) {
	f := NewFile(sample())
	var p [8]byte
	n := 0
	f.OnWrite("ADDR", func(int, uint64, uint64) { n++ })
	f.OnRead("ADDR", func(int) uint64 { return uint64(n) })
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		f.Write(0x10, p[:])
		f.Read(0x0d, p[:])
	}))
	assert.Positive(t, n)
}

// model is the reference: bits one by one, with what each may do.
type model struct {
	kind  []Access // by bit
	here  []bool   // the bit exists
	value []bool
	unit  []int // by byte: first byte of its register, -1 if reserved
	size  []int // by byte: bytes of its register
}

func newModel(t Table) *model {
	n := int(t.Size)
	m := &model{make([]Access, 8*n), make([]bool, 8*n), make([]bool, 8*n), make([]int, n), make([]int, n)}
	for i := range m.unit {
		m.unit[i] = -1
	}
	for _, r := range t.Registers {
		fields := r.Fields
		if fields == nil {
			fields = []Field{{Hi: uint(r.Size)*8 - 1, Access: r.Access, Reset: r.Reset}}
		}
		for e := 0; e < max(1, r.Count); e++ {
			at := int(r.Offset) + e*int(r.Stride)
			for b := at; b < at+r.Size; b++ {
				m.unit[b], m.size[b] = at, r.Size
			}
			for _, f := range fields {
				for bit := f.Lo; bit <= f.Hi; bit++ {
					k := 8*at + int(bit)
					m.here[k], m.value[k], m.kind[k] = true, f.Reset>>(bit-f.Lo)&1 == 1, f.Access
					if f.Access == RW {
						m.kind[k] = r.Access
					}
				}
			}
		}
	}
	return m
}

func (m *model) read(off, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		for bit := range 8 {
			k := 8*(off+i) + bit
			if k >= len(m.value) || m.here[k] && m.kind[k] != WO && m.value[k] {
				p[i] |= 1 << bit
			}
			if k < len(m.value) && m.kind[k] == RC {
				m.value[k] = false
			}
		}
	}
	return p
}

func (m *model) write(off int, p []byte) (dropped bool) {
	if off >= len(m.unit) || m.unit[off] < 0 {
		return true
	}
	unit, size := m.unit[off], m.size[off]
	whole := off == unit && len(p) == size
	half := size == 8 && len(p) == 4 && (off == unit || off == unit+4)
	if !whole && !half {
		return true
	}
	for i, b := range p {
		for bit := range 8 {
			k, one := 8*(off+i)+bit, b>>bit&1 == 1
			switch {
			case !m.here[k]:
			case m.kind[k] == RW || m.kind[k] == WO:
				m.value[k] = one
			case m.kind[k] == W1C && one:
				m.value[k] = false
			}
		}
	}
	return false
}

// Any sequence of accesses of any size anywhere equals the model, bit for bit.
func TestAccessesEqualABitwiseModel(t *testing.T) {
	table := sample()
	rapid.Check(t, func(t *rapid.T) {
		f, m := NewFile(table), newModel(table)
		dropped := uint64(0)
		offsets := rapid.IntRange(0, int(table.Size)+8)
		sizes := rapid.SampledFrom([]int{1, 2, 4, 8})
		for range rapid.IntRange(1, 60).Draw(t, "accesses") {
			off, size := offsets.Draw(t, "offset"), sizes.Draw(t, "size")
			if rapid.Bool().Draw(t, "aligned") {
				off &^= size - 1
			}
			if rapid.Bool().Draw(t, "write") {
				p := binary.LittleEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "value"))[:size]
				want := m.write(off, p)
				require.Equalf(t, want, f.Write(uint64(off), p), "write of %d at %#x", size, off)
				if want {
					dropped++
				}
				continue
			}
			p := make([]byte, size)
			f.Read(uint64(off), p)
			require.Equalf(t, m.read(off, size), p, "read of %d at %#x", size, off)
		}
		require.Equal(t, dropped, f.Dropped())
	})
}
