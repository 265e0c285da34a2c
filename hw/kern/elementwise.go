package kern

import "fmt"

// chunk is how many columns a vector kernel holds as float32 at a time, so that
// its rows stay in the first cache.
const chunk = 1024

// Unary is a task: Out = Op(X) for Rows×Cols elements. Identity converts types.
type Unary struct {
	Op         Act
	Rows, Cols int
	X, Out     View
}

// Check implements Task.
func (u *Unary) Check() error {
	return wrap("unary", u.Rows, u.Cols, u.Op.check(), counts(u.Rows, u.Cols),
		u.X.input("X", u.Rows, u.Cols), u.Out.output("Out", u.Rows, u.Cols))
}

// Parts implements Task.
func (u *Unary) Parts(workers int) int { return partsOf(workers, u.Rows, u.Cols, vectorWork) }

// Run implements Task.
func (u *Unary) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, u.Rows, u.Cols, 1, 16)
	for r := t.m0; r < t.m1; r++ {
		for c := t.n0; c < t.n1; c += chunk {
			x := s.floats(0, min(chunk, t.n1-c))
			u.X.load(x, r, c)
			u.Op.apply(x)
			u.Out.store(x, r, c)
		}
	}
}

// BinaryOp is a function of two float32 values.
type BinaryOp uint8

const (
	Add BinaryOp = iota
	Sub          // X − Y
	Mul
	Max // NaN if either is
	Min // NaN if either is
)

var binaryNames = [...]string{Add: "add", Sub: "sub", Mul: "mul", Max: "max", Min: "min"}

// String returns the operation's name.
func (o BinaryOp) String() string {
	if int(o) >= len(binaryNames) {
		return fmt.Sprintf("binary(%d)", uint8(o))
	}
	return binaryNames[o]
}

// apply replaces x by x op y.
func (o BinaryOp) apply(x, y []float32) { active.rows.binary[o](x, y) }

func (o BinaryOp) check() error {
	if int(o) >= len(binaryNames) {
		return fmt.Errorf("%w: binary operation %d", ErrType, o)
	}
	return nil
}

// Binary is a task: Out = Act(X Op Y) for Rows×Cols elements. An input with LD 0
// is one row that meets every row of the other.
type Binary struct {
	Op         BinaryOp
	Act        Act
	Rows, Cols int
	X, Y, Out  View
}

// Check implements Task.
func (b *Binary) Check() error {
	return wrap("binary", b.Rows, b.Cols, b.Op.check(), b.Act.check(), counts(b.Rows, b.Cols),
		b.X.input("X", b.Rows, b.Cols), b.Y.input("Y", b.Rows, b.Cols), b.Out.output("Out", b.Rows, b.Cols))
}

// Parts implements Task.
func (b *Binary) Parts(workers int) int { return partsOf(workers, b.Rows, b.Cols, vectorWork) }

// Run implements Task.
func (b *Binary) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, b.Rows, b.Cols, 1, 16)
	for r := t.m0; r < t.m1; r++ {
		for c := t.n0; c < t.n1; c += chunk {
			n := min(chunk, t.n1-c)
			x, y := s.floats(0, n), s.floats(1, n)
			b.X.load(x, r, c)
			b.Y.load(y, r, c)
			b.Op.apply(x, y)
			b.Act.apply(x)
			b.Out.store(x, r, c)
		}
	}
}

// ScaleShift is a task: Out = Act(X·Scale[c] + Shift[c]), the inference form of
// batch normalisation, with Scale = γ/√(σ²+ε) and Shift = β − μ·Scale. Scale and
// Shift are float32 vectors of Cols; nil leaves the factor 1 or the term 0.
type ScaleShift struct {
	Rows, Cols   int
	X, Out       View
	Scale, Shift []byte
	Act          Act
}

// Check implements Task.
func (b *ScaleShift) Check() error {
	return wrap("scale-shift", b.Rows, b.Cols, b.Act.check(), counts(b.Rows, b.Cols),
		b.X.input("X", b.Rows, b.Cols), b.Out.output("Out", b.Rows, b.Cols),
		optional("Scale", b.Scale, b.Cols), optional("Shift", b.Shift, b.Cols))
}

// Parts implements Task.
func (b *ScaleShift) Parts(workers int) int { return partsOf(workers, b.Rows, b.Cols, vectorWork) }

// Run implements Task.
func (b *ScaleShift) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, b.Rows, b.Cols, 1, 16)
	for c := t.n0; c < t.n1; c += chunk {
		n := min(chunk, t.n1-c)
		scale, shift := vectorOr(s, 1, b.Scale, c, n, 1), vectorOr(s, 2, b.Shift, c, n, 0)
		for r := t.m0; r < t.m1; r++ {
			x := s.floats(0, n)
			b.X.load(x, r, c)
			active.rows.mulAdd(x, scale, shift)
			b.Act.apply(x)
			b.Out.store(x, r, c)
		}
	}
}

// vectorOr loads n elements of a float32 vector from element at on into a row of
// the scratch, or fills it with the value that a missing vector means.
func vectorOr(s *Scratch, row int, v []byte, at, n int, missing float32) []float32 {
	f := s.floats(row, n)
	if v != nil {
		loadRow(f, v[4*at:], F32, 1)
		return f
	}
	for i := range f {
		f[i] = missing
	}
	return f
}

// optional checks a float32 vector that may be missing.
func optional(what string, v []byte, n int) error {
	if v == nil {
		return nil
	}
	return vector(what, v, n)
}

// wrap names the kernel and its shape in the first error there is.
func wrap(kernel string, rows, cols int, errs ...error) error {
	if err := first(errs...); err != nil {
		return fmt.Errorf("%s %d×%d: %w", kernel, rows, cols, err)
	}
	return nil
}
