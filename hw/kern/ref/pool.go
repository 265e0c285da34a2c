package ref

import "math"

// Pool2D is a pooling over [Batch, H, W, C] into [Batch, OutH, OutW, C]. Padding
// never wins a maximum; an average divides by the pixels inside, or by R·S with
// CountPad. A row is one of the Batch·OutH.
type Pool2D struct {
	Batch, H, W, C   int
	OutH, OutW       int
	R, S             int
	StrideH, StrideW int
	PadTop, PadLeft  int
	Average          bool
	CountPad         bool
}

// NumRows returns the rows of the output.
func (p Pool2D) NumRows() int { return p.Batch * p.OutH }

// Rows computes output rows [lo, hi).
func (p Pool2D) Rows(out []float64, x []float32, lo, hi int) {
	for row := lo; row < hi; row++ {
		image, oy := row/p.OutH, row%p.OutH
		for ox := range p.OutW {
			for c := range p.C {
				out[(row*p.OutW+ox)*p.C+c] = p.window(x, image, oy, ox, c)
			}
		}
	}
}

func (p Pool2D) window(x []float32, image, oy, ox, c int) float64 {
	sum, top, count := 0.0, math.Inf(-1), 0
	for r := range p.R {
		for s := range p.S {
			iy, ix := oy*p.StrideH-p.PadTop+r, ox*p.StrideW-p.PadLeft+s
			if iy < 0 || iy >= p.H || ix < 0 || ix >= p.W {
				continue
			}
			v := float64(x[((image*p.H+iy)*p.W+ix)*p.C+c])
			sum, top, count = sum+v, math.Max(top, v), count+1
		}
	}
	if p.CountPad {
		count = p.R * p.S
	}
	switch {
	case !p.Average:
		return top
	case count == 0:
		return 0
	}
	return sum / float64(count)
}
