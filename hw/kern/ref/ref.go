// Package ref computes every operator of the accelerator a second time, in plain
// loops over whole tensors in float64, for verification. It shares no code with
// the kernels it is held against.
//
// Tensors are dense and row-major. Inputs are float32, which holds every value of
// f32, bf16 and i8 exactly; outputs are float64. Every operator computes a range
// [lo, hi) of its output rows into the whole output, so that rows can be shared
// out over goroutines with Rows; Rows(n, 1, f) is f(0, n).
package ref

import (
	"encoding/binary"
	"math"
	"sync"
)

// Rows calls f for disjoint ranges that cover [0, n), on the given number of
// goroutines, and returns when all are done.
func Rows(n, workers int, f func(lo, hi int)) {
	pieces := 4 * workers
	if workers <= 1 {
		pieces = 1
	}
	next := make(chan int, pieces)
	for i := range pieces {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range max(workers, 1) {
		wg.Go(func() {
			for i := range next {
				f(i*n/pieces, (i+1)*n/pieces)
			}
		})
	}
	wg.Wait()
}

// F32 reads little-endian float32 values.
func F32(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// BF16 reads little-endian bfloat16 values.
func BF16(b []byte) []float32 {
	out := make([]float32, len(b)/2)
	for i := range out {
		out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
	}
	return out
}

// I8 reads int8 values, without a scale: integer operators are exact on them.
func I8(b []byte) []float32 {
	out := make([]float32, len(b))
	for i, v := range b {
		out[i] = float32(int8(v))
	}
	return out
}

// Quantize returns x/scale rounded to nearest, ties to even, saturated to int8.
func Quantize(x, scale float64) int8 {
	q := math.RoundToEven(x / scale)
	return int8(math.Max(-128, math.Min(127, q)))
}
