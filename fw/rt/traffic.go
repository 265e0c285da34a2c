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

// memory is the cycles of the share's loads and stores. Each load has its
// latency, which further slots hide.
func (l *plan) memory(input, weights int64) int64 {
	p, t := l.p, l.tile
	patch := over(l.h, t.m, func(m int64) int64 {
		return over(p.ow, t.w, func(w int64) int64 {
			ih, iw := p.patch(m, w)
			return satMul(min(ih, p.h), min(iw, p.w))
		})
	})
	channels := p.cg
	if p.groups > 1 {
		channels *= l.n / p.fg()
	}
	bytes := l.m.runs(satMul(input, patch, channels, p.in), l.inputRun()) +
		l.m.runs(satMul(weights, p.r*p.s, p.cg, l.n, p.in), l.weightRun()) +
		l.m.runs(l.results(), l.outputRun())
	perTile := func(n, operand int64) int64 {
		return satMul(n, l.m.latency) / max(l.slots[operand]-1, 1)
	}
	tiles := satMul(input, l.mt, l.nt/l.reuse, l.kt)
	return l.m.transfer(bytes, l.active) + max(perTile(tiles, 0), perTile(satMul(weights, l.nt, l.kt), 1))
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

// inputRun is the bytes that follow one another in memory in a tile of the input.
func (l *plan) inputRun() int64 {
	p, t := l.p, l.tile
	span := int64(1)
	if p.groups > 1 {
		span = max(t.n/p.fg(), 1)
	}
	size := satMul(t.k, span, p.in)
	if t.k*span < p.cg*p.groups || !p.tightIn {
		return size
	}
	ih, iw := p.patch(t.m, t.w)
	if t.w < p.ow {
		ih = 1
	}
	return satMul(min(ih, p.h), min(iw, p.w), size)
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

// weightRun is likewise of the weights.
func (l *plan) weightRun() int64 {
	p, t := l.p, l.tile
	if l.panels() {
		return satMul(t.n, t.k, p.in)
	}
	row, rows, whole := t.n, t.k, p.f
	if p.transB {
		row, rows, whole = t.k, t.n, p.cg
	}
	if row == whole && p.tightW {
		return satMul(row, rows, p.in)
	}
	return row * p.in
}

// outputRun is likewise of the output.
func (l *plan) outputRun() int64 {
	p, t := l.p, l.tile
	if t.n == p.f && p.tightOut {
		return satMul(t.n, t.m, t.w, p.out)
	}
	return t.n * p.out
}

// transfer is the cycles bytes take a core when some cores have work: its part of
// the memory, as far as its port lets it.
func (m *machine) transfer(bytes, cores int64) int64 {
	rate := min(m.rate*m.cores/cores, m.port)
	return satMul(bytes, 16) / max(rate, 1)
}
