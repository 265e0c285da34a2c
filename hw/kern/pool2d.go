package kern

import (
	"fmt"
	"math"
)

// PoolOp is how Pool2D combines the pixels of a window.
type PoolOp uint8

const (
	MaxPool       PoolOp = iota
	AvgPool              // divided by the pixels of the window that lie inside
	AvgPoolPadded        // divided by R·S, padding included as zeros
)

// Pool2D is a task on an NHWC patch: X is [IH, IW, C], XRow bytes from row to
// row and XPixel from pixel to pixel; Out is [OH, OW, C] likewise. Output (y, x)
// combines inputs (y·StrideH − Top + r, x·StrideW − Left + s), r < R, s < S;
// those outside the patch are padding, which is never read. A window all in the
// padding gives 0 (AvgPool and AvgPoolPadded) or the least value (MaxPool: -Inf,
// int8 -128). Strides of 0 mean 1. For I8, XScale and OutScale are as in View.
type Pool2D struct {
	Op               PoolOp
	IH, IW, C        int
	OH, OW           int
	R, S             int
	StrideH, StrideW int
	Top, Left        int
	Type             DType // of X and Out
	X, Out           []byte
	XRow, XPixel     int
	OutRow, OutPixel int
	XScale, OutScale float32
}

// Check implements Task.
func (k *Pool2D) Check() error {
	if k.Op > AvgPoolPadded {
		return fmt.Errorf("pool: %w: operation %d", ErrType, k.Op)
	}
	if k.Type != F32 && k.Type != BF16 && k.Type != I8 {
		return fmt.Errorf("pool: %w: %v; f32, bf16 and i8 are", ErrType, k.Type)
	}
	bytes := k.C * k.Type.Size()
	err := first(counts(k.IH, k.IW, k.C, k.OH, k.OW, k.R, k.S, k.StrideH, k.StrideW, k.Top, k.Left),
		patch("X", k.X, k.IH, k.IW, k.XRow, k.XPixel, bytes),
		separate(k.OW, k.OutPixel, bytes), separate(k.OH, k.OutRow, (k.OW-1)*k.OutPixel+bytes),
		patch("Out", k.Out, k.OH, k.OW, k.OutRow, k.OutPixel, bytes))
	if err != nil {
		return fmt.Errorf("pool %d×%d×%d to %d×%d by %d×%d: %w", k.IH, k.IW, k.C, k.OH, k.OW, k.R, k.S, err)
	}
	return nil
}

// Parts implements Task.
func (k *Pool2D) Parts(workers int) int {
	return partsOf(workers, k.OH*k.OW, k.C, k.R*k.S*vectorWork/2)
}

// Run implements Task.
func (k *Pool2D) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, k.OH*k.OW, k.C, 1, 16)
	for c := t.n0; c < t.n1; c += chunk {
		for m := t.m0; m < t.m1; m++ {
			k.pixel(m/k.OW, m%k.OW, c, min(chunk, t.n1-c), s)
		}
	}
}

// pixel computes n channels from c on of one output pixel.
func (k *Pool2D) pixel(oy, ox, c, n int, s *Scratch) {
	y0, x0 := oy*max(k.StrideH, 1)-k.Top, ox*max(k.StrideW, 1)-k.Left
	r0, r1 := inside(y0, k.R, k.IH)
	s0, s1 := inside(x0, k.S, k.IW)
	acc, x := s.floats(0, n), s.floats(1, n)
	fold, begin := Add, float32(0)
	if k.Op == MaxPool {
		fold, begin = Max, float32(math.Inf(-1))
	}
	for i := range acc {
		acc[i] = begin
	}
	size := k.Type.Size()
	for r := r0; r < r1; r++ {
		for q := s0; q < s1; q++ {
			loadRow(x, k.X[(y0+r)*k.XRow+(x0+q)*k.XPixel+c*size:], k.Type, orOne(k.XScale))
			fold.apply(acc, x)
		}
	}
	k.divide(acc, (r1-r0)*(s1-s0))
	storeRow(k.Out[oy*k.OutRow+ox*k.OutPixel+c*size:], acc, k.Type, orOne(k.OutScale))
}

// divide turns sums over count pixels into averages.
func (k *Pool2D) divide(acc []float32, count int) {
	if k.Op == AvgPoolPadded {
		count = k.R * k.S
	}
	if k.Op == MaxPool || count == 0 {
		return
	}
	for i := range acc {
		acc[i] /= float32(count)
	}
}

// inside returns which of n taps from at on fall into [0, size).
func inside(at, n, size int) (lo, hi int) {
	lo = min(max(-at, 0), n)
	return lo, max(min(n, size-at), lo)
}
