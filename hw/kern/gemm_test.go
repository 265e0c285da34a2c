package kern

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// matrix is a test operand: values, and their bytes with a stride that leaves a
// gap after each row and an odd offset before the first.
type matrix struct {
	rows, cols, ld int
	typ            DType
	scale          float32
	vals           []float64
	bytes          []byte
}

func newMatrix(r *rand.Rand, rows, cols int, t DType) *matrix {
	m := &matrix{rows: rows, cols: cols, typ: t, scale: 1, ld: cols*t.Size() + 4*r.IntN(3) + 1}
	m.bytes = make([]byte, rows*m.ld+3)[3:]
	m.vals = make([]float64, rows*cols)
	for i := range m.vals {
		m.vals[i] = m.put(i/cols, i%cols, r.Float64()*2-1)
	}
	return m
}

// put stores v, for int8 v·127 rounded, and returns the value that was stored.
func (m *matrix) put(i, j int, v float64) float64 {
	at := m.bytes[i*m.ld+j*m.typ.Size():]
	switch m.typ {
	case F32:
		le.PutUint32(at, math.Float32bits(float32(v)))
		return float64(float32(v))
	case BF16:
		h := BF16FromF32(float32(v))
		le.PutUint16(at, h)
		return float64(F32FromBF16(h))
	case I32:
		q := int32(math.RoundToEven(v * 1e6))
		le.PutUint32(at, uint32(q))
		return float64(q)
	}
	q := int8(math.RoundToEven(v * 128))
	if v*128 > 127 {
		q = 127
	}
	at[0] = byte(q)
	return float64(q) * float64(m.scale)
}

func (m *matrix) view() View { return View{Data: m.bytes, LD: m.ld, Type: m.typ, Scale: m.scale} }

// get reads element (i, j) of an output.
func (m *matrix) get(i, j int) float64 {
	at := m.bytes[i*m.ld+j*m.typ.Size():]
	switch m.typ {
	case F32:
		return float64(math.Float32frombits(le.Uint32(at)))
	case BF16:
		return float64(F32FromBF16(le.Uint16(at)))
	case I32:
		return float64(int32(le.Uint32(at)))
	}
	return float64(int8(at[0])) * float64(m.scale)
}

func accType(in DType) DType {
	if in == I8 {
		return I32
	}
	return F32
}

// eachBackend runs a test on every back end of this host.
func eachBackend(t *testing.T, test func(t *testing.T, b *backend)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

// eachWorkers runs task on pools of 1, 2, 7 and 64 workers, starting each time
// from the same out, and requires the same bytes each time.
func eachWorkers(t *testing.T, task Task, out []byte) {
	t.Helper()
	require.NoError(t, task.Check())
	before := append([]byte(nil), out...)
	var want []byte
	for _, workers := range []int{1, 2, 7, 64} {
		copy(out, before)
		p := NewPool(workers)
		p.Run(task)
		p.Close()
		if want == nil {
			want = append([]byte(nil), out...)
		}
		require.Equal(t, want, out, "%d workers", workers)
	}
}

// runTask computes the task here, in one part.
func runTask(t *testing.T, task Task) {
	t.Helper()
	require.NoError(t, task.Check())
	var s Scratch
	if task.Parts(1) > 0 {
		task.Run(0, 1, &s)
	}
}

// productBound is the error a chain of k float32 multiply-adds may have: each
// step adds at most two roundings of 2⁻²⁴ of a partial sum that is at most
// Σ|a||b| + |c0|.
func productBound(k int, magnitude float64) float64 {
	return 2 * float64(k+1) * 0x1p-24 * magnitude
}

// checkGemm compares g's result with float64 loops; int8 must be exact.
func checkGemm(t *testing.T, b *backend, m, n, k int, in DType, transB, accumulate bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(m*1000+n), uint64(k)))
	x, y, c := newMatrix(r, m, k, in), newMatrix(r, k, n, in), newMatrix(r, m, n, accType(in))
	if transB {
		y = newMatrix(r, n, k, in)
	}
	g := &Gemm{M: m, N: n, K: k, A: x.bytes, B: y.bytes, C: c.bytes, LDA: x.ld, LDB: y.ld, LDC: c.ld,
		In: in, TransB: transB, Accumulate: accumulate, on: b}
	gap := append([]byte(nil), c.bytes...)
	runTask(t, g)
	for i := range m {
		for j := range n {
			sum, mag := 0.0, 0.0
			if accumulate {
				sum = c.vals[i*n+j]
				mag = math.Abs(sum)
			}
			for p := range k {
				v := x.vals[i*k+p]
				if transB {
					v *= y.vals[j*k+p]
				} else {
					v *= y.vals[p*n+j]
				}
				sum, mag = sum+v, mag+math.Abs(v)
			}
			bound := productBound(k, mag)
			if in == I8 {
				bound = 0
			}
			if got := c.get(i, j); !(math.Abs(got-sum) <= bound) {
				t.Fatalf("%v transB=%v acc=%v: C[%d,%d] = %v, want %v ± %v", in, transB, accumulate, i, j, got, sum, bound)
			}
		}
		require.Equal(t, gap[i*c.ld+4*n:(i+1)*c.ld], c.bytes[i*c.ld+4*n:(i+1)*c.ld], "written behind row %d", i)
	}
}

var gemmShapes = [][3]int{
	{1, 1, 1}, {0, 5, 3}, {5, 0, 3}, {3, 5, 0}, {2, 3, 5}, {7, 11, 13}, {4, 4, 4}, {8, 32, 64}, {6, 16, 2},
	{9, 33, 257}, {1, 100, 300}, {100, 1, 31}, {31, 67, 3}, {193, 37, 5}, {51, 1030, 2}, {13, 33, 515},
	{49, 270, 3}, {3, 270, 390}, {9, 5, 1541},
}

func TestGemm(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		for _, in := range []DType{F32, BF16, I8} {
			for _, d := range gemmShapes {
				for flags := range 4 {
					checkGemm(t, b, d[0], d[1], d[2], in, flags&1 != 0, flags&2 != 0)
				}
			}
		}
	})
}

// Every int8 product, -128·-128 included, over a long k: nothing may saturate.
func TestGemmInt8Extremes(t *testing.T) {
	const k = 1021
	eachBackend(t, func(t *testing.T, b *backend) {
		for _, pair := range [][2]int8{{-128, -128}, {-128, 127}, {127, -128}, {127, 127}, {0, -128}} {
			x, y, c := make([]byte, k), make([]byte, k), make([]byte, 4)
			for i := range k {
				x[i], y[i] = byte(pair[0]), byte(pair[1])
			}
			runTask(t, &Gemm{M: 1, N: 1, K: k, A: x, B: y, C: c, LDA: k, LDB: 1, LDC: 4, In: I8, on: b})
			assert.Equal(t, k*int32(pair[0])*int32(pair[1]), int32(le.Uint32(c)), "%v", pair)
		}
	})
}

func TestGemmAgainstGonum(t *testing.T) {
	const m, n, k = 61, 83, 129
	r := rand.New(rand.NewPCG(1, 2))
	x, y, c := newMatrix(r, m, k, F32), newMatrix(r, k, n, F32), newMatrix(r, m, n, F32)
	want := blas64.General{Rows: m, Cols: n, Stride: n, Data: make([]float64, m*n)}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1,
		blas64.General{Rows: m, Cols: k, Stride: k, Data: x.vals},
		blas64.General{Rows: k, Cols: n, Stride: n, Data: y.vals}, 0, want)
	eachBackend(t, func(t *testing.T, b *backend) {
		runTask(t, &Gemm{M: m, N: n, K: k, A: x.bytes, B: y.bytes, C: c.bytes, LDA: x.ld, LDB: y.ld, LDC: c.ld, on: b})
		for i, w := range want.Data {
			require.InDelta(t, w, c.get(i/n, i%n), productBound(k, k), "element %d", i)
		}
	})
}

func TestGemmWorkers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, in := range []DType{F32, BF16, I8} {
		for _, d := range [][3]int{{257, 131, 67}, {1, 700, 900}, {900, 3, 700}} {
			x, y, c := newMatrix(r, d[0], d[2], in), newMatrix(r, d[2], d[1], in), newMatrix(r, d[0], d[1], accType(in))
			g := &Gemm{M: d[0], N: d[1], K: d[2], A: x.bytes, B: y.bytes, C: c.bytes, LDA: x.ld, LDB: y.ld, LDC: c.ld,
				In: in, Accumulate: true}
			eachWorkers(t, g, c.bytes)
		}
	}
}

// A split of k by the caller, anywhere, gives the bits of the whole.
func TestGemmSplitOfK(t *testing.T) {
	const m, n, k = 13, 37, 600
	r := rand.New(rand.NewPCG(5, 6))
	eachBackend(t, func(t *testing.T, b *backend) {
		for _, in := range []DType{F32, BF16, I8} {
			x, y, c := newMatrix(r, m, k, in), newMatrix(r, k, n, in), newMatrix(r, m, n, accType(in))
			g := Gemm{M: m, N: n, K: k, A: x.bytes, B: y.bytes, C: c.bytes, LDA: x.ld, LDB: y.ld, LDC: c.ld, In: in, on: b}
			runTask(t, &g)
			want := append([]byte(nil), c.bytes...)
			for _, at := range []int{1, 255, 256, 301} {
				lo, hi := g, g
				lo.K, hi.K = at, k-at
				hi.A, hi.B, hi.Accumulate = x.bytes[at*in.Size():], y.bytes[at*y.ld:], true
				runTask(t, &lo)
				runTask(t, &hi)
				require.Equal(t, want, c.bytes, "%v split at %d", in, at)
			}
		}
	})
}

// Back ends with fused multiply-add agree on every bit; int8 agrees everywhere.
func TestBackendsAgree(t *testing.T) {
	const m, n, k = 29, 71, 333
	r := rand.New(rand.NewPCG(7, 8))
	for _, in := range []DType{F32, BF16, I8} {
		x, y, c := newMatrix(r, m, k, in), newMatrix(r, k, n, in), newMatrix(r, m, n, accType(in))
		results := map[string][]byte{}
		for _, b := range backends {
			runTask(t, &Gemm{M: m, N: n, K: k, A: x.bytes, B: y.bytes, C: c.bytes, LDA: x.ld, LDB: y.ld, LDC: c.ld, In: in, on: b})
			results[b.name] = append([]byte(nil), c.bytes...)
		}
		for name, got := range results {
			if in == I8 || name != portable.name {
				require.Equal(t, results[backends[0].name], got, "%v: %s and %s", in, backends[0].name, name)
			}
		}
	}
}

func TestGemmCheck(t *testing.T) {
	good := Gemm{M: 2, N: 3, K: 4, A: make([]byte, 32), B: make([]byte, 48), C: make([]byte, 24), LDA: 16, LDB: 12, LDC: 12}
	require.NoError(t, good.Check())
	for name, bad := range map[string]func(*Gemm){
		"short A": func(g *Gemm) { g.A = g.A[1:] }, "short B": func(g *Gemm) { g.B = g.B[1:] },
		"short C": func(g *Gemm) { g.C = g.C[1:] }, "negative": func(g *Gemm) { g.M = -1 },
		"overlapping rows of C": func(g *Gemm) { g.LDC = 8 }, "B transposed": func(g *Gemm) { g.TransB = true; g.LDB = 20 },
		"negative stride": func(g *Gemm) { g.LDA = -16 }, "overflow": func(g *Gemm) { g.LDA = math.MaxInt },
	} {
		g := good
		bad(&g)
		assert.ErrorIs(t, g.Check(), ErrShape, name)
	}
	g := good
	g.In = F64
	assert.ErrorIs(t, g.Check(), ErrType)
	assert.Panics(t, func() { NewPool(1).Submit(&g) })
}

func BenchmarkGemm(b *testing.B) {
	for _, in := range []DType{F32, BF16, I8} {
		for _, n := range []int{128, 512, 1024} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%v/%d/workers=%d", in, n, workers), func(b *testing.B) { benchGemm(b, in, n, n, n, workers) })
			}
		}
		b.Run(fmt.Sprintf("%v/1x1024x1024/workers=1", in), func(b *testing.B) { benchGemm(b, in, 1, 1024, 1024, 1) })
	}
}

func benchGemm(b *testing.B, in DType, m, n, k, workers int) {
	size := in.Size()
	x, y, c := make([]byte, m*k*size), make([]byte, k*n*size), make([]byte, 4*m*n)
	p := NewPool(workers)
	defer p.Close()
	g := &Gemm{M: m, N: n, K: k, A: x, B: y, C: c, LDA: k * size, LDB: n * size, LDC: 4 * n, In: in}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(g)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// The micro-kernels alone, on panels in the first cache: what a product of any
// size is measured against.
func BenchmarkMicroKernel(b *testing.B) {
	const groups = 128
	for _, on := range backends {
		for _, in := range []DType{F32, I8} {
			f := on.formats[in]
			b.Run(fmt.Sprintf("%s/%v", on.name, in), func(b *testing.B) {
				x, y, c := make([]uint32, groups*f.mr), make([]uint32, groups*f.nr+f.nr), make([]byte, 4*f.mr*f.nr)
				for b.Loop() {
					f.kernel(groups, x, y, c, 4*f.nr)
				}
				ops := 2 * float64(f.mr*f.nr*groups*f.group)
				b.ReportMetric(ops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// The share of the micro-kernel's rate that a whole product reaches on one core,
// both timed in turns so that the machine's other load meets both.
func BenchmarkGemmOfPeak(b *testing.B) {
	for _, on := range backends {
		for _, in := range []DType{F32, BF16, I8} {
			for _, n := range []int{128, 512, 1024} {
				if on == &portable && n > 512 {
					continue // seconds, and no other answer than at 512
				}
				b.Run(fmt.Sprintf("%s/%v/%d", on.name, in, n), func(b *testing.B) { benchOfPeak(b, on, in, n) })
			}
		}
	}
}

func benchOfPeak(b *testing.B, on *backend, in DType, n int) {
	const groups = 128
	f, size := on.formats[in], in.Size()
	pa, pb, pc := make([]uint32, groups*f.mr), make([]uint32, groups*f.nr+f.nr), make([]byte, 4*f.mr*f.nr)
	calls := n * n * n / (f.mr * f.nr * groups * f.group)
	g := &Gemm{M: n, N: n, K: n, A: make([]byte, n*n*size), B: make([]byte, n*n*size), C: make([]byte, 4*n*n),
		LDA: n * size, LDB: n * size, LDC: 4 * n, In: in, on: on}
	var s Scratch
	var whole, kernel time.Duration
	for b.Loop() {
		t0 := time.Now()
		g.Run(0, 1, &s)
		t1 := time.Now()
		for range calls {
			f.kernel(groups, pa, pb, pc, 4*f.nr)
		}
		whole, kernel = whole+t1.Sub(t0), kernel+time.Since(t1)
	}
	peak := float64(kernel) * float64(n*n*n) / float64(calls*f.mr*f.nr*groups*f.group)
	b.ReportMetric(100*peak/float64(whole), "%peak")
}
