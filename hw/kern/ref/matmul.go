package ref

// Gemm is a batch of matrix products, Out[b] = A[b]·B[b]: A is [Batch, M, K],
// B [Batch, K, N], or [Batch, N, K] with TransB; with SharedB there is one B for
// the whole batch. Out is [Batch, M, N]; a row is one of the Batch·M.
type Gemm struct {
	Batch, M, N, K int
	TransB         bool
	SharedB        bool
}

// NumRows returns the rows of the output.
func (g Gemm) NumRows() int { return g.Batch * g.M }

// Rows computes output rows [lo, hi).
func (g Gemm) Rows(out []float64, a, b []float32, lo, hi int) {
	for row := lo; row < hi; row++ {
		batch := row / g.M
		if g.SharedB {
			batch = 0
		}
		x, y, z := a[row*g.K:(row+1)*g.K], b[batch*g.K*g.N:(batch+1)*g.K*g.N], out[row*g.N:(row+1)*g.N]
		clear(z)
		if g.TransB {
			for n := range z {
				z[n] = dot(x, y[n*g.K:(n+1)*g.K])
			}
			continue
		}
		for k, v := range x {
			addScaled(z, float64(v), y[k*g.N:(k+1)*g.N])
		}
	}
}

// Conv2D is a convolution: X is [Batch, H, W, C], Weights [R, S, C/Groups, N],
// Out [Batch, OutH, OutW, N]; output channel n belongs to group n/(N/Groups). A
// row is one of the Batch·OutH.
type Conv2D struct {
	Batch, H, W, C, N                    int
	R, S                                 int
	StrideH, StrideW                     int
	PadTop, PadLeft, PadBottom, PadRight int
	DilH, DilW                           int
	Groups                               int
}

// OutH returns the rows of an output image.
func (c Conv2D) OutH() int {
	return (c.H+c.PadTop+c.PadBottom-(c.R-1)*c.DilH-1)/c.StrideH + 1
}

// OutW returns the columns of an output image.
func (c Conv2D) OutW() int {
	return (c.W+c.PadLeft+c.PadRight-(c.S-1)*c.DilW-1)/c.StrideW + 1
}

// NumRows returns the rows of the output.
func (c Conv2D) NumRows() int { return c.Batch * c.OutH() }

// Rows computes output rows [lo, hi).
func (c Conv2D) Rows(out []float64, x, weights []float32, lo, hi int) {
	outH, outW := c.OutH(), c.OutW()
	for row := lo; row < hi; row++ {
		image, oy := row/outH, row%outH
		for ox := range outW {
			z := out[(row*outW+ox)*c.N:][:c.N]
			clear(z)
			for r := range c.R {
				for s := range c.S {
					iy, ix := oy*c.StrideH-c.PadTop+r*c.DilH, ox*c.StrideW-c.PadLeft+s*c.DilW
					if iy < 0 || iy >= c.H || ix < 0 || ix >= c.W {
						continue
					}
					c.tap(z, x[((image*c.H+iy)*c.W+ix)*c.C:][:c.C], weights, r*c.S+s)
				}
			}
		}
	}
}

// tap adds one input pixel times one tap of the filters.
func (c Conv2D) tap(z []float64, pixel, weights []float32, tap int) {
	perGroup, outs := c.C/c.Groups, c.N/c.Groups
	for ch, v := range pixel {
		group, in := ch/perGroup, ch%perGroup
		from := (tap*perGroup+in)*c.N + group*outs
		addScaled(z[group*outs:(group+1)*outs], float64(v), weights[from:from+outs])
	}
}

// addScaled adds x·y to z.
func addScaled(z []float64, x float64, y []float32) {
	z = z[:len(y)]
	for i, v := range y {
		z[i] += x * float64(v)
	}
}

// dot returns the sum of x·y.
func dot(x, y []float32) float64 {
	var sum [4]float64
	y = y[:len(x)]
	for i, v := range x {
		sum[i%4] += float64(v) * float64(y[i])
	}
	return sum[0] + sum[1] + sum[2] + sum[3]
}
