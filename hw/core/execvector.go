package core

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
)

// vectorTask is the vector unit's operation on the pool: one of its kernels.
type vectorTask struct {
	task
	copied    bool // the result is in exec.result until it is joined
	epilogue  kern.Epilogue
	unary     kern.Unary
	binary    kern.Binary
	softmax   kern.Softmax
	norm      kern.Norm
	shift     kern.ScaleShift
	reduce    kern.Reduce
	transpose kern.Transpose
	pool      kern.Pool2D
	move      moveTask
}

// kernActs are the pool's names of the activations.
var kernActs = [abi.NumActs]kern.Act{
	abi.ActNone: kern.Identity, abi.ActReLU: kern.ReLU, abi.ActReLU6: kern.ReLU6, abi.ActGELU: kern.GELUErf,
	abi.ActGELUTanh: kern.GELUTanh, abi.ActSiLU: kern.SiLU, abi.ActSigmoid: kern.Sigmoid, abi.ActTanh: kern.Tanh,
	abi.ActExp: kern.Exp,
}

// vector submits an operation.
func (x *exec) vector(c *core, o *vectorOp) {
	if x.pool == nil {
		return
	}
	x.joinVector(c)
	v := &x.vec
	in, out := int64(o.in.Size()), int64(o.out.Size())
	n := o.rows * o.cols
	v.reads, v.writes, v.copied = [3]span{{o.x, n * in}}, span{o.z, n * out}, false
	xs := kern.View{Type: kern.DType(o.in), LD: int(o.cols * in), Scale: o.scales[0]}
	zs := kern.View{Type: kern.DType(o.out), LD: int(o.cols * out), Scale: o.scales[2]}
	switch {
	case isPool(o.op):
		v.reads[0].n = o.geom.ih * o.geom.iw * o.geom.c * in
	case isReduce(o.op):
		v.writes.n, zs.LD = o.rows*out, int(out)
	case isBinary(o.op):
		v.reads[1] = span{o.y, n * in}
	case o.op == opEpilogue:
		v.reads[0].n = n * 4
		if o.residual >= 0 {
			v.reads[2] = span{o.residual, n * out}
		}
		v.copied = out != 4
	}
	if o.in != o.out && (o.z == o.x || isBinary(o.op) && o.z == o.y) {
		v.copied = v.copied || o.op != opEpilogue
	}
	xs.Data, zs.Data = c.spad.part(v.reads[0]), c.spad.part(v.writes)
	if v.copied {
		if int64(len(x.result)) < v.writes.n {
			x.result = make([]byte, v.writes.n) // at most a scratchpad
		}
		zs.Data = x.result[:v.writes.n]
	}
	x.submit(c, &v.task, x.kernel(c, o, xs, zs))
}

// part returns the bytes of a range.
func (s *scratchpad) part(r span) []byte { return s.bytes[r.at : r.at+r.n] }

// kernel fills in the kernel of an operation on its views.
func (x *exec) kernel(c *core, o *vectorOp, xs, zs kern.View) kern.Task {
	v, rows, cols, act := &x.vec, int(o.rows), int(o.cols), kernActs[o.act]
	scale, bias := x.parameters(o)
	switch o.op {
	case opEpilogue:
		return x.finish(c, o, xs, zs)
	case abi.VecAdd, abi.VecSub, abi.VecMul:
		ys := xs
		ys.Data, ys.Scale = c.spad.part(v.reads[1]), o.scales[1]
		v.binary = kern.Binary{Op: kern.Add + kern.BinaryOp(o.op-abi.VecAdd), Act: act, Rows: rows, Cols: cols, X: xs, Y: ys, Out: zs}
		return &v.binary
	case abi.VecSoftmax:
		v.softmax = kern.Softmax{Rows: rows, Cols: cols, Valid: int(o.valid), ValidStep: int(o.step), First: int(o.first),
			Period: int(o.period), Scale: o.param, X: xs, Out: zs}
		return &v.softmax
	case abi.VecLayerNorm, abi.VecRMSNorm:
		v.norm = kern.Norm{Kind: kern.LayerNorm, Rows: rows, Cols: cols, X: xs, Out: zs, Gamma: scale, Beta: bias, Eps: o.param}
		if o.op == abi.VecRMSNorm {
			v.norm.Kind = kern.RMSNorm
		}
		return &v.norm
	case abi.VecBatchNorm:
		v.shift = kern.ScaleShift{Rows: rows, Cols: cols, X: xs, Out: zs, Scale: scale, Shift: bias, Act: act}
		return &v.shift
	case abi.VecReduceSum, abi.VecReduceMax, abi.VecReduceMean:
		v.reduce = kern.Reduce{Op: kernReduce[o.op-abi.VecReduceSum], Rows: rows, Cols: cols, X: xs, Out: zs}
		return &v.reduce
	case abi.VecTranspose:
		size := o.in.Size()
		v.transpose = kern.Transpose{Rows: rows, Cols: cols, Elem: size, X: xs.Data, Out: zs.Data, LDX: cols * size, LDOut: rows * size}
		return &v.transpose
	case abi.VecMaxPool, abi.VecAvgPool:
		x.pooled(c, o, xs, zs)
		return &v.pool
	case abi.VecGather:
		if o.in == o.out && o.act == abi.ActNone && (o.in != abi.I8 || o.scales[0] == o.scales[2]) {
			v.move = moveTask{zs.Data, xs.Data}
			return &v.move
		}
	}
	v.unary = kern.Unary{Op: act, Rows: rows, Cols: cols, X: xs, Out: zs}
	return &v.unary
}

// finish fills in the epilogue of a product.
func (x *exec) finish(c *core, o *vectorOp, xs, zs kern.View) kern.Task {
	v, cols := &x.vec, int(o.cols)
	scale, bias := x.parameters(o)
	v.epilogue = kern.Epilogue{Rows: int(o.rows), Cols: cols, Acc: xs.Data, LDAcc: 4 * cols, AccType: accType(o.in),
		Scale: o.scales[0], ScaleVec: scale, Bias: bias, Act: kernActs[o.act], Out: zs}
	if o.residual >= 0 {
		v.epilogue.Residual = kern.View{Data: c.spad.part(v.reads[2]), LD: zs.LD, Type: zs.Type, Scale: o.scales[1]}
	}
	return &v.epilogue
}

// kernReduce are the pool's names of the reductions, from VecReduceSum on.
var kernReduce = [...]kern.ReduceOp{kern.Sum, kern.Maximum, kern.Mean}

// accType returns the type of a product's accumulators.
func accType(in abi.DType) kern.DType {
	if in == abi.I8 || in == abi.I32 {
		return kern.I32
	}
	return kern.F32
}

// parameters returns the ColScale and Bias vectors of an operation, nil without.
func (x *exec) parameters(o *vectorOp) (scale, bias []byte) {
	if o.flags&abi.KernelColScale != 0 {
		scale = x.params[o.params:][:4*o.cols]
	}
	if o.flags&abi.KernelBias != 0 {
		bias = x.params[o.params+paramBytes:][:4*o.cols]
	}
	return scale, bias
}

func (x *exec) pooled(c *core, o *vectorOp, xs, zs kern.View) {
	g, p := &o.geom, &c.run.plan
	size := o.in.Size()
	x.vec.pool = kern.Pool2D{Op: kern.MaxPool, IH: int(g.ih), IW: int(g.iw), C: int(g.c), OH: int(g.oh), OW: int(g.ow),
		R: int(p.r), S: int(p.s), StrideH: int(p.sh), StrideW: int(p.sw), Top: int(g.top), Left: int(g.left),
		Type: xs.Type, X: xs.Data, Out: zs.Data, XRow: int(g.iw*g.c) * size, XPixel: int(g.c) * size,
		OutRow: int(g.ow*g.c) * size, OutPixel: int(g.c) * size, XScale: xs.Scale, OutScale: zs.Scale}
	if o.op == abi.VecAvgPool {
		x.vec.pool.Op = kern.AvgPool
	}
}

// moveTask copies bytes.
type moveTask struct{ dst, src []byte }

// Check implements kern.Task.
func (t *moveTask) Check() error { return nil }

// Parts implements kern.Task.
func (t *moveTask) Parts(int) int { return 1 }

// Run implements kern.Task.
func (t *moveTask) Run(int, int, *kern.Scratch) { copy(t.dst, t.src) }
