package core

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// bounded holds the largest tile against the limits of one, so that no time
// overflows.
func (p *plan) bounded(cfg *Config) bool {
	ok := true
	work := abi.SlotBytes(&ok, p.tm, p.tw, p.tn, p.r*p.s, p.tk)
	if p.k.Kind == abi.KernelVector {
		ok = true
		work = abi.SlotBytes(&ok, p.tm, p.tw, p.tn, p.r*p.s)
	}
	if !ok || work > abi.MaxTileWork {
		return false
	}
	if p.k.Kind == abi.KernelVector {
		return true
	}
	spec := ArraySpec{M: p.tm * p.tw, K: p.r * p.s * p.tk, N: p.tn / p.span, Groups: p.span, Taps: p.taps(), Line: p.line(p.tm, p.tw),
		Type: p.k.InType, Dataflow: Dataflow(p.k.Dataflow)}
	return cfg.Array.Cycles(spec) <= abi.MaxTileCycles
}

// splits checks the axis over which several cores share the kernel.
func (p *plan) splits(cores int64) bool {
	if cores == 1 || p.k.Kind != abi.KernelVector {
		return true
	}
	switch p.k.Split {
	case abi.SplitN:
		return !wholeRows(p.k.Op) && p.k.Op != abi.VecGather
	case abi.SplitBatch:
		return isPool(p.k.Op)
	}
	return true
}

// reaches lays out the operands in memory and checks that no address wraps and
// no two output rows overlap.
func (p *plan) reaches() bool {
	k := &p.k
	for i := range p.op {
		o := &k.Operands[i]
		p.op[i] = steps{addr: o.Addr, batch: o.BatchStride, row: o.RowStride}
		if k.Kind == abi.KernelGEMM {
			p.op[i].outer = uint64(k.Dims[abi.DimOuterStride+i])
		}
	}
	p.op[0].pixel = uint64(p.c * p.in)
	p.op[2].pixel, p.op[3].pixel = uint64(p.f*p.out), uint64(p.f*p.out)
	return p.reachInput() && p.reachWeights() && p.reachOutput(2) &&
		(p.slot[3] == 0 || p.reachOutput(3)) && p.reachParams()
}

func (p *plan) reachInput() bool {
	rows := p.h
	if p.k.Kind == abi.KernelVector && p.k.Op == abi.VecGather {
		rows = int64(p.k.Dims[abi.DimTableRows])
	}
	return p.inside(&p.op[0], rows, p.w)
}

// inside checks rows of pixels for every image.
func (p *plan) inside(o *steps, rows, pixels int64) bool {
	return reach(o.addr, o.pixel, [2]uint64{uint64(p.outer), o.outer}, [2]uint64{uint64(p.images), o.batch},
		[2]uint64{uint64(rows), o.row}, [2]uint64{uint64(pixels), o.pixel})
}

func (p *plan) reachWeights() bool {
	o, k := &p.op[1], &p.k
	switch {
	case p.panels():
		o.pixel = o.row
		return p.inside(o, p.r*p.s*p.cg*(p.f/p.tn), 1)
	case k.Kind == abi.KernelConv:
		o.batch = 0 // one set of filters for all images
		if o.row == 0 {
			o.row = uint64(p.f * p.in)
		}
		o.pixel = uint64(p.f * p.in)
		return p.inside(o, p.r*p.s*p.cg, 1)
	case k.Kind == abi.KernelGEMM && k.Flags&abi.KernelTransB != 0:
		o.pixel = uint64(p.c * p.in)
		return p.inside(o, p.f, 1)
	case k.Kind == abi.KernelGEMM:
		o.pixel = uint64(p.f * p.in)
		return p.inside(o, p.c, 1)
	case isBinary(k.Op):
		o.pixel = uint64(p.c * p.in)
		return p.inside(o, p.h, 1)
	case k.Op == abi.VecGather:
		return reach(o.addr, uint64(p.h*4)) && o.addr%4 == 0
	}
	return true
}

func (p *plan) reachOutput(i int) bool {
	o, rows, pixels := &p.op[i], p.oh, p.ow
	switch {
	case p.k.Kind != abi.KernelVector:
	case isReduce(p.k.Op):
		o.pixel = uint64(p.out)
	case p.k.Op == abi.VecTranspose:
		rows, o.pixel = p.f, uint64(p.oh*p.out)
	}
	hi, bytes := bits.Mul64(uint64(pixels), o.pixel)
	if i == abi.OperandOutput && rows > 1 && (hi != 0 || o.row < bytes) {
		return false
	}
	return p.inside(o, rows, pixels)
}

func (p *plan) reachParams() bool {
	n := uint64(p.f * 4)
	return (!p.bias || reach(p.k.Bias, n)) && (!p.scale || reach(p.k.ColScale, n))
}

// reach reports whether base + Σ (count−1)·stride + bytes stays below 2⁶⁴.
func reach(base, bytes uint64, counted ...[2]uint64) bool {
	end, carry := bits.Add64(base, bytes, 0)
	for _, c := range counted {
		hi, lo := bits.Mul64(c[0]-1, c[1])
		var over uint64
		end, over = bits.Add64(end, lo, 0)
		carry |= hi | over
	}
	return carry == 0
}
