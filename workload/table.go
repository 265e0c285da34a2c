package workload

import "fmt"

// Row is one operator in the table that `presi workload show` prints.
type Row struct {
	Name   string
	Op     string // operator's name
	Shape  string // geometry: M×N×K, filter and image, or rows × columns
	MACs   int64
	Params int64 // elements of the weights and parameters it reads
	Bytes  int64 // least traffic, each element once
}

// Table lists the operators in execution order. A weight that several
// operators share shows in each of their rows; Graph.Params counts it once.
func (g *Graph) Table() []Row {
	rows := make([]Row, len(g.Ops))
	for i := range g.Ops {
		o := &g.Ops[i]
		rows[i] = Row{Name: o.Name, Op: o.Kind.String(), Shape: o.Shape(), MACs: o.MACs(), Bytes: g.Traffic(o).Total()}
		for _, id := range o.Reads() {
			if t := g.Tensors[id]; t.Role == Weight || t.Role == Param {
				rows[i].Params += t.Elems()
			}
		}
	}
	return rows
}

// Shape is the operator's geometry as text, such as "128x768x768" (M×K×N, with
// the batch in front), "1x56x56x64 64x3x3/2" (image, filters K×R×S, stride) or
// "128x768" (rows × columns).
func (o *Op) Shape() string {
	switch {
	case o.Gemm != nil:
		g := o.Gemm
		s := shapeString([]int{g.M, g.K, g.N})
		if n := g.Batch[0] * g.Batch[1]; n > 1 {
			s = fmt.Sprintf("%d*%s", n, s)
		}
		return s
	case o.Conv != nil:
		c := o.Conv
		s := windowString([]int{c.N, c.H, c.W, c.C}, []int{c.K, c.R, c.S}, c.Stride)
		if c.Groups > 1 {
			s += fmt.Sprintf(" groups %d", c.Groups)
		}
		return s
	case o.Pool != nil:
		p := o.Pool
		return windowString([]int{p.N, p.H, p.W, p.C}, []int{p.R, p.S}, p.Stride)
	}
	return shapeString([]int{o.Rows.Rows, o.Rows.Cols})
}

func windowString(image, window []int, stride [2]int) string {
	s := shapeString(image) + " " + shapeString(window)
	switch {
	case stride[0] != stride[1]:
		s += fmt.Sprintf("/%dx%d", stride[0], stride[1])
	case stride[0] > 1:
		s += fmt.Sprintf("/%d", stride[0])
	}
	return s
}
