package core

import "github.com/presi-sim/presi/hw/abi"

// Footprint returns the bytes of one slot of each operand of a well-formed
// descriptor, by the rule in the package comment, 0 for an operand that it does
// not have. The status says whether geometry and types make sense; whether the
// slots fit a scratchpad is for the machine to say.
func Footprint(k *abi.Kernel) ([abi.NumOperands]int64, abi.Status) {
	p := plan{k: *k}
	if k.Kind == abi.KernelProgram {
		return p.slot, abi.StatusOK
	}
	if !p.geometry() || !p.sizes() {
		return p.slot, abi.StatusBadDescriptor
	}
	return p.slot, abi.StatusOK
}

// wholeRows reports operations that need all columns in a tile.
func wholeRows(op uint8) bool { return vecCosts[op].rowwise }

func isReduce(op uint8) bool {
	return op == abi.VecReduceSum || op == abi.VecReduceMax || op == abi.VecReduceMean
}

func isBinary(op uint8) bool { return op == abi.VecAdd || op == abi.VecSub || op == abi.VecMul }

// sizes clamps the tile and computes the slots.
func (p *plan) sizes() bool {
	k := &p.k
	p.tm, p.tn, p.tk, p.tw = int64(k.Tile[abi.TileM]), int64(k.Tile[abi.TileN]), int64(k.Tile[abi.TileK]), int64(k.Tile[abi.TileW])
	if p.tw == 0 || p.tw > p.ow {
		p.tw = p.ow
	}
	p.tm, p.span = min(p.tm, p.oh), 1
	if k.Kind == abi.KernelVector {
		return p.vectorSizes()
	}
	p.tn, p.tk = min(p.tn, p.f), min(p.tk, p.cg)
	if p.tm < 1 || p.tn < 1 || p.tk < 1 || !p.groupTiles() {
		return false
	}
	ok := true
	ih, iw := p.patchExtent(p.tm, p.tw)
	p.slot[0] = abi.SlotBytes(&ok, ih, iw, p.tk*p.span, p.in)
	p.slot[1] = abi.SlotBytes(&ok, p.r*p.s, p.tk, p.tn, p.in)
	p.slot[2] = abi.SlotBytes(&ok, p.tm, p.tw, p.tn, 4)
	if k.Flags&abi.KernelResidual != 0 {
		p.slot[3] = abi.SlotBytes(&ok, p.tm, p.tw, p.tn, p.out)
	}
	return ok && (p.tn <= abi.MaxParamCols || !p.bias && !p.scale)
}

// groupTiles holds the tile against the groups.
func (p *plan) groupTiles() bool {
	if p.groups == 1 || p.tn <= p.fg {
		return true
	}
	if p.tn%p.fg != 0 || p.tk != p.cg {
		return false
	}
	p.span = p.tn / p.fg
	return true
}

// patchExtent returns the input rows and columns under a tile of outputs.
func (p *plan) patchExtent(oh, ow int64) (ih, iw int64) {
	return (oh-1)*p.sh + (p.r-1)*p.dh + 1, (ow-1)*p.sw + (p.s-1)*p.dw + 1
}

func (p *plan) vectorSizes() bool {
	k := &p.k
	if p.tn == 0 || p.tn > p.f {
		p.tn = p.f
	}
	p.tk = p.tn
	if p.tm < 1 || wholeRows(k.Op) && p.tn != p.f || k.Op == abi.VecGather && (p.tn != p.f || p.tm > abi.MaxGatherRows) {
		return false
	}
	ok := true
	ih, iw := p.patchExtent(p.tm, p.tw)
	p.slot[0] = abi.SlotBytes(&ok, ih, iw, p.tn, p.in)
	if isBinary(k.Op) {
		p.slot[1] = abi.SlotBytes(&ok, p.tm, p.tn, p.in, 1)
	}
	cols := p.tn
	if isReduce(k.Op) {
		cols = 1
	}
	p.slot[2] = abi.SlotBytes(&ok, p.tm, p.tw, cols, p.out)
	return ok && (p.tn <= abi.MaxParamCols || !p.bias && !p.scale)
}

// line returns how many rows of a product follow each other without a break
// in a tile of h rows of w pixels: 0 is all of them. The longer side of the
// kernel's tiles counts.
func (p *plan) line(h, w int64) int64 {
	switch {
	case p.k.Kind == abi.KernelGEMM:
		return 0
	case p.tm > p.tw:
		return h
	}
	return w
}

// taps returns the pixels of a convolution's window, 0 for a matrix product.
func (p *plan) taps() int64 {
	if p.k.Kind == abi.KernelGEMM {
		return 0
	}
	return p.r * p.s
}

// fits places the slots in the scratchpad, apart from one another.
func (p *plan) fits(size int64) bool {
	var lo, hi [abi.NumOperands]int64
	for i, slot := range p.slot {
		if slot == 0 {
			continue
		}
		p.slots[i] = int64(p.k.Buffers[i])
		lo[i] = int64(p.k.Spad[i])
		hi[i] = lo[i] + p.slots[i]*slot
		if p.slots[i] == 0 || lo[i]%abi.SlotAlign != 0 || hi[i] > size {
			return false
		}
		for j := range i {
			if p.slot[j] != 0 && lo[i] < hi[j] && lo[j] < hi[i] {
				return false
			}
		}
	}
	return true
}

// at returns where a slot of an operand begins.
func (p *plan) at(operand int, slot int64) int64 {
	return int64(p.k.Spad[operand]) + slot*p.slot[operand]
}
