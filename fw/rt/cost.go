package rt

import "github.com/presi-sim/presi/hw/abi"

// opCycles is what starting an operation of a unit takes beyond its rows.
const opCycles = 32

// prefetch is how many tiles of an operand are worth having, one in use and
// others on their way.
const prefetch = 4

// plan is a candidate: a tile, an order, an axis and the cores that share it, and
// what follows from them.
type plan struct {
	m       *machine
	p       *product
	buffers int64 // least slots of an operand with several tiles

	tile         tile
	order, split uint8
	q, h, n      int64                  // the largest core's share: batches, output rows, columns
	active       int64                  // cores that share it
	mt, nt, kt   int64                  // tiles an axis
	reuse        int64                  // output tiles a row of tiles that read the same input
	tiles        [abi.NumOperands]int64 // of each operand, those met again counted again but for shared weights
	slot, slots  [abi.NumOperands]int64
}

// share takes the part of the core that has most when cores share an axis. It is
// false for what is no candidate of its own: a kernel that one core does alone has
// no axis, and comes as rows.
func (l *plan) share(split uint8, cores int64) (ok bool) {
	p := l.p
	l.split, l.q, l.h, l.n = split, p.batch, p.oh, p.f
	axis, unit := &l.h, int64(1)
	switch split {
	case abi.SplitN:
		axis, unit = &l.n, p.unit()
	case abi.SplitBatch:
		axis = &l.q
	}
	most, active, ok := divide(*axis/unit, cores)
	*axis, l.active = most*unit, active
	return ok && (active > 1 || split == abi.SplitM)
}

// fits counts tiles, gives each operand its least slots, and reports whether
// they fit the scratchpad.
func (l *plan) fits() bool {
	p, t := l.p, l.tile
	var ok bool
	if l.slot, ok = p.slotSizes(t); !ok {
		return false
	}
	l.mt = ceilDiv(l.h, t.m) * ceilDiv(p.ow, t.w)
	l.kt = ceilDiv(p.cg, t.k)
	l.nt, l.reuse = ceilDiv(l.n, t.n), 1
	switch {
	case p.groups == 1:
		l.reuse = l.nt
	case t.n < p.fg():
		l.reuse = ceilDiv(p.fg(), t.n)
		l.nt = l.n / p.fg() * l.reuse
	}
	weights := satMul(l.nt, l.kt)
	if !p.shared {
		weights = satMul(weights, l.q)
	}
	outputs := satMul(l.q, l.mt, l.nt)
	l.tiles = [abi.NumOperands]int64{satMul(outputs, l.kt), weights, outputs, outputs}
	for i, n := range l.tiles {
		l.slots[i] = min(n, l.buffers)
	}
	if p.array(l.m, t.m*t.w, p.stream(l.m, t.m, t.w), t.n, t.k)*l.m.cycles(p) > abi.MaxTileCycles/8 {
		return false
	}
	return l.used() <= l.m.spad
}

// used is the scratchpad bytes of all slots.
func (l *plan) used() (n int64) {
	for i, size := range l.slot {
		n += l.slots[i] * size
	}
	return n
}

// keepsInput and keepsWeights are the slots with which no tile of the operand
// is loaded twice for a batch.
func (l *plan) keepsInput() int64 {
	if l.order == abi.OrderMN {
		return l.kt
	}
	return satMul(l.mt, l.kt)
}

func (l *plan) keepsWeights() int64 {
	if l.order == abi.OrderMN {
		return satMul(l.nt, l.kt)
	}
	return l.kt
}

// residency gives operands the slots to keep what they will need again, as far
// as there is room: first the one whose turn is shorter.
func (l *plan) residency() {
	input := func() {
		if l.reuse > 1 {
			l.raise(0, l.keepsInput())
		}
	}
	weights := func() {
		if l.mt > 1 || l.p.shared && l.q > 1 {
			l.raise(1, l.keepsWeights())
		}
	}
	if l.order == abi.OrderMN {
		input()
		weights()
	} else {
		weights()
		input()
	}
	if l.p.shared && l.q > 1 { // across batches too
		l.raise(1, satMul(l.nt, l.kt))
	}
	if l.buffers > 1 { // ahead of the array, to hide the latency of loads
		l.raise(1, min(l.tiles[1], prefetch))
		l.raise(0, min(l.tiles[0], prefetch))
	}
}

// raise gives an operand n slots if they fit.
func (l *plan) raise(operand int, n int64) {
	if n <= l.slots[operand] || n > maxSlots {
		return
	}
	before := l.slots[operand]
	if l.slots[operand] = n; l.used() > l.m.spad {
		l.slots[operand] = before
	}
}

// estimate is the time in cycles: what takes longest, with the ends that nothing
// overlaps, and a part of the rest, as units wait for each other now and then.
func (l *plan) estimate() int64 {
	l.residency()
	v := l.traffic(l.loads())
	array, vector, memory := l.array(), l.vector(), l.memory(v)
	if l.buffers < 2 {
		return l.m.beside(l.active, l.buffers, array, vector, memory)
	}
	loading := uneven(l.inputEarly(v.input), l.weightsEarly(v.weights), memory, max(array, vector))
	return l.m.partly(l.active, l.longest(array, vector, memory, loading), array+vector+memory)
}

// longest is the longest way through the units: before the array's first product its
// operands are loaded, and behind its last the tile is finished and stored; behind the
// last load there is a product and its tile; before the vector unit's first tile are a
// tile's products. Loads that come early (uneven) hold up the units that compute, and
// what is behind them is one or the other.
func (l *plan) longest(array, vector, memory, loading int64) int64 {
	p, t := l.p, l.tile
	first := l.m.transfer(l.slot[0]+l.slot[1], l.active)
	last := l.m.transfer(satMul(t.m, t.w, t.n, p.out), l.active)
	product := array / max(satMul(l.q, l.mt, l.nt, l.kt), 1)
	tile := l.epilogue(t.m*t.w, t.n)
	return max(first+array+tile+last, memory+product+tile, first+satMul(product, l.kt)+vector+last, loading+tile+min(product, last))
}

// uneven is the time of memory and of what computes beside it, whichever takes longer
// at each time: in the early part of an operand's uses memory has more to do than
// later, and each use of one operand meets all uses of the other.
func uneven(a, b early, memory, computing int64) (time int64) {
	rest, all := memory-a.cycles-b.cycles, a.uses*b.uses
	for i, la := range [...]int64{1, a.uses - 1} {
		for j, lb := range [...]int64{1, b.uses - 1} {
			busy := satMul(rest, la*lb) / all
			if i == 0 {
				busy += satMul(a.cycles, lb) / b.uses
			}
			if j == 0 {
				busy += satMul(b.cycles, la) / a.uses
			}
			time += max(busy, satMul(computing, la*lb)/all)
		}
	}
	return time
}

// beside is the time of work on the three units, and the ends that any has.
func (m *machine) beside(cores, buffers, array, vector, memory int64) int64 {
	sum, longest := array+vector+memory, max(array, vector, memory)
	if buffers < 2 {
		longest = sum
	}
	return m.partly(cores, longest, sum)
}

// partly is the time of work of which some takes longest and the rest is done beside
// it, three quarters of it unnoticed.
func (m *machine) partly(cores, longest, sum int64) int64 {
	if cores > 1 {
		longest, sum = longest+m.together, sum+m.together
	}
	return longest + max(sum-longest, 0)/4 + 2*m.latency
}

// bound is what no tile's estimate is below: the share in one piece, each operand
// read once.
func (l *plan) bound() int64 {
	p := l.p
	stream := l.h * p.ow
	if l.m.least >= l.m.burst {
		stream = l.m.bursts(stream) // else more bursts can take less
	}
	array := ceilDiv(satMul(p.array(l.m, l.h*p.ow, stream, l.n, p.cg), l.q, l.m.cycles(p)), l.m.arrays)
	weights := satMul(p.r*p.s, p.cg, l.n, p.in)
	if !p.shared {
		weights *= l.q
	}
	ih, iw := p.patch(l.h, p.ow)
	oneH, oneW := p.patch(1, 1)
	ih, iw = min(ih, l.h*oneH), min(iw, p.ow*oneW) // tiles of a pixel pass over what strides do
	channels := p.cg
	if p.groups > 1 {
		channels *= l.n / p.fg()
	}
	bytes := satMul(l.q, min(ih, p.h), min(iw, p.w), channels, p.in) + weights + l.results()
	return l.m.beside(l.active, l.buffers, array, l.epilogue(satMul(l.q, l.h, p.ow), l.n), l.m.transfer(bytes, l.active))
}

// cycles is what a row of operands takes.
func (m *machine) cycles(p *product) int64 {
	if p.f32 {
		return m.f32
	}
	return 1
}

// array is the cycles of all products of the share, with edge tiles.
func (l *plan) array() int64 {
	p, t := l.p, l.tile
	total := satMul(l.q, l.m.cycles(p), overRows(l, func(m, w int64) int64 { return p.overM(l.m, m*w, p.stream(l.m, m, w)) }),
		over(p.cg, t.k, func(k int64) int64 { return p.overK(l.m, k) }), l.overColumns())
	return ceilDiv(total, l.m.arrays) + satMul(l.q, l.mt, l.nt, l.kt, opCycles)
}

// array is the row cycles of one tile. The time of a product is a product of
// three factors, one an axis: folds of the stationary operand along two axes,
// and the vectors that stream past it, at least as many as it takes to load the
// next fold; of weight-stationary products these are mw rows that take a stream of
// cycles.
func (p *product) array(m *machine, mw, stream, n, k int64) int64 {
	groups := int64(1)
	if p.groups > 1 {
		groups = max(n/p.fg(), 1)
	}
	return satMul(groups, p.overM(m, mw, stream), p.overN(m, n/groups), p.overK(m, k))
}

func (p *product) overM(m *machine, mw, stream int64) int64 {
	switch m.flow {
	case abi.OutputStationary:
		return ceilDiv(mw, m.rows)
	case abi.InputStationary:
		return ceilDiv(mw, m.cols)
	}
	return max(stream, m.rows)
}

// stream is the cycles in which a tile's rows stream: a matrix's without a break, an
// image's along the longer side of the tile.
func (p *product) stream(m *machine, h, w int64) int64 {
	if p.gemm {
		return m.bursts(h * w)
	}
	return satMul(min(h, w), m.bursts(max(h, w)))
}

// bursts is the cycles in which rows stream, cut into array instructions.
func (m *machine) bursts(rows int64) int64 {
	if m.burst == 0 {
		return max(rows, m.least)
	}
	n, rest := satMul(rows/m.burst, max(m.burst, m.least)), rows%m.burst
	if rest > 0 {
		rest = max(rest, m.least)
	}
	return n + rest
}

func (p *product) overN(m *machine, n int64) int64 {
	if m.flow == abi.InputStationary {
		return max(n, m.rows)
	}
	return ceilDiv(n, m.cols)
}

func (p *product) overK(m *machine, k int64) int64 {
	if m.flow == abi.OutputStationary {
		return max(p.r*p.s*k, m.rows)
	}
	return ceilDiv(p.r*p.s*k, m.rows)
}

// overColumns sums overN over the column tiles of the share.
func (l *plan) overColumns() int64 {
	p, fg := l.p, l.p.fg()
	if p.groups == 1 {
		return over(l.n, l.tile.n, func(n int64) int64 { return p.overN(l.m, n) })
	}
	return l.n / fg * over(fg, min(l.tile.n, fg), func(n int64) int64 { return p.overN(l.m, n) })
}

// over sums a function over the tiles of an axis, the last of which may be
// smaller.
func over(extent, tile int64, f func(int64) int64) int64 {
	sum := satMul(extent/tile, f(tile))
	if rest := extent % tile; rest > 0 {
		sum += f(rest)
	}
	return sum
}

// overRows sums a function of a tile's rows and columns of pixels over the tiles.
func overRows(l *plan, f func(m, w int64) int64) int64 {
	return over(l.h, l.tile.m, func(m int64) int64 {
		return over(l.p.ow, l.tile.w, func(w int64) int64 { return f(m, w) })
	})
}

// epilogue is the vector unit's cycles for a tile.
func (l *plan) epilogue(rows, cols int64) int64 {
	p := l.p
	if p.raw {
		return 0
	}
	each := passes{simple: 1}
	if p.residual {
		each.simple++
	}
	return l.m.passing(pass{rows: rows, cols: cols, each: each, act: p.act, out: p.out}) + opCycles
}

// vector is the vector unit's cycles of the share.
func (l *plan) vector() int64 {
	all := l.epilogue(satMul(l.q, l.h, l.p.ow), l.n)
	if all == 0 {
		return 0
	}
	return all + satMul(l.q, l.mt, l.nt, opCycles)
}
