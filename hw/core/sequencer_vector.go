package core

import "github.com/presi-sim/presi/hw/abi"

// vectorExpander expands VECTOR: tiles of rows and columns (pools: of output
// pixels and channels), each loaded, passed through the vector unit and stored.
type vectorExpander struct {
	p             *plan
	q, q1         int64
	h0, h1        int64
	n0, n1        int64
	m, n          int64
	ms, ns        int64
	across        int64
	input, second turns
	out           turns
	params        paramSlots
	tile          outTile
	fetched       int64 // tiles whose indices are on their way
	indices       [2]uint64
}

func (g *vectorExpander) reset(p *plan, i, n int64) expander {
	g.p = p
	g.q, g.q1 = 0, p.images
	g.h0, g.h1, g.n0, g.n1 = 0, p.oh, 0, p.f
	switch p.k.Split {
	case abi.SplitM:
		g.h0, g.h1 = share(i, n, p.oh)
	case abi.SplitN:
		g.n0, g.n1 = share(i, n, p.f)
	case abi.SplitBatch:
		g.q, g.q1 = share(i, n, p.images)
	}
	g.across = ceilDiv(p.ow, p.tw)
	g.m, g.n = 0, 0
	g.ms, g.ns = ceilDiv(g.h1-g.h0, p.tm)*g.across, ceilDiv(g.n1-g.n0, p.tn)
	if g.ms == 0 || g.ns == 0 {
		g.q = g.q1
	}
	g.input.reset(p.slots[0])
	g.second.reset(p.slots[1])
	g.out.reset(p.slots[2])
	g.params.reset()
	g.fetched, g.indices = 0, [2]uint64{}
	return g
}

// fill implements expander.
func (g *vectorExpander) fill(c *core) bool {
	for g.q < g.q1 {
		if c.load.queue.free() < 6 || c.vector.queue.free() < 1 || c.store.queue.free() < 1 {
			return false
		}
		g.step(c)
		g.next()
	}
	return true
}

func (g *vectorExpander) next() {
	if g.n++; g.n < g.ns {
		return
	}
	g.n = 0
	if g.m++; g.m < g.ms {
		return
	}
	g.m = 0
	g.q++
}

// step appends one tile.
func (g *vectorExpander) step(c *core) {
	p, k := g.p, &g.p.k
	g.open()
	v, n := c.vector.queue.push()
	t := &g.tile
	t.slot = g.out.take()
	v.op, v.in, v.out, v.act, v.flags = k.Op, k.InType, k.OutType, k.Act, k.Flags
	v.rows, v.cols, v.geom = t.hs*t.ws, t.ns, t.geom
	v.z, v.residual, v.params = p.at(2, t.slot), -1, -1
	v.valid, v.step, v.period = int64(k.Dims[abi.DimValid]), int64(k.Dims[abi.DimValidStep]), int64(k.Dims[abi.DimPeriod])
	v.first, v.param, v.taps = t.h, k.Param, p.r*p.s
	v.scales = [3]float32{k.Scale, k.ResScale, k.OutScale}
	v.after(abi.UnitStore, g.out.used[t.slot])
	v.x = g.load(c, v, n)
	if isBinary(k.Op) {
		v.y = g.loadSecond(c, v, n)
	}
	if p.bias || p.scale {
		v.params = g.params.load(c, p, t.n, t.ns, n)
		v.after(abi.UnitLoad, g.params.loaded)
	}
	g.store(c, n)
}

// open finds the extents of the tile.
func (g *vectorExpander) open() {
	p, t := g.p, &g.tile
	*t = outTile{b: g.q}
	t.h, t.w, t.n = g.h0+g.m/g.across*p.tm, g.m%g.across*p.tw, g.n0+g.n*p.tn
	t.hs, t.ws, t.ns = min(p.tm, g.h1-t.h), min(p.tw, p.ow-t.w), min(p.tn, g.n1-t.n)
	t.geom.oh, t.geom.ow, t.geom.c = t.hs, t.ws, t.ns
	t.geom.ih, t.geom.iw = p.patchExtent(t.hs, t.ws)
	t.y, t.x = t.h*p.sh-p.ph, t.w*p.sw-p.pw
}

// load appends the load of operand 0 for operation n of the vector unit. Pools
// leave padding out: it does not count.
func (g *vectorExpander) load(c *core, v *vectorOp, n uint64) int64 {
	p, t := g.p, &g.tile
	slot := g.input.take()
	if p.k.Op == abi.VecGather {
		g.fetchIndices(c)
	}
	l, loaded := c.load.queue.push()
	l.after(abi.UnitVector, g.input.used[slot])
	if p.k.Op == abi.VecGather {
		g.gather(l)
	} else {
		y0, y1 := clip(t.y, t.geom.ih, p.h)
		x0, x1 := clip(t.x, t.geom.iw, p.w)
		l.transfer = p.patch(0, t.b, y0, y1, x0, x1, t.n, t.ns*p.in)
		v.geom.top, v.geom.left = y0-t.y, x0-t.x
		v.geom.ih, v.geom.iw = y1-y0, x1-x0
	}
	l.packed(p.at(0, slot))
	g.input.used[slot] = n
	v.after(abi.UnitLoad, loaded)
	return l.spad
}

func (g *vectorExpander) loadSecond(c *core, v *vectorOp, n uint64) int64 {
	p, t, in := g.p, &g.tile, &g.p.op[1]
	slot := g.second.take()
	l, loaded := c.load.queue.push()
	l.after(abi.UnitVector, g.second.used[slot])
	l.transfer = transfer{addr: in.addr + uint64(t.h)*in.row + uint64(t.n*p.in), planes: 1, rows: t.hs,
		rowBytes: t.ns * p.in, rowStride: in.row}
	l.packed(p.at(1, slot))
	g.second.used[slot] = n
	v.after(abi.UnitLoad, loaded)
	return l.spad
}

// store appends the store of the tile that operation n leaves.
func (g *vectorExpander) store(c *core, n uint64) {
	p, t := g.p, &g.tile
	s, stored := c.store.queue.push()
	s.after(abi.UnitVector, n)
	switch {
	case isReduce(p.k.Op):
		o := &p.op[2]
		s.transfer = transfer{addr: o.addr + uint64(t.h)*o.row, planes: 1, rows: t.hs, rowBytes: p.out, rowStride: o.row}
	case p.k.Op == abi.VecTranspose:
		o := &p.op[2]
		s.transfer = transfer{addr: o.addr + uint64(t.n)*o.row + uint64(t.h*p.out), planes: 1, rows: t.ns,
			rowBytes: t.hs * p.out, rowStride: o.row}
	default:
		s.transfer = p.result(2, t)
	}
	s.packed(p.at(2, t.slot))
	g.out.used[t.slot] = stored
}

// fetchIndices appends the loads of row numbers up to those of the tile after
// the present one, so that they are there when its turn comes.
func (g *vectorExpander) fetchIndices(c *core) {
	p := g.p
	for ; g.fetched < min(g.m+2, g.ms); g.fetched++ {
		h := g.h0 + g.fetched*p.tm
		o, done := c.load.queue.push()
		o.into = toIndices
		o.transfer = transfer{addr: p.op[1].addr + uint64(4*h), planes: 1, rows: 1, rowBytes: 4 * min(p.tm, g.h1-h)}
		o.packed(g.fetched % 2 * 4 * abi.MaxGatherRows)
		g.indices[g.fetched%2] = done
	}
}

// gather makes l the load of the rows that the tile's indices name.
func (g *vectorExpander) gather(l *memOp) {
	p, t, in := g.p, &g.tile, &g.p.op[0]
	l.gather, l.names = uint8(1+g.m%2), p.op[1].addr+uint64(4*t.h)
	l.after(abi.UnitLoad, g.indices[g.m%2])
	l.transfer = transfer{addr: in.addr, planes: 1, rows: t.hs, rowBytes: t.ns * p.in, rowStride: in.row}
}

// index returns entry i of the index buffer of a gather.
func (c *core) index(o *memOp, i int64) int32 {
	at := (int64(o.gather)-1)*4*abi.MaxGatherRows + 4*i
	return int32(le.Uint32(c.indices[at:]))
}

// checkIndices ends the launch when a gather names a row outside the table, with
// the address of the index.
func (c *core) checkIndices(o *memOp) bool {
	p := &c.run.plan
	rows := int64(p.k.Dims[abi.DimTableRows])
	for i := range o.rows {
		if v := int64(c.index(o, i)); v < 0 || v >= rows {
			c.run.stop(abi.StatusBadDescriptor, o.names+uint64(4*i))
			return false
		}
	}
	return true
}
