package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Image is the geometry of a convolution or pool: input [N, H, W, C], output
// [N, P, Q, K], windows of R×S. All tensors are contiguous.
type Image struct {
	N, H, W, C  int
	K, P, Q     int // pools: K is C
	R, S        int
	Stride, Pad [2]int // height, width; the padding at the end follows from P and Q
}

// Conv is a convolution of X with filters F [R, S, C/Groups, K] and the epilogue
// of a GEMM: Y = act(scale·sum + bias + residual).
type Conv struct {
	Image
	Dilation [2]int // 0: 1
	Groups   int    // 0: 1
	X, F, Y  Tensor
	FreeF    bool // as Gemm.FreeB, of the K = R·S·C rows of F; not with groups
	Epilogue
}

// check refuses extents that no descriptor holds.
func (v *Image) check(op string) error {
	return within(op, dim("n", v.N), dim("h", v.H), dim("w", v.W), dim("c", v.C), dim("k", v.K), dim("p", v.P), dim("q", v.Q),
		window("r", v.R), window("s", v.S), window("stride[0]", v.Stride[0]), window("stride[1]", v.Stride[1]),
		extent{"pad[0]", v.Pad[0], 0, maxWindow - 1}, extent{"pad[1]", v.Pad[1], 0, maxWindow - 1})
}

// Conv returns the kernels of a convolution. One of 1×1 windows without stride
// and padding is a product of all its pixels.
func (l *Library) Conv(v *Conv) ([]abi.Kernel, error) {
	c := *v
	c.Groups, c.Dilation = max(v.Groups, 1), [2]int{max(v.Dilation[0], 1), max(v.Dilation[1], 1)}
	c.tidy()
	if err := c.check(); err != nil {
		return nil, err
	}
	if g, ok := c.pointwise(); ok {
		return l.Gemm(&g)
	}
	k := abi.Kernel{Kind: abi.KernelConv, Dataflow: l.m.flow}
	c.put(&k)
	m, err := l.m.product("conv", c.geometry())
	if err != nil {
		return nil, err
	}
	m.put(&k)
	return []abi.Kernel{k}, nil
}

func (c *Conv) check() error {
	const op = "conv"
	if err := c.Image.check(op); err != nil {
		return err
	}
	if err := within(op, window("dilation[0]", c.Dilation[0]), window("dilation[1]", c.Dilation[1]), dim("groups", c.Groups)); err != nil {
		return err
	}
	switch {
	case c.C%c.Groups != 0 || c.K%c.Groups != 0:
		return refuse(op, "%d groups, want a divisor of %d input and %d output channels", c.Groups, c.C, c.K)
	case c.X.Type != c.F.Type:
		return refuse(op, "operands of types %v and %v, want one type", c.X.Type, c.F.Type)
	case c.Residual.Addr != 0 && c.Residual.Type != c.Y.Type:
		return refuse(op, "residual of type %v, want the output's, %v", c.Residual.Type, c.Y.Type)
	}
	return c.Epilogue.check(op, &c.X, &c.Y)
}

// pointwise is the product that a convolution of single pixels is.
func (c *Conv) pointwise() (Gemm, bool) {
	pixels := int64(c.N) * int64(c.P) * int64(c.Q)
	if c.R != 1 || c.S != 1 || c.Groups != 1 || c.Stride != [2]int{1, 1} || c.Pad != [2]int{} ||
		c.P != c.H || c.Q != c.W || pixels > maxExtent {
		return Gemm{}, false
	}
	g := Gemm{M: int(pixels), N: c.K, K: c.C, FreeB: c.FreeF, Epilogue: c.Epilogue}
	view := func(t Tensor, cols int) Tensor {
		return Tensor{Addr: t.Addr, Type: t.Type, Scale: t.Scale, Row: uint64(cols) * uint64(t.size())}
	}
	g.A, g.B, g.C = view(c.X, c.C), view(c.F, c.K), view(c.Y, c.K)
	if c.Residual.Addr != 0 {
		g.Residual = view(c.Residual, c.K)
	}
	return g, true
}

// put writes geometry and operands into a descriptor.
func (v *Image) put(k *abi.Kernel, x, y Tensor) {
	for i, n := range [...]int{abi.DimImages: v.N, abi.DimH: v.H, abi.DimW: v.W, abi.DimC: v.C, abi.DimFilters: v.K,
		abi.DimR: v.R, abi.DimS: v.S, abi.DimStrideH: v.Stride[0], abi.DimStrideW: v.Stride[1],
		abi.DimPadH: v.Pad[0], abi.DimPadW: v.Pad[1], abi.DimDilH: 1, abi.DimDilW: 1, abi.DimGroups: 1,
		abi.DimOH: v.P, abi.DimOW: v.Q} {
		k.Dims[i] = uint32(n)
	}
	k.Operands[abi.OperandInput] = image(x, v.H, v.W, v.C)
	k.Operands[abi.OperandOutput] = image(y, v.P, v.Q, v.K)
}

// image is a contiguous [N, H, W, C] tensor as an operand.
func image(t Tensor, h, w, c int) abi.Operand {
	row := uint64(w) * uint64(c) * uint64(t.size())
	return abi.Operand{Addr: t.Addr, RowStride: row, BatchStride: uint64(h) * row}
}

func (c *Conv) put(k *abi.Kernel) {
	c.Image.put(k, c.X, c.Y)
	k.Dims[abi.DimDilH], k.Dims[abi.DimDilW] = uint32(c.Dilation[0]), uint32(c.Dilation[1])
	k.Dims[abi.DimGroups] = uint32(c.Groups)
	k.Operands[abi.OperandWeights] = abi.Operand{Addr: c.F.Addr, RowStride: uint64(c.K) * uint64(c.F.size())}
	c.Epilogue.put(k, &c.X, &c.F, &c.Y)
	if c.Residual.Addr != 0 {
		k.Operands[abi.OperandResidual] = image(c.Residual, c.P, c.Q, c.K)
	}
}

// geometry is what the mapping depends on.
func (c *Conv) geometry() product {
	p := product{batch: int64(c.N), h: int64(c.H), w: int64(c.W), oh: int64(c.P), ow: int64(c.Q), f: int64(c.K),
		cg: int64(c.C / c.Groups), groups: int64(c.Groups), r: int64(c.R), s: int64(c.S),
		sh: int64(c.Stride[0]), sw: int64(c.Stride[1]), dh: int64(c.Dilation[0]), dw: int64(c.Dilation[1]),
		tightIn: true, tightW: true, tightOut: true, shared: true}
	p.free = c.FreeF && c.Groups == 1
	c.describe(&p, &c.X, &c.Y)
	return p
}
