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

// streamed is the estimated time of a share: the longer of memory, behind whose last
// load a tile is computed, and vector unit, between the first load and the last store;
// and a part of the other.
func (m *machine) streamed(cores int64, g *mapping, s stream) int64 {
	memory := m.transfer(s.bytes, cores) + satMul(s.tiles, m.latency)/g.slots[0]
	passing := s.passing + satMul(s.tiles, opCycles)
	if g.slots[0] < 2 {
		return m.beside(cores, 1, 0, passing, memory)
	}
	ends := m.transfer(g.slot[0]+g.slot[1]+g.slot[2], cores)
	return m.partly(cores, max(memory+passing/max(s.tiles, 1), passing+ends), memory+passing)
}

// tiled tries the most tiles that a share of some bytes should have, none shorter than
// its latency, and fewer: many have short ends, which nothing overlaps, few have few
// starts.
func (m *machine) tiled(bytes, cores int64, try func(tiles int64) (mapping, bool)) (best mapping, found bool) {
	least := max(m.latency*m.rate/16*m.cores/cores, 1)
	for tiles := max(bytes/least, 1); tiles > 0; tiles /= 2 {
		if g, ok := try(tiles); !found || ok && g.cycles < best.cycles {
			best, found = g, ok
		}
	}
	return best, found
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
