package rt

import "github.com/presi-sim/presi/hw/abi"

// Breadth of the search: candidates an axis. Larger finds little more.
const (
	triesK = 4
	triesN = 5
	triesM = 5
)

// search returns the mapping with the least estimate, double buffered if any
// such tile fits.
func (m *machine) search(p *product) (mapping, bool) {
	for buffers := int64(2); buffers >= 1; buffers-- {
		s := searcher{plan: plan{m: m, p: p, buffers: buffers}}
		for _, split := range [...]uint8{abi.SplitM, abi.SplitN, abi.SplitBatch} {
			if s.share(split) {
				s.widths()
			}
		}
		if s.found {
			return s.best, true
		}
	}
	return mapping{}, false
}

// searcher walks the candidates and keeps the best.
type searcher struct {
	plan
	best  mapping
	found bool
	fine  bool // tiles down to one element: nothing else fits
}

// widths tries whole output rows; narrower ones only if these do not fit.
func (s *searcher) widths() {
	for fine := range 2 {
		s.fine = fine == 1
		for w := s.p.ow; ; w = (w + 1) / 2 {
			s.tile.w = w
			if s.depths() {
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
func (s *searcher) depths() bool {
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
func (s *searcher) columns() bool {
	one := func(n int64) bool {
		s.tile.n, s.tile.m = n, 1
		return s.fits()
	}
	if s.p.groups == 1 {
		return s.axis(s.n, s.unit(s.m.cols), triesN, one, s.rows)
	}
	any := s.axis(s.p.fg(), s.unit(s.m.cols), triesN, one, s.rows)
	if s.tile.k == s.p.cg && s.n > s.p.fg() {
		fg := s.p.fg()
		some := s.axis(s.n/fg, 1, triesN, func(g int64) bool { return one(g * fg) }, s.rows)
		any = any || some
	}
	return any
}

// rows tries numbers of rows, and both orders for each.
func (s *searcher) rows() bool {
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
	}, func() bool {
		least := s.slots
		for _, order := range [...]uint8{abi.OrderMN, abi.OrderNM} {
			s.order, s.slots = order, least
			s.keep(s.estimate())
		}
		return true
	})
}

// keep notes a candidate that is better than all before it.
func (s *searcher) keep(cycles int64) {
	if !s.found || cycles < s.best.cycles {
		s.found = true
		s.best = mapping{s.tile, s.order, s.split, s.slots, s.slot, cycles}
	}
}

// axis walks tile sizes that divide an extent into 1, 2, 3 … about equal parts,
// rounded up to unit; of those that fit it tries the first few. It reports
// whether any led to a mapping.
func (s *searcher) axis(extent, unit int64, tries int, fits func(int64) bool, try func() bool) (any bool) {
	last := int64(0)
	for parts := int64(1); tries > 0; parts += max(parts/4, 1) {
		v := min(roundUp(ceilDiv(extent, parts), unit), extent)
		if v != last && fits(v) {
			tries--
			any = try() || any
		}
		if last = v; v <= unit {
			break
		}
	}
	return any
}
