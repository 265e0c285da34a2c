package workload

// Traffic is what an operator has to move at least, each element once, in
// bytes: the floor of a roofline. The views of a GEMM that share a matrix
// (batch stride 0) count it once; a gather counts the rows it takes.
type Traffic struct {
	In      int64 // activations, caches and indices read
	Weights int64 // weights and parameters read
	Out     int64 // written
}

// Total is all of it.
func (t Traffic) Total() int64 { return t.In + t.Weights + t.Out }

// MACs counts an operator's multiply-accumulates on the array: 0 for the kinds
// that a vector unit runs.
func (o *Op) MACs() int64 {
	if g := o.Gemm; g != nil {
		return int64(g.Batch[0]) * int64(g.Batch[1]) * int64(g.M) * int64(g.N) * int64(g.K)
	}
	if c := o.Conv; c != nil {
		return product([]int{c.N, c.P, c.Q, c.K, c.R, c.S, c.C / c.Groups})
	}
	return 0
}

// work is the larger of MACs and Elems in a type that cannot overflow.
func (o *Op) work() float64 {
	w := float64(1)
	var dims []int
	switch {
	case o.Gemm != nil:
		dims = []int{o.Gemm.Batch[0], o.Gemm.Batch[1], o.Gemm.M, o.Gemm.N, o.Gemm.K}
	case o.Conv != nil:
		c := o.Conv
		dims = []int{c.N, c.P, c.Q, c.K, c.R, c.S, c.C / c.Groups}
	case o.Pool != nil:
		p := o.Pool
		dims = []int{p.N, p.P, p.Q, p.C, p.R, p.S}
	default:
		dims = []int{o.Rows.Rows, o.Rows.Cols}
	}
	for _, d := range dims {
		w *= float64(d)
	}
	return w
}

// Elems counts the elements the operator computes on: outputs of GEMMs and
// convolutions, window elements of pools, inputs of all others.
func (o *Op) Elems() int64 {
	switch {
	case o.Gemm != nil:
		g := o.Gemm
		return product([]int{g.Batch[0], g.Batch[1], g.M, g.N})
	case o.Conv != nil:
		return product([]int{o.Conv.N, o.Conv.P, o.Conv.Q, o.Conv.K})
	case o.Pool != nil:
		p := o.Pool
		return product([]int{p.N, p.P, p.Q, p.C, p.R, p.S})
	}
	return product([]int{o.Rows.Rows, o.Rows.Cols})
}

// MACs is the sum over all operators.
func (g *Graph) MACs() (n int64) {
	for i := range g.Ops {
		n += g.Ops[i].MACs()
	}
	return n
}

// Params counts the elements of weights and parameter vectors, shared ones once.
func (g *Graph) Params() (n int64) {
	for _, t := range g.Tensors {
		if t.Role == Weight || t.Role == Param {
			n += t.Elems()
		}
	}
	return n
}

// Traffic is the operator's least traffic in bytes.
func (g *Graph) Traffic(o *Op) (t Traffic) {
	switch {
	case o.Gemm != nil:
		g.gemmTraffic(o.Gemm, &t)
	case o.Conv != nil:
		c := o.Conv
		g.count(&t, c.X, -1)
		g.count(&t, c.F, -1)
		g.count(&t, c.Bias, -1)
		g.count(&t, c.Residual.Tensor, -1)
		t.Out = g.Tensors[c.Y].Bytes()
	case o.Pool != nil:
		g.count(&t, o.Pool.X, -1)
		t.Out = g.Tensors[o.Pool.Y].Bytes()
	default:
		g.rowsTraffic(o, &t)
	}
	return t
}

// count adds n elements of a tensor that is read; all of it if n is negative.
func (g *Graph) count(t *Traffic, id TensorID, n int64) {
	if id == None {
		return
	}
	x := g.Tensors[id]
	if n < 0 {
		n = x.Elems()
	}
	n *= int64(x.DType.Size())
	if x.Role == Weight || x.Role == Param {
		t.Weights += n
	} else {
		t.In += n
	}
}

func (g *Graph) gemmTraffic(m *Gemm, t *Traffic) {
	g.count(t, m.A.Tensor, m.A.distinct(m.Batch, m.M, m.K))
	g.count(t, m.B.Tensor, m.B.distinct(m.Batch, m.K, m.N))
	g.count(t, m.Bias, -1)
	if m.Residual.Tensor != None {
		g.count(t, m.Residual.Tensor, m.Residual.distinct(m.Batch, m.M, m.N))
	}
	t.Out = m.C.distinct(m.Batch, m.M, m.N) * int64(g.Tensors[m.C.Tensor].DType.Size())
}

// distinct counts the elements of a view, matrices shared by a batch once.
func (v View) distinct(batch [2]int, rows, cols int) int64 {
	n := int64(rows) * int64(cols)
	for i, stride := range v.BatchStride {
		if stride != 0 {
			n *= int64(batch[i])
		}
	}
	return n
}

func (g *Graph) rowsTraffic(o *Op, t *Traffic) {
	r, n := o.Rows, o.Elems()
	read := func(v View) {
		if v.RowStride == 0 && o.Kind != KindGather { // one row for all
			g.count(t, v.Tensor, int64(r.Cols))
			return
		}
		g.count(t, v.Tensor, n)
	}
	read(r.X)
	out := n
	switch o.Kind {
	case KindGather:
		g.count(t, r.Y.Tensor, int64(r.Rows))
	case KindReduce:
		out = int64(r.Rows)
	default:
		if r.Y.Tensor != None {
			read(r.Y)
		}
	}
	g.count(t, r.Gamma, -1)
	g.count(t, r.Beta, -1)
	t.Out = out * int64(g.Tensors[r.Out.Tensor].DType.Size())
}
