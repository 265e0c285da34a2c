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

// image is an NHWC patch with gaps between pixels and between rows.
type image struct {
	h, w, c    int
	row, pixel int
	typ        DType
	bytes      []byte
	vals       []float32
}

func newImage(r *rand.Rand, h, w, c int, t DType, gaps bool) *image {
	p := &image{h: h, w: w, c: c, typ: t, pixel: c * t.Size()}
	if gaps {
		p.pixel += 3
	}
	p.row = w * p.pixel
	if gaps {
		p.row += 5
	}
	p.bytes = make([]byte, h*p.row)
	for i := range h * w * c {
		y, x, ch := i/(w*c), i/c%w, i%c
		one := matrix{cols: 1, typ: t, scale: 1, bytes: p.bytes[y*p.row+x*p.pixel+ch*t.Size():]}
		p.vals = append(p.vals, float32(one.put(0, 0, r.Float64()*2-1)))
	}
	return p
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func absolute(v []float32) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(math.Abs(float64(x)))
	}
	return out
}

// requireAccumulators compares accumulators with a reference: int8 must be exact,
// floats within productBound of k steps.
func requireAccumulators(t require.TestingT, got *matrix, want, magnitude []float64, k int) {
	for i, w := range want {
		bound := 0.0
		if got.typ == F32 {
			bound = productBound(k, magnitude[i])
		}
		g := got.get(i/got.cols, i%got.cols)
		require.True(t, math.Abs(g-w) <= bound, "accumulator %d is %v, want %v ± %v", i, g, w, bound)
	}
}

func checkConv(t require.TestingT, r *rand.Rand, on *backend, c Conv, gaps bool) {
	x := newImage(r, c.IH, c.IW, c.C, c.In, gaps)
	w := newMatrix(r, c.R*c.S*c.C, c.N, c.In)
	acc := newMatrix(r, c.OH*c.OW, c.N, accType(c.In))
	c.X, c.XRow, c.XPixel, c.W, c.LDW, c.Acc, c.LDAcc, c.on = x.bytes, x.row, x.pixel, w.bytes, w.ld, acc.bytes, acc.ld, on
	require.NoError(t, c.Check())
	var s Scratch
	c.Run(0, 1, &s)
	g := c.window()
	full := ref.Conv2D{Batch: 1, H: (c.OH-1)*g.strideH + (c.R-1)*g.dilH + 1, W: c.IW, C: c.C, N: c.N, R: c.R, S: c.S,
		StrideH: g.strideH, StrideW: g.strideW, DilH: g.dilH, DilW: g.dilW, Groups: 1}
	wide := full.OutW()
	want, mag := make([]float64, c.OH*wide*c.N), make([]float64, c.OH*wide*c.N)
	full.Rows(want, x.vals, narrow(w.vals), 0, c.OH)
	full.Rows(mag, absolute(x.vals), absolute(narrow(w.vals)), 0, c.OH)
	for y := range c.OH { // the kernel may be asked for fewer columns than fit
		copy(want[y*c.OW*c.N:(y+1)*c.OW*c.N], want[y*wide*c.N:])
		copy(mag[y*c.OW*c.N:(y+1)*c.OW*c.N], mag[y*wide*c.N:])
	}
	if c.Accumulate {
		for i, v := range acc.vals {
			want[i], mag[i] = want[i]+v, mag[i]+math.Abs(v)
		}
	}
	requireAccumulators(t, acc, want[:c.OH*c.OW*c.N], mag, c.R*c.S*c.C+1)
}

func TestConv(t *testing.T) {
	shapes := []Conv{
		{IH: 1, IW: 1, C: 1, N: 1, R: 1, S: 1, OH: 1, OW: 1},
		{IH: 9, IW: 9, C: 3, N: 64, R: 7, S: 7, OH: 2, OW: 2, StrideH: 2, StrideW: 2},
		{IH: 10, IW: 11, C: 5, N: 7, R: 3, S: 3, OH: 8, OW: 9},
		{IH: 10, IW: 11, C: 5, N: 7, R: 3, S: 2, OH: 3, OW: 4, StrideH: 2, StrideW: 2, DilH: 2, DilW: 3},
		{IH: 7, IW: 7, C: 64, N: 33, R: 1, S: 1, OH: 4, OW: 4, StrideH: 2, StrideW: 2},
		{IH: 5, IW: 5, C: 130, N: 3, R: 3, S: 3, OH: 3, OW: 3},
		{IH: 4, IW: 20, C: 2, N: 5, R: 4, S: 20, OH: 1, OW: 1},
	}
	eachBackend(t, func(t *testing.T, b *backend) {
		for i, c := range shapes {
			for _, in := range []DType{F32, BF16, I8} {
				for flags := range 4 {
					c.In, c.Accumulate = in, flags&1 != 0
					checkConv(t, rand.New(rand.NewPCG(uint64(i), 9)), b, c, flags&2 != 0)
				}
			}
		}
	})
}

func TestConvProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(t, name) }
		c := Conv{C: small("C", 9), N: small("N", 40), R: small("R", 4), S: small("S", 4), OH: small("OH", 6), OW: small("OW", 6),
			StrideH: small("strideH", 3), StrideW: small("strideW", 3), DilH: small("dilH", 3), DilW: small("dilW", 3),
			In: rapid.SampledFrom([]DType{F32, BF16, I8}).Draw(t, "type"), Accumulate: rapid.Bool().Draw(t, "accumulate")}
		c.IH = (c.OH-1)*c.StrideH + (c.R-1)*c.DilH + small("below", 2)
		c.IW = (c.OW-1)*c.StrideW + (c.S-1)*c.DilW + small("right", 2)
		checkConv(t, rand.New(rand.NewPCG(1, 2)), nil, c, rapid.Bool().Draw(t, "gaps"))
	})
}

func TestConvWorkers(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, in := range []DType{F32, BF16, I8} {
		x, w, acc := newImage(r, 16, 16, 37, in, true), newMatrix(r, 9*37, 51, in), newMatrix(r, 14*14, 51, accType(in))
		eachWorkers(t, &Conv{IH: 16, IW: 16, C: 37, N: 51, R: 3, S: 3, OH: 14, OW: 14, X: x.bytes, XRow: x.row, XPixel: x.pixel,
			W: w.bytes, LDW: w.ld, Acc: acc.bytes, LDAcc: acc.ld, In: in, Accumulate: true}, acc.bytes)
		dw := newMatrix(r, 9, 37, in)
		deep := newMatrix(r, 14*14, 37, accType(in))
		eachWorkers(t, &Depthwise{IH: 16, IW: 16, C: 37, R: 3, S: 3, OH: 14, OW: 14, X: x.bytes, XRow: x.row, XPixel: x.pixel,
			W: dw.bytes, LDW: dw.ld, Acc: deep.bytes, LDAcc: deep.ld, In: in, Accumulate: true}, deep.bytes)
	}
}

func TestDepthwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(t, name) }
		d := Depthwise{C: small("C", 40), R: small("R", 4), S: small("S", 4), OH: small("OH", 6), OW: small("OW", 6),
			StrideH: small("strideH", 3), StrideW: small("strideW", 3), DilH: small("dilH", 3), DilW: small("dilW", 3),
			In: rapid.SampledFrom([]DType{F32, BF16, I8}).Draw(t, "type"), Accumulate: rapid.Bool().Draw(t, "accumulate")}
		d.IH, d.IW = (d.OH-1)*d.StrideH+(d.R-1)*d.DilH+1, (d.OW-1)*d.StrideW+(d.S-1)*d.DilW+1
		r := rand.New(rand.NewPCG(3, 4))
		x, w := newImage(r, d.IH, d.IW, d.C, d.In, true), newMatrix(r, d.R*d.S, d.C, d.In)
		acc := newMatrix(r, d.OH*d.OW, d.C, accType(d.In))
		d.X, d.XRow, d.XPixel, d.W, d.LDW, d.Acc, d.LDAcc = x.bytes, x.row, x.pixel, w.bytes, w.ld, acc.bytes, acc.ld
		require.NoError(t, d.Check())
		var s Scratch
		d.Run(0, 1, &s)
		full := ref.Conv2D{Batch: 1, H: d.IH, W: d.IW, C: d.C, N: d.C, R: d.R, S: d.S, StrideH: d.StrideH, StrideW: d.StrideW,
			DilH: d.DilH, DilW: d.DilW, Groups: d.C}
		want, mag := make([]float64, d.OH*d.OW*d.C), make([]float64, d.OH*d.OW*d.C)
		full.Rows(want, x.vals, narrow(w.vals), 0, d.OH)
		full.Rows(mag, absolute(x.vals), absolute(narrow(w.vals)), 0, d.OH)
		if d.Accumulate {
			for i, v := range acc.vals {
				want[i], mag[i] = want[i]+v, mag[i]+math.Abs(v)
			}
		}
		requireAccumulators(t, acc, want, mag, d.R*d.S+1)
	})
}

func TestConvCheck(t *testing.T) {
	good := Conv{IH: 5, IW: 5, C: 2, N: 3, R: 3, S: 3, OH: 3, OW: 3, X: make([]byte, 200), XRow: 40, XPixel: 8,
		W: make([]byte, 18*12), LDW: 12, Acc: make([]byte, 9*12), LDAcc: 12}
	require.NoError(t, good.Check())
	for name, bad := range map[string]func(*Conv){
		"patch too low": func(c *Conv) { c.OH = 4 }, "patch too narrow": func(c *Conv) { c.DilW = 2 },
		"short X": func(c *Conv) { c.X = c.X[1:] }, "short W": func(c *Conv) { c.W = c.W[1:] },
		"short Acc": func(c *Conv) { c.Acc = c.Acc[1:] }, "negative": func(c *Conv) { c.OW = -1 },
		"huge": func(c *Conv) { c.R, c.S = math.MaxInt32, math.MaxInt32 }, "negative stride": func(c *Conv) { c.XRow = -40 },
	} {
		c := good
		bad(&c)
		assert.ErrorIs(t, c.Check(), ErrShape, name)
	}
	c := good
	c.In = I32
	assert.ErrorIs(t, c.Check(), ErrType)
}

func BenchmarkConv(b *testing.B) {
	for _, in := range []DType{F32, BF16, I8} {
		for _, c := range []Conv{
			{IH: 58, IW: 58, C: 64, N: 64, R: 3, S: 3, OH: 56, OW: 56},
			{IH: 229, IW: 229, C: 3, N: 64, R: 7, S: 7, OH: 112, OW: 112, StrideH: 2, StrideW: 2},
		} {
			b.Run(fmt.Sprintf("%v/%dx%dx%d/workers=1", in, c.R, c.S, c.C), func(b *testing.B) { benchConv(b, c, in) })
		}
	}
}

func benchConv(b *testing.B, c Conv, in DType) {
	r := rand.New(rand.NewPCG(1, 1))
	x, w, acc := newImage(r, c.IH, c.IW, c.C, in, false), newMatrix(r, c.R*c.S*c.C, c.N, in), make([]byte, 4*c.OH*c.OW*c.N)
	c.In, c.X, c.XRow, c.XPixel, c.W, c.LDW, c.Acc, c.LDAcc = in, x.bytes, x.row, x.pixel, w.bytes, w.ld, acc, 4*c.N
	p := NewPool(1)
	defer p.Close()
	for b.Loop() {
		p.Run(&c)
	}
	macs := float64(c.OH*c.OW*c.N) * float64(c.R*c.S*c.C)
	b.ReportMetric(2*macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
