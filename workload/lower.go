package workload

import (
	"fmt"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// Place says where a tensor lies: its first byte's address in the context.
type Place func(TensorID) uint64

// Lower returns the kernels of an operator: descriptors with a mapping for the
// library's machine. What no kernel expresses is refused by name (wraps
// rt.ErrUnsupported); nothing is left out.
func (g *Graph) Lower(o *Op, lib *rt.Library, at Place) ([]abi.Kernel, error) {
	l := lowering{g, lib, at}
	kernels, err := l.op(o)
	if err != nil {
		return nil, fmt.Errorf("%s: operator %s (%s %s): %w", o.Pos, o.Name, o.Kind, o.Shape(), err)
	}
	return kernels, nil
}

type lowering struct {
	g   *Graph
	lib *rt.Library
	at  Place
}

// types gives an element type its number on the device.
var types = map[DType]abi.DType{F32: abi.F32, BF16: abi.BF16, I8: abi.I8, I32: abi.I32}

// acts gives an activation its number on the device.
var acts = [...]uint8{NoAct: abi.ActNone, Relu: abi.ActReLU, Relu6: abi.ActReLU6, Gelu: abi.ActGELU,
	GeluTanh: abi.ActGELUTanh, Silu: abi.ActSiLU, Sigmoid: abi.ActSigmoid, Tanh: abi.ActTanh, Exp: abi.ActExp}

// whole is a tensor without strides; None is no operand.
func (l *lowering) whole(id TensorID) rt.Tensor {
	if id == None {
		return rt.Tensor{}
	}
	t := l.g.Tensor(id)
	return rt.Tensor{Addr: l.at(id), Type: types[t.DType], Scale: t.Scale}
}

// view is a strided window of a tensor, in bytes.
func (l *lowering) view(v View) rt.Tensor {
	t := l.whole(v.Tensor)
	if v.Tensor == None {
		return t
	}
	size := uint64(t.Type.Size())
	t.Addr += uint64(v.Offset) * size
	t.Row = uint64(v.RowStride) * size
	t.Batch = [2]uint64{uint64(v.BatchStride[0]) * size, uint64(v.BatchStride[1]) * size}
	return t
}

func (l *lowering) address(id TensorID) uint64 {
	if id == None {
		return 0
	}
	return l.at(id)
}

func (l *lowering) epilogue(e *Epilogue) rt.Epilogue {
	return rt.Epilogue{Scale: e.Scale, Bias: l.address(e.Bias), Residual: l.view(e.Residual), Act: acts[e.Act]}
}

func (l *lowering) op(o *Op) ([]abi.Kernel, error) {
	switch {
	case o.Gemm != nil:
		return l.gemm(o.Gemm)
	case o.Conv != nil:
		return l.conv(o.Conv)
	case o.Pool != nil:
		return l.pool(o.Pool, o.Kind)
	}
	return l.lib.Vector(l.rows(o.Rows, o.Kind))
}

func (l *lowering) gemm(g *Gemm) ([]abi.Kernel, error) {
	return l.lib.Gemm(&rt.Gemm{Outer: g.Batch[0], Batch: g.Batch[1], M: g.M, N: g.N, K: g.K,
		A: l.view(g.A), B: l.view(g.B), C: l.view(g.C), TransB: g.TransB, FreeB: l.g.freeLayout(g.B.Tensor),
		Epilogue: l.epilogue(&g.Epilogue)})
}

func (l *lowering) conv(c *Conv) ([]abi.Kernel, error) {
	return l.lib.Conv(&rt.Conv{
		Image:    rt.Image{N: c.N, H: c.H, W: c.W, C: c.C, K: c.K, P: c.P, Q: c.Q, R: c.R, S: c.S, Stride: c.Stride, Pad: c.Pad},
		Dilation: c.Dilation, Groups: c.Groups, X: l.whole(c.X), F: l.whole(c.F), Y: l.whole(c.Y), FreeF: l.g.freeLayout(c.F),
		Epilogue: l.epilogue(&c.Epilogue)})
}

func (l *lowering) pool(p *Pool, kind Kind) ([]abi.Kernel, error) {
	op := map[Kind]uint8{KindMaxPool: abi.VecMaxPool, KindAvgPool: abi.VecAvgPool}[kind]
	return l.lib.Pool(&rt.Pool{
		Image: rt.Image{N: p.N, H: p.H, W: p.W, C: p.C, P: p.P, Q: p.Q, R: p.R, S: p.S, Stride: p.Stride, Pad: p.Pad},
		Op:    op, X: l.whole(p.X), Y: l.whole(p.Y)})
}

// vectorOps gives the kinds that work on rows of a matrix their operation; the
// activations are maps.
var vectorOps = map[Kind]uint8{KindAdd: abi.VecAdd, KindMul: abi.VecMul, KindSoftmax: abi.VecSoftmax,
	KindLayerNorm: abi.VecLayerNorm, KindRMSNorm: abi.VecRMSNorm, KindBatchNorm: abi.VecBatchNorm,
	KindTranspose: abi.VecTranspose, KindGather: abi.VecGather, KindCopy: abi.VecMap}

// reductions gives a reduction its operation.
var reductions = [...]uint8{ReduceSum: abi.VecReduceSum, ReduceMean: abi.VecReduceMean, ReduceMax: abi.VecReduceMax}

func (l *lowering) rows(r *Rows, kind Kind) *rt.Vector {
	v := &rt.Vector{Op: abi.VecMap, Rows: r.Rows, Cols: r.Cols, X: l.view(r.X), Y: l.view(r.Y), Out: l.view(r.Out),
		Act: acts[kind.Act()], Gamma: l.address(r.Gamma), Beta: l.address(r.Beta)}
	if op, ok := vectorOps[kind]; ok {
		v.Op = op
	}
	switch kind {
	case KindReduce:
		v.Op = reductions[r.By]
	case KindSoftmax:
		v.Param, v.Valid, v.ValidStep, v.Period = r.Scale, r.Valid, r.ValidStep, r.Period
	case KindLayerNorm, KindRMSNorm:
		v.Param = r.Eps
	case KindGather:
		v.TableRows, _ = l.g.Tensor(r.X.Tensor).Matrix()
	}
	return v
}

// freeLayout reports that a tensor is read by one operator alone, as its whole
// matrix of weights: its layout in memory is then whatever loads best.
func (g *Graph) freeLayout(id TensorID) bool {
	if g.Tensors[id].Role != Weight {
		return false
	}
	readers := 0
	for i := range g.Ops {
		o := &g.Ops[i]
		for _, r := range o.Reads() {
			if r != id {
				continue
			}
			if readers++; o.Gemm != nil && !o.Gemm.plainB(g) {
				return false
			}
		}
	}
	return readers == 1
}

// plainB reports that B is its whole tensor, row by row.
func (m *Gemm) plainB(g *Graph) bool {
	return !m.TransB && m.B.Offset == 0 && m.B.RowStride == m.N && m.B.BatchStride == [2]int{} &&
		g.Tensors[m.B.Tensor].Elems() == int64(m.K)*int64(m.N)
}

// Panels returns how many columns a panel of weights has where a kernel wants
// them stored in panels (abi.KernelPanels), 0 where they lie row by row.
func Panels(kernels []abi.Kernel) int {
	for i := range kernels {
		if k := &kernels[i]; k.Flags&abi.KernelPanels != 0 {
			return int(k.Tile[abi.TileN])
		}
	}
	return 0
}

// PackPanels reorders a row-by-row matrix of cols columns, of size bytes an
// element, into panels of width columns; Unpack undoes it.
func PackPanels(dst, src []byte, cols, width, size int) { panels(dst, src, cols, width, size, false) }

// UnpackPanels is the inverse of PackPanels.
func UnpackPanels(dst, src []byte, cols, width, size int) { panels(dst, src, cols, width, size, true) }

func panels(dst, src []byte, cols, width, size int, undo bool) {
	rows, run := len(src)/(cols*size), width*size
	for p := range cols / width {
		for r := range rows {
			packed, plain := (p*rows+r)*run, (r*cols+p*width)*size
			if undo {
				packed, plain = plain, packed
			}
			copy(dst[packed:packed+run], src[plain:plain+run])
		}
	}
}
