package reg

import (
	"fmt"
	"sort"
)

// Space is a BAR: the files of several tables, each instance at the table's
// Base + instance × Stride.
type Space struct {
	regions []region // by base
	dropped uint64
}

type region struct {
	base, stride, size, end uint64
	files                   []*File
}

// Map adds the instances of one table. It panics when they overlap what is
// there: where blocks lie is fixed in tables.
func (s *Space) Map(files ...*File) {
	t := files[0].Table()
	r := region{base: t.Base, stride: max(t.Stride, t.Size), size: t.Size, files: files}
	r.end = r.base + uint64(len(files)-1)*r.stride + r.size
	at := sort.Search(len(s.regions), func(i int) bool { return s.regions[i].base >= r.base })
	if at > 0 && s.regions[at-1].end > r.base || at < len(s.regions) && r.end > s.regions[at].base {
		panic(fmt.Sprintf("reg: table %s at %#x to %#x overlaps another", t.Name, r.base, r.end))
	}
	s.regions = append(s.regions[:at], append([]region{r}, s.regions[at:]...)...)
}

// find returns the file that decodes off, and off in it; else nil and the
// number of bytes from off on that nobody decodes.
func (s *Space) find(off uint64) (f *File, in, gap uint64) {
	// A BAR has some ten regions: a linear search beats an index.
	for i := range s.regions {
		r := &s.regions[i]
		if off < r.base {
			return nil, 0, r.base - off
		}
		if off >= r.end {
			continue
		}
		n := (off - r.base) / r.stride
		if in = off - r.base - n*r.stride; in < r.size {
			return r.files[n], in, 0
		}
		return nil, 0, r.stride - in
	}
	return nil, 0, ^uint64(0) - off
}

// Read fills p; an access over the border of two blocks is put together from
// both. Offsets that no block decodes read as all ones.
func (s *Space) Read(off uint64, p []byte) {
	for len(p) > 0 {
		f, in, gap := s.find(off)
		var n uint64
		if f != nil {
			n = min(uint64(len(p)), f.table.Size-in)
			f.Read(in, p[:n])
		} else {
			n = min(uint64(len(p)), max(gap, 1))
			for i := range p[:n] {
				p[i] = 0xff
			}
		}
		off, p = off+n, p[n:]
	}
}

// Write hands p to the block at off. What no block decodes is dropped and
// counted.
func (s *Space) Write(off uint64, p []byte) (dropped bool) {
	f, in, _ := s.find(off)
	if f == nil {
		s.dropped++
		return true
	}
	return f.Write(in, p)
}

// Dropped returns how many writes were dropped, in all blocks and between them.
func (s *Space) Dropped() uint64 {
	n := s.dropped
	for i := range s.regions {
		for _, f := range s.regions[i].files {
			n += f.dropped
		}
	}
	return n
}

// NameAt returns table, instance and register at an offset, for traces and
// messages; f is nil where nothing is decoded.
func (s *Space) NameAt(off uint64) (f *File, instance int, register string) {
	f, in, _ := s.find(off)
	if f == nil {
		return nil, 0, ""
	}
	return f, int((off - f.table.Base) / max(f.table.Stride, f.table.Size)), f.NameAt(in)
}
