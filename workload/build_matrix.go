package workload

// gemm builds a matrix product. In the simple form A is the operand before (or
// in), B a new weight [K, n]; a, b and out as views make it any strided batch.
func (b *builder) gemm(s *spec) {
	a, m, k, ok := b.gemmA(s)
	if !ok {
		return
	}
	w, n, ok := b.gemmB(s, k)
	if !ok {
		return
	}
	g := &Gemm{Batch: s.nested("batch", 1), M: m, N: n, K: k, A: a, B: w, TransB: s.bool("trans_b", false)}
	rows := int64(g.Batch[0]) * int64(g.Batch[1]) * int64(m)
	if int64(g.Batch[0])*int64(g.Batch[1]) > maxDim || rows > maxElems/int64(n) {
		s.errorf("batch", "%d·%d results of %dx%d are too many; want at most %d elements", g.Batch[0], g.Batch[1], m, n, int64(maxElems))
		return
	}
	if g.C, ok = b.destination(s, []int{int(rows), n}); !ok {
		return
	}
	if !s.has("out") {
		g.C = packed(g.C.Tensor, g.Batch, m, n)
	}
	g.A, g.B, g.C = g.A.canonical(g.Batch), g.B.canonical(g.Batch), g.C.canonical(g.Batch)
	if b.epilogue(s, &g.Epilogue, n, packed(None, g.Batch, m, n).canonical(g.Batch)) {
		b.emit(s, Op{Gemm: g})
	}
}

// packed is the view of a whole tensor as batches of m × n without gaps.
func packed(id TensorID, batch [2]int, m, n int) View {
	return View{Tensor: id, RowStride: n, BatchStride: [2]int{batch[1] * m * n, m * n}}
}

// gemmA reads the left operand and its rows and columns.
func (b *builder) gemmA(s *spec) (v View, m, k int, ok bool) {
	if _, table := s.attrs["a"].(map[string]any); table {
		v, _, ok = b.view(s, "a")
		return v, s.need("m", "rows of A, which is a view"), s.need("k", "columns of A, which is a view"), ok
	}
	ids, ok := b.inputs(s, 1)
	if !ok {
		return noView, 0, 0, false
	}
	rows, cols := b.g.Tensors[ids[0]].Matrix()
	if s.has("a") {
		s.errorf("a", "want a view such as { of = \"x\", row = 768 }; a whole tensor goes into in")
		return noView, 0, 0, false
	}
	return View{Tensor: ids[0], RowStride: cols}, s.int("m", rows, 1), s.int("k", cols, 1), true
}

// gemmB reads the right operand, or makes a weight, and gives its columns.
func (b *builder) gemmB(s *spec, k int) (v View, n int, ok bool) {
	trans := s.bool("trans_b", false)
	if !s.has("b") {
		n = s.need("n", "columns of the weight")
		shape := []int{k, n}
		if trans {
			shape = []int{n, k}
		}
		id := b.weight(s, "weight", shape...)
		return View{Tensor: id, RowStride: shape[1]}, n, id >= 0
	}
	v, strided, ok := b.view(s, "b")
	if !ok {
		return v, 0, false
	}
	if strided {
		return v, s.need("n", "columns of B, which is a view"), true
	}
	t := b.g.Tensors[v.Tensor]
	kb, nb := t.Matrix()
	if trans {
		kb, nb = nb, kb
	}
	if kb != k {
		s.errorf("b", "%s is %s, which gives K = %d; A has %d columns", t.Name, t.ShapeString(), kb, k)
		return v, 0, false
	}
	return v, s.int("n", nb, 1), true
}

// epilogue reads what follows the accumulation. whole is the view that a
// residual given by name alone has.
func (b *builder) epilogue(s *spec, e *Epilogue, cols int, whole View) bool {
	*e = Epilogue{Scale: s.positive("scale", 1), Bias: None, Residual: noView, Act: s.act("act")}
	if s.bool("bias", s.kind == KindConv) {
		e.Bias = b.param(s, "bias", cols)
	}
	if !s.has("residual") {
		return true
	}
	v, strided, ok := b.view(s, "residual")
	if strided && s.kind == KindConv {
		s.errorf("residual", "conv adds whole tensors; want a name")
		return false
	}
	if ok && !strided {
		whole.Tensor = v.Tensor
		v = whole
	}
	e.Residual = v
	return ok
}
