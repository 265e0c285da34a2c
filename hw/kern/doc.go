// Package kern computes the values of the accelerator's kernels on the host.
//
// A simulated core keeps real bytes in a simulated scratchpad. When it starts a
// tile it hands the tile to a Pool; host workers compute it while simulated time
// passes, and the core joins the result at the tile's simulated completion. The
// package knows nothing of simulated time, and nothing here can change it.
//
// # Operands
//
// Tensors are little-endian []byte. Every leading dimension, row stride and
// pixel stride is in bytes; every count (M, N, K, Rows, Cols, C, …) is in
// elements. No alignment is required. An output must not overlap an input of
// the same task, except that Unary, Binary, ScaleShift, Softmax, Norm and
// Epilogue may write exactly over an input of the same type and stride.
//
// # Which bits come out
//
// A task is cut by output rows and columns only, and each output element is
// computed by one worker in ascending order of k, so a result has the same bits
// for every number of workers.
//
// A matrix product of float types is one chain c = fma(a, b, c) in float32 over
// ascending k that starts from the accumulator in memory. So it does not depend
// on blocking, nor on where a caller splits k, and the AVX-512 and AVX2 back
// ends agree bit for bit. The portable back end rounds the product before the
// addition and differs from them in rounding. bfloat16 inputs are widened to
// float32 while packing and use the same micro-kernel: the product of two
// bfloat16 values is exact in float32, there is one micro-kernel to trust, and
// results do not depend on whether the host has bfloat16 instructions (whose
// VDPBF16PS adds pairs and flushes denormals). int8 products accumulate in int32,
// exact modulo 2³² and the same on every back end.
//
// Vector kernels compute in float32, every product rounded and sums in sixteen
// lanes, with the same bits on every back end; math32.go states the errors of the
// functions.
//
// # Back ends
//
// The processor is asked once, at start-up: AVX-512 (with VNNI for int8), AVX2 with
// FMA, or portable Go, which the build tag noasm forces. The assembly is written by
// internal/gen (go generate). Package ref holds independent reference loops.
package kern
