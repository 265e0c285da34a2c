package kern_test

import (
	"fmt"

	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/hw/kern/ref"
)

// A tile of int8 products accumulates over two slices of k, each joined when the
// array is done with it, and leaves through an epilogue.
func Example() {
	pool := kern.NewPool(2)
	defer pool.Close()
	a, b := []byte{1, 2, 3, 4, 5, 6}, []byte{1, 0, 0, 1, 1, 1} // 2×3 and 3×2
	acc, out := make([]byte, 16), make([]byte, 16)
	first := kern.Gemm{M: 2, N: 2, K: 2, A: a, B: b, C: acc, LDA: 3, LDB: 2, LDC: 8, In: kern.I8}
	rest := first
	rest.K, rest.A, rest.B, rest.Accumulate = 1, a[2:], b[4:], true
	for _, slice := range []*kern.Gemm{&first, &rest} {
		ticket := pool.Submit(slice)
		// … simulated time passes …
		ticket.Wait()
	}
	pool.Run(&kern.Epilogue{Rows: 2, Cols: 2, Acc: acc, LDAcc: 8, AccType: kern.I32, Scale: 0.5, Act: kern.ReLU,
		Out: kern.View{Data: out, LD: 8, Type: kern.F32}})
	fmt.Println(ref.F32(out))
	// Output: [2 2.5 5 5.5]
}
