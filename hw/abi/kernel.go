package abi

import (
	"math"
	"math/bits"
)

// KernelSize is the size of a kernel descriptor in bytes.
const KernelSize = 256

// Kinds of kernel.
const (
	KernelGEMM    = 1
	KernelConv    = 2
	KernelVector  = 3
	KernelProgram = 4
)

// Flags of a kernel.
const (
	KernelTransB   = 1 << 0 // GEMM: operand 1 is N×K
	KernelBias     = 1 << 1 // add Bias[col], float32
	KernelColScale = 1 << 2 // multiply by ColScale[col], float32, instead of Scale
	KernelResidual = 1 << 3 // add operand 3, of the output's type and shape
	KernelPanels   = 1 << 4 // operand 1 is stored in panels of Tile[TileN] columns, see Operand
	kernelFlags    = 1<<5 - 1
)

// Dataflows of the array.
const (
	WeightStationary = 0
	OutputStationary = 1
	InputStationary  = 2
)

// Loop orders: what moves fastest outside the k loop.
const (
	OrderMN = 0 // for m, for n: the input tile stays
	OrderNM = 1 // for n, for m: the weight tile stays
)

// Axes over which the cores that share a kernel split it.
const (
	SplitM     = 0 // rows: GEMM m, CONV output rows, VECTOR rows
	SplitN     = 1 // columns: GEMM n, CONV output channels
	SplitBatch = 2
)

// Limits of a tile, of any machine.
const (
	MaxParamCols  = 8192    // columns with Bias or ColScale: the vector unit's parameter memory
	MaxGatherRows = 4096    // rows of a gather: the load unit's index memory
	MaxTileWork   = 1 << 40 // multiply-adds, or taps of a pool; bytes of a slot
	MaxTileCycles = 1 << 36 // of the array
	SlotAlign     = 64      // a slot is a multiple of so many bytes, and begins at one
)

// SlotBytes is the bytes of a slot of so many elements of so many bytes: the product,
// rounded up to SlotAlign. It clears ok when that is beyond MaxTileWork.
func SlotBytes(ok *bool, factors ...int64) int64 {
	n := int64(1)
	for _, f := range factors {
		hi, lo := bits.Mul64(uint64(n), uint64(f))
		if hi != 0 || lo > MaxTileWork {
			*ok = false
			return MaxTileWork
		}
		n = int64(lo)
	}
	return (n + SlotAlign - 1) / SlotAlign * SlotAlign
}

// Activations.
const (
	ActNone = iota
	ActReLU
	ActReLU6
	ActGELU // erf form
	ActGELUTanh
	ActSiLU
	ActSigmoid
	ActTanh
	ActExp
	NumActs
)

// Vector operations, in Kernel.Op.
const (
	VecMap       = iota // out = act(scale·in)
	VecAdd              // out = act(a + b)
	VecSub              // out = act(a − b)
	VecMul              // out = act(a · b)
	VecSoftmax          // along each row's first columns (Dims.Valid, ValidStep, Period) of Param·in; the rest is 0
	VecLayerNorm        // (x−mean)/√(var+Param)·ColScale + Bias
	VecRMSNorm          // x/√(mean x²+Param)·ColScale
	VecBatchNorm        // x·ColScale + Bias
	VecReduceSum        // along each row: one value a row
	VecReduceMax
	VecReduceMean
	VecTranspose // rows×cols to cols×rows
	VecGather    // out row i = operand 0 row index[i]; operand 1 holds int32 indices (control)
	VecMaxPool   // NHWC, geometry as CONV with K = C
	VecAvgPool   // likewise; padding is not counted
	NumVecOps
)

// VecOpNames names the vector operations.
var VecOpNames = [NumVecOps]string{"map", "add", "sub", "mul", "softmax", "layernorm", "rmsnorm", "batchnorm",
	"reduce_sum", "reduce_max", "reduce_mean", "transpose", "gather", "maxpool", "avgpool"}

// Indices into Kernel.Dims. All kinds count elements.
const (
	// GEMM: C[o][b] = A[o][b]·B[o][b] for o < Outer, b < Batch. Operands' outer
	// strides in bytes are Dims[DimOuterStride+operand].
	DimBatch       = 0
	DimM           = 1
	DimN           = 2
	DimK           = 3
	DimOuter       = 4
	DimOuterStride = 5 // 5, 6, 7, 8

	// CONV and pools: input [Images, H, W, C], output [Images, OH, OW, K],
	// weights [R, S, C/Groups, K].
	DimImages  = 0
	DimH       = 1
	DimW       = 2
	DimC       = 3
	DimFilters = 4
	DimR       = 5
	DimS       = 6
	DimStrideH = 7
	DimStrideW = 8
	DimPadH    = 9 // top; the bottom follows from OH
	DimPadW    = 10
	DimDilH    = 11
	DimDilW    = 12
	DimGroups  = 13
	DimOH      = 14
	DimOW      = 15

	// VECTOR, pools apart.
	DimRows      = 0
	DimCols      = 1
	DimValid     = 2 // softmax: row r counts its first min(Cols, Valid + (r mod Period)·ValidStep) columns
	DimTableRows = 3 // gather: rows of operand 0
	DimValidStep = 4 // softmax: 1 is a causal mask
	DimPeriod    = 5 // softmax: rows of a matrix of a batch; 0: r mod Period is r

	// PROGRAM.
	DimMicroOps = 0 // entries at operand 0, MicroOpSize bytes each
)

// Operand is a tensor in the context's address space. Innermost elements are
// contiguous; RowStride leads from row to row (CONV: image row to image row),
// BatchStride from batch to batch (CONV: image to image), in bytes.
//
// With KernelPanels the K×N matrix of weights (CONV: K = R·S·C rows) is stored
// as panels of TileN columns, one behind the other: each has all K rows of its
// columns, RowStride = TileN elements apart, so that a tile is one run of memory.
// TileN divides N and every core's share of it; there is one matrix for all
// batches, no transposition and no groups.
type Operand struct {
	Addr, RowStride, BatchStride uint64
}

// Operands by index.
const (
	OperandInput    = 0
	OperandWeights  = 1 // or the second input, or gather's indices
	OperandOutput   = 2
	OperandResidual = 3
	NumOperands     = 4
)

// Indices into Kernel.Tile.
const (
	TileM = 0 // GEMM rows; CONV output rows; VECTOR rows (pools: output rows)
	TileN = 1 // GEMM columns; CONV filters; pools: channels
	TileK = 2 // GEMM depth; CONV input channels
	TileW = 3 // CONV and pools: output columns
)

// Kernel is a kernel descriptor (256 B): what to compute and how to map it.
//
// The value of an element is scale × stored for int8, the number itself
// otherwise. A GEMM or CONV element leaves the accumulator as
// act(acc·Scale(or ColScale) + Bias + ResScale·residual), and is stored as
// OutType (int8: divided by OutScale, rounded half to even, saturated).
type Kernel struct {
	Kind     uint8                // 0
	Op       uint8                // 1: VECTOR operation
	InType   DType                // 2: of operands 0 and 1
	OutType  DType                // 3: of operands 2 and 3
	Flags    uint32               // 4
	Dims     [16]uint32           // 8
	Operands [NumOperands]Operand // 72
	Bias     uint64               // 168: address of float32[cols]
	ColScale uint64               // 176: address of float32[cols]
	Scale    float32              // 184: accumulator to value; VECTOR: operand 0 to value
	OutScale float32              // 188: value of one int8 step of the output
	ResScale float32              // 192: stored residual (VECTOR: operand 1) to value
	Param    float32              // 196: epsilon, softmax scale
	Act      uint8                // 200
	Dataflow uint8                // 201
	Order    uint8                // 202
	Split    uint8                // 203
	Buffers  [4]uint8             // 204: scratchpad slots of input, weights, output, residual (2 = double buffered)
	Tile     [6]uint32            // 208
	Spad     [4]uint32            // 232: scratchpad base of each operand's slots, bytes
	Cores    uint8                // 248: how many cores of the mask share it, any that are free; 0 or more than there are: all
	// 249: 7 B reserved
}

// Encode lays k out in p[:256].
func (k *Kernel) Encode(p []byte) {
	clear(p[:KernelSize])
	p[0], p[1], p[2], p[3] = k.Kind, k.Op, uint8(k.InType), uint8(k.OutType)
	le.PutUint32(p[4:], k.Flags)
	put32(p[8:], k.Dims[:]...)
	for i, o := range k.Operands {
		put64(p[72+24*i:], o.Addr, o.RowStride, o.BatchStride)
	}
	put64(p[168:], k.Bias, k.ColScale)
	put32(p[184:], math.Float32bits(k.Scale), math.Float32bits(k.OutScale),
		math.Float32bits(k.ResScale), math.Float32bits(k.Param))
	p[200], p[201], p[202], p[203] = k.Act, k.Dataflow, k.Order, k.Split
	copy(p[204:208], k.Buffers[:])
	put32(p[208:], k.Tile[:]...)
	put32(p[232:], k.Spad[:]...)
	p[248] = k.Cores
}

// Decode reads p[:256] and checks the form: kinds, types, flags, enumerations
// and reserved fields. Whether it fits the machine is for the core to say.
func (k *Kernel) Decode(p []byte) Status {
	*k = Kernel{Kind: p[0], Op: p[1], InType: DType(p[2]), OutType: DType(p[3]), Flags: le.Uint32(p[4:])}
	for i := range k.Dims {
		k.Dims[i] = le.Uint32(p[8+4*i:])
	}
	for i := range k.Operands {
		o := p[72+24*i:]
		k.Operands[i] = Operand{le.Uint64(o), le.Uint64(o[8:]), le.Uint64(o[16:])}
	}
	k.Bias, k.ColScale = le.Uint64(p[168:]), le.Uint64(p[176:])
	k.Scale, k.OutScale = math.Float32frombits(le.Uint32(p[184:])), math.Float32frombits(le.Uint32(p[188:]))
	k.ResScale, k.Param = math.Float32frombits(le.Uint32(p[192:])), math.Float32frombits(le.Uint32(p[196:]))
	k.Act, k.Dataflow, k.Order, k.Split = p[200], p[201], p[202], p[203]
	copy(k.Buffers[:], p[204:208])
	for i := range k.Tile {
		k.Tile[i] = le.Uint32(p[208+4*i:])
	}
	for i := range k.Spad {
		k.Spad[i] = le.Uint32(p[232+4*i:])
	}
	k.Cores = p[248]
	if k.Kind < KernelGEMM || k.Kind > KernelProgram || k.InType >= NumDTypes || k.OutType >= NumDTypes ||
		k.Flags&^kernelFlags != 0 || k.Op >= NumVecOps || k.Act >= NumActs || k.Dataflow > InputStationary ||
		k.Order > OrderNM || k.Split > SplitBatch || le.Uint64(p[248:])>>8 != 0 {
		return StatusBadDescriptor
	}
	return StatusOK
}

// MicroOpSize is the size of a micro-operation in bytes.
const MicroOpSize = 64

// Units of a core, which run their micro-operations in order.
const (
	UnitLoad   = 0
	UnitArray  = 1
	UnitVector = 2
	UnitStore  = 3
	NumUnits   = 4
)

// Semaphores is how many counting semaphores order the units of a core.
const Semaphores = 16

// MicroOp is one step of a unit (64 B), as the sequencer expands it from a
// descriptor or a PROGRAM supplies it. It starts when its unit is free and
// every semaphore of Wait is above zero (each is then taken down by one), and
// at its end raises each semaphore of Post by one. All semaphores start at
// zero; a unit's no-operation (Rows = 0) may raise them.
//
//	load   Spad[0] ← Mem: Rows rows of Cols elements, MemStride and SpadStride apart
//	store  Mem ← Spad[0], likewise
//	array  Spad[2] (+)= Spad[0]·Spad[1]: Rows×Depth by Depth×Cols
//	vector Spad[2] ← Op(Spad[0], Spad[1]) on Rows×Cols
type MicroOp struct {
	Unit       uint8     // 0
	Op         uint8     // 1: vector operation
	InType     DType     // 2
	OutType    DType     // 3
	Wait       uint16    // 4
	Post       uint16    // 6
	Mem        uint64    // 8
	Spad       [4]uint32 // 16
	Rows       uint32    // 32
	Cols       uint32    // 36
	Depth      uint32    // 40
	MemStride  uint32    // 44
	SpadStride uint32    // 48
	Flags      uint32    // 52: MicroAccumulate, MicroTransB
	Param      float32   // 56
	Act        uint8     // 60
	// 61: 3 B reserved
}

// Flags of a micro-operation.
const (
	MicroAccumulate = 1 << 0
	MicroTransB     = 1 << 1
)

// Encode lays m out in p[:64].
func (m *MicroOp) Encode(p []byte) {
	clear(p[:MicroOpSize])
	p[0], p[1], p[2], p[3] = m.Unit, m.Op, uint8(m.InType), uint8(m.OutType)
	le.PutUint16(p[4:], m.Wait)
	le.PutUint16(p[6:], m.Post)
	le.PutUint64(p[8:], m.Mem)
	put32(p[16:], m.Spad[:]...)
	put32(p[32:], m.Rows, m.Cols, m.Depth, m.MemStride, m.SpadStride, m.Flags, math.Float32bits(m.Param))
	p[60] = m.Act
}

// Decode reads p[:64] and checks the form.
func (m *MicroOp) Decode(p []byte) Status {
	*m = MicroOp{Unit: p[0], Op: p[1], InType: DType(p[2]), OutType: DType(p[3]),
		Wait: le.Uint16(p[4:]), Post: le.Uint16(p[6:]), Mem: le.Uint64(p[8:]),
		Rows: le.Uint32(p[32:]), Cols: le.Uint32(p[36:]), Depth: le.Uint32(p[40:]),
		MemStride: le.Uint32(p[44:]), SpadStride: le.Uint32(p[48:]), Flags: le.Uint32(p[52:]),
		Param: math.Float32frombits(le.Uint32(p[56:])), Act: p[60]}
	for i := range m.Spad {
		m.Spad[i] = le.Uint32(p[16+4*i:])
	}
	if m.Unit >= NumUnits || m.Op >= NumVecOps || m.InType >= NumDTypes || m.OutType >= NumDTypes ||
		m.Flags&^(MicroAccumulate|MicroTransB) != 0 || m.Act >= NumActs || p[61]|p[62]|p[63] != 0 {
		return StatusBadDescriptor
	}
	return StatusOK
}
