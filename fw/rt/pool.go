package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Pool is max or average pooling of X to Y. Padding is not counted.
type Pool struct {
	Image
	Op   uint8 // abi.VecMaxPool or abi.VecAvgPool
	X, Y Tensor
}

// Pool returns the kernels of a pool.
func (l *Library) Pool(v *Pool) ([]abi.Kernel, error) {
	p := *v
	if p.Op != abi.VecMaxPool && p.Op != abi.VecAvgPool {
		return nil, refuse("pool", "operation %d, want VecMaxPool or VecAvgPool", p.Op)
	}
	op := abi.VecOpNames[p.Op]
	if p.K = p.C; v.K != 0 && v.K != v.C {
		return nil, refuse(op, "%d output channels, want the input's %d", v.K, v.C)
	}
	if err := p.check(op); err != nil {
		return nil, err
	}
	if err := typed(op, &p.X, &p.Y); err != nil {
		return nil, err
	}
	if p.X.Type != p.Y.Type {
		return nil, refuse(op, "output of type %v, want the input's, %v", p.Y.Type, p.X.Type)
	}
	k := abi.Kernel{Kind: abi.KernelVector, Op: p.Op, InType: p.X.Type, OutType: p.Y.Type,
		Scale: p.X.step(), OutScale: p.Y.step(), ResScale: 1}
	p.put(&k, p.X, p.Y)
	m, err := l.m.pool(op, &p)
	if err != nil {
		return nil, err
	}
	m.put(&k)
	return []abi.Kernel{k}, nil
}

// slots are the bytes of a pool's slots for a tile.
func (p *Pool) slots(t tile) (slot [abi.NumOperands]int64, ok bool) {
	ok = true
	ih := (t.m-1)*int64(p.Stride[0]) + int64(p.R)
	iw := (t.w-1)*int64(p.Stride[1]) + int64(p.S)
	slot[0] = abi.SlotBytes(&ok, ih, iw, t.n, p.X.size())
	slot[2] = abi.SlotBytes(&ok, t.m, t.w, t.n, p.Y.size())
	abi.SlotBytes(&ok, t.m, t.w, t.n, int64(p.R), int64(p.S))
	return slot, ok
}

// pool maps a pool, with tiles of whole image rows and all channels where they
// fit.
func (m *machine) pool(op string, p *Pool) (mapping, error) {
	run := max(m.run/p.X.size(), 1)
	axes := []axis{{abi.SplitBatch, int64(p.N)}, {abi.SplitM, int64(p.P)}, {abi.SplitN, int64(p.C)}}
	g, ok := m.spread(axes, func(split uint8, most, cores int64) (mapping, bool) {
		share, images := tile{m: int64(p.P), n: int64(p.C), w: int64(p.Q)}, int64(p.N)
		switch split {
		case abi.SplitBatch:
			images = most
		case abi.SplitM:
			share.m = most
		case abi.SplitN:
			share.n = most
		}
		slot, _ := p.slots(share)
		return m.tiled(slot[0], cores, func(tiles int64) (mapping, bool) {
			t := share // rows under two tiles are loaded twice: fewer may be quicker
			t.m = ceilDiv(t.m, min(t.m, tiles))
			g, ok := m.fit(t, p.slots, func(t *tile) bool { return shrink(t, run) })
			g.cycles = m.streamed(cores, &g, m.poolWork(p, share, images, &g))
			return g, ok
		})
	})
	if !ok {
		return g, refuse(op, "one window of one channel takes %d bytes of the scratchpad, which has %d", g.slot[0]+g.slot[2], m.spad)
	}
	return g, nil
}

// poolWork is what a core's share of a pool takes.
func (m *machine) poolWork(p *Pool, share tile, images int64, g *mapping) stream {
	t, size := g.tile, p.X.size()
	s := stream{tiles: satMul(images, ceilDiv(share.m, t.m), ceilDiv(share.w, t.w), ceilDiv(share.n, t.n))}
	each := vecRules[p.Op].passes
	each.simple *= int64(p.R) * int64(p.S)
	s.passing = satMul(images, m.passing(pass{rows: satMul(share.m, share.w), cols: share.n, each: each, out: p.Y.size()}))
	in, out := t.n*size, t.n*size
	if t.n == int64(p.C) { // pixels, and whole rows, follow one another
		in, out = g.slot[0], g.slot[2]
	}
	tiles := satMul(s.tiles, min(g.slot[0], satMul(int64(p.H), int64(p.W), t.n, size)))
	s.bytes = m.runs(tiles, in) + m.runs(satMul(images, share.m, share.w, share.n, size), out)
	return s
}
