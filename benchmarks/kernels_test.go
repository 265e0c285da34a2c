package benchmarks

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// workerCounts are one worker and, where the machine has more, all of them.
func workerCounts() []int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}

// onPool runs a task over and over and reports work (operations, elements) a
// second.
func onPool(b *testing.B, name string, work float64, unit string, task func() kern.Task) {
	for _, workers := range workerCounts() {
		b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
			pool := kern.NewPool(workers)
			defer pool.Close()
			t := task()
			if err := t.Check(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				pool.Run(t)
			}
			b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, unit)
		})
	}
}

// matrix returns rows×cols random values of a type; small ones, so that no
// arithmetic meets an exception.
func matrix(t kern.DType, rows, cols int) []byte {
	p := make([]byte, rows*cols*t.Size())
	s := sim.NewStream(1, "matrix")
	for i := 0; i < len(p); i += t.Size() {
		v := float32(s.Intn(256)-128) / 128
		switch t {
		case kern.I8:
			p[i] = byte(int8(v * 127))
		case kern.BF16:
			h := kern.BF16FromF32(v)
			p[i], p[i+1] = byte(h), byte(h>>8)
		default:
			w := math.Float32bits(v)
			p[i], p[i+1], p[i+2], p[i+3] = byte(w), byte(w>>8), byte(w>>16), byte(w>>24)
		}
	}
	return p
}

// rate is what a product's speed is called: int8 has no floating point.
func rate(t kern.DType) string {
	if t == kern.I8 {
		return "Gop/s"
	}
	return "GFLOP/s"
}

// BenchmarkGemm is a square product, packing included; a multiply-add is two
// operations.
func BenchmarkGemm(b *testing.B) {
	for _, t := range []kern.DType{kern.F32, kern.BF16, kern.I8} {
		for _, n := range []int{64, 128, 512, 1024} {
			onPool(b, fmt.Sprintf("type=%v/n=%d", t, n), 2*math.Pow(float64(n), 3), rate(t), func() kern.Task {
				return &kern.Gemm{M: n, N: n, K: n, A: matrix(t, n, n), B: matrix(t, n, n), C: make([]byte, 4*n*n),
					LDA: n * t.Size(), LDB: n * t.Size(), LDC: 4 * n, In: t}
			})
		}
	}
}

// BenchmarkConv is a 3×3 convolution of ResNet-50's second stage, 28×28×128.
func BenchmarkConv(b *testing.B) {
	const size, c, r = 28, 128, 3
	for _, t := range []kern.DType{kern.F32, kern.BF16, kern.I8} {
		onPool(b, fmt.Sprintf("type=%v", t), 2*size*size*c*c*r*r, rate(t), func() kern.Task {
			in := size + r - 1
			return &kern.Conv{IH: in, IW: in, C: c, N: c, R: r, S: r, OH: size, OW: size,
				X: matrix(t, in*in, c), XRow: in * c * t.Size(), XPixel: c * t.Size(),
				W: matrix(t, r*r*c, c), LDW: c * t.Size(), Acc: make([]byte, 4*size*size*c), LDAcc: 4 * c, In: t}
		})
	}
}

// BenchmarkVector is BERT's vector work: 1536 rows of 128 of attention, 128 rows
// of 768 and of 3072.
func BenchmarkVector(b *testing.B) {
	view := func(t kern.DType, rows, cols int) kern.View {
		return kern.View{Data: matrix(t, rows, cols), LD: cols * t.Size(), Type: t}
	}
	for _, t := range []kern.DType{kern.F32, kern.BF16} {
		onPool(b, fmt.Sprintf("op=softmax/type=%v", t), 1536*128, "Gelem/s", func() kern.Task {
			return &kern.Softmax{Rows: 1536, Cols: 128, Valid: 128, X: view(t, 1536, 128), Out: view(t, 1536, 128)}
		})
		onPool(b, fmt.Sprintf("op=layernorm/type=%v", t), 128*768, "Gelem/s", func() kern.Task {
			return &kern.Norm{Kind: kern.LayerNorm, Rows: 128, Cols: 768, Eps: 1e-12, X: view(t, 128, 768), Out: view(t, 128, 768)}
		})
		onPool(b, fmt.Sprintf("op=gelu/type=%v", t), 128*3072, "Gelem/s", func() kern.Task {
			return &kern.Unary{Op: kern.GELUErf, Rows: 128, Cols: 3072, X: view(t, 128, 3072), Out: view(t, 128, 3072)}
		})
		onPool(b, fmt.Sprintf("op=add/type=%v", t), 128*3072, "Gelem/s", func() kern.Task {
			return &kern.Binary{Op: kern.Add, Rows: 128, Cols: 3072, X: view(t, 128, 3072), Y: view(t, 128, 3072), Out: view(t, 128, 3072)}
		})
	}
}
