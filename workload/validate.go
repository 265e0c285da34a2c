package workload

// Validate checks every rule a lowering may rely on: ids in range, views inside
// their tensors, operands of one type, parameters of the right length, nothing
// read before it is written and nothing constant written. [Load] has done so.
func (g *Graph) Validate() error {
	f := &faults{}
	v := validator{g: g, written: make([]bool, len(g.Tensors))}
	for i, t := range g.Tensors {
		v.written[i] = t.Role.HostFilled()
		v.place = place{faults: f, source: t.Pos, name: t.Name}
		v.tensor(t)
	}
	for i := range g.Ops {
		o := &g.Ops[i]
		v.place = place{faults: f, source: o.Pos, name: o.Name}
		if v.ids(o) {
			v.op(o)
			v.written[o.Out()] = true
		}
	}
	v.place = place{faults: f, source: g.Name}
	for _, id := range g.Outputs {
		if id < 0 || int(id) >= len(g.Tensors) || !v.written[id] {
			v.errorf("outputs", "tensor %d is written by no operator", id)
		}
	}
	return f.err()
}

type validator struct {
	place
	g       *Graph
	written []bool
}

func (v *validator) tensor(t Tensor) {
	switch {
	case t.Role == Index && t.DType != I32, t.Role != Index && t.DType == I32:
		v.errorf("role", "%s does not go with %s; want int32 for index tensors and only for them", t.Role, t.DType)
	case t.Role == Param && t.DType != F32:
		v.errorf("dtype", "a parameter vector is %s; want f32", t.DType)
	case t.Values != nil && int64(len(t.Values)) != t.Elems():
		v.errorf("values", "%d values found for %s; want %d", len(t.Values), t.ShapeString(), t.Elems())
	case t.Role == Index && t.Index.Period == 0 && t.Index.Limit < 1:
		v.errorf("role", "no gather uses this index tensor; want one")
	}
}

// ids checks that the operator's tensors exist and are ready.
func (v *validator) ids(o *Op) bool {
	main, _ := o.operands()
	for _, id := range append(append(main, o.Reads()...), o.Out()) {
		if id < 0 || int(id) >= len(v.g.Tensors) {
			v.errorf("", "tensor %d does not exist; want 0 to %d", id, len(v.g.Tensors)-1)
			return false
		}
	}
	for _, id := range o.Reads() {
		if id == o.Out() {
			v.errorf("out", "%s is also read by this operator; want another tensor", v.g.Tensors[id].Name)
		}
		if !v.written[id] {
			v.errorf("in", "%s is read before an operator wrote it", v.g.Tensors[id].Name)
		}
	}
	out := v.g.Tensors[o.Out()]
	if out.Role != Activation && out.Role != Output && out.Role != Cache {
		v.errorf("out", "%s is of role %s; want an activation, output or cache", out.Name, out.Role)
	}
	return true
}

// maxWork bounds the multiply-accumulates or elements of an operator, so that
// sums over a network fit an int64.
const maxWork = 1 << 46

func (v *validator) op(o *Op) {
	if w := o.work(); w > maxWork {
		v.errorf("", "%s takes %.3g steps; want at most %d", o.Shape(), w, int64(maxWork))
	}
	switch {
	case o.Gemm != nil:
		v.gemm(o.Gemm)
	case o.Conv != nil:
		v.conv(o.Conv)
	case o.Pool != nil:
		v.same("out", o.Pool.X, o.Pool.Y)
		v.elems("out", o.Pool.Y, o.Pool.N, o.Pool.P, o.Pool.Q, o.Pool.C)
	default:
		v.rows(o.Kind, o.Rows)
	}
}

func (v *validator) gemm(g *Gemm) {
	br, bc := g.K, g.N
	if g.TransB {
		br, bc = g.N, g.K
	}
	v.view("a", g.A, g.Batch, g.M, g.K)
	v.view("b", g.B, g.Batch, br, bc)
	v.view("out", g.C, g.Batch, g.M, g.N)
	v.same("b", g.A.Tensor, g.B.Tensor)
	v.overlap(g.C, g.Batch, g.M, g.N)
	v.vector("bias", g.Bias, g.N)
	if g.Residual.Tensor != None {
		v.same("residual", g.C.Tensor, g.Residual.Tensor)
		v.view("residual", g.Residual, g.Batch, g.M, g.N)
	}
}

func (v *validator) conv(c *Conv) {
	v.elems("in", c.X, c.N, c.H, c.W, c.C)
	v.elems("weight", c.F, c.R, c.S, c.C/c.Groups, c.K)
	v.elems("out", c.Y, c.N, c.P, c.Q, c.K)
	v.same("weight", c.X, c.F)
	v.vector("bias", c.Bias, c.K)
	if c.Residual.Tensor != None {
		v.same("residual", c.Y, c.Residual.Tensor)
		v.elems("residual", c.Residual.Tensor, c.N, c.P, c.Q, c.K)
	}
}

func (v *validator) rows(k Kind, r *Rows) {
	one := [2]int{1, 1}
	switch k {
	case KindGather:
		v.view("out", r.Out, one, r.Rows, r.Cols)
		v.view("in", r.Y, one, r.Rows, 1)
	case KindReduce:
		v.view("in", r.X, one, r.Rows, r.Cols)
		v.view("out", r.Out, one, r.Rows, 1)
	case KindTranspose:
		v.view("in", r.X, one, r.Rows, r.Cols)
		v.view("out", r.Out, one, r.Cols, r.Rows)
	default:
		v.view("in", r.X, one, r.Rows, r.Cols)
		v.view("out", r.Out, one, r.Rows, r.Cols)
		if r.Y.Tensor != None {
			v.view("in", r.Y, one, r.Rows, r.Cols)
			v.same("in", r.X.Tensor, r.Y.Tensor)
		}
	}
	v.same("out", r.X.Tensor, r.Out.Tensor)
	if k != KindReduce && k != KindTranspose {
		v.overlap(r.Out, one, r.Rows, r.Cols)
	}
	v.vector("gamma", r.Gamma, r.Cols)
	v.vector("beta", r.Beta, r.Cols)
}

// vector checks an optional parameter vector.
func (v *validator) vector(key string, id TensorID, n int) {
	if id == None {
		return
	}
	if t := v.g.Tensors[id]; t.DType != F32 || t.Elems() != int64(n) {
		v.errorf(key, "%s is %s %s; want %d f32", t.Name, t.ShapeString(), t.DType, n)
	}
}

// elems checks that a tensor has the elements the operator's geometry implies.
func (v *validator) elems(key string, id TensorID, shape ...int) {
	if t := v.g.Tensors[id]; t.Elems() != product(shape) {
		v.errorf(key, "%s is %s; want %s", t.Name, t.ShapeString(), shapeString(shape))
	}
}

// view checks that a view stays inside its tensor.
func (v *validator) view(key string, w View, batch [2]int, rows, cols int) {
	t := v.g.Tensors[w.Tensor]
	if last := w.last(batch, rows, cols); last >= t.Elems() {
		v.errorf(key, "a view of %dx%dx%dx%d ends at element %d; %s has %d (%s)",
			batch[0], batch[1], rows, cols, last, t.Name, t.Elems(), t.ShapeString())
	}
}

// overlap refuses a destination whose rows or matrices run into each other.
func (v *validator) overlap(w View, batch [2]int, rows, cols int) {
	if rows > 1 && w.RowStride < cols {
		v.errorf("out", "rows are %d apart and %d long: they overlap; want a row stride of at least %d", w.RowStride, cols, cols)
	}
	for i, n := range batch {
		if n > 1 && w.BatchStride[i] == 0 {
			v.errorf("out", "all %d matrices of a batch go to one place; want a batch stride", n)
		}
	}
}

// same checks that two operands have one element type.
func (v *validator) same(key string, a, b TensorID) {
	x, y := v.g.Tensors[a], v.g.Tensors[b]
	if x.DType != y.DType {
		v.errorf(key, "%s is %s and %s is %s; want one type", x.Name, x.DType, y.Name, y.DType)
	}
}
