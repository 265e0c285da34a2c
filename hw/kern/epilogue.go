package kern

import "fmt"

// Epilogue is a task that turns a tile of accumulators into an output tile:
//
//	Out = Act(acc·scale + Bias[c] + residual)
//
// Acc is Rows×Cols of AccType, F32 or I32, LDAcc bytes apart. The scale is
// ScaleVec[c] if there is one, else Scale (0 means 1); ScaleVec and Bias are
// float32 vectors of Cols. Residual, unless its Data is nil, is added with its
// own type and scale. Each step is one float32 operation, in the order written;
// an int32 accumulator is first rounded to float32. Out of type I8 is divided by
// Out.Scale, rounded to nearest, ties to even, and saturated.
type Epilogue struct {
	Rows, Cols     int
	Acc            []byte
	LDAcc          int
	AccType        DType
	Scale          float32
	ScaleVec, Bias []byte
	Residual       View
	Act            Act
	Out            View
}

// Check implements Task.
func (e *Epilogue) Check() error {
	if e.AccType != F32 && e.AccType != I32 {
		return fmt.Errorf("epilogue: %w: accumulator %v; f32 and i32 are", ErrType, e.AccType)
	}
	var residual error
	if e.Residual.Data != nil {
		residual = e.Residual.input("Residual", e.Rows, e.Cols)
	}
	return wrap("epilogue", e.Rows, e.Cols, e.Act.check(), counts(e.Rows, e.Cols),
		span("Acc", e.Acc, e.Rows, e.LDAcc, 4*e.Cols), residual,
		optional("ScaleVec", e.ScaleVec, e.Cols), optional("Bias", e.Bias, e.Cols),
		e.Out.output("Out", e.Rows, e.Cols))
}

// Parts implements Task.
func (e *Epilogue) Parts(workers int) int { return partsOf(workers, e.Rows, e.Cols, vectorWork) }

// Run implements Task.
func (e *Epilogue) Run(part, parts int, s *Scratch) {
	t := partOf(part, parts, e.Rows, e.Cols, 1, 16)
	acc := View{Data: e.Acc, LD: e.LDAcc, Type: e.AccType}
	for c := t.n0; c < t.n1; c += chunk {
		n := min(chunk, t.n1-c)
		scales, bias := vectorOr(s, 1, e.ScaleVec, c, n, orOne(e.Scale)), vectorOr(s, 2, e.Bias, c, n, 0)
		for r := t.m0; r < t.m1; r++ {
			x := s.floats(0, n)
			acc.load(x, r, c)
			active.rows.mulAdd(x, scales, bias)
			if e.Residual.Data != nil {
				res := s.floats(3, n)
				e.Residual.load(res, r, c)
				Add.apply(x, res)
			}
			e.Act.apply(x)
			e.Out.store(x, r, c)
		}
	}
}
