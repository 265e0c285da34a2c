package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// axis is what cores may share, and how many parts it has.
type axis struct {
	split uint8
	parts int64
}

// spread tries each axis with all cores and fewer, and returns the mapping with the
// least estimate; of equals the one with the fewest cores. Without success it
// returns the smallest slots.
func (m *machine) spread(axes []axis, try func(split uint8, most, cores int64) (mapping, bool)) (best mapping, found bool) {
	for cores := m.cores; cores > 0; cores = fewer(cores) {
		for i, a := range axes {
			most, active, ok := divide(a.parts, cores)
			if !ok || active == 1 && (cores > 1 || i > 0) {
				continue
			}
			g, ok := try(a.split, most, active)
			g.split, g.cores = a.split, active
			better := g.cycles < best.cycles || g.cycles == best.cycles && active < best.cores
			if !found || ok && better {
				best, found = g, ok
			}
		}
	}
	return best, found
}

// stream is a core's share of an operation that streams through the vector unit.
type stream struct {
	tiles, passing, bytes int64
}

// streamed is the estimated time of a share: the longer of memory and vector unit
// and a part of the other, and the first load and the last store, which nothing
// overlaps.
func (m *machine) streamed(cores int64, g *mapping, s stream) int64 {
	memory := m.transfer(s.bytes, cores) + satMul(s.tiles, m.latency)/g.slots[0]
	return m.beside(cores, g.slots[0], 0, s.passing+satMul(s.tiles, opCycles), memory) +
		m.transfer(g.slot[0]+g.slot[1]+g.slot[2], cores)
}

// fit makes the tile smaller until its slots fit, two for each operand if that
// is possible, else one. Without success the mapping holds the smallest slots.
func (m *machine) fit(first tile, slots func(tile) ([abi.NumOperands]int64, bool), smaller func(*tile) bool) (g mapping, ok bool) {
	for n := int64(2); n >= 1; n-- {
		g.slots = [abi.NumOperands]int64{n, n, n, n}
		for g.tile = first; ; {
			if g.slot, ok = slots(g.tile); ok && g.bytes() <= m.spad {
				return g, true
			}
			if !smaller(&g.tile) {
				break
			}
		}
	}
	return g, false
}

// tilesFor is how many tiles a share of some bytes should have, so that loads,
// computing and stores overlap: up to sixteen, none shorter than its latency.
func (m *machine) tilesFor(bytes, cores int64) int64 {
	least := max(m.latency*m.rate/16*m.cores/cores, 1)
	return min(max(bytes/least, 1), 16)
}

// shrink halves what hurts least: rows, then channels down to run, then columns,
// then channels.
func shrink(t *tile, run int64) bool {
	switch {
	case t.m > 1:
		t.m = ceilDiv(t.m, 2)
	case t.n > max(run, 1):
		t.n = ceilDiv(t.n, 2)
	case t.w > 1:
		t.w = ceilDiv(t.w, 2)
	case t.n > 1:
		t.n = ceilDiv(t.n, 2)
	default:
		return false
	}
	return true
}
