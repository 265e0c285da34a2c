package rt

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// maxSlots is how many slots an operand has at most: Kernel.Buffers is a byte.
const maxSlots = 255

// slotSizes returns the bytes of a slot of each operand, by the rule of the
// descriptor (the package comment of hw/core), and whether the tile is within its
// other bounds. The tile must be clamped to the extents.
func (p *product) slotSizes(t tile) (slot [abi.NumOperands]int64, ok bool) {
	ok = true
	span := int64(1)
	if p.groups > 1 {
		span = max(t.n/p.fg(), 1)
	}
	ih, iw := p.patch(t.m, t.w)
	slot[0] = abi.SlotBytes(&ok, ih, iw, t.k*span, p.in)
	slot[1] = abi.SlotBytes(&ok, p.r*p.s, t.k, t.n, p.in)
	slot[2] = abi.SlotBytes(&ok, t.m, t.w, t.n, 4)
	if p.residual {
		slot[3] = abi.SlotBytes(&ok, t.m, t.w, t.n, p.out)
	}
	work := abi.SlotBytes(&ok, t.m, t.w, t.n, p.r*p.s, t.k)
	return slot, ok && work < abi.MaxTileWork && (t.n <= abi.MaxParamCols || !p.params)
}

// patch returns the input rows and columns under a tile of outputs, padding
// included.
func (p *product) patch(oh, ow int64) (ih, iw int64) {
	return (oh-1)*p.sh + (p.r-1)*p.dh + 1, (ow-1)*p.sw + (p.s-1)*p.dw + 1
}

// ceilDiv returns ⌈a/b⌉ for a ≥ 0, b > 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// roundUp returns the least multiple of unit that is at least v.
func roundUp(v, unit int64) int64 { return ceilDiv(v, unit) * unit }

// satMul multiplies numbers ≥ 0, up to a bound that sums of a few stay in range.
func satMul(factors ...int64) int64 {
	const top = 1 << 60
	n := int64(1)
	for _, f := range factors {
		hi, lo := bits.Mul64(uint64(n), uint64(f))
		if hi != 0 || lo > top {
			return top
		}
		n = int64(lo)
	}
	return n
}
