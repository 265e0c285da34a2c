package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Epilogue is what a GEMM or convolution does with a sum before it is stored:
// act(scale·sum + bias + residual), with the values of int8 operands.
type Epilogue struct {
	Scale    float32 // multiplies the sum's value; 0: 1
	ColScale uint64  // address of f32[columns] instead of all scales of the sum; 0: none
	Bias     uint64  // address of f32[columns]; 0: none
	Residual Tensor  // of the output's type and shape; Addr 0: none
	Act      uint8   // abi.Act…
}

// Gemm is C = act(scale·A·B + bias + residual) for Outer × Batch pairs of an
// M×K and a K×N matrix (N×K with TransB). Counts of batches of 0 are 1. A batch
// stride of 0 shares one matrix.
type Gemm struct {
	Outer, Batch int
	M, N, K      int
	A, B, C      Tensor
	TransB       bool
	// FreeB says that the program stores B as the kernel's KernelPanels asks:
	// the mapper then chooses what loads best. B has no gaps and no batches.
	FreeB bool
	Epilogue
}

// Gemm returns the kernels of a product: one, or one an outer batch where a
// stride is beyond a descriptor's 32 bits.
func (l *Library) Gemm(g *Gemm) ([]abi.Kernel, error) {
	v := *g
	v.Outer, v.Batch = max(g.Outer, 1), max(g.Batch, 1)
	v.tidy()
	if err := v.check(); err != nil {
		return nil, err
	}
	v.fold()
	if v.Outer > 1 && v.farOuter() {
		return l.outerGemms(&v)
	}
	k, err := l.gemm(&v)
	if err != nil {
		return nil, err
	}
	return []abi.Kernel{k}, nil
}

// check refuses what no descriptor expresses.
func (g *Gemm) check() error {
	const op = "gemm"
	if err := within(op, dim("outer", g.Outer), dim("batch", g.Batch), dim("m", g.M), dim("n", g.N), dim("k", g.K)); err != nil {
		return err
	}
	if g.Residual.Addr != 0 && g.Residual.Type != g.C.Type {
		return refuse(op, "residual of type %v, want the output's, %v", g.Residual.Type, g.C.Type)
	}
	if g.A.Type != g.B.Type {
		return refuse(op, "operands of types %v and %v, want one type", g.A.Type, g.B.Type)
	}
	if err := g.Epilogue.check(op, &g.A, &g.C); err != nil {
		return err
	}
	return apart(op, &g.C, g.M, int64(g.N)*g.C.size())
}

// tidy clears what says nothing.
func (e *Epilogue) tidy() {
	if e.Residual.Addr == 0 {
		e.Residual = Tensor{}
	}
	if e.Scale == 1 {
		e.Scale = 0
	}
}

// check holds types against the epilogue.
func (e *Epilogue) check(op string, in, out *Tensor) error {
	if e.Act >= abi.NumActs {
		return refuse(op, "activation %d, want 0 to %d", e.Act, abi.NumActs-1)
	}
	if out.Type == abi.I32 {
		if in.Type != abi.I8 || *e != (Epilogue{}) {
			return refuse(op, "int32 output, want int8 operands and no epilogue")
		}
		return typed(op, in)
	}
	return typed(op, in, out)
}

// fold makes batches into rows where A, C and the residual follow each other at
// one step and B is shared, and an outer batch into the inner one where there is
// no inner one: weights then serve all rows.
func (g *Gemm) fold() {
	for range 2 {
		if g.Batch == 1 { // the inner loop takes the outer's place
			g.Outer, g.Batch = 1, g.Outer
			for _, t := range g.operands() {
				t.Batch = [2]uint64{0, t.Batch[0]}
			}
		}
		if g.Batch == 1 || !g.foldable() {
			break
		}
		if g.M == 1 {
			g.A.Row, g.C.Row, g.Residual.Row = g.A.Batch[1], g.C.Batch[1], g.Residual.Batch[1]
		}
		g.M, g.Batch = g.M*g.Batch, 1
	}
	for _, t := range g.operands() {
		if g.Batch == 1 {
			t.Batch[1] = 0
		}
		if g.Outer == 1 {
			t.Batch[0] = 0
		}
	}
}

// foldable reports whether the rows of the inner batches are those of one matrix.
func (g *Gemm) foldable() bool {
	if g.B.Batch[1] != 0 || int64(g.M)*int64(g.Batch) > maxExtent {
		return false
	}
	for _, t := range [...]*Tensor{&g.A, &g.C, &g.Residual} {
		if (t != &g.Residual || t.Addr != 0) && g.M > 1 && t.Batch[1] != uint64(g.M)*t.Row {
			return false
		}
	}
	return g.C.Batch[1] >= uint64(g.N)*uint64(g.C.size())
}

// operands lists the views in the descriptor's order.
func (g *Gemm) operands() [abi.NumOperands]*Tensor {
	return [abi.NumOperands]*Tensor{&g.A, &g.B, &g.C, &g.Residual}
}

// farOuter reports an outer stride beyond the descriptor's 32 bits.
func (g *Gemm) farOuter() bool {
	for _, t := range g.operands() {
		if t.Batch[0] > 1<<32-1 {
			return true
		}
	}
	return false
}

// outerGemms makes a kernel for each outer batch.
func (l *Library) outerGemms(g *Gemm) ([]abi.Kernel, error) {
	ks := make([]abi.Kernel, g.Outer)
	for i := range ks {
		one := *g
		one.Outer = 1
		for _, t := range one.operands() {
			t.Addr, t.Batch[0] = t.Addr+uint64(i)*t.Batch[0], 0
		}
		var err error
		if ks[i], err = l.gemm(&one); err != nil {
			return nil, err
		}
	}
	return ks, nil
}

// gemm makes the descriptor of a product that has one.
func (l *Library) gemm(g *Gemm) (abi.Kernel, error) {
	k := abi.Kernel{Kind: abi.KernelGEMM, Dataflow: l.m.flow}
	k.Dims[abi.DimOuter], k.Dims[abi.DimBatch] = uint32(g.Outer), uint32(g.Batch)
	k.Dims[abi.DimM], k.Dims[abi.DimN], k.Dims[abi.DimK] = uint32(g.M), uint32(g.N), uint32(g.K)
	if g.TransB {
		k.Flags |= abi.KernelTransB
	}
	k.Operands = [abi.NumOperands]abi.Operand{g.A.operand(), g.B.operand(), g.C.operand()}
	for i, t := range g.operands() {
		k.Dims[abi.DimOuterStride+i] = uint32(t.Batch[0])
	}
	g.put(&k, &g.A, &g.B, &g.C)
	m, err := l.m.product("gemm", g.geometry())
	if err != nil {
		return k, err
	}
	m.put(&k)
	return k, nil
}

// put writes types, scales and the epilogue into a descriptor.
func (e *Epilogue) put(k *abi.Kernel, a, b, c *Tensor) {
	k.InType, k.OutType, k.Act = a.Type, c.Type, e.Act
	k.Scale, k.OutScale, k.ResScale = orOne(e.Scale)*a.step()*b.step(), c.step(), 1
	if e.Bias != 0 {
		k.Flags |= abi.KernelBias
		k.Bias = e.Bias
	}
	if e.ColScale != 0 {
		k.Flags |= abi.KernelColScale
		k.ColScale = e.ColScale
	}
	if e.Residual.Addr != 0 {
		k.Flags |= abi.KernelResidual
		k.Operands[abi.OperandResidual], k.ResScale = e.Residual.operand(), e.Residual.step()
	}
}

// geometry is what the mapping depends on.
func (g *Gemm) geometry() product {
	m, n, k := int64(g.M), int64(g.N), int64(g.K)
	width, rows := n, k
	if g.TransB {
		width, rows = k, n
	}
	p := product{batch: int64(g.Outer) * int64(g.Batch), h: m, w: 1, oh: m, ow: 1, f: n, cg: k, groups: 1, r: 1, s: 1,
		sh: 1, sw: 1, dh: 1, dw: 1, gemm: true, transB: g.TransB,
		tightIn: m == 1 || g.A.Row == uint64(k*g.A.size()), tightOut: m == 1 || g.C.Row == uint64(n*g.C.size()),
		tightW: rows == 1 || g.B.Row == uint64(width*g.B.size()),
		shared: (g.Outer == 1 || g.B.Batch[0] == 0) && (g.Batch == 1 || g.B.Batch[1] == 0)}
	p.free = g.FreeB && p.shared && p.tightW && !g.TransB
	g.describe(&p, &g.A, &g.C)
	return p
}

// describe adds types and epilogue to a geometry.
func (e *Epilogue) describe(p *product, in, out *Tensor) {
	p.in, p.out, p.f32 = in.size(), out.size(), in.Type == abi.F32
	p.raw, p.residual, p.params = out.Type == abi.I32, e.Residual.Addr != 0, e.Bias != 0 || e.ColScale != 0
	p.act = e.Act
}
