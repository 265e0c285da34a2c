package reg

import (
	"fmt"
	"strings"
)

// layout is what is fixed of a table: the decode index and the access masks.
// All instances of the table share it.
type layout struct {
	table Table
	rows  []row
	elems []elem
	// words has, for each 4-byte word the table decodes, the element there
	// plus one; 0 is reserved.
	words []int32
}

// row is one Register: masks of its bits by what they do.
type row struct {
	first int32 // element 0
	count int32
	size  uint8
	reset uint64
	read  uint64 // what the bus can read: all but WO
	write uint64 // takes the written value: RW, WO
	w1c   uint64
	rc    uint64
	all   uint64 // bits that exist
}

// elem is one element of a register's array (or the register).
type elem struct {
	off  uint64
	row  int32
	i    int32
	name string
}

// newLayout panics on a faulty table: tables are ours, not a user's.
func newLayout(t Table) *layout {
	if errs := Check(t); len(errs) > 0 {
		lines := make([]string, len(errs))
		for i, err := range errs {
			lines[i] = err.Error()
		}
		panic("reg: faulty table:\n" + strings.Join(lines, "\n"))
	}
	l := &layout{table: t, words: make([]int32, t.Size/4)}
	for n := range t.Registers {
		l.addRow(int32(n), &t.Registers[n])
	}
	return l
}

func (l *layout) addRow(n int32, r *Register) {
	l.rows = append(l.rows, newRow(r, int32(len(l.elems))))
	for i := range r.Elements() {
		e := elem{off: r.At(i), row: n, i: int32(i), name: r.Name}
		if r.Count > 0 {
			e.name = fmt.Sprintf("%s[%d]", r.Name, i)
		}
		l.elems = append(l.elems, e)
		for w := range uint64(r.Size) / 4 {
			l.words[e.off/4+w] = int32(len(l.elems))
		}
	}
}

func newRow(r *Register, first int32) row {
	w := row{first: first, count: int32(r.Elements()), size: uint8(r.Size), reset: r.ResetValue()}
	if len(r.Fields) == 0 {
		w.add(r.width(), r.Access)
	}
	for i := range r.Fields {
		w.add(r.Fields[i].Mask(), r.access(&r.Fields[i]))
	}
	return w
}

func (w *row) add(mask uint64, a Access) {
	w.all |= mask
	switch a {
	case RW:
		w.write |= mask
	case WO:
		w.write |= mask
	case W1C:
		w.w1c |= mask
	case RC:
		w.rc |= mask
	}
	if a != WO {
		w.read |= mask
	}
}

// at returns the element at a byte offset inside the table, or -1.
func (l *layout) at(off uint64) int32 { return l.words[off/4] - 1 }
