package workload

import (
	"slices"
	"strings"
)

// rowsOf starts an operator over the rows of its first operand.
func (b *builder) rowsOf(s *spec, operands int) (*Rows, []TensorID, bool) {
	ids, ok := b.inputs(s, operands)
	if !ok {
		return nil, nil, false
	}
	t := b.g.Tensors[ids[0]]
	cols := t.Shape[len(t.Shape)-1]
	rows := t.Elems() / int64(cols)
	if rows > maxDim {
		s.errorf("in", "%s has %d rows; want at most %d", t.Name, rows, maxDim)
		return nil, nil, false
	}
	return &Rows{Rows: int(rows), Cols: cols, X: View{Tensor: ids[0], RowStride: cols}, Y: noView,
		Gamma: None, Beta: None, Scale: 1, Valid: cols}, ids, true
}

// finish gives the operator its destination, of the operand's own shape unless
// another is given.
func (b *builder) finish(s *spec, r *Rows, shape ...int) {
	if shape == nil {
		shape = slices.Clone(b.g.Tensors[r.X.Tensor].Shape)
	}
	var ok bool
	if r.Out, ok = b.destination(s, shape); ok {
		b.emit(s, Op{Rows: r})
	}
}

// unary builds an activation of its own.
func (b *builder) unary(s *spec) {
	if r, _, ok := b.rowsOf(s, 1); ok {
		b.finish(s, r)
	}
}

// binary builds add and mul of two tensors of the same shape. The second may
// have fewer rows: each block of as many rows of the first meets it.
func (b *builder) binary(s *spec) {
	r, ids, ok := b.rowsOf(s, 2)
	if !ok {
		return
	}
	x, y := b.g.Tensors[ids[0]], b.g.Tensors[ids[1]]
	if len(x.Shape) != len(y.Shape) || !slices.Equal(x.Shape[1:], y.Shape[1:]) || x.Shape[0]%y.Shape[0] != 0 {
		s.errorf("in", "%s is %s and %s is %s; %s wants equal shapes, or a first dimension that divides the other's",
			x.Name, x.ShapeString(), y.Name, y.ShapeString(), s.kind)
		return
	}
	r.Y = View{Tensor: ids[1], RowStride: r.Cols}
	if x.Shape[0] == y.Shape[0] {
		b.finish(s, r)
		return
	}
	if y.Elems() > maxDim {
		s.errorf("in", "%s has %d elements; want at most %d for one that is used repeatedly", y.Name, y.Elems(), maxDim)
		return
	}
	if s.has("out") {
		s.errorf("out", "does not go with operands of different shapes")
		return
	}
	r.Rows, r.Cols = x.Shape[0]/y.Shape[0], int(y.Elems())
	r.X.RowStride, r.Y.RowStride, r.Valid = r.Cols, 0, r.Cols
	id := b.result(s, x.Shape...)
	if r.Out = (View{Tensor: id, RowStride: r.Cols}); id >= 0 {
		b.emit(s, Op{Rows: r})
	}
}

func (b *builder) softmax(s *spec) {
	r, _, ok := b.rowsOf(s, 1)
	if !ok {
		return
	}
	r.Scale = s.positive("scale", 1)
	if r.Valid = s.int("valid", r.Cols, 1); r.Valid > r.Cols {
		s.errorf("valid", "%d is more than the %d columns", r.Valid, r.Cols)
		return
	}
	r.ValidStep, r.Period = s.int("valid_step", 0, 0), s.int("period", 0, 1)
	if r.Period > 0 && !s.has("valid_step") {
		s.errorf("period", "says after how many rows valid_step starts over; valid_step is missing")
		return
	}
	b.finish(s, r)
}

// norm builds layernorm, rmsnorm and batchnorm with their own parameters.
func (b *builder) norm(s *spec) {
	r, _, ok := b.rowsOf(s, 1)
	if !ok {
		return
	}
	r.Gamma = b.param(s, "gamma", r.Cols)
	if s.kind != KindRMSNorm {
		r.Beta = b.param(s, "beta", r.Cols)
	}
	if s.kind != KindBatchNorm {
		r.Eps = s.positive("eps", 1e-5)
	}
	b.finish(s, r)
}

func (b *builder) reduce(s *spec) {
	r, _, ok := b.rowsOf(s, 1)
	if !ok {
		return
	}
	by := s.text("by", "sum")
	i := slices.Index(reductionNames[:], by)
	if i < 0 {
		s.errorf("by", "reduction %q is not supported; supported are %s", by, strings.Join(reductionNames[:], ", "))
		return
	}
	r.By = Reduction(i)
	b.finish(s, r, r.Rows, 1)
}

func (b *builder) transpose(s *spec) {
	r, _, ok := b.rowsOf(s, 1)
	if !ok {
		return
	}
	b.finish(s, r, r.Cols, r.Rows)
}

// gather builds a look-up: rows of a table (a tensor, or a new weight rows ×
// cols) chosen by an index tensor.
func (b *builder) gather(s *spec) {
	ids, ok := b.inputs(s, 1)
	if !ok {
		return
	}
	table, ok := b.gatherTable(s)
	if !ok {
		return
	}
	index := &b.g.Tensors[ids[0]]
	if index.Role != Index {
		s.errorf("in", "%s is no index tensor; gather wants one with role = \"index\"", index.Name)
		return
	}
	t := b.g.Tensors[table]
	rows, cols := t.Matrix()
	if index.Index.Limit == 0 || rows < index.Index.Limit {
		index.Index.Limit = rows
	}
	if rule := index.Index; rule.Period > 0 && rule.First+rule.Period > rows {
		s.errorf("in", "%s counts to %d; the table %s has %d rows", index.Name, rule.First+rule.Period-1, t.Name, rows)
		return
	}
	n := index.Elems()
	if n > maxDim {
		s.errorf("in", "%s has %d elements; want at most %d", index.Name, n, maxDim)
		return
	}
	r := &Rows{Rows: int(n), Cols: cols, X: View{Tensor: table, RowStride: cols}, Y: View{Tensor: ids[0], RowStride: 1},
		Gamma: None, Beta: None, Scale: 1, Valid: cols}
	b.finish(s, r, int(n), cols)
}

// gatherTable is the table of a gather.
func (b *builder) gatherTable(s *spec) (TensorID, bool) {
	if s.has("table") {
		return b.find(s, "table", s.text("table", ""))
	}
	id := b.weight(s, "weight", s.need("rows", "rows of the table"), s.need("cols", "columns of the table"))
	return id, id >= 0
}

// copy builds a copy, of a whole tensor or between views of rows × cols.
func (b *builder) copy(s *spec) {
	if !s.has("a") {
		if r, _, ok := b.rowsOf(s, 1); ok {
			b.finish(s, r)
		}
		return
	}
	v, _, ok := b.view(s, "a")
	rows, cols := s.need("rows", "rows of the view a"), s.need("cols", "columns of the view a")
	if !ok {
		return
	}
	r := &Rows{Rows: rows, Cols: cols, X: v, Y: noView, Gamma: None, Beta: None, Scale: 1, Valid: cols}
	b.finish(s, r, rows, cols)
}
