package core

import "github.com/presi-sim/presi/hw/abi"

const (
	maxExtent = 1<<31 - 1 // of any extent: products of two fit an int64
	maxWindow = 1<<16 - 1 // of windows, strides, dilations and padding
)

// shape is the geometry all kinds but PROGRAM share. A GEMM is a 1×1
// convolution of M image rows of one pixel with K channels into N filters,
// Batch images; an elementwise operation has Rows image rows of Cols channels.
type shape struct {
	outer, images int64
	h, w, c       int64 // input
	oh, ow, f     int64 // output
	r, s          int64
	sh, sw        int64 // strides
	ph, pw        int64 // padding
	dh, dw        int64 // dilations
	groups        int64
	cg, fg        int64 // channels and filters a group
}

// steps leads through an operand in memory.
type steps struct {
	addr                     uint64
	outer, batch, row, pixel uint64
}

// plan is a checked descriptor.
type plan struct {
	k abi.Kernel
	shape
	in, out        int64 // element sizes
	tm, tn, tk, tw int64 // tile, clamped
	span           int64 // groups a tile spans
	op             [abi.NumOperands]steps
	slot           [abi.NumOperands]int64 // bytes of a slot; 0: no such operand
	slots          [abi.NumOperands]int64
	bias, scale    bool
}

// check decodes and checks a descriptor for a machine and a number of cores, of
// which it says how many share the kernel. Nothing in it is trusted.
func (p *plan) check(desc []byte, cfg *Config, cores int) (int, abi.Status) {
	*p = plan{}
	if s := p.k.Decode(desc); s != abi.StatusOK {
		return 0, s
	}
	if p.k.Cores > 0 {
		cores = min(cores, int(p.k.Cores))
	}
	if p.k.Kind == abi.KernelProgram {
		return cores, p.program()
	}
	n := int64(cores)
	if !p.geometry() || !p.sizes() || !p.splits(n) || !p.panelled(n) || !p.fits(int64(cfg.Scratchpad.Size)) || !p.reaches() || !p.bounded(cfg) {
		return cores, abi.StatusBadDescriptor
	}
	return cores, abi.StatusOK
}

// panels reports weights stored in panels of tile columns.
func (p *plan) panels() bool { return p.k.Flags&abi.KernelPanels != 0 }

// panelled checks what panels demand: every tile is one panel of one matrix.
func (p *plan) panelled(cores int64) bool {
	if !p.panels() {
		return true
	}
	o := &p.k.Operands[abi.OperandWeights]
	if p.groups != 1 || p.k.Flags&abi.KernelTransB != 0 || p.f%p.tn != 0 || o.RowStride != uint64(p.tn*p.in) ||
		o.BatchStride != 0 || p.k.Kind == abi.KernelGEMM && p.k.Dims[abi.DimOuterStride+abi.OperandWeights] != 0 {
		return false
	}
	if p.k.Split == abi.SplitN {
		for i := range cores {
			if lo, _ := share(i, cores, p.f); lo%p.tn != 0 {
				return false
			}
		}
	}
	return true
}

// program checks a PROGRAM's descriptor; the micro-operations come later.
func (p *plan) program() abi.Status {
	o := p.k.Operands[0]
	n, cores := uint64(p.k.Dims[abi.DimMicroOps]), uint64(MaxCores)
	if n == 0 || n > maxExtent || o.Addr%abi.MicroOpSize != 0 || o.BatchStride%abi.MicroOpSize != 0 ||
		!reach(o.Addr, n*abi.MicroOpSize, [2]uint64{cores, o.BatchStride}) {
		return abi.StatusBadDescriptor
	}
	return abi.StatusOK
}

// geometry reads the extents and checks types and flags.
func (p *plan) geometry() bool {
	k := &p.k
	p.in, p.out = int64(k.InType.Size()), int64(k.OutType.Size())
	p.bias, p.scale = k.Flags&abi.KernelBias != 0, k.Flags&abi.KernelColScale != 0
	if k.Bias != 0 && !p.bias || k.ColScale != 0 && !p.scale ||
		k.Flags&abi.KernelTransB != 0 && k.Kind != abi.KernelGEMM ||
		p.panels() && k.Kind != abi.KernelGEMM && k.Kind != abi.KernelConv {
		return false
	}
	switch {
	case k.Kind == abi.KernelGEMM:
		p.gemm()
	case k.Kind == abi.KernelConv || isPool(k.Op):
		p.image()
	default:
		p.matrix()
	}
	if !p.shape.sane() {
		return false
	}
	if k.Kind == abi.KernelVector {
		return p.vectorRules()
	}
	return tensorType(k.InType) && (tensorType(k.OutType) || p.raw())
}

// raw reports an int8 product whose int32 sums are stored as they are.
func (p *plan) raw() bool {
	k := &p.k
	return k.Kind != abi.KernelVector && k.InType == abi.I8 && k.OutType == abi.I32 &&
		k.Flags&^abi.KernelTransB == 0 && k.Act == abi.ActNone
}

func isPool(op uint8) bool { return op == abi.VecMaxPool || op == abi.VecAvgPool }

func tensorType(t abi.DType) bool { return t == abi.F32 || t == abi.BF16 || t == abi.I8 }

func (p *plan) gemm() {
	d := &p.k.Dims
	p.shape = flat(int64(d[abi.DimM]), int64(d[abi.DimK]), int64(d[abi.DimN]))
	p.outer, p.images = int64(d[abi.DimOuter]), int64(d[abi.DimBatch])
}

func (p *plan) matrix() {
	d := &p.k.Dims
	p.shape = flat(int64(d[abi.DimRows]), int64(d[abi.DimCols]), int64(d[abi.DimCols]))
}

// flat is the shape of rows of c channels that become rows of f.
func flat(rows, c, f int64) shape {
	return shape{outer: 1, images: 1, h: rows, w: 1, c: c, oh: rows, ow: 1, f: f, r: 1, s: 1,
		sh: 1, sw: 1, dh: 1, dw: 1, groups: 1, cg: c, fg: f}
}

func (p *plan) image() {
	at := func(i int) int64 { return int64(p.k.Dims[i]) }
	p.shape = shape{outer: 1, images: at(abi.DimImages), h: at(abi.DimH), w: at(abi.DimW), c: at(abi.DimC),
		oh: at(abi.DimOH), ow: at(abi.DimOW), f: at(abi.DimFilters), r: at(abi.DimR), s: at(abi.DimS),
		sh: at(abi.DimStrideH), sw: at(abi.DimStrideW), ph: at(abi.DimPadH), pw: at(abi.DimPadW),
		dh: at(abi.DimDilH), dw: at(abi.DimDilW), groups: at(abi.DimGroups)}
	if p.k.Kind == abi.KernelVector { // pools have no groups and keep the channels
		p.groups = 1
	}
	if p.groups > 0 {
		p.cg, p.fg = p.c/p.groups, p.f/p.groups
	}
}

// sane bounds every extent, so that no later product of two overflows.
func (s *shape) sane() bool {
	for _, v := range [...]int64{s.outer, s.images, s.h, s.w, s.c, s.oh, s.ow, s.f, s.groups, s.cg, s.fg} {
		if v < 1 || v > maxExtent {
			return false
		}
	}
	for _, v := range [...]int64{s.r, s.s, s.sh, s.sw, s.dh, s.dw, s.ph + 1, s.pw + 1} {
		if v < 1 || v > maxWindow {
			return false
		}
	}
	return s.cg*s.groups == s.c && s.fg*s.groups == s.f
}

// vectorRules checks what the vector operations demand of types and flags.
func (p *plan) vectorRules() bool {
	k := &p.k
	if k.Flags&^(abi.KernelBias|abi.KernelColScale) != 0 {
		return false
	}
	switch k.Op {
	case abi.VecLayerNorm, abi.VecBatchNorm:
	case abi.VecRMSNorm:
		if p.bias {
			return false
		}
	default:
		if p.bias || p.scale {
			return false
		}
	}
	tensors := tensorType(k.InType) && tensorType(k.OutType)
	if k.Act != abi.ActNone && !(tensors && takesAct(k.Op)) {
		return false
	}
	switch k.Op {
	case abi.VecTranspose:
		return k.InType == k.OutType
	case abi.VecGather:
		rows := int64(k.Dims[abi.DimTableRows])
		return rows >= 1 && rows <= maxExtent && (k.InType == k.OutType || tensors)
	case abi.VecMaxPool, abi.VecAvgPool:
		return k.InType == k.OutType && tensors && p.c == p.f && p.dh == 1 && p.dw == 1
	case abi.VecSoftmax:
		return tensors && int64(k.Dims[abi.DimValid]) <= p.c &&
			k.Dims[abi.DimValidStep] <= maxExtent && k.Dims[abi.DimPeriod] <= maxExtent
	}
	return tensors
}

// takesAct reports operations that end with an activation.
func takesAct(op uint8) bool {
	return isBinary(op) || op == abi.VecMap || op == abi.VecBatchNorm || op == abi.VecGather
}
