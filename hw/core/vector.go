package core

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// vecCost is what an operation takes of the vector unit.
type vecCost struct {
	passes   int64 // simple instructions (add, multiply, fused multiply-add, compare, convert) an element
	specials int64 // special functions (exponential, tanh, reciprocal, square root) an element
	rowwise  bool  // each row ends in a tree over its lanes and one special function
	reads    int64 // times the input is read from the scratchpad
}

// vecCosts counts instructions of the usual algorithms: softmax in three passes
// (maximum; subtract, exponential, sum; scale), layer norm with the variance in
// a second pass (mean; difference and square; scale and shift), RMS norm in two.
// Pools are per tap of the window. Special functions are units of their own with
// a fraction of the lanes' throughput (CUDA C++ programming guide, table of
// arithmetic throughput: 16 against 64 per cycle at compute capability 8.0).
var vecCosts = [abi.NumVecOps + 1]vecCost{
	abi.VecMap:        {passes: 1, reads: 1},
	abi.VecAdd:        {passes: 1, reads: 1},
	abi.VecSub:        {passes: 1, reads: 1},
	abi.VecMul:        {passes: 1, reads: 1},
	abi.VecSoftmax:    {passes: 5, specials: 1, rowwise: true, reads: 3},
	abi.VecLayerNorm:  {passes: 5, rowwise: true, reads: 3},
	abi.VecRMSNorm:    {passes: 3, rowwise: true, reads: 2},
	abi.VecBatchNorm:  {passes: 1, reads: 1},
	abi.VecReduceSum:  {passes: 1, rowwise: true, reads: 1},
	abi.VecReduceMax:  {passes: 1, rowwise: true, reads: 1},
	abi.VecReduceMean: {passes: 1, rowwise: true, reads: 1},
	abi.VecTranspose:  {passes: 1, reads: 1},
	abi.VecGather:     {passes: 1, reads: 1},
	abi.VecMaxPool:    {passes: 1, reads: 1},
	abi.VecAvgPool:    {passes: 1, reads: 1},
	opEpilogue:        {passes: 1, reads: 1}, // one fused multiply-add for scale and bias
}

// actCosts counts the activations: erf by Abramowitz and Stegun 7.1.26 (an
// exponential, a reciprocal, five terms), sigmoid as the reciprocal of one plus
// an exponential, tanh as a special function.
var actCosts = [abi.NumActs]vecCost{
	abi.ActNone:     {},
	abi.ActReLU:     {passes: 1},
	abi.ActReLU6:    {passes: 2},
	abi.ActGELU:     {passes: 10, specials: 2},
	abi.ActGELUTanh: {passes: 6, specials: 1},
	abi.ActSiLU:     {passes: 3, specials: 2},
	abi.ActSigmoid:  {passes: 2, specials: 2},
	abi.ActTanh:     {specials: 1},
	abi.ActExp:      {passes: 1, specials: 1},
}

// VectorSpec is one operation of the vector unit on a tile.
type VectorSpec struct {
	Op         uint8 // abi.Vec…
	Rows, Cols int64 // of the result; reductions: of the input
	Taps       int64 // pools: pixels of the window
	Act        uint8
	Residual   bool
	Quantise   bool // the result is int8: one more pass to round and saturate
	Conflict   int64
}

// Cycles returns what an operation takes alone: elementwise operations fill the
// lanes across rows; row-wise ones start rows anew, as many side by side as fit
// the lanes in fields of a power of two, each with a tree of its own. A TPU's
// vector register is 8 rows of 128 lanes, reduced along the lanes (docs.jax.dev,
// Writing TPU kernels with Pallas); GPUs give a row to a warp, or to a part of
// one whose size is a power of two (CUB, Warp-level). It is a pure function.
func (c *VectorConfig) Cycles(s VectorSpec) int64 {
	op, act := vecCosts[s.Op], actCosts[s.Act]
	passes, specials := op.passes*max(s.Taps, 1)+act.passes, op.specials+act.specials
	if s.Residual {
		passes++
	}
	if s.Quantise {
		passes++
	}
	passes *= max(s.Conflict, 1)
	each, lanes := passes+specials*int64(c.SpecialCycles), int64(c.Lanes)
	if op.rowwise {
		depth := bits.Len64(uint64(s.Cols - 1)) // of a tree over a row: log2 of its field
		side := max(lanes>>depth, 1)
		depth = min(depth, bits.Len64(uint64(lanes-1)))
		return int64(c.StartCycles) + ceilDiv(s.Rows, side)*(ceilDiv(s.Cols, lanes)*each+int64(depth+c.SpecialCycles))
	}
	return int64(c.StartCycles) + ceilDiv(s.Rows*s.Cols, lanes)*each
}

// spec returns the operation as the cost function takes it.
func (o *vectorOp) spec(c *Config) VectorSpec {
	s := VectorSpec{Op: o.op, Rows: o.rows, Cols: o.cols, Act: o.act, Residual: o.residual >= 0, Quantise: o.out == abi.I8}
	switch o.op {
	case abi.VecTranspose:
		s.Conflict = c.Scratchpad.conflict(o.rows * int64(o.out.Size()))
	case abi.VecMaxPool, abi.VecAvgPool:
		s.Taps = o.taps
	}
	return s
}

// traffic returns the scratchpad bytes of an operation.
func (o *vectorOp) traffic() int64 {
	in, out := int64(o.in.Size()), int64(o.out.Size())
	n := o.rows * o.cols
	read := n * in * vecCosts[o.op].reads
	switch o.op {
	case abi.VecAdd, abi.VecSub, abi.VecMul:
		read *= 2
	case abi.VecMaxPool, abi.VecAvgPool:
		read = o.geom.ih * o.geom.iw * o.geom.c * in
	case abi.VecReduceSum, abi.VecReduceMax, abi.VecReduceMean:
		n = o.rows
	case opEpilogue:
		read = n * 4
		if o.residual >= 0 {
			read += n * out
		}
	}
	return read + n*out
}
