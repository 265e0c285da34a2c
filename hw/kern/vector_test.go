package kern

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/kern/ref"
)

var tensorTypes = []DType{F32, BF16, I8}

// newTensor is newMatrix with an int8 scale that is no power of two.
func newTensor(r *rand.Rand, rows, cols int, t DType) *matrix {
	m := newMatrix(r, rows, cols, t)
	if t == I8 {
		m.scale = 0.037
		for i := range m.vals {
			m.vals[i] = float64(float32(m.vals[i]) * m.scale)
		}
	}
	return m
}

func (m *matrix) floats() []float32 { return narrow(m.vals) }

// requireTensor compares an output with reference values. eps is the relative
// error that the float32 arithmetic may have, of max(|want|, size); rounding to the
// output type comes on top: half an ulp of bfloat16, half a step of int8.
func requireTensor(t require.TestingT, got *matrix, want []float64, eps, size float64) {
	for i, w := range want {
		bound := eps * max(math.Abs(w), size)
		switch got.typ {
		case BF16:
			bound += math.Abs(w) * 0x1p-8 * 1.01
		case I8:
			bound += float64(got.scale) * 0.5001
			w = max(-128*float64(got.scale), min(127*float64(got.scale), w))
		}
		g := got.get(i/got.cols, i%got.cols)
		require.True(t, math.Abs(g-w) <= bound+1e-38, "%v output %d is %v, want %v ± %v", got.typ, i, g, w, bound)
	}
}

// eachTensor runs test for shapes and pairs of types.
func eachTensor(t *testing.T, test func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType)) {
	for _, d := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {1, 2}, {5, 1}, {7, 13}, {3, 1031}, {2, 64}, {31, 17}} {
		for _, in := range tensorTypes {
			for _, out := range tensorTypes {
				t.Run(fmt.Sprintf("%dx%d/%v-%v", d[0], d[1], in, out), func(t *testing.T) {
					test(t, rand.New(rand.NewPCG(uint64(d[0]), uint64(d[1]))), d[0], d[1], in, out)
				})
			}
		}
	}
}

func TestUnary(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		for op := Identity; op <= Exp; op++ {
			x, y := newTensor(r, rows, cols, in), newTensor(r, rows, cols, out)
			runTask(t, &Unary{Op: op, Rows: rows, Cols: cols, X: x.view(), Out: y.view()})
			want := make([]float64, rows*cols)
			ref.Unary(want, x.floats(), ref.Acts[op.String()], 0, rows*cols)
			requireTensor(t, y, want, 1e-6, 1)
		}
	})
}

func TestBinary(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		for op := Add; op <= Min; op++ {
			x, y, z := newTensor(r, rows, cols, in), newTensor(r, rows, cols, out), newTensor(r, rows, cols, out)
			runTask(t, &Binary{Op: op, Act: ReLU, Rows: rows, Cols: cols, X: x.view(), Y: y.view(), Out: z.view()})
			want := make([]float64, rows*cols)
			f := func(a, b float64) float64 { return math.Max(ref.Binaries[op.String()](a, b), 0) }
			ref.Binary(want, x.floats(), y.floats(), f, 0, rows*cols)
			requireTensor(t, z, want, 0x1p-23, 1)
			if rows == 0 {
				continue
			}
			one := y.view()
			one.LD = 0
			runTask(t, &Binary{Op: op, Act: ReLU, Rows: rows, Cols: cols, X: x.view(), Y: one, Out: z.view()})
			ref.Binary(want, x.floats(), y.floats()[:cols], f, 0, rows*cols)
			requireTensor(t, z, want, 0x1p-23, 1)
		}
	})
}

func TestScaleShift(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		x, y := newTensor(r, rows, cols, in), newTensor(r, rows, cols, out)
		scale, shift := newMatrix(r, 1, cols, F32), newMatrix(r, 1, cols, F32)
		runTask(t, &ScaleShift{Rows: rows, Cols: cols, X: x.view(), Out: y.view(), Scale: scale.bytes, Shift: shift.bytes, Act: ReLU6})
		zeros, ones := make([]float32, cols), make([]float32, cols)
		for i := range ones {
			ones[i] = 1
		}
		want := make([]float64, rows*cols)
		ref.BatchNorm(want, x.floats(), scale.floats(), shift.floats(), zeros, ones, 0, 0, rows)
		for i := range want {
			want[i] = ref.Acts["relu6"](want[i])
		}
		requireTensor(t, y, want, 0x1p-22, 8)
		runTask(t, &ScaleShift{Rows: rows, Cols: cols, X: x.view(), Out: y.view()})
		requireTensor(t, y, x.vals, 0, 0)
	})
}

func TestEpilogue(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		for flags := range 8 {
			acc, y := newMatrix(r, rows, cols, accType(in)), newTensor(r, rows, cols, out)
			res, bias, scales := newTensor(r, rows, cols, in), newMatrix(r, 1, cols, F32), newMatrix(r, 1, cols, F32)
			e := Epilogue{Rows: rows, Cols: cols, Acc: acc.bytes, LDAcc: acc.ld, AccType: acc.typ, Scale: 3e-6, Act: GELUErf, Out: y.view()}
			w := ref.Epilogue{Cols: cols, Scale: float64(e.Scale), Act: ref.Acts["gelu_erf"], ResidualScale: 1}
			if acc.typ == F32 {
				e.Scale, w.Scale = 0, 1
			}
			if flags&1 != 0 {
				e.Bias, w.Bias = bias.bytes, bias.floats()
			}
			if flags&2 != 0 && acc.typ == F32 {
				e.ScaleVec, w.ScaleVec = scales.bytes, scales.floats()
			}
			if flags&4 != 0 {
				e.Residual, w.Residual = res.view(), res.floats()
			}
			runTask(t, &e)
			want := append([]float64(nil), acc.vals...)
			w.Rows(want, 0, rows)
			requireTensor(t, y, want, 2e-6, 4)
		}
	})
}

func TestSoftmax(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		for _, valid := range []int{cols, cols / 2, 0} {
			for step := range 2 {
				x, y := newTensor(r, rows, cols, in), newTensor(r, rows, cols, out)
				y.scale = 1.0 / 128
				k := Softmax{Rows: rows, Cols: cols, Valid: valid, ValidStep: step, Scale: 7, X: x.view(), Out: y.view()}
				runTask(t, &k)
				want := make([]float64, rows*cols)
				ref.Softmax(want, x.floats(), cols, 7, func(row int) int { return min(valid+step*row, cols) }, 0, rows)
				// The argument is at most 7·0.037·256 = 67 and twice rounded to 2⁻²⁴ of
				// itself; exp has 2 ulp, the sum and its reciprocal a few more.
				requireTensor(t, y, want, (67+2+4)*0x1p-23, 0)
			}
		}
	})
}

// TestSoftmaxPeriod: a causal mask over heads of four rows, taken up in the
// middle of one.
func TestSoftmaxPeriod(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x, y := newTensor(r, 11, 6, F32), newTensor(r, 11, 6, F32)
	k := Softmax{Rows: 11, Cols: 6, Valid: 1, ValidStep: 1, First: 6, Period: 4, X: x.view(), Out: y.view()}
	runTask(t, &k)
	want, valid := make([]float64, 11*6), []int{3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1}
	ref.Softmax(want, x.floats(), 6, 1, func(row int) int { return valid[row] }, 0, 11)
	requireTensor(t, y, want, 0x1p-20, 0)
	k.Period = 0
	require.Equal(t, 6, k.columns(3), "no more than there are")
	require.Error(t, (&Softmax{Period: -1}).Check())
	require.Error(t, (&Softmax{First: 1 << 31}).Check())
}

func TestSoftmaxExtremes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct{ in, want []float32 }{
		{[]float32{1e30, 1e30}, []float32{0.5, 0.5}}, {[]float32{-inf, 0}, []float32{0, 1}},
		{[]float32{-inf, -inf}, []float32{0, 0}}, {[]float32{-1e38, 3}, []float32{0, 1}},
	} {
		x, y := make([]byte, 8), make([]byte, 8)
		storeRow(x, test.in, F32, 1)
		runTask(t, &Softmax{Rows: 1, Cols: 2, Valid: 2, X: View{Data: x}, Out: View{Data: y}})
		assert.Equal(t, test.want, ref.F32(y), "%v", test.in)
	}
}

func TestNorm(t *testing.T) {
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		x, y := newTensor(r, rows, cols, in), newTensor(r, rows, cols, out)
		gamma, beta := newMatrix(r, 1, cols, F32), newMatrix(r, 1, cols, F32)
		want := make([]float64, rows*cols)
		k := Norm{Kind: LayerNorm, Rows: rows, Cols: cols, X: x.view(), Out: y.view(), Gamma: gamma.bytes, Beta: beta.bytes, Eps: 1e-5}
		runTask(t, &k)
		ref.LayerNorm(want, x.floats(), gamma.floats(), beta.floats(), float64(k.Eps), 0, rows)
		// A row of two nearly equal values divides a rounding by √ε = 3e-3.
		requireTensor(t, y, want, float64(cols/lanes+16)*0x1p-24*300, 1)
		k.Kind, k.Beta = RMSNorm, nil
		runTask(t, &k)
		ref.RMSNorm(want, x.floats(), gamma.floats(), float64(k.Eps), 0, rows)
		requireTensor(t, y, want, float64(cols/lanes+16)*0x1p-24, 1)
	})
}

func TestReduce(t *testing.T) {
	names := []string{Sum: "sum", Mean: "mean", Maximum: "max"}
	eachTensor(t, func(t *testing.T, r *rand.Rand, rows, cols int, in, out DType) {
		for op, name := range names {
			if rows*cols == 0 && op != int(Sum) {
				continue // NaN and -Inf: TestReduceEmpty
			}
			x := newTensor(r, rows, cols, in)
			across, down := newTensor(r, rows, 1, out), newTensor(r, 1, cols, out)
			runTask(t, &Reduce{Op: ReduceOp(op), Rows: rows, Cols: cols, X: x.view(), Out: across.view()})
			runTask(t, &Reduce{Op: ReduceOp(op), Down: true, Rows: rows, Cols: cols, X: x.view(), Out: down.view()})
			want := make([]float64, max(rows, cols))
			ref.ReduceRows(want, x.floats(), cols, name, 0, rows)
			requireTensor(t, across, want[:rows], 0x1p-24*float64(cols+1), float64(cols))
			if cols > 0 {
				ref.ReduceCols(want, x.floats(), cols, name, 0, cols)
				requireTensor(t, down, want[:cols], 0x1p-24*float64(rows+1), float64(rows))
			}
		}
	})
}

func TestReduceEmpty(t *testing.T) {
	out := make([]byte, 4)
	for op, want := range []float64{Sum: 0, Mean: math.NaN(), Maximum: math.Inf(-1)} {
		for _, down := range []bool{false, true} {
			k := Reduce{Op: ReduceOp(op), Down: down, Rows: 1, Cols: 0, X: View{}, Out: View{Data: out}}
			if down {
				k.Rows, k.Cols = 0, 1
			}
			runTask(t, &k)
			assert.Zero(t, ulps(ref.F32(out)[0], want), "%d down=%v: %v", op, down, ref.F32(out))
		}
	}
}

func TestTranspose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(0, 50).Draw(t, "rows"), rapid.IntRange(0, 50).Draw(t, "cols")
		elem := rapid.SampledFrom([]int{1, 2, 4, 8}).Draw(t, "elem")
		ldx, ldo := cols*elem+3, rows*elem+1
		x, out := make([]byte, rows*ldx), make([]byte, cols*ldo)
		for i := range x {
			x[i] = byte(i * 37)
		}
		k := Transpose{Rows: rows, Cols: cols, Elem: elem, X: x, Out: out, LDX: ldx, LDOut: ldo}
		require.NoError(t, k.Check())
		p := NewPool(2)
		p.Run(&k)
		p.Close()
		for i := range rows * cols * elem {
			r, c, b := i/(cols*elem), i/elem%cols, i%elem
			require.Equal(t, x[r*ldx+c*elem+b], out[c*ldo+r*elem+b])
		}
	})
}

func TestGather(t *testing.T) {
	table := []byte("aaabbbcccddd")
	index := []byte{3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0}
	out := make([]byte, 12)
	k := Gather{Rows: 3, RowBytes: 3, Table: table, TableRows: 4, LDTable: 3, Index: index, Out: out, LDOut: 4}
	runTask(t, &k)
	assert.Equal(t, []byte("ddd\x00aaa\x00ddd\x00"), out)
	for _, bad := range []byte{4, 255} {
		index[4] = bad
		assert.ErrorIs(t, k.Check(), ErrIndex)
	}
	index[7] = 255
	assert.ErrorIs(t, k.Check(), ErrIndex, "a negative index")
}

func TestPool2D(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		k := Pool2D{Op: PoolOp(n("op", 0, 2)), IH: n("IH", 1, 7), IW: n("IW", 1, 7), C: n("C", 1, 20), OH: n("OH", 1, 5), OW: n("OW", 1, 5),
			R: n("R", 1, 4), S: n("S", 1, 4), StrideH: n("strideH", 1, 3), StrideW: n("strideW", 1, 3), Top: n("top", 0, 3), Left: n("left", 0, 3),
			Type: rapid.SampledFrom(tensorTypes).Draw(t, "type")}
		x := newImage(rand.New(rand.NewPCG(5, 6)), k.IH, k.IW, k.C, k.Type, true)
		y := newMatrix(rand.New(rand.NewPCG(7, 8)), k.OH*k.OW, k.C, k.Type)
		k.X, k.XRow, k.XPixel, k.Out, k.OutRow, k.OutPixel = x.bytes, x.row, x.pixel, y.bytes, k.OW*y.ld, y.ld
		y.bytes = append(y.bytes, make([]byte, y.ld)...)
		k.Out = y.bytes
		require.NoError(t, k.Check())
		var s Scratch
		k.Run(0, 1, &s)
		want := make([]float64, k.OH*k.OW*k.C)
		g := ref.Pool2D{Batch: 1, H: k.IH, W: k.IW, C: k.C, OutH: k.OH, OutW: k.OW, R: k.R, S: k.S, StrideH: k.StrideH, StrideW: k.StrideW,
			PadTop: k.Top, PadLeft: k.Left, Average: k.Op != MaxPool, CountPad: k.Op == AvgPoolPadded}
		g.Rows(want, x.vals, 0, g.NumRows())
		for i, w := range want {
			if math.IsInf(w, -1) {
				if want[i] = -128; k.Type != I8 {
					require.Equal(t, w, y.get(i/k.C, i%k.C))
					want[i] = y.get(i/k.C, i%k.C)
				}
			}
		}
		for i, w := range want {
			if !math.IsInf(w, -1) {
				one := *y
				one.bytes, one.cols = y.bytes[i/k.C*y.ld+i%k.C*k.Type.Size():], 1
				requireTensor(t, &one, []float64{w}, 0x1p-20, max(1, 128*float64(y.typ/I8)))
			}
		}
	})
}

func TestVectorWorkers(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const rows, cols = 61, 2111
	x, y, out := newTensor(r, rows, cols, BF16), newTensor(r, rows, cols, F32), newTensor(r, rows, cols, I8)
	v, line := newMatrix(r, 1, cols, F32), newMatrix(r, 1, cols, F32)
	for _, task := range []Task{
		&Unary{Op: GELUTanh, Rows: rows, Cols: cols, X: x.view(), Out: out.view()},
		&Binary{Op: Mul, Rows: rows, Cols: cols, X: x.view(), Y: y.view(), Out: out.view()},
		&ScaleShift{Rows: rows, Cols: cols, X: x.view(), Out: out.view(), Scale: v.bytes},
		&Epilogue{Rows: rows, Cols: cols, Acc: y.bytes, LDAcc: y.ld, Bias: v.bytes, Residual: x.view(), Act: SiLU, Out: out.view()},
		&Softmax{Rows: rows, Cols: cols, Valid: cols, X: x.view(), Out: out.view()},
		&Norm{Rows: rows, Cols: cols, X: x.view(), Out: out.view(), Gamma: v.bytes, Eps: 1e-5},
	} {
		eachWorkers(t, task, out.bytes)
	}
	eachWorkers(t, &Reduce{Op: Mean, Down: true, Rows: rows, Cols: cols, X: x.view(), Out: line.view()}, line.bytes)
	eachWorkers(t, &Reduce{Op: Sum, Rows: rows, Cols: cols, X: x.view(), Out: line.view().asColumn()}, line.bytes)
}

// Elementwise and row kernels may write over an input of the same layout.
func TestInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const rows, cols = 9, 2050
	for name, task := range map[string]func(x, out View) Task{
		"unary":   func(x, out View) Task { return &Unary{Op: Tanh, Rows: rows, Cols: cols, X: x, Out: out} },
		"binary":  func(x, out View) Task { return &Binary{Op: Add, Rows: rows, Cols: cols, X: x, Y: x, Out: out} },
		"shift":   func(x, out View) Task { return &ScaleShift{Rows: rows, Cols: cols, X: x, Out: out} },
		"softmax": func(x, out View) Task { return &Softmax{Rows: rows, Cols: cols, Valid: cols, X: x, Out: out} },
		"norm":    func(x, out View) Task { return &Norm{Rows: rows, Cols: cols, X: x, Out: out, Eps: 1} },
		"epilogue": func(x, out View) Task {
			return &Epilogue{Rows: rows, Cols: cols, Acc: x.Data, LDAcc: x.LD, Residual: x, Out: out}
		},
	} {
		x := newMatrix(r, rows, cols, F32)
		out := View{Data: append([]byte(nil), x.bytes...), LD: x.ld}
		runTask(t, task(x.view(), out))
		runTask(t, task(x.view(), x.view()))
		require.Equal(t, out.Data, x.bytes, name)
	}
}

// asColumn takes one row of float32 as a column.
func (v View) asColumn() View {
	v.LD = 4
	return v
}

func TestVectorChecks(t *testing.T) {
	good := View{Data: make([]byte, 64), LD: 16}
	short, typed, dense := good, good, good
	short.Data, typed.Type, dense.LD = good.Data[:63], F64, 12
	for name, task := range map[string]Task{
		"unary":     &Unary{Rows: 4, Cols: 4, X: short, Out: good},
		"overlap":   &Unary{Rows: 4, Cols: 4, X: good, Out: dense},
		"binary":    &Binary{Rows: 4, Cols: 4, X: good, Y: short, Out: good},
		"norm":      &Norm{Rows: 4, Cols: 4, X: good, Out: good, Gamma: make([]byte, 15)},
		"softmax":   &Softmax{Rows: 4, Cols: 4, Valid: -1, X: good, Out: good},
		"reduce":    &Reduce{Rows: 4, Cols: 4, X: good, Out: View{Data: make([]byte, 15), LD: 4}},
		"epilogue":  &Epilogue{Rows: 4, Cols: 4, Acc: good.Data, LDAcc: 20, Out: good},
		"transpose": &Transpose{Rows: 4, Cols: 4, Elem: 4, X: good.Data, LDX: 16, Out: good.Data, LDOut: 12},
		"pool":      &Pool2D{IH: 2, IW: 2, C: 4, OH: 1, OW: 1, R: 2, S: 2, X: good.Data, XRow: 40, XPixel: 16, Out: good.Data},
		"depthwise": &Depthwise{IH: 2, IW: 2, C: 1, R: 3, S: 3, OH: 1, OW: 1},
	} {
		assert.ErrorIs(t, task.Check(), ErrShape, name)
	}
	for name, task := range map[string]Task{
		"unary":     &Unary{Rows: 4, Cols: 2, X: good, Out: typed},
		"function":  &Unary{Op: Exp + 1, Rows: 4, Cols: 4, X: good, Out: good},
		"binary":    &Binary{Op: Min + 1, Rows: 4, Cols: 4, X: good, Y: good, Out: good},
		"norm":      &Norm{Kind: RMSNorm + 1, Rows: 4, Cols: 4, X: good, Out: good},
		"reduce":    &Reduce{Op: Maximum + 1, Rows: 4, Cols: 4, X: good, Out: good},
		"epilogue":  &Epilogue{Rows: 4, Cols: 4, AccType: BF16, Acc: good.Data, LDAcc: 16, Out: good},
		"transpose": &Transpose{Elem: 3},
		"pool":      &Pool2D{Op: AvgPoolPadded + 1},
		"pool type": &Pool2D{Type: I32},
		"depthwise": &Depthwise{In: I32},
	} {
		assert.ErrorIs(t, task.Check(), ErrType, name)
	}
}

func BenchmarkVector(b *testing.B) {
	const rows, cols = 16, 4096
	r := rand.New(rand.NewPCG(1, 1))
	x, y := newMatrix(r, rows, cols, F32), newMatrix(r, rows, cols, F32)
	for _, bench := range []struct {
		name string
		task Task
	}{
		{"add", &Binary{Op: Add, Rows: rows, Cols: cols, X: x.view(), Y: x.view(), Out: y.view()}},
		{"relu", &Unary{Op: ReLU, Rows: rows, Cols: cols, X: x.view(), Out: y.view()}},
		{"exp", &Unary{Op: Exp, Rows: rows, Cols: cols, X: x.view(), Out: y.view()}},
		{"tanh", &Unary{Op: Tanh, Rows: rows, Cols: cols, X: x.view(), Out: y.view()}},
		{"gelu_tanh", &Unary{Op: GELUTanh, Rows: rows, Cols: cols, X: x.view(), Out: y.view()}},
		{"gelu_erf", &Unary{Op: GELUErf, Rows: rows, Cols: cols, X: x.view(), Out: y.view()}},
		{"softmax", &Softmax{Rows: rows, Cols: cols, Valid: cols, X: x.view(), Out: y.view()}},
		{"layernorm", &Norm{Rows: rows, Cols: cols, X: x.view(), Out: y.view(), Eps: 1e-5}},
		{"epilogue", &Epilogue{Rows: rows, Cols: cols, Acc: x.bytes, LDAcc: x.ld, Act: ReLU, Out: y.view()}},
	} {
		b.Run(bench.name+"/workers=1", func(b *testing.B) {
			p := NewPool(1)
			defer p.Close()
			for b.Loop() {
				p.Run(bench.task)
			}
			b.ReportMetric(rows*cols*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelem/s")
		})
	}
}
