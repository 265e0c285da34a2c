package core

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// productExpander expands GEMM and CONV: outer and batch, then rows and columns
// in the descriptor's order, the depth innermost. Each step of the depth is two
// loads (unless the tiles are resident) and a product; each tile of the output
// ends with a pass of the vector unit and a store.
type productExpander struct {
	p              *plan
	q, q1          int64 // outer × images: position and end
	h0, h1         int64 // output rows
	n0, n1         int64 // output columns (filters)
	m, n, k        int64 // tile counters
	ms, ns, ks     int64 // their ends
	across, within int64 // tiles a row of outputs; column tiles a group, 0: groups do not matter
	input, weights residency
	out, residual  turns
	params         paramSlots
	tile           outTile
}

// outTile is the output tile being worked on.
type outTile struct {
	o, b       int64
	h, hs      int64 // output rows: first, count
	w, ws      int64
	n, ns      int64
	group, gs  int64
	geom       patch
	y, x       int64 // first row and column of the input, may be negative
	slot       int64
	lastResult uint64
}

func (g *productExpander) reset(p *plan, i, n int64) expander {
	g.p = p
	g.q, g.q1 = 0, p.outer*p.images
	g.h0, g.h1, g.n0, g.n1 = 0, p.oh, 0, p.f
	switch p.k.Split {
	case abi.SplitM:
		g.h0, g.h1 = share(i, n, p.oh)
	case abi.SplitN:
		lo, hi := share(i, n, p.f/p.unit())
		g.n0, g.n1 = lo*p.unit(), hi*p.unit()
	case abi.SplitBatch:
		g.q, g.q1 = share(i, n, g.q1)
	}
	g.counts()
	if g.h0 == g.h1 || g.n0 == g.n1 {
		g.q = g.q1
	}
	g.input.reset(p.slots[0])
	g.weights.reset(p.slots[1])
	g.out.reset(p.slots[2])
	g.residual.reset(p.slots[3])
	g.params.reset()
	return g
}

// unit returns the columns that a split must not tear apart: a group's.
func (p *plan) unit() int64 {
	if p.groups > 1 {
		return p.fg
	}
	return 1
}

// share returns the i-th of n parts of x.
func share(i, n, x int64) (lo, hi int64) { return sim.MulDiv(i, x, n), sim.MulDiv(i+1, x, n) }

func (g *productExpander) counts() {
	p := g.p
	g.m, g.n, g.k = 0, 0, 0
	g.across, g.within = ceilDiv(p.ow, p.tw), 0
	g.ms = ceilDiv(g.h1-g.h0, p.tm) * g.across
	g.ns = ceilDiv(g.n1-g.n0, p.tn)
	g.ks = ceilDiv(p.cg, p.tk)
	if p.groups > 1 && p.tn < p.fg {
		g.within = ceilDiv(p.fg, p.tn)
		g.ns = (g.n1 - g.n0) / p.fg * g.within
	}
}

// fill implements expander.
func (g *productExpander) fill(c *core) bool {
	for g.q < g.q1 {
		if c.load.queue.free() < 5 || c.array.queue.free() < 1 || c.vector.queue.free() < 1 || c.store.queue.free() < 1 {
			return false
		}
		if g.k == 0 {
			g.openTile(c)
		}
		g.step(c)
		if g.k++; g.k == g.ks {
			g.closeTile(c)
			g.next()
		}
	}
	return true
}

// next moves on to the next output tile.
func (g *productExpander) next() {
	g.k = 0
	fast, fasts, slow, slows := &g.n, g.ns, &g.m, g.ms
	if g.p.k.Order == abi.OrderNM {
		fast, fasts, slow, slows = slow, slows, fast, fasts
	}
	if *fast++; *fast < fasts {
		return
	}
	*fast = 0
	if *slow++; *slow < slows {
		return
	}
	*slow = 0
	g.q++
}

// openTile finds the extents of the output tile and takes its slot.
func (g *productExpander) openTile(c *core) {
	p, t := g.p, &g.tile
	*t = outTile{o: g.q / p.images, b: g.q % p.images}
	t.h, t.w = g.h0+g.m/g.across*p.tm, g.m%g.across*p.tw
	t.hs, t.ws = min(p.tm, g.h1-t.h), min(p.tw, p.ow-t.w)
	if g.within > 0 {
		first := g.n0 + g.n/g.within*p.fg
		at := g.n % g.within * p.tn
		t.n, t.ns = first+at, min(p.tn, p.fg-at)
	} else {
		t.n = g.n0 + g.n*p.tn
		t.ns = min(p.tn, g.n1-t.n)
	}
	t.group, t.gs = t.n/p.fg, max(t.ns/p.fg, 1)
	if p.groups == 1 {
		t.group, t.gs = 0, 1
	}
	t.geom.oh, t.geom.ow = t.hs, t.ws
	t.geom.ih, t.geom.iw = p.patchExtent(t.hs, t.ws)
	t.y, t.x = t.h*p.sh-p.ph, t.w*p.sw-p.pw
	t.slot = g.out.take()
}

// step loads one step of the depth and multiplies.
func (g *productExpander) step(c *core) {
	p, t := g.p, &g.tile
	k := g.k * p.tk
	ks := min(p.tk, p.cg-k)
	a, b := g.loadInput(c, k, ks), g.loadWeights(c, k, ks)
	o, n := c.array.queue.push()
	o.after(abi.UnitLoad, max(g.input.loaded[a], g.weights.loaded[b]))
	if g.k == 0 {
		o.after(abi.UnitStore, g.out.used[t.slot])
	}
	o.spec = ArraySpec{M: t.hs * t.ws, K: p.r * p.s * ks, N: t.ns / t.gs, Groups: t.gs, Taps: p.taps(), Line: p.line(t.hs, t.ws),
		Type: p.k.InType, Dataflow: Dataflow(p.k.Dataflow), Accumulate: g.k > 0}
	o.a, o.b, o.c = p.at(0, a), p.at(1, b), p.at(2, t.slot)
	o.geom, o.transB = t.geom, p.k.Flags&abi.KernelTransB != 0
	o.geom.c = ks * t.gs
	g.input.used[a], g.weights.used[b] = n, n
	t.lastResult = n
}

// loadInput makes the patch under the tile resident and returns its slot.
func (g *productExpander) loadInput(c *core, k, ks int64) int64 {
	p, t := g.p, &g.tile
	c0, cs := t.group*p.cg+k, ks*t.gs
	name := tag{t.o, t.b, g.m, c0}
	if p.op[0].outer == 0 {
		name.o = 0
	}
	slot, hit := g.input.find(name)
	if hit {
		return slot
	}
	o, n := c.load.queue.push()
	o.after(abi.UnitArray, g.input.used[slot])
	at := p.at(0, slot)
	y0, y1 := clip(t.y, t.geom.ih, p.h)
	x0, x1 := clip(t.x, t.geom.iw, p.w)
	size := cs * p.in
	o.transfer = p.patch(t.o, t.b, y0, y1, x0, x1, c0, size)
	o.spadRow, o.spadPlane = size, t.geom.iw*size
	o.spad = at + (y0-t.y)*o.spadPlane + (x0-t.x)*size
	if whole := t.geom.ih * o.spadPlane; o.bytes() < whole {
		o.wipeAt, o.wipe = at, whole
	}
	g.input.loaded[slot] = n
	return slot
}

// clip returns the part of [at, at+n) that lies in [0, size), empty at worst.
func clip(at, n, size int64) (lo, hi int64) {
	lo, hi = max(at, 0), min(at+n, size)
	if lo >= hi {
		return at, at
	}
	return lo, hi
}

// patch returns how rows [y0, y1) and columns [x0, x1) of an image's channels
// from c0 on, size bytes of them, lie in memory.
func (p *plan) patch(o, b, y0, y1, x0, x1, c0, size int64) transfer {
	in := &p.op[0]
	t := transfer{planes: y1 - y0, rows: x1 - x0, rowBytes: size, planeStride: in.row, rowStride: in.pixel}
	if t.planes > 0 && t.rows > 0 {
		t.addr = in.addr + uint64(o)*in.outer + uint64(b)*in.batch + uint64(y0)*in.row + uint64(x0)*in.pixel + uint64(c0*p.in)
	}
	return t
}

// loadWeights makes the weights of the step resident and returns their slot.
func (g *productExpander) loadWeights(c *core, k, ks int64) int64 {
	p, t, in := g.p, &g.tile, &g.p.op[1]
	name := tag{t.o, t.b, t.n, k}
	if in.outer == 0 {
		name.o = 0
	}
	if in.batch == 0 {
		name.b = 0
	}
	slot, hit := g.weights.find(name)
	if hit {
		return slot
	}
	o, n := c.load.queue.push()
	o.after(abi.UnitArray, g.weights.used[slot])
	base := in.addr + uint64(t.o)*in.outer + uint64(t.b)*in.batch
	switch {
	case p.panels():
		panel := uint64(p.r*p.s*p.cg) * in.row
		o.transfer = transfer{addr: base + uint64(t.n/p.tn)*panel + uint64(k)*in.row, planes: p.r * p.s, rows: ks,
			rowBytes: t.ns * p.in, rowStride: in.row, planeStride: uint64(p.cg) * in.row}
	case p.k.Flags&abi.KernelTransB != 0:
		o.transfer = transfer{addr: base + uint64(t.n)*in.row + uint64(k*p.in), planes: 1, rows: t.ns,
			rowBytes: ks * p.in, rowStride: in.row}
	default:
		o.transfer = transfer{addr: base + uint64(k)*in.row + uint64(t.n*p.in), planes: p.r * p.s, rows: ks,
			rowBytes: t.ns * p.in, rowStride: in.row, planeStride: uint64(p.cg) * in.row}
	}
	o.packed(p.at(1, slot))
	g.weights.loaded[slot] = n
	return slot
}

// closeTile appends what follows the depth: residual and parameters, the
// epilogue, the store.
func (g *productExpander) closeTile(c *core) {
	p, t := g.p, &g.tile
	ready, by := t.lastResult, abi.UnitArray
	if !p.raw() {
		ready, by = g.epilogue(c), abi.UnitVector
	}
	s, n := c.store.queue.push()
	s.after(by, ready)
	s.transfer = p.result(2, t)
	s.packed(p.at(2, t.slot))
	g.out.used[t.slot] = n
}

// result returns how the tile lies in memory, as output or residual.
func (p *plan) result(operand int, t *outTile) transfer {
	o := &p.op[operand]
	return transfer{
		addr: o.addr + uint64(t.o)*o.outer + uint64(t.b)*o.batch + uint64(t.h)*o.row +
			uint64(t.w)*o.pixel + uint64(t.n*p.out),
		planes: t.hs, rows: t.ws, rowBytes: t.ns * p.out, planeStride: o.row, rowStride: o.pixel,
	}
}

func (g *productExpander) epilogue(c *core) uint64 {
	p, t, k := g.p, &g.tile, &g.p.k
	v, n := c.vector.queue.push()
	v.after(abi.UnitArray, t.lastResult)
	v.op, v.in, v.out, v.act, v.flags = opEpilogue, k.InType, k.OutType, k.Act, k.Flags
	v.rows, v.cols = t.hs*t.ws, t.ns
	v.x, v.z = p.at(2, t.slot), p.at(2, t.slot)
	v.scales = [3]float32{k.Scale, k.ResScale, k.OutScale}
	v.residual, v.params = -1, -1
	if p.slot[3] > 0 {
		slot := g.residual.take()
		l, loaded := c.load.queue.push()
		l.after(abi.UnitVector, g.residual.used[slot])
		l.transfer = p.result(3, t)
		l.packed(p.at(3, slot))
		g.residual.used[slot] = n
		v.residual = l.spad
		v.after(abi.UnitLoad, loaded)
	}
	if p.bias || p.scale {
		slot := g.params.load(c, p, t.n, t.ns, n)
		v.params = slot
		v.after(abi.UnitLoad, g.params.loaded)
	}
	return n
}
