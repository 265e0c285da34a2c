package workload

import (
	"math"
	"strings"
)

// Limits that keep a wrong file from taking the machine down.
const (
	maxElems = 1 << 40 // elements of a tensor
	maxOps   = 1 << 16 // operators of a network
)

// scope is where names are looked up: a block's prefix and what it started from.
type scope struct {
	prefix string
	in     string // full name that $in stands for; empty in the first block
}

// full is a name with the block's prefix.
func (sc *scope) full(name string) string {
	if sc.prefix == "" {
		return name
	}
	return sc.prefix + "." + name
}

// builder makes a graph operator by operator. What failed is kept as a broken
// name, so that operators which depend on it are passed over silently: one
// message for each fault.
type builder struct {
	g       *Graph
	faults  *faults
	names   map[string]TensorID
	opNames map[string]bool
	current string // full name of the last operator's output
}

// broken is the id of a tensor whose declaration or operator failed.
const broken TensorID = -2

func newBuilder(g *Graph, f *faults) *builder {
	return &builder{g: g, faults: f, names: map[string]TensorID{}, opNames: map[string]bool{}}
}

// op builds one operator.
func (b *builder) op(s *spec) {
	before := len(b.faults.list)
	s.checkKeys()
	name := s.place.name
	if b.opNames[name] {
		s.errorf("name", "is taken by an earlier operator; want a new one")
	}
	b.opNames[name] = true
	n := len(b.g.Ops)
	kinds[s.kind].build(b, s)
	if len(b.faults.list) > before || len(b.g.Ops) == n {
		b.names[name] = broken
		b.current = name
		return
	}
	out := b.g.Ops[n].Out()
	b.current = b.g.Tensors[out].Name
}

// emit appends a finished operator.
func (b *builder) emit(s *spec, op Op) {
	op.Name, op.Kind, op.Pos = s.place.name, s.kind, s.pos()
	b.g.Ops = append(b.g.Ops, op)
}

// declare adds a tensor and gives its id; broken after a fault.
func (b *builder) declare(p place, t Tensor) TensorID {
	id := b.declareOnce(p, t)
	b.names[t.Name] = id
	return id
}

func (b *builder) declareOnce(p place, t Tensor) TensorID {
	if _, ok := b.names[t.Name]; ok {
		p.errorf("name", "tensor %q is there already; want a new name", t.Name)
		return broken
	}
	n := int64(1)
	for _, d := range t.Shape {
		if d < 1 || n > maxElems/int64(d) {
			p.errorf("shape", "%s is out of range; want dimensions of at least 1 and at most %d elements", shapeString(t.Shape), int64(maxElems))
			return broken
		}
		n *= int64(d)
	}
	t.Scale, t.Pos = 1, p.pos()
	b.g.Tensors = append(b.g.Tensors, t)
	return TensorID(len(b.g.Tensors) - 1)
}

// weight adds a constant of the network's own type, named after its operator.
func (b *builder) weight(s *spec, suffix string, shape ...int) TensorID {
	return b.declare(s.place, Tensor{Name: s.place.name + "." + suffix, Role: Weight, DType: b.g.DType, Shape: shape})
}

// param adds an f32 vector, named after its operator.
func (b *builder) param(s *spec, suffix string, n int) TensorID {
	return b.declare(s.place, Tensor{Name: s.place.name + "." + suffix, Role: Param, DType: F32, Shape: []int{n}})
}

// result adds the tensor an operator writes, named after the operator.
func (b *builder) result(s *spec, shape ...int) TensorID {
	t := Tensor{Name: s.place.name, Role: Activation, DType: b.outType(s), Shape: shape}
	return b.declare(s.place, t)
}

// outType is the element type of an operator's result: the key dtype, or the
// network's.
func (b *builder) outType(s *spec) DType {
	return s.dtype("dtype", b.g.DType)
}

// find looks a name up in the block, then in the file. It reports what is
// unknown and gives false for that and for what is broken.
func (b *builder) find(s *spec, key, name string) (TensorID, bool) {
	if name == "$in" {
		if name = s.scope.in; name == "" {
			s.errorf(key, "$in is empty: the first block starts from nothing; name a tensor")
			return None, false
		}
	} else if _, ok := b.names[s.scope.full(name)]; ok {
		name = s.scope.full(name)
	}
	id, ok := b.names[name]
	if !ok {
		s.errorf(key, "there is no tensor %q above this operator; want an earlier operator's name or a declared tensor", name)
	}
	return id, ok && id >= 0
}

// inputs finds the operator's n main operands.
func (b *builder) inputs(s *spec, n int) ([]TensorID, bool) {
	names := s.names("in")
	if names == nil && n == 1 {
		return b.previous(s)
	}
	if len(names) != n {
		s.errorf("in", "%d operands found; %s takes %d", len(names), s.kind, n)
		return nil, false
	}
	ids, good := make([]TensorID, n), true
	for i, name := range names {
		id, ok := b.find(s, "in", name)
		ids[i], good = id, good && ok
	}
	return ids, good
}

// previous is the result of the operator before.
func (b *builder) previous(s *spec) ([]TensorID, bool) {
	if b.current == "" {
		s.errorf("in", "is missing; the first operator has to name the tensor it reads")
		return nil, false
	}
	id := b.names[b.current]
	return []TensorID{id}, id >= 0
}

// view reads an operand: a tensor's name, or a table {of, offset, row, batch}.
// strided says that it was a table.
func (b *builder) view(s *spec, key string) (v View, strided, ok bool) {
	table, strided := s.attrs[key].(map[string]any)
	if !strided {
		id, ok := b.find(s, key, s.text(key, ""))
		if !ok {
			return noView, false, false
		}
		_, cols := b.g.Tensors[id].Matrix()
		return View{Tensor: id, RowStride: cols}, false, true
	}
	in := *s
	in.attrs = table
	in.place.name += "." + key
	for k := range table {
		if !strings.Contains(" of offset row batch ", " "+k+" ") {
			in.errorf(k, "a view does not take this key; it takes of, offset, row, batch")
			return noView, true, false
		}
	}
	id, ok := b.find(&in, "of", in.text("of", ""))
	if !ok {
		return noView, true, false
	}
	_, cols := b.g.Tensors[id].Matrix()
	return View{Tensor: id, Offset: in.int("offset", 0, 0), RowStride: in.int("row", cols, 0),
		BatchStride: in.nested("batch", 0)}, true, true
}

// destination is where the operator writes: the key out, or a new tensor of
// shape, seen as rows of the last dimension.
func (b *builder) destination(s *spec, shape []int) (View, bool) {
	if s.has("out") {
		if s.has("dtype") {
			s.errorf("dtype", "does not go with out: the tensor written has its type already")
		}
		v, strided, ok := b.view(s, "out")
		if !strided {
			v.RowStride = shape[len(shape)-1]
		}
		return v, ok
	}
	id := b.result(s, shape...)
	return View{Tensor: id, RowStride: shape[len(shape)-1]}, id >= 0
}

// canonical clears the strides of batch dimensions that are 1.
func (v View) canonical(batch [2]int) View {
	for i, n := range batch {
		if n == 1 {
			v.BatchStride[i] = 0
		}
	}
	return v
}

// last is the highest element a view of rows × cols touches.
func (v View) last(batch [2]int, rows, cols int) int64 {
	at := int64(v.Offset) + int64(rows-1)*int64(v.RowStride) + int64(cols-1)
	for i, n := range batch {
		at += int64(n-1) * int64(v.BatchStride[i])
	}
	return at
}

// positive reads a constant that must be above 0: checks that a constant is usable.
func (s *spec) positive(key string, def float64) float32 {
	v := s.float(key, def)
	if !(v > 0) || v > math.MaxFloat32 {
		s.errorf(key, "%g is out of range; want a number above 0", v)
		return float32(def)
	}
	return float32(v)
}
