package reg

import "fmt"

// Ref names a register of a table without a string: get it once, with File.Ref,
// when a block is built.
type Ref int32

// File is the state of one instance of a table.
//
// The bus side is Read and Write, which keep the access rules and call hooks.
// The hardware side is Get and Set, which do neither. Bits of no field do not
// exist on either side. No access allocates.
type File struct {
	*layout
	values  []uint64 // by element
	onWrite []func(i int, old, new uint64)
	onRead  []func(i int) uint64
	dropped uint64
}

// NewFile returns a file in its reset state. A table that Check faults is a
// defect of this program: it panics.
func NewFile(t Table) *File { return newFile(newLayout(t)) }

// NewFiles returns a file for each instance of the table.
func NewFiles(t Table) []*File {
	l := newLayout(t)
	files := make([]*File, t.Instances())
	for i := range files {
		files[i] = newFile(l)
	}
	return files
}

func newFile(l *layout) *File {
	f := &File{
		layout:  l,
		values:  make([]uint64, len(l.elems)),
		onWrite: make([]func(int, uint64, uint64), len(l.rows)),
		onRead:  make([]func(int) uint64, len(l.rows)),
	}
	f.Reset()
	return f
}

// Table returns the table. It is not to be changed.
func (f *File) Table() *Table { return &f.table }

// Ref returns a register's reference. It panics when the table has no such
// name, so that a block that disagrees with its table fails when it is built.
func (f *File) Ref(name string) Ref {
	for i := range f.table.Registers {
		if f.table.Registers[i].Name == name {
			return Ref(i)
		}
	}
	panic(fmt.Sprintf("reg: table %s has no register %q", f.table.Name, name))
}

// Reset gives every register its reset value. Hooks are not called, and the
// count of dropped writes stays.
func (f *File) Reset() {
	for i := range f.elems {
		f.values[i] = f.rows[f.elems[i].row].reset
	}
}

// slot returns the index in values of element i of a register.
func (f *File) slot(r Ref, i int) int32 {
	w := &f.rows[r]
	if uint(i) >= uint(w.count) {
		panic(fmt.Sprintf("reg: %s.%s has no element %d", f.table.Name, f.table.Registers[r].Name, i))
	}
	return w.first + int32(i)
}

// Get returns the stored value of element i (0 for a register that is no array).
func (f *File) Get(r Ref, i int) uint64 { return f.values[f.slot(r, i)] }

// Set stores a value, read-only fields included.
func (f *File) Set(r Ref, i int, v uint64) { f.values[f.slot(r, i)] = v & f.rows[r].all }

// OnWrite has fn called after each bus write that the register takes, with the
// register's value before and after. A written WO field keeps what was written
// for hardware to Get. Of a register that has no writable bit nothing is
// reported. An 8-byte register written in halves reports twice.
func (f *File) OnWrite(name string, fn func(i int, old, new uint64)) { f.onWrite[f.Ref(name)] = fn }

// OnRead has fn called before each bus read of the register; its result is
// stored and then read. It is for values that are only known when asked for,
// and must have no effects: dumps call it too.
func (f *File) OnRead(name string, fn func(i int) uint64) { f.onRead[f.Ref(name)] = fn }

// Dropped returns how many writes were dropped for their size or place.
func (f *File) Dropped() uint64 { return f.dropped }

// NameAt returns the name of the register at an offset, "CTRL" or "ADDR[3]",
// empty for a reserved one.
func (f *File) NameAt(off uint64) string {
	if off >= f.table.Size {
		return ""
	}
	if e := f.at(off); e >= 0 {
		return f.elems[e].name
	}
	return ""
}

// Read fills p with the bytes at off. Any offset and length will do: bytes are
// put together from the registers they lie in, and RC fields lose what of them
// was read, a byte at a time. Reserved offsets read as zero, those outside the
// table as all ones.
func (f *File) Read(off uint64, p []byte) {
	for len(p) > 0 {
		n := f.readSome(off, p)
		off, p = off+uint64(n), p[n:]
	}
}

// readSome reads from the one register or hole at off and returns how many
// bytes that gave.
func (f *File) readSome(off uint64, p []byte) int {
	if off >= f.table.Size {
		for i := range p {
			p[i] = 0xff
		}
		return len(p)
	}
	e := f.at(off)
	if e < 0 {
		n := min(len(p), int(4-off%4))
		clear(p[:n])
		return n
	}
	w := &f.rows[f.elems[e].row]
	skip := uint(off - f.elems[e].off)
	n := min(len(p), int(uint(w.size)-skip))
	v := f.refresh(e) & w.read >> (8 * skip)
	for i := range p[:n] {
		p[i] = byte(v >> (8 * i))
	}
	if w.rc != 0 {
		f.values[e] &^= w.rc & (^uint64(0) >> (64 - 8*n) << (8 * skip))
	}
	return n
}

// refresh asks the read hook, if there is one, and returns the stored value.
func (f *File) refresh(e int32) uint64 {
	el := &f.elems[e]
	if fn := f.onRead[el.row]; fn != nil {
		f.values[e] = fn(int(el.i)) & f.rows[el.row].all
	}
	return f.values[e]
}

// Write writes p at off. A 4-byte register takes an aligned write of 4 bytes,
// an 8-byte register one of 8 bytes or of either half. Every other write is
// dropped whole, and counted: of another size, unaligned, over two registers,
// to a reserved offset. A write to read-only bits is taken and changes nothing.
func (f *File) Write(off uint64, p []byte) (dropped bool) {
	if off >= f.table.Size || off%4 != 0 || len(p) != 4 && len(p) != 8 {
		return f.drop()
	}
	e := f.at(off)
	if e < 0 {
		return f.drop()
	}
	el := &f.elems[e]
	w := &f.rows[el.row]
	skip := uint(off - el.off)
	if skip+uint(len(p)) > uint(w.size) {
		return f.drop()
	}
	var v uint64
	for i, b := range p {
		v |= uint64(b) << (8 * i)
	}
	f.store(e, v<<(8*skip), ^uint64(0)>>(64-8*len(p))<<(8*skip))
	return false
}

func (f *File) drop() bool {
	f.dropped++
	return true
}

// store applies the access rules to the bits of mask and tells the hook.
func (f *File) store(e int32, v, mask uint64) {
	el := &f.elems[e]
	w := &f.rows[el.row]
	old := f.values[e]
	take := w.write & mask
	value := (old&^take | v&take) &^ (v & mask & w.w1c)
	f.values[e] = value
	if fn := f.onWrite[el.row]; fn != nil && (w.write|w.w1c)&mask != 0 {
		fn(int(el.i), old, value)
	}
}
