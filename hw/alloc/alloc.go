// Package alloc hands out ranges of address spaces: physical memory and bus
// addresses of the host, device memory and context addresses of the driver.
package alloc

import "sort"

// Ranges is an address space: the lowest range that fits is taken first.
type Ranges struct{ free []extent } // by start, never adjacent

type extent struct{ start, end uint64 }

// New returns the space [start, end), all free.
func New(start, end uint64) *Ranges { return &Ranges{[]extent{{start, end}}} }

// Take returns the start of n free bytes at a multiple of align (a power of two).
func (x *Ranges) Take(n, align uint64) (uint64, bool) {
	for i, f := range x.free {
		at := (f.start + align - 1) &^ (align - 1)
		if at < f.start || at+n < at || at+n > f.end {
			continue
		}
		var rest []extent
		if at > f.start {
			rest = append(rest, extent{f.start, at})
		}
		if at+n < f.end {
			rest = append(rest, extent{at + n, f.end})
		}
		x.free = append(x.free[:i], append(rest, x.free[i+1:]...)...)
		return at, true
	}
	return 0, false
}

// Give returns a range, joined with its neighbours.
func (x *Ranges) Give(start, n uint64) {
	i := sort.Search(len(x.free), func(i int) bool { return x.free[i].start > start })
	x.free = append(x.free, extent{})
	copy(x.free[i+1:], x.free[i:])
	x.free[i] = extent{start, start + n}
	if i+1 < len(x.free) && x.free[i].end == x.free[i+1].start {
		x.free[i].end = x.free[i+1].end
		x.free = append(x.free[:i+1], x.free[i+2:]...)
	}
	if i > 0 && x.free[i-1].end == x.free[i].start {
		x.free[i-1].end = x.free[i].end
		x.free = append(x.free[:i], x.free[i+1:]...)
	}
}

// Left returns the free bytes.
func (x *Ranges) Left() (n uint64) {
	for _, f := range x.free {
		n += f.end - f.start
	}
	return n
}
