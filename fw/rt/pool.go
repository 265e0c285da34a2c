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
	slot[0] = slotBytes(&ok, ih, iw, t.n, p.X.size())
	slot[2] = slotBytes(&ok, t.m, t.w, t.n, p.Y.size())
	slotBytes(&ok, t.m, t.w, t.n, int64(p.R), int64(p.S))
	return slot, ok
}

// pool maps a pool: it splits the axis that is shared most evenly, and takes
// tiles of whole image rows and all channels where they fit.
func (m *machine) pool(op string, p *Pool) (mapping, error) {
	g := mapping{split: m.evenest(p.X.size(), axis{abi.SplitBatch, p.N}, axis{abi.SplitM, p.P}, axis{abi.SplitN, p.C})}
	t := tile{int64(p.P), int64(p.C), 0, int64(p.Q)}
	images := int64(p.N)
	switch g.split {
	case abi.SplitBatch:
		images = ceilDiv(images, m.cores)
	case abi.SplitM:
		t.m = ceilDiv(t.m, m.cores)
	case abi.SplitN:
		t.n = ceilDiv(t.n, m.cores)
	}
	slot, _ := p.slots(t)
	t.m = ceilDiv(t.m, min(t.m, ceilDiv(m.tilesFor(satMul(images, slot[0])), images)))
	run := m.run / p.X.size()
	g, ok := m.fit(g, t, p.slots, func(t *tile) bool { return shrink(t, run) })
	if !ok {
		return g, refuse(op, "one window of one channel takes %d bytes of the scratchpad, which has %d", g.slot[0]+g.slot[2], m.spad)
	}
	return g, nil
}

// axis is what cores may share.
type axis struct {
	split uint8
	n     int
}

// evenest returns the axis whose largest share is least, the first of equals.
// Columns of runs too short for memory count double.
func (m *machine) evenest(size int64, axes ...axis) (split uint8) {
	best := int64(-1)
	for _, a := range axes {
		n := int64(a.n)
		share := satMul(ceilDiv(n, m.cores), 1<<16) / n
		if a.split == abi.SplitN && ceilDiv(n, m.cores)*size < m.run {
			share *= 2
		}
		if best < 0 || share < best {
			best, split = share, a.split
		}
	}
	return split
}

// fit makes the tile smaller until its slots fit, two for each operand if that
// is possible, else one. Without success the mapping holds the smallest slots.
func (m *machine) fit(g mapping, first tile, slots func(tile) ([abi.NumOperands]int64, bool), smaller func(*tile) bool) (mapping, bool) {
	for n := int64(2); n >= 1; n-- {
		g.slots = [abi.NumOperands]int64{n, n, n, n}
		for g.tile = first; ; {
			var ok bool
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
func (m *machine) tilesFor(bytes int64) int64 {
	least := max(m.latency*m.rate/16, 1)
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
