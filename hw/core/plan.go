package core

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// MaxParamCols is how many columns of Bias and ColScale a tile may have: the
// size of the vector unit's parameter memory.
const MaxParamCols = 8192

// MaxGatherRows is how many rows of a gather a tile may have: the size of the
// load unit's index memory.
const MaxGatherRows = 4096

const (
	maxExtent = 1<<31 - 1 // of any extent: products of two fit an int64
	maxWindow = 1<<16 - 1 // of windows, strides, dilations and padding
	slotAlign = 64
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

// check decodes and checks a descriptor for a machine. Nothing in it is trusted.
func (p *plan) check(desc []byte, cfg *Config, cores int64) abi.Status {
	*p = plan{}
	if s := p.k.Decode(desc); s != abi.StatusOK {
		return s
	}
	if p.k.Kind == abi.KernelProgram {
		return p.program()
	}
	if !p.geometry() || !p.sizes() || !p.splits(cores) || !p.fits(int64(cfg.Scratchpad.Size)) || !p.reaches() || !p.bounded(cfg) {
		return abi.StatusBadDescriptor
	}
	return abi.StatusOK
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
		k.Flags&abi.KernelTransB != 0 && k.Kind != abi.KernelGEMM {
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
		return tensors && int64(k.Dims[abi.DimValid]) <= p.c
	}
	return tensors
}

// takesAct reports operations that end with an activation.
func takesAct(op uint8) bool {
	return isBinary(op) || op == abi.VecMap || op == abi.VecBatchNorm || op == abi.VecGather
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
	p.slot[0] = slotBytes(&ok, ih, iw, p.tk*p.span, p.in)
	p.slot[1] = slotBytes(&ok, p.r*p.s, p.tk, p.tn, p.in)
	p.slot[2] = slotBytes(&ok, p.tm, p.tw, p.tn, 4)
	if k.Flags&abi.KernelResidual != 0 {
		p.slot[3] = slotBytes(&ok, p.tm, p.tw, p.tn, p.out)
	}
	return ok && (p.tn <= MaxParamCols || !p.bias && !p.scale)
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
	if p.tm < 1 || wholeRows(k.Op) && p.tn != p.f || k.Op == abi.VecGather && (p.tn != p.f || p.tm > MaxGatherRows) {
		return false
	}
	ok := true
	ih, iw := p.patchExtent(p.tm, p.tw)
	p.slot[0] = slotBytes(&ok, ih, iw, p.tn, p.in)
	if isBinary(k.Op) {
		p.slot[1] = slotBytes(&ok, p.tm, p.tn, p.in, 1)
	}
	cols := p.tn
	if isReduce(k.Op) {
		cols = 1
	}
	p.slot[2] = slotBytes(&ok, p.tm, p.tw, cols, p.out)
	return ok && (p.tn <= MaxParamCols || !p.bias && !p.scale)
}

// maxTileCycles bounds one operation of the array or the vector unit, and
// maxTileWork its multiply-adds (or taps), so that no time overflows.
const (
	maxTileCycles = 1 << 36
	maxTileWork   = 1 << 40
)

// bounded holds the largest tile against these.
func (p *plan) bounded(cfg *Config) bool {
	ok := true
	work := slotBytes(&ok, p.tm, p.tw, p.tn, p.r*p.s, p.tk)
	if p.k.Kind == abi.KernelVector {
		ok = true
		work = slotBytes(&ok, p.tm, p.tw, p.tn, p.r*p.s)
	}
	if !ok || work > maxTileWork {
		return false
	}
	if p.k.Kind == abi.KernelVector {
		return true
	}
	spec := ArraySpec{M: p.tm * p.tw, K: p.r * p.s * p.tk, N: p.tn / p.span, Groups: p.span, Line: p.line(p.tw),
		Type: p.k.InType, Dataflow: Dataflow(p.k.Dataflow)}
	return cfg.Array.Cycles(spec) <= maxTileCycles
}

// line returns how many rows of a product follow each other without a break
// when an output row has w pixels: 0 is all of them.
func (p *plan) line(w int64) int64 {
	if p.k.Kind == abi.KernelGEMM {
		return 0
	}
	return w
}

// slotBytes multiplies, rounds up to slotAlign, and clears ok when the product
// is beyond any scratchpad.
func slotBytes(ok *bool, factors ...int64) int64 {
	const limit = 1 << 40
	n := int64(1)
	for _, f := range factors {
		hi, lo := bits.Mul64(uint64(n), uint64(f))
		if hi != 0 || lo > limit {
			*ok = false
			return limit
		}
		n = int64(lo)
	}
	return ceilDiv(n, slotAlign) * slotAlign
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
		if p.slots[i] == 0 || lo[i]%slotAlign != 0 || hi[i] > size {
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
