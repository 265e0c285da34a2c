package pcie

// spaceSize is the size of a PCI Express function's configuration space.
const spaceSize = 4096

// register is a row of configuration space. Bits of neither mask are read-only.
type register struct {
	off, size int
	name      string
	reset     uint32
	write     uint32 // bits that software may write
	clear     uint32 // bits that a written 1 clears
	keep      uint32 // bits that a function-level reset leaves alone (section 6.6.2)
	spec      string // section of the Base Specification, or of its parents
}

// space is a configuration space: bytes with masks, made from rows. What no row
// names reads zero and ignores writes.
type space struct {
	value, reset       [spaceSize]byte
	write, clear, keep [spaceSize]byte
	after              []effect
}

// effect is what a write to [from, to) entails besides its value; old and now
// are the bytes at from, up to 4.
type effect struct {
	from, to int
	run      func(old, now uint32)
}

func (s *space) add(rows ...register) {
	for _, r := range rows {
		put(s.reset[:], r.off, r.size, r.reset)
		put(s.value[:], r.off, r.size, r.reset)
		put(s.write[:], r.off, r.size, r.write)
		put(s.clear[:], r.off, r.size, r.clear)
		put(s.keep[:], r.off, r.size, r.keep)
	}
}

func put(p []byte, off, size int, v uint32) {
	for i := range size {
		p[off+i] = byte(v >> (8 * i))
	}
}

// get returns size bytes at off as the hardware sees them.
func (s *space) get(off, size int) (v uint32) {
	for i := range size {
		v |= uint32(s.value[off+i]) << (8 * i)
	}
	return v
}

// set changes bits as the hardware does, read-only ones included.
func (s *space) set(off, size int, mask, v uint32) {
	put(s.value[:], off, size, s.get(off, size)&^mask|v&mask)
}

// inside reports whether software may make this access.
func inside(off, size int) bool {
	return (size == 1 || size == 2 || size == 4) && off >= 0 && off+size <= spaceSize && off%size == 0
}

// store is software's write, with its effects.
func (s *space) store(off, size int, v uint32) {
	var old [8]uint32
	for i, e := range s.after {
		old[i] = s.get(e.from, e.to-e.from)
	}
	for i := range size {
		b, at := byte(v>>(8*i)), off+i
		s.value[at] = (s.value[at]&^s.write[at] | b&s.write[at]) &^ (b & s.clear[at])
	}
	for i, e := range s.after {
		if off < e.to && e.from < off+size {
			e.run(old[i], s.get(e.from, e.to-e.from))
		}
	}
}

// restart gives every register its reset value; a function-level reset keeps
// the bits it must.
func (s *space) restart(functionLevel bool) {
	for i := range s.value {
		keep := byte(0)
		if functionLevel {
			keep = s.keep[i]
		}
		s.value[i] = s.value[i]&keep | s.reset[i]&^keep
	}
}
