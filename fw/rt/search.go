package rt

import (
	"math"
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// Breadth of the search: candidates of an axis beyond the best so far. Larger finds
// little more.
const (
	triesK = 3
	triesN = 3
	triesM = 2

	refinements = 3
)

// none is the estimate where nothing fits.
const none = math.MaxInt64

// search returns the mapping with the least estimate, double buffered if any
// such tile fits.
func (m *machine) search(p *product) (mapping, bool) {
	for buffers := m.buffers; buffers >= 1; buffers-- {
		s := searcher{plan: plan{m: m, p: p, buffers: buffers}}
		for cores := m.cores; cores > 0; cores = fewer(cores) {
			for _, split := range [...]uint8{abi.SplitM, abi.SplitN, abi.SplitBatch} {
				if s.share(split, cores) && (!s.found || s.bound() < s.best.cycles) {
					s.widths()
				}
			}
		}
		if s.found {
			s.refine()
			return s.best, true
		}
	}
	return mapping{}, false
}

// fewer is the next number of cores to try: all, then powers of two.
func fewer(cores int64) int64 {
	return int64(1) << bits.Len64(uint64(cores-1)) >> 1
}

// divide shares parts out among cores: the largest share, and as few cores as have
// none that is larger. It is false where fewer cores come to the same.
func divide(parts, cores int64) (share, active int64, ok bool) {
	share = ceilDiv(parts, cores)
	active = ceilDiv(parts, share)
	return share, active, active > cores/2
}

// searcher walks the candidates and keeps the best.
type searcher struct {
	plan
	best  mapping
	found bool
	fine  bool // tiles down to one element: nothing else fits
	// bestFine is what fine was for best.
	bestFine bool
}

// widths tries whole output rows; narrower ones only if these do not fit.
func (s *searcher) widths() {
	for fine := range 2 {
		s.fine = fine == 1
		for w := s.p.ow; ; w = (w + 1) / 2 {
			s.tile.w = w
			if s.depths() < none {
				return
			}
			if w == 1 {
				break
			}
		}
	}
}

// depths tries the whole depth first: rows of memory are then contiguous and no
// partial sums are taken up again.
func (s *searcher) depths() int64 {
	unit := s.unit(roundUp(ceilDiv(s.m.rows, s.p.r*s.p.s), 16))
	return s.axis(s.p.cg, unit, triesK, func(k int64) bool {
		s.tile.k, s.tile.n, s.tile.m = k, min(s.unit(s.m.cols), s.p.fg()), 1
		return s.fits()
	}, s.columns)
}

// unit is the step of an axis: what the array takes at once, or 1.
func (s *searcher) unit(array int64) int64 {
	if s.fine {
		return 1
	}
	return array
}

// columns tries numbers of columns: within a group, or of whole groups.
func (s *searcher) columns() int64 {
	one := func(n int64) bool {
		s.tile.n, s.tile.m = n, 1
		return s.fits()
	}
	if s.p.groups == 1 {
		return s.axis(s.n, s.unit(s.m.cols), triesN, one, s.rows)
	}
	least := s.axis(s.p.fg(), s.unit(s.m.cols), triesN, one, s.rows)
	if s.tile.k == s.p.cg && s.n > s.p.fg() {
		fg := s.p.fg()
		least = min(least, s.axis(s.n/fg, 1, triesN, func(g int64) bool { return one(g * fg) }, s.rows))
	}
	return least
}

// rows tries numbers of rows, and both orders for each.
func (s *searcher) rows() int64 {
	unit := int64(1)
	switch {
	case !s.p.gemm || s.fine:
	case s.m.flow == abi.OutputStationary:
		unit = s.m.rows
	case s.m.flow == abi.InputStationary:
		unit = s.m.cols
	}
	return s.axis(s.h, unit, triesM, func(m int64) bool {
		s.tile.m = m
		return s.fits()
	}, func() int64 {
		slots, least := s.slots, int64(none)
		for _, order := range [...]uint8{abi.OrderMN, abi.OrderNM} {
			s.order, s.slots = order, slots
			cycles := s.estimate()
			s.keep(cycles)
			least = min(least, cycles)
		}
		return least
	})
}

// refine tries depths and columns around those of the best, until nothing is
// gained.
func (s *searcher) refine() {
	for range refinements {
		b := s.best
		s.share(b.split, b.cores)
		s.fine = s.bestFine
		for _, k := range around(b.tile.k, s.unit(roundUp(ceilDiv(s.m.rows, s.p.r*s.p.s), 16)), s.p.cg) {
			for _, n := range around(b.tile.n, s.unit(s.m.cols), min(s.p.fg(), s.n)) {
				s.tile = tile{1, n, k, b.tile.w}
				if (n < s.p.fg() || s.p.groups == 1) && s.fits() {
					s.rows()
				}
			}
		}
		if s.best.cycles == b.cycles {
			break
		}
	}
}

// around returns v, and what is about a third less and more of it, in steps of
// unit.
func around(v, unit, top int64) [3]int64 {
	return [3]int64{v, min(max(v*3/4/unit*unit, min(unit, v)), top), min(roundUp(v*4/3, unit), top)}
}

// keep notes a candidate that is better than all before it.
func (s *searcher) keep(cycles int64) {
	if !s.found || cycles < s.best.cycles {
		s.found, s.bestFine = true, s.fine
		s.best = mapping{s.tile, s.order, s.split, s.active, s.panels(), s.slots, s.slot, cycles}
	}
}

// axis walks tile sizes that divide an extent into about equal parts, rounded up
// to unit: 1, 2, 3 … parts until one fits, then twice as many each time, until so
// many in a row are no better than the best. It returns the least estimate.
func (s *searcher) axis(extent, unit int64, tries int, fits func(int64) bool, try func() int64) int64 {
	least, last, some := int64(none), int64(0), false
	for parts, left := int64(1), tries; left > 0; {
		v := min(roundUp(ceilDiv(extent, parts), unit), extent)
		if v != last && fits(v) {
			some = true
			if cycles := try(); cycles < least {
				least, left = cycles, tries
			} else {
				left--
			}
		}
		if last = v; v <= unit {
			break
		}
		if some {
			parts *= 2
		} else {
			parts += max(parts/4, 1)
		}
	}
	return least
}
