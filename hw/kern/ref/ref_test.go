package ref

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
)

func random(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

func TestRowsCoverOnce(t *testing.T) {
	for _, n := range []int{0, 1, 3, 100, 1001} {
		for _, workers := range []int{0, 1, 2, 7} {
			seen := make([]atomic.Int32, n)
			Rows(n, workers, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					seen[i].Add(1)
				}
			})
			for i := range seen {
				require.Equal(t, int32(1), seen[i].Load(), "row %d of %d, %d workers", i, n, workers)
			}
		}
	}
}

func TestReaders(t *testing.T) {
	assert.Equal(t, []float32{1, -2}, F32([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}))
	assert.Equal(t, []float32{1, -2}, BF16([]byte{0x80, 0x3f, 0, 0xc0}))
	assert.Equal(t, []float32{1, -1, -128}, I8([]byte{1, 255, 128}))
	assert.Equal(t, []int8{2, 2, -128, 127, 0}, []int8{Quantize(2.5, 1), Quantize(1.5, 1), Quantize(-1e9, 1), Quantize(64, 0.5), Quantize(0.5, 1)})
}

func TestGemm(t *testing.T) {
	const batch, m, n, k = 3, 5, 7, 11
	r := rand.New(rand.NewPCG(1, 2))
	a, b := random(r, batch*m*k), random(r, batch*n*k)
	for _, g := range []Gemm{
		{batch, m, n, k, false, false}, {batch, m, n, k, true, false}, {batch, m, n, k, false, true}, {batch, m, n, k, true, true},
	} {
		out := make([]float64, batch*m*n)
		Rows(g.NumRows(), 2, func(lo, hi int) { g.Rows(out, a, b, lo, hi) })
		for i := range batch {
			x := dense(m, k, a[i*m*k:])
			from := i * k * n
			if g.SharedB {
				from = 0
			}
			var want mat.Dense
			if g.TransB {
				want.Mul(x, dense(n, k, b[from:]).T())
			} else {
				want.Mul(x, dense(k, n, b[from:]))
			}
			assert.InDeltaSlice(t, want.RawMatrix().Data, out[i*m*n:(i+1)*m*n], 1e-12)
		}
	}
}

func dense(r, c int, v []float32) *mat.Dense {
	d := mat.NewDense(r, c, nil)
	for i := range r * c {
		d.Set(i/c, i%c, float64(v[i]))
	}
	return d
}

// The worked example of a 3×3 filter over 1…16 with stride, padding, dilation.
func TestConvByHand(t *testing.T) {
	x := make([]float32, 16)
	for i := range x {
		x[i] = float32(i + 1)
	}
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	same := Conv2D{Batch: 1, H: 4, W: 4, C: 1, N: 1, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilH: 1, DilW: 1, Groups: 1}
	for _, test := range []struct {
		edit func(*Conv2D)
		want []float64
	}{
		{func(c *Conv2D) {}, []float64{14, 24, 30, 22, 33, 54, 63, 45, 57, 90, 99, 69, 46, 72, 78, 54}},
		{func(c *Conv2D) { c.StrideH, c.StrideW = 2, 2 }, []float64{14, 30, 57, 99}},
		{func(c *Conv2D) { c.PadTop, c.PadLeft, c.PadBottom, c.PadRight = 0, 0, 0, 0 }, []float64{54, 63, 90, 99}},
		{func(c *Conv2D) { c.DilH, c.DilW = 2, 2 }, []float64{6 + 8 + 14 + 16, 5 + 7 + 13 + 15, 2 + 4 + 10 + 12, 1 + 3 + 9 + 11}},
		{func(c *Conv2D) { c.PadBottom, c.PadRight, c.DilH, c.DilW = 0, 0, 2, 2 }, []float64{6 + 8 + 14 + 16}},
	} {
		c := same
		test.edit(&c)
		out := make([]float64, c.OutH()*c.OutW())
		c.Rows(out, x, ones, 0, c.NumRows())
		assert.Equal(t, test.want, out, "%+v", c)
	}
}

// A 1×1 convolution is a product; groups are products side by side.
func TestConvGroups(t *testing.T) {
	const pixels, c, n, groups = 6, 4, 6, 2
	r := rand.New(rand.NewPCG(3, 4))
	x, w := random(r, 2*pixels*c), random(r, c/groups*n)
	conv := Conv2D{Batch: 2, H: 2, W: 3, C: c, N: n, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: groups}
	out := make([]float64, 2*pixels*n)
	conv.Rows(out, x, w, 0, conv.NumRows())
	for p := range 2 * pixels {
		for o := range n {
			g, want := o/(n/groups), 0.0
			for i := range c / groups {
				want += float64(x[p*c+g*c/groups+i]) * float64(w[i*n+o])
			}
			assert.InDelta(t, want, out[p*n+o], 1e-12)
		}
	}
}

func TestPoolByHand(t *testing.T) {
	x := []float32{-1, -2, -3, -4, -5, -6, -7, -8, -9}
	p := Pool2D{Batch: 1, H: 3, W: 3, C: 1, OutH: 2, OutW: 2, R: 2, S: 2, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1}
	out := make([]float64, 4)
	p.Rows(out, x, 0, 2)
	assert.Equal(t, []float64{-1, -2, -4, -5}, out, "padding never wins")
	p.Average = true
	p.Rows(out, x, 0, 2)
	assert.Equal(t, []float64{-1, -2.5, -5.5, -7}, out)
	p.CountPad = true
	p.Rows(out, x, 0, 2)
	assert.Equal(t, []float64{-0.25, -1.25, -2.75, -7}, out)
}

func TestPointwise(t *testing.T) {
	out := make([]float64, 4)
	Binary(out, []float32{1, 2, 3, 4}, []float32{10, 20}, Binaries["sub"], 0, 4)
	assert.Equal(t, []float64{-9, -18, -7, -16}, out)
	Unary(out, []float32{-1, 0, 5, 9}, Acts["relu6"], 1, 4)
	assert.Equal(t, []float64{-9, 0, 5, 6}, out, "rows before lo are left alone")
	for name, want := range map[string]float64{"gelu_tanh": 0.841191990608, "gelu_erf": 0.841344746069, "silu": 0.731058578630, "sigmoid": 0.731058578630, "tanh": 0.761594155956} {
		assert.InDelta(t, want, Acts[name](1), 1e-11, name)
	}
	acc := []float64{1, 2, 3, 4}
	Epilogue{Cols: 2, Scale: 2, Bias: []float32{1, -20}, Residual: []float32{1, 1, 1, 1}, ResidualScale: 0.5, Act: Acts["relu"]}.Rows(acc, 0, 2)
	assert.Equal(t, []float64{3.5, 0, 7.5, 0}, acc)
	Epilogue{Cols: 2, ScaleVec: []float32{2, 1}}.Rows(acc, 1, 2)
	assert.Equal(t, []float64{3.5, 0, 15, 0}, acc)
	BatchNorm(out, []float32{1, 2, 3, 4}, []float32{1, 2}, []float32{0, 1}, []float32{1, 2}, []float32{4, 1}, 0, 0, 2)
	assert.Equal(t, []float64{0, 1, 1, 5}, out)
}

func TestRowOperators(t *testing.T) {
	x := []float32{1, 2, 3, 4, 4, 4}
	out := make([]float64, 6)
	Softmax(out, x, 3, 1, func(row int) int { return 2 + row }, 0, 2)
	assert.InDeltaSlice(t, []float64{1 / (1 + math.E), math.E / (1 + math.E), 0, 1. / 3, 1. / 3, 1. / 3}, out, 1e-15)
	LayerNorm(out, x, []float32{1, 1, 2}, []float32{0, 0, 1}, 1e-30, 0, 2)
	assert.InDeltaSlice(t, []float64{-math.Sqrt(1.5), 0, 2*math.Sqrt(1.5) + 1, 0, 0, 1}, out, 1e-12)
	RMSNorm(out, x, []float32{1, 1, 2}, 0, 0, 2)
	assert.InDeltaSlice(t, []float64{1 / math.Sqrt(14./3), 2 / math.Sqrt(14./3), 6 / math.Sqrt(14./3), 1, 1, 2}, out, 1e-12)
	ReduceRows(out, x, 3, "sum", 0, 2)
	assert.Equal(t, []float64{6, 12}, out[:2])
	ReduceCols(out, x, 3, "mean", 0, 3)
	assert.Equal(t, []float64{2.5, 3, 3.5}, out[:3])
	ReduceCols(out, x, 3, "max", 0, 3)
	assert.Equal(t, []float64{4, 4, 4}, out[:3])
	Transpose(out, x, 3, 0, 3)
	assert.Equal(t, []float64{1, 4, 2, 4, 3, 4}, out)
	Gather(out, x, 2, []int32{2, 0}, 0, 2)
	assert.Equal(t, []float64{4, 4, 1, 2}, out[:4])
}

func BenchmarkConv2D(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	c := Conv2D{Batch: 1, H: 28, W: 28, C: 128, N: 128, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, DilH: 1, DilW: 1, Groups: 1}
	x, w, out := random(r, 28*28*128), random(r, 9*128*128), make([]float64, 28*28*128)
	for b.Loop() {
		Rows(c.NumRows(), 1, func(lo, hi int) { c.Rows(out, x, w, lo, hi) })
	}
	b.ReportMetric(28*28*9*128*128*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
