package lab

import (
	"fmt"
	"math"

	"github.com/presi-sim/presi/hw/kern/ref"
	"github.com/presi-sim/presi/workload"
)

// verifier holds every operator's output on the device against reference loops
// in float64 that run on the operator's own inputs on the device.
//
// The tolerance of an element is a step of the output's type at its size (bf16:
// 2⁻⁷ of it, f32: 2⁻¹⁵, which also covers the polynomials behind exp and tanh;
// int8: one step), and 2·10⁻⁵ of the tensor's largest value, for sums that
// cancel and are accumulated in float32.
type verifier struct {
	g       *workload.Graph
	read    func(id workload.TensorID) []byte
	workers int
	decoded map[workload.TensorID][]float32
}

var relative = map[workload.DType]float64{workload.F32: 1. / (1 << 15), workload.BF16: 1. / (1 << 7), workload.I8: 1e-6}

// op returns the largest error of an operator's output as a share of its
// tolerance.
func (v *verifier) op(o *workload.Op) (worst float64, err error) {
	v.decoded = map[workload.TensorID][]float32{}
	switch {
	case o.Gemm != nil:
		return v.gemm(o.Gemm), nil
	case o.Conv != nil:
		return v.conv(o.Conv), nil
	case o.Pool != nil:
		return v.pool(o), nil
	case o.Rows != nil:
		return v.rows(o)
	}
	return 0, fmt.Errorf("operator %s (%s) has no reference", o.Name, o.Kind)
}

// values returns a tensor's elements as real numbers.
func (v *verifier) values(id workload.TensorID) []float32 {
	if id == workload.None {
		return nil
	}
	if d, ok := v.decoded[id]; ok {
		return d
	}
	t := v.g.Tensor(id)
	d := make([]float32, t.Elems())
	workload.Decode(t, v.read(id), d)
	v.decoded[id] = d
	return d
}

// dense returns rows×cols elements of a view as a matrix without gaps.
func (v *verifier) dense(w workload.View, outer, inner, rows, cols int) []float32 {
	if w.Tensor == workload.None {
		return nil
	}
	all := v.values(w.Tensor)
	at := w.Offset + outer*w.BatchStride[0] + inner*w.BatchStride[1]
	if w.RowStride == cols || rows == 1 {
		return all[at : at+rows*cols]
	}
	out := make([]float32, 0, rows*cols)
	for r := range rows {
		out = append(out, all[at+r*w.RowStride:][:cols]...)
	}
	return out
}

// compare returns the largest error of got, as a share of the tolerance.
func compare(t workload.Tensor, want []float64, got []float32) (worst float64) {
	top := 0.0
	for _, w := range want {
		top = math.Max(top, math.Abs(w))
	}
	absolute := 2e-5 * top
	if t.DType == workload.I8 {
		absolute += float64(t.Scale) * 1.001
		edge := 127 * float64(t.Scale)
		for i, w := range want {
			want[i] = math.Max(-edge-float64(t.Scale), math.Min(edge, w))
		}
	}
	absolute = math.Max(absolute, 1e-30)
	rel := relative[t.DType]
	for i, w := range want {
		e := math.Abs(float64(got[i])-w) / (absolute + rel*math.Abs(w))
		if !(e <= worst) { // a NaN is an error, too
			worst = e
			if math.IsNaN(e) {
				return math.Inf(1)
			}
		}
	}
	return worst
}

// act returns the reference of an activation, nil for none.
func act(a workload.Act) func(float64) float64 {
	if a == workload.NoAct {
		return nil
	}
	name := a.String()
	if a == workload.Gelu {
		name = "gelu_erf"
	}
	f := ref.Acts[name]
	if f == nil {
		panic("lab: no reference for activation " + name)
	}
	return f
}

func (v *verifier) epilogue(e *workload.Epilogue, cols int, residual []float32) ref.Epilogue {
	return ref.Epilogue{Cols: cols, Scale: float64(e.Scale), Bias: v.values(e.Bias), Residual: residual, ResidualScale: 1, Act: act(e.Act)}
}

func (v *verifier) gemm(g *workload.Gemm) (worst float64) {
	out := v.g.Tensor(g.C.Tensor)
	brows, bcols := g.K, g.N
	if g.TransB {
		brows, bcols = g.N, g.K
	}
	want := make([]float64, g.M*g.N)
	for outer := range g.Batch[0] {
		for inner := range g.Batch[1] {
			a, b := v.dense(g.A, outer, inner, g.M, g.K), v.dense(g.B, outer, inner, brows, bcols)
			product := ref.Gemm{Batch: 1, M: g.M, N: g.N, K: g.K, TransB: g.TransB}
			after := v.epilogue(&g.Epilogue, g.N, v.dense(g.Residual, outer, inner, g.M, g.N))
			if g.M < v.workers {
				v.columns(want, a, b, g)
			} else {
				ref.Rows(g.M, v.workers, func(lo, hi int) { product.Rows(want, a, b, lo, hi) })
			}
			after.Rows(want, 0, g.M)
			worst = math.Max(worst, compare(out, want, v.dense(g.C, outer, inner, g.M, g.N)))
		}
	}
	return worst
}

// columns computes a product of few rows by columns, so that workers share it.
func (v *verifier) columns(want []float64, a, b []float32, g *workload.Gemm) {
	ref.Rows(g.N, v.workers, func(lo, hi int) {
		for m := range g.M {
			for n := lo; n < hi; n++ {
				sum := 0.0
				for k := range g.K {
					w := k*g.N + n
					if g.TransB {
						w = n*g.K + k
					}
					sum += float64(a[m*g.K+k]) * float64(b[w])
				}
				want[m*g.N+n] = sum
			}
		}
	})
}

func (v *verifier) conv(c *workload.Conv) float64 {
	after := func(out, size, pad, stride, window, dilation int) int {
		return max(0, (out-1)*stride+(window-1)*dilation+1-size-pad)
	}
	r := ref.Conv2D{Batch: c.N, H: c.H, W: c.W, C: c.C, N: c.K, R: c.R, S: c.S,
		StrideH: c.Stride[0], StrideW: c.Stride[1], PadTop: c.Pad[0], PadLeft: c.Pad[1],
		PadBottom: after(c.P, c.H, c.Pad[0], c.Stride[0], c.R, c.Dilation[0]),
		PadRight:  after(c.Q, c.W, c.Pad[1], c.Stride[1], c.S, c.Dilation[1]),
		DilH:      c.Dilation[0], DilW: c.Dilation[1], Groups: c.Groups}
	x, f := v.values(c.X), v.values(c.F)
	want := make([]float64, c.N*c.P*c.Q*c.K)
	var residual []float32
	if c.Residual.Tensor != workload.None {
		residual = v.values(c.Residual.Tensor)
	}
	ref.Rows(r.NumRows(), v.workers, func(lo, hi int) { r.Rows(want, x, f, lo, hi) })
	e := v.epilogue(&c.Epilogue, c.K, residual)
	e.Rows(want, 0, c.N*c.P*c.Q)
	return compare(v.g.Tensor(c.Y), want, v.values(c.Y))
}

func (v *verifier) pool(o *workload.Op) float64 {
	p := o.Pool
	r := ref.Pool2D{Batch: p.N, H: p.H, W: p.W, C: p.C, OutH: p.P, OutW: p.Q, R: p.R, S: p.S,
		StrideH: p.Stride[0], StrideW: p.Stride[1], PadTop: p.Pad[0], PadLeft: p.Pad[1], Average: o.Kind == workload.KindAvgPool}
	want := make([]float64, p.N*p.P*p.Q*p.C)
	x := v.values(p.X)
	ref.Rows(r.NumRows(), v.workers, func(lo, hi int) { r.Rows(want, x, lo, hi) })
	return compare(v.g.Tensor(p.Y), want, v.values(p.Y))
}

// rowRefs is the reference of each kind that works on rows of a matrix: it
// fills rows [lo, hi) of want.
var rowRefs = map[workload.Kind]func(v *verifier, r *workload.Rows, want []float64, x, y []float32, lo, hi int){
	workload.KindSoftmax: func(_ *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		ref.Softmax(want, x, r.Cols, float64(r.Scale), r.Columns, lo, hi)
	},
	workload.KindLayerNorm: func(v *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		ref.LayerNorm(want, x, v.values(r.Gamma), v.values(r.Beta), float64(r.Eps), lo, hi)
	},
	workload.KindRMSNorm: func(v *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		ref.RMSNorm(want, x, v.values(r.Gamma), float64(r.Eps), lo, hi)
	},
	workload.KindBatchNorm: func(v *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		zero, one := make([]float32, r.Cols), make([]float32, r.Cols)
		for i := range one {
			one[i] = 1
		}
		ref.BatchNorm(want, x, v.values(r.Gamma), v.values(r.Beta), zero, one, 0, lo, hi)
	},
	workload.KindAdd: func(_ *verifier, r *workload.Rows, want []float64, x, y []float32, lo, hi int) {
		ref.Binary(want, x, y, ref.Binaries["add"], lo*r.Cols, hi*r.Cols)
	},
	workload.KindMul: func(_ *verifier, r *workload.Rows, want []float64, x, y []float32, lo, hi int) {
		ref.Binary(want, x, y, ref.Binaries["mul"], lo*r.Cols, hi*r.Cols)
	},
	workload.KindCopy: func(_ *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		ref.Unary(want, x, ref.Acts["identity"], lo*r.Cols, hi*r.Cols)
	},
	workload.KindReduce: func(_ *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
		ref.ReduceRows(want, x, r.Cols, r.By.String(), lo, hi)
	},
}

func (v *verifier) rows(o *workload.Op) (float64, error) {
	r := o.Rows
	outRows, outCols := r.Rows, r.Cols
	var want []float64
	switch o.Kind {
	case workload.KindGather:
		return v.gather(r), nil
	case workload.KindTranspose:
		outRows, outCols = r.Cols, r.Rows
		want = make([]float64, r.Rows*r.Cols)
		ref.Transpose(want, v.dense(r.X, 0, 0, r.Rows, r.Cols), r.Cols, 0, r.Cols)
	default:
		fill := rowRefs[o.Kind]
		if f := act(o.Kind.Act()); fill == nil && f != nil {
			fill = func(_ *verifier, r *workload.Rows, want []float64, x, _ []float32, lo, hi int) {
				ref.Unary(want, x, f, lo*r.Cols, hi*r.Cols)
			}
		}
		if fill == nil {
			return 0, fmt.Errorf("operator %s (%s) has no reference", o.Name, o.Kind)
		}
		if o.Kind == workload.KindReduce {
			outCols = 1
		}
		want = make([]float64, outRows*outCols)
		fill(v, r, want, v.dense(r.X, 0, 0, r.Rows, r.Cols), v.dense(r.Y, 0, 0, r.Rows, r.Cols), 0, r.Rows)
	}
	return compare(v.g.Tensor(r.Out.Tensor), want, v.dense(r.Out, 0, 0, outRows, outCols)), nil
}

func (v *verifier) gather(r *workload.Rows) float64 {
	table, _ := v.g.Tensor(r.X.Tensor).Matrix()
	x := v.dense(r.X, 0, 0, table, r.Cols)
	index := make([]int32, r.Rows)
	for i, f := range v.dense(r.Y, 0, 0, 1, r.Rows) {
		index[i] = int32(f)
	}
	want := make([]float64, r.Rows*r.Cols)
	ref.Gather(want, x, r.Cols, index, 0, r.Rows)
	return compare(v.g.Tensor(r.Out.Tensor), want, v.dense(r.Out, 0, 0, r.Rows, r.Cols))
}

// peek reads a tensor's bytes on the device, in no time.
func (r *run) peek(id workload.TensorID, base map[*regionBuffer]uint64) []byte {
	t := r.g.Tensor(id)
	out := make([]byte, t.Bytes())
	home := &r.p.places[id]
	r.sys.Device.Memory().Peek(base[home.device.in]+uint64(home.device.at), out)
	if home.panels == 0 {
		return out
	}
	plain := make([]byte, len(out))
	workload.UnpackPanels(plain, out, home.cols, home.panels, t.DType.Size())
	return plain
}

// verify holds every operator of the last inference against reference loops.
func (r *run) verify() error {
	base := map[*regionBuffer]uint64{}
	for _, b := range []*regionBuffer{&r.p.weights, &r.p.state} {
		if b.Buffer == nil {
			continue
		}
		at, err := r.x.driver.DeviceAddress(r.x.file, b.Handle)
		if err != nil {
			return err
		}
		base[b] = at
	}
	v := verifier{g: r.g, workers: r.o.Workers, read: func(id workload.TensorID) []byte { return r.peek(id, base) }}
	ok := true
	for i := range r.g.Ops {
		if r.ctx.Err() != nil {
			return nil // what was verified is in the report
		}
		worst, err := v.op(&r.g.Ops[i])
		if err != nil {
			return err
		}
		r.rows[1+i].VerifyError = &worst
		if worst > 1 {
			ok = false
			r.failures = append(r.failures, fmt.Sprintf("%s: error is %.3g of its tolerance", r.g.Ops[i].Name, worst))
		}
	}
	r.verified = &ok
	return nil
}
