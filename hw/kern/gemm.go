package kern

import "fmt"

// Gemm is a task: C (+)= A·B. A is M×K row-major, B is K×N, or N×K with TransB;
// C is M×N of float32 for In F32 and BF16, of int32 for In I8. LDA, LDB and LDC
// are the bytes from row to row. With Accumulate C is added to, else written.
type Gemm struct {
	M, N, K       int
	A, B, C       []byte
	LDA, LDB, LDC int
	In            DType
	TransB        bool
	Accumulate    bool

	on *backend // nil: the host's best
}

// Check implements Task.
func (g *Gemm) Check() error {
	if _, err := productFormat(g.on, g.In); err != nil {
		return fmt.Errorf("gemm: %w", err)
	}
	rowsB, rowB := g.K, g.N
	if g.TransB {
		rowsB, rowB = g.N, g.K
	}
	size := g.In.Size()
	err := first(counts(g.M, g.N, g.K),
		span("A", g.A, g.M, g.LDA, g.K*size),
		span("B", g.B, rowsB, g.LDB, rowB*size),
		accumulators("C", g.C, g.M, g.N, g.LDC))
	if err != nil {
		return fmt.Errorf("gemm %d×%d×%d: %w", g.M, g.N, g.K, err)
	}
	return nil
}

// Parts implements Task.
func (g *Gemm) Parts(workers int) int { return partsOf(workers, g.M, g.N, g.K) }

// Run implements Task.
func (g *Gemm) Run(part, parts int, s *Scratch) {
	f, _ := productFormat(g.on, g.In)
	size := g.In.Size()
	p := product{
		f: f, a: plainRows(g.A, g.LDA, g.K*size),
		b: g.B, ldb: g.LDB, transB: g.TransB,
		c: g.C, ldc: g.LDC, k: g.K, elem: size, fresh: !g.Accumulate,
	}
	if g.TransB {
		p.bt = plainRows(g.B, g.LDB, g.K*size)
	}
	p.block(partOf(part, parts, g.M, g.N, f.mr, f.nr), s)
}

// productFormat returns how b, or the host's best back end, multiplies type t.
func productFormat(b *backend, t DType) (*format, error) {
	if b == nil {
		b = active
	}
	if int(t) >= len(b.formats) || b.formats[t] == nil {
		return nil, fmt.Errorf("%w: input %v; f32, bf16 and i8 are", ErrType, t)
	}
	return b.formats[t], nil
}

// accumulators checks an m×n matrix of 32-bit accumulators.
func accumulators(what string, c []byte, m, n, ld int) error {
	if m > 1 && ld < 4*n {
		return fmt.Errorf("%w: %s: stride %d is less than a row of %d bytes", ErrShape, what, ld, 4*n)
	}
	return span(what, c, m, ld, 4*n)
}
