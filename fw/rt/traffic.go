package rt

import "github.com/presi-sim/presi/hw/abi"

// loads is how often each input and each weight is read from memory.
func (l *plan) loads() (input, weights int64) {
	input, weights = l.q, l.q
	if l.slots[0] < l.keepsInput() {
		input *= l.reuse
	}
	if l.slots[1] < l.keepsWeights() {
		weights *= l.mt
	}
	if l.p.shared && l.slots[1] >= satMul(l.nt, l.kt) {
		weights = 1
	}
	return input, weights
}

// moved is what a share loads and stores, in bytes, and the cycles of its loads'
// latencies that no further slots hide.
type moved struct{ input, weights, results, waiting int64 }

// traffic is what the share moves when its inputs and weights are read so many times.
func (l *plan) traffic(input, weights int64) moved {
	p, t := l.p, l.tile
	patch := over(l.h, t.m, func(m int64) int64 {
		return over(p.ow, t.w, func(w int64) int64 {
			ih, iw := p.patch(m, w)
			return satMul(min(ih, p.h), min(iw, p.w))
		})
	})
	perTile := func(n, operand int64) int64 { // the first loads find their slots free
		return satMul(max(n-l.slots[operand], 0), l.m.latency) / max(l.slots[operand]-1, 1)
	}
	tiles := satMul(input, l.mt, l.nt/l.reuse, l.kt)
	return moved{
		input:   l.inputBytes(satMul(input, patch)),
		weights: l.weightBytes(weights),
		results: l.resultBytes(),
		waiting: max(perTile(tiles, 0), perTile(satMul(weights, l.nt, l.kt), 1)),
	}
}

// memory is the cycles of the share's loads and stores.
func (l *plan) memory(v moved) int64 {
	return l.m.transfer(v.input+v.weights+v.results, l.active) + v.waiting
}

// early is loads of an operand that is kept: they come in the first of some uses.
type early struct{ cycles, uses int64 }

// finest is the most uses that are told apart.
const finest = 256

// early is what comes early of the loads of an operand's bytes: it is kept for some
// uses, so many times. All of it for the first time; later, what the slots beyond its
// own have no room to bring before.
func (l *plan) early(operand, bytes, keeps, uses, turns int64) early {
	if uses < 2 || l.slots[operand] < keeps {
		return early{0, 1}
	}
	load, turns := l.m.transfer(bytes, l.active), max(turns, 1)
	first := load / turns
	late := satMul(load-first, max(2*keeps-l.slots[operand], 0)) / keeps
	return early{first + late, min(uses, finest)}
}

// inputEarly is for how many tiles of columns an input is kept, and how often.
func (l *plan) inputEarly(bytes int64) early {
	turns := satMul(l.q, l.nt/l.reuse)
	if l.order == abi.OrderMN {
		turns = satMul(turns, l.mt)
	}
	return l.early(0, bytes, l.keepsInput(), l.reuse, turns)
}

// weightsEarly is likewise of weights: for how many tiles of rows, and how often.
func (l *plan) weightsEarly(bytes int64) early {
	if all := satMul(l.nt, l.kt); l.p.shared && l.slots[1] >= all {
		return l.early(1, bytes, all, satMul(l.q, l.mt), 1)
	}
	turns := l.q
	if l.order == abi.OrderNM {
		turns = satMul(turns, l.nt)
	}
	return l.early(1, bytes, l.keepsWeights(), l.mt, turns)
}

// results is the bytes of the output, and of the residual.
func (l *plan) results() int64 {
	n := satMul(l.q, l.h, l.p.ow, l.n, l.p.out)
	if l.p.residual {
		n *= 2
	}
	return n
}

// runs charges bytes in runs shorter than the shortest efficient one.
func (m *machine) runs(bytes, run int64) int64 {
	if run >= m.run {
		return bytes
	}
	return satMul(ceilDiv(bytes, run), m.run)
}

// pieces charges a row of some elements that tiles cut into runs. Of short ones, the
// last costs as much as the others, however short; of long ones, it does not count.
func (m *machine) pieces(row, tile, size int64) int64 {
	if tile*size >= m.run {
		return row * size
	}
	return over(row, tile, func(int64) int64 { return m.run })
}

// span is how many groups a tile has.
func (l *plan) span() int64 {
	if l.p.groups > 1 {
		return max(l.tile.n/l.p.fg(), 1)
	}
	return 1
}

// inputBytes charges the share's channels of some pixels. Where a tile has all
// channels, and rows follow one another, the pixels of its rows are one run.
func (l *plan) inputBytes(pixels int64) int64 {
	p, t := l.p, l.tile
	groups, span := int64(1), l.span()
	if p.groups > 1 {
		groups = l.n / p.fg()
	}
	if t.k*span < p.cg*p.groups || !p.tightIn {
		return satMul(pixels, over(groups, min(span, groups), func(g int64) int64 { return l.m.pieces(satMul(g, p.cg), satMul(g, t.k), p.in) }))
	}
	ih, iw := p.patch(t.m, t.w)
	if t.w < p.ow {
		ih = 1
	}
	return l.m.runs(satMul(pixels, groups, p.cg, p.in), satMul(min(ih, p.h), min(iw, p.w), t.k, span, p.in))
}

// panels reports that weights can be stored in panels of a tile's columns, so
// that a tile is one run, and are not so anyway.
func (l *plan) panels() bool {
	p, n := l.p, l.tile.n
	if !p.free || n >= p.f || p.f%n != 0 {
		return false
	}
	if l.split == abi.SplitN {
		for i := range l.active {
			if i*p.f/l.active%n != 0 {
				return false
			}
		}
	}
	return true
}

// weightBytes charges the weights, read so many times: a tile is one run in a panel,
// or where it has whole rows.
func (l *plan) weightBytes(times int64) int64 {
	p, t := l.p, l.tile
	times = satMul(times, p.r*p.s)
	if l.panels() {
		return l.m.runs(satMul(times, p.cg, l.n, p.in), satMul(t.n, t.k, p.in))
	}
	row, tile, rows, each, whole := l.n, t.n, p.cg, t.k, p.f
	if p.transB {
		row, tile, rows, each, whole = p.cg, t.k, l.n, t.n, p.cg
	}
	if tile == whole && p.tightW {
		return l.m.runs(satMul(times, row, rows, p.in), satMul(tile, each, p.in))
	}
	return satMul(times, rows, l.m.pieces(row, tile, p.in))
}

// resultBytes charges the output, and the residual of its shape.
func (l *plan) resultBytes() int64 {
	p, t := l.p, l.tile
	if t.n == p.f && p.tightOut {
		return l.m.runs(l.results(), satMul(t.n, t.m, t.w, p.out))
	}
	return satMul(l.results()/(l.n*p.out), l.m.pieces(l.n, t.n, p.out))
}

// transfer is the cycles bytes take a core when some cores have work: its part of
// the memory, as far as its port lets it.
func (m *machine) transfer(bytes, cores int64) int64 {
	rate := min(m.rate*m.cores/cores, m.port)
	return satMul(bytes, 16) / max(rate, 1)
}
