package kern

import "fmt"

// Depthwise is a task: a 2-D convolution with one filter a channel. X is a padded
// patch as in Conv; W is [R, S, C], LDW bytes from tap to tap; Acc holds OH·OW
// rows of C accumulators, LDAcc bytes apart: float32 for In F32 and BF16, int32
// for In I8. Taps are added in the order of (r, s), each product rounded.
type Depthwise struct {
	IH, IW, C        int
	R, S             int
	OH, OW           int
	StrideH, StrideW int
	DilH, DilW       int
	X                []byte
	XRow, XPixel     int
	W                []byte
	LDW              int
	Acc              []byte
	LDAcc            int
	In               DType
	Accumulate       bool
}

// Check implements Task.
func (d *Depthwise) Check() error {
	if d.In != F32 && d.In != BF16 && d.In != I8 {
		return fmt.Errorf("depthwise: %w: input %v; f32, bf16 and i8 are", ErrType, d.In)
	}
	w, bytes := d.window(), d.C*d.In.Size()
	err := first(w.check(d.IH, d.IW, d.C), patch("X", d.X, d.IH, d.IW, d.XRow, d.XPixel, bytes))
	if err == nil {
		err = first(span("W", d.W, d.R*d.S, d.LDW, bytes), accumulators("Acc", d.Acc, d.OH*d.OW, d.C, d.LDAcc))
	}
	if err != nil {
		return fmt.Errorf("depthwise %d×%d×%d to %d×%d by %d×%d: %w", d.IH, d.IW, d.C, d.OH, d.OW, d.R, d.S, err)
	}
	return nil
}

// Parts implements Task.
func (d *Depthwise) Parts(workers int) int {
	return partsOf(workers, d.OH*d.OW, d.C, d.R*d.S*vectorWork/4)
}

// Run implements Task.
func (d *Depthwise) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, d.OH*d.OW, d.C, 1, 16)
	for c := t.n0; c < t.n1; c += chunk {
		n := min(chunk, t.n1-c)
		if d.In == I8 {
			d.ints(t, c, n, s)
		} else {
			d.floats(t, c, n, s)
		}
	}
}

func (d *Depthwise) window() window {
	return window{d.R, d.S, d.OH, d.OW, max(d.StrideH, 1), max(d.StrideW, 1), max(d.DilH, 1), max(d.DilW, 1)}
}

// pixels returns the patch as im2col rows: element (tap, channel).
func (d *Depthwise) pixels() rowMap {
	w := d.window()
	return rowMap{data: d.X, width: d.OW, rowStep: w.strideH * d.XRow, pixStep: w.strideW * d.XPixel,
		segs: d.R * d.S, taps: d.S, segBytes: d.C * d.In.Size(), rStep: w.dilH * d.XRow, sStep: w.dilW * d.XPixel}
}

// floats computes channels [c, c+n) of the pixels of t in float32.
func (d *Depthwise) floats(t tile, c, n int, s *Scratch) {
	taps, size, rows := d.R*d.S, d.In.Size(), d.pixels()
	w := s.floats(1, taps*n)
	for k := range taps {
		loadRow(w[k*n:(k+1)*n], d.W[k*d.LDW+c*size:], d.In, 1)
	}
	acc, x := s.floats(0, n), s.floats(2, n)
	for m := t.m0; m < t.m1; m++ {
		out := d.Acc[m*d.LDAcc+4*c:][:4*n]
		clear(acc)
		if d.Accumulate {
			loadRow(acc, out, F32, 1)
		}
		for k := range taps {
			loadRow(x, rows.bytes(m, k*rows.segBytes+c*size, n*size, nil), d.In, 1)
			active.rows.mulAcc(acc, x, w[k*n:])
		}
		storeRow(out, acc, F32, 1)
	}
}

// ints computes channels [c, c+n) of the pixels of t in int32.
func (d *Depthwise) ints(t tile, c, n int, s *Scratch) {
	taps, rows := d.R*d.S, d.pixels()
	acc := grown(&s.a, n)
	for m := t.m0; m < t.m1; m++ {
		out := d.Acc[m*d.LDAcc+4*c:][:4*n]
		clear(acc)
		if d.Accumulate {
			packRunF32(acc, 1, out)
		}
		for k := range taps {
			x, w := rows.bytes(m, k*rows.segBytes+c, n, nil), d.W[k*d.LDW+c:][:n]
			for i := range acc {
				acc[i] += uint32(int32(int8(x[i])) * int32(int8(w[i])))
			}
		}
		for i, v := range acc {
			le.PutUint32(out[4*i:], v)
		}
	}
}
