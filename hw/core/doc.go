// Package core is the compute complex: cores of a sequencer, a systolic array,
// a vector unit, a banked scratchpad and a load and a store unit.
//
// A launch brings a kernel descriptor (abi.Kernel). The sequencer checks it,
// splits it over the cores of its mask, and expands it lazily into
// micro-operations of four units that run in order, each on its own, and wait
// for one another. Memory cost and host cost follow tiles and requests, never
// cycles.
//
// # Order between units
//
// A unit starts its next micro-operation when it is free and everything that
// operation waits for has happened. Descriptors use the units' own completion
// counts as tokens ("the load unit has finished 17 operations"), which cannot
// run out and need no semaphore a slot; a PROGRAM uses the 16 counting
// semaphores of abi.MicroOp. Load and store units are free again when the last
// request of an operation has been issued, and complete in order; the array
// takes the next operation while the last weight tile of the one before still
// streams (Overlap DoubleBuffered).
//
// # Slots
//
// Each operand owns Kernel.Buffers slots of equal size in the scratchpad, from
// Kernel.Spad on. With tiles clamped to the extents (m = min(TileM, rows) and
// so on), sizes in bytes, each rounded up to a multiple of 64:
//
//	GEMM    input     m · k · size(InType)
//	        weights   k · n · size(InType)
//	        output    m · n · 4
//	        residual  m · n · size(OutType)
//	CONV    input     ih · iw · k·g · size(InType)
//	        weights   R · S · k · n · size(InType)
//	        output    m · w · n · 4
//	        residual  m · w · n · size(OutType)
//	VECTOR  input     m · n · size(InType); pools: ih · iw · n · size(InType)
//	        weights   m · n · size(InType) (add, sub, mul only)
//	        output    m · n · size(OutType); reductions m · size(OutType);
//	                  pools: m · w · n · size(OutType)
//
// where m, n, k, w are TileM, TileN, TileK, TileW, ih = (m−1)·StrideH +
// (R−1)·DilH + 1, iw = (w−1)·StrideW + (S−1)·DilW + 1, and g is the number of
// groups a tile spans (1 without groups). The output slot of GEMM and CONV
// holds 32-bit accumulators; the vector unit converts them in place, row by
// row. Operands that a kernel does not have need no slot. The ranges
// [Spad[i], Spad[i] + Buffers[i]·slot) must lie in the scratchpad and must not
// overlap; Spad[i] is a multiple of 64. Slots are filled in turn; a tile that
// is still in one is not loaded again. Bias and ColScale vectors live in the
// vector unit's own parameter memory: at most abi.MaxParamCols columns a tile.
//
// Tiles beyond that: TileN 0 means all columns in VECTOR; softmax, norms and
// reductions need all columns in a tile, and so does gather, with at most
// abi.MaxGatherRows rows. With Groups > 1 a CONV tile lies
// within one group (TileN ≤ filters a group) or spans whole groups (TileN a
// multiple of it, TileK all channels of a group). TileW 0 means all columns.
//
// Scales count for int8 operands alone (0 means 1): the value of any other
// element is the number itself. A GEMM's Scale or ColScale multiplies the sum
// whatever its type. An int8 product without epilogue may be stored as int32.
// CONV weights lie RowStride apart from one (r, s, c) to the next, 0 meaning
// K·size. Activations go with GEMM, CONV, map, add, sub, mul, batch norm and
// gather; ColScale and Bias with layer norm and batch norm, ColScale with RMS
// norm, each by its flag. Pools have no dilation, and their input and output
// types are one, as a transpose's.
//
// # Splitting
//
// A kernel is shared by as many cores as Cores says, the first of its mask that are
// free, or by all of the mask. Of n cores, the i-th takes elements
// [⌊i·X/n⌋, ⌊(i+1)·X/n⌋) of the split axis: rows (output rows), columns (filters, in
// whole groups when there are groups), or batches (outer × batch; images). Alone a
// core takes everything, and no ShareTime passes.
package core
