package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// machine is what the mapper knows of the device.
type machine struct {
	rows, cols int64 // of the array
	lanes      int64 // of the vector unit
	spad       int64 // bytes of a core's scratchpad
	cores      int64
	flow       uint8 // dataflow
	f32        int64 // cycles a row of f32 operands
	rate       int64 // memory bytes a core and 16 cycles
	port       int64 // the same for one core alone
	arrays     int64 // in a core
	buffers    int64 // slots of an operand with several tiles, if they fit
	burst      int64 // rows of an array instruction, 0: any number,
	least      int64 // and the cycles it takes at least
	together   int64 // cycles that sharing a kernel among cores takes
	run        int64 // bytes of the shortest efficient run
	latency    int64 // cycles of a load
	special    int64 // cycles of a special function
}

// product is the geometry of a GEMM or CONV as far as its mapping depends on
// it. A GEMM is a convolution of M image rows of one pixel, K channels and N
// filters.
type product struct {
	batch           int64 // images; outer × inner batches
	h, w            int64 // input
	oh, ow, f       int64 // output
	cg, groups      int64 // channels a group
	r, s            int64
	sh, sw          int64 // strides
	dh, dw          int64 // dilations
	in, out         int64 // element sizes
	f32             bool
	gemm, transB    bool
	raw             bool // int32 sums stored as they are: no epilogue
	residual        bool
	params          bool // bias or column scales
	shared          bool // one matrix of weights for all batches
	tightIn, tightW bool // rows follow each other without gaps
	tightOut        bool
	free            bool // the layout of the weights is the mapper's to choose
	act             uint8
}

// fg is the filters a group.
func (p *product) fg() int64 { return p.f / p.groups }

// unit is the columns that a split must not tear apart.
func (p *product) unit() int64 {
	if p.groups > 1 {
		return p.fg()
	}
	return 1
}

// mapping is how a kernel uses a core.
type mapping struct {
	tile         tile
	order, split uint8
	cores        int64 // that share it
	panels       bool  // weights in panels of tile.n columns
	slots        [abi.NumOperands]int64
	slot         [abi.NumOperands]int64 // bytes; 0: no such operand
	cycles       int64                  // estimated
}

// tile is abi's TileM, TileN, TileK and TileW.
type tile struct{ m, n, k, w int64 }

// put writes the mapping into a descriptor: slots one behind the other.
func (g *mapping) put(k *abi.Kernel) {
	k.Order, k.Split, k.Cores = g.order, g.split, uint8(g.cores)
	k.Tile = [6]uint32{uint32(g.tile.m), uint32(g.tile.n), uint32(g.tile.k), uint32(g.tile.w)}
	if g.panels {
		k.Flags |= abi.KernelPanels
		k.Operands[abi.OperandWeights].RowStride = uint64(g.tile.n) * uint64(k.InType.Size())
	}
	base := int64(0)
	for i, size := range g.slot {
		k.Buffers[i], k.Spad[i] = 0, 0
		if size > 0 {
			k.Buffers[i], k.Spad[i] = uint8(g.slots[i]), uint32(base)
			base += g.slots[i] * size
		}
	}
}

// bytes is what the mapping takes of the scratchpad.
func (g *mapping) bytes() (n int64) {
	for i, size := range g.slot {
		n += g.slots[i] * size
	}
	return n
}

// mapper finds mappings and keeps them by shape.
type mapper struct {
	machine
	products map[product]mapping
}

// product maps a GEMM or CONV.
func (m *mapper) product(op string, p product) (mapping, error) {
	if g, ok := m.products[p]; ok {
		return g, nil
	}
	if m.flow > abi.InputStationary {
		return mapping{}, refuse(op, "dataflow %d, want 0 to %d", m.flow, abi.InputStationary)
	}
	g, ok := m.search(&p)
	if !ok {
		t := tile{1, p.unit(), 1, 1}
		if p.groups > 1 { // within a group one filter will do
			t.n = 1
		}
		slot, _ := p.slotSizes(t)
		return g, refuse(op, "its smallest tile takes %d bytes of the scratchpad (input %d, weights %d, output %d, residual %d), which has %d",
			slot[0]+slot[1]+slot[2]+slot[3], slot[0], slot[1], slot[2], slot[3], m.spad)
	}
	m.products[p] = g
	return g, nil
}
