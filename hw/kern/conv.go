package kern

import "fmt"

// Conv is a task: a 2-D convolution of an input patch as an implicit matrix
// product, C (+)= im2col(X)·W. X is a patch [IH, IW, C] of NHWC data, already
// padded with zeros, XRow bytes from row to row and XPixel from pixel to pixel.
// W is [R, S, C, N]: a matrix of K = R·S·C rows of N, LDW bytes apart. Acc holds
// OH·OW rows of N accumulators, LDAcc bytes apart: float32 for In F32 and BF16,
// int32 for In I8. Output (y, x) takes inputs (y·StrideH + r·DilH, x·StrideW +
// s·DilW); strides and dilations of 0 mean 1.
//
// Groups are the caller's loop, with Data, W and Acc moved on; Depthwise is the
// case of one channel a group.
type Conv struct {
	IH, IW, C, N     int
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

	on *backend // nil: the host's best
}

// Check implements Task.
func (c *Conv) Check() error {
	if _, err := productFormat(c.on, c.In); err != nil {
		return fmt.Errorf("conv: %w", err)
	}
	w, size := c.window(), c.In.Size()
	err := first(counts(c.N), w.check(c.IH, c.IW, c.C),
		patch("X", c.X, c.IH, c.IW, c.XRow, c.XPixel, c.C*size))
	if err == nil {
		err = first(
			span("W", c.W, c.R*c.S*c.C, c.LDW, c.N*size),
			accumulators("Acc", c.Acc, c.OH*c.OW, c.N, c.LDAcc))
	}
	if err != nil {
		return fmt.Errorf("conv %d×%d×%d to %d×%d×%d by %d×%d: %w",
			c.IH, c.IW, c.C, c.OH, c.OW, c.N, c.R, c.S, err)
	}
	return nil
}

// Parts implements Task.
func (c *Conv) Parts(workers int) int {
	return partsOf(workers, c.OH*c.OW, c.N, c.R*c.S*c.C)
}

// Run implements Task.
func (c *Conv) Run(part, parts int, s *Scratch) {
	f, _ := productFormat(c.on, c.In)
	size := c.In.Size()
	w := c.window()
	p := product{
		f: f, a: w.rows(c.X, c.XRow, c.XPixel, c.C*size),
		b: c.W, ldb: c.LDW,
		c: c.Acc, ldc: c.LDAcc, k: c.R * c.S * c.C, elem: size, fresh: !c.Accumulate,
	}
	p.block(partOf(part, parts, c.OH*c.OW, c.N, f.mr, f.nr), s)
}

func (c *Conv) window() window {
	return window{c.R, c.S, c.OH, c.OW, max(c.StrideH, 1), max(c.StrideW, 1), max(c.DilH, 1), max(c.DilW, 1)}
}

// window is the geometry that convolution and depthwise convolution share, with
// strides and dilations resolved.
type window struct {
	r, s, oh, ow     int
	strideH, strideW int
	dilH, dilW       int
}

// check holds the window against a patch of ih×iw pixels of c channels.
func (w *window) check(ih, iw, c int) error {
	if err := counts(ih, iw, c, w.r, w.s, w.oh, w.ow, w.strideH, w.strideW, w.dilH, w.dilW); err != nil {
		return err
	}
	for _, pair := range [][2]int{{w.oh, w.ow}, {w.r, w.s}, {w.r * w.s, c}} {
		if pair[0] > 0 && pair[1] > (1<<31-1)/pair[0] {
			return fmt.Errorf("%w: %d·%d elements", ErrShape, pair[0], pair[1])
		}
	}
	if w.oh == 0 || w.ow == 0 || w.r == 0 || w.s == 0 {
		return nil
	}
	needH, needW := (w.oh-1)*w.strideH+(w.r-1)*w.dilH+1, (w.ow-1)*w.strideW+(w.s-1)*w.dilW+1
	if needH > ih || needW > iw {
		return fmt.Errorf("%w: the window reaches %d×%d pixels of a patch of %d×%d", ErrShape, needH, needW, ih, iw)
	}
	return nil
}

// rows returns the im2col matrix of a patch of pixels of pixelBytes.
func (w *window) rows(x []byte, xRow, xPixel, pixelBytes int) rowMap {
	m := rowMap{
		data: x, width: w.ow,
		rowStep: w.strideH * xRow, pixStep: w.strideW * xPixel,
		segs: w.r * w.s, taps: w.s, segBytes: pixelBytes,
		rStep: w.dilH * xRow, sStep: w.dilW * xPixel,
	}
	if w.dilW == 1 && xPixel == pixelBytes { // taps of a row are neighbours in memory
		m.segs, m.taps, m.segBytes = w.r, 1, w.s*pixelBytes
	}
	return m
}

// patch checks an [h, w, c] patch.
func patch(what string, data []byte, h, w, row, pixel, pixelBytes int) error {
	if h == 0 || w == 0 || pixelBytes == 0 {
		return nil
	}
	if row < 0 || pixel < 0 {
		return fmt.Errorf("%w: %s: strides %d, %d are negative", ErrShape, what, row, pixel)
	}
	across, ok := extent(w, pixel, pixelBytes)
	if !ok {
		return fmt.Errorf("%w: %s: %d pixels, %d bytes apart", ErrShape, what, w, pixel)
	}
	return span(what, data, h, row, across)
}
