package workload

import (
	"fmt"
	"slices"
	"strings"
)

// TensorID is a tensor's index in Graph.Tensors.
type TensorID int

// None stands for an operand that is not there.
const None TensorID = -1

// Role says what a tensor is for and who fills it.
type Role uint8

const (
	Input      Role = iota // the host writes it before the run
	Weight                 // constant matrix or filter; counts as parameters
	Param                  // constant f32 vector: bias, gamma, beta; counts as parameters
	Activation             // written by one operator, read by later ones
	Cache                  // state from earlier runs: the host fills it, operators update it in place
	Index                  // int32 control data: the host writes it
	Output                 // written by an operator, read by the host at the end
)

var roleNames = [...]string{"input", "weight", "param", "activation", "cache", "index", "output"}

// String is the role's name as network files write it.
func (r Role) String() string { return roleNames[r] }

// HostFilled says whether the host writes the tensor before the run ([Fill]).
func (r Role) HostFilled() bool { return r != Activation && r != Output }

// Tensor is one array of a network. Elements are in row-major order of Shape:
// NHWC for images, [rows, cols] for matrices, [R, S, C/groups, K] for filters.
type Tensor struct {
	Name  string
	Role  Role
	DType DType
	Shape []int
	Scale float32   // int8 only: value = Scale * int8; 1 for the other types
	Range Range     // predicted values; [Fill] draws weights and inputs from it
	Index IndexRule // Index tensors only: which values they hold
	Pos   string    // file:line that declared it, or of the operator that made it
	// Values are the contents of a tensor that a network ships with (trained
	// weights); nil means the seeded stream of [Fill].
	Values []float32
}

// Range predicts a tensor's values: moments and the largest magnitude that is
// worth representing. int8 scales are Max/127.
type Range struct{ Mean, Std, Max float64 }

// IndexRule says what an index tensor holds: element i is First + i mod Period,
// or, if Period is 0, drawn from [0, Limit).
type IndexRule struct{ First, Period, Limit int }

// Elems is the number of elements.
func (t Tensor) Elems() int64 { return product(t.Shape) }

// Bytes is the size in memory without padding.
func (t Tensor) Bytes() int64 { return t.Elems() * int64(t.DType.Size()) }

// Matrix is the tensor seen as a matrix: the first dimension of an image or
// filter and the rest flattened, which is how a fully connected layer reads it.
// A vector is one row.
func (t Tensor) Matrix() (rows, cols int) {
	if len(t.Shape) == 1 {
		return 1, t.Shape[0]
	}
	return t.Shape[0], int(product(t.Shape[1:]))
}

// ShapeString is the shape as text: "1x56x56x64".
func (t Tensor) ShapeString() string { return shapeString(t.Shape) }

// Graph is a network ready to be lowered: immutable after [Load]. Ops are in
// execution order; an operator reads only what the host filled or an earlier
// operator wrote. An operator may write a part of a tensor ([View]), and a
// cache is read and written in place: order in Ops is the only order.
type Graph struct {
	Name    string // a network's name, with the variables that were given, or a shorthand
	Title   string // one line for people
	Source  string // paper and reference code it was taken from
	Batch   int
	DType   DType // of weights and activations
	Tensors []Tensor
	Ops     []Op
	Inputs  []TensorID // what the host fills for each run: Input, Index and Cache tensors
	Outputs []TensorID // what the host reads
	Dataset *Dataset   // behind the input; nil if there is none
}

// Tensor gives the tensor with an id.
func (g *Graph) Tensor(id TensorID) Tensor { return g.Tensors[id] }

// Lookup finds a tensor by name.
func (g *Graph) Lookup(name string) (TensorID, bool) {
	i := slices.IndexFunc(g.Tensors, func(t Tensor) bool { return t.Name == name })
	return TensorID(i), i >= 0
}

func product(dims []int) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= int64(d)
	}
	return n
}

func shapeString(dims []int) string {
	var b strings.Builder
	for i, d := range dims {
		if i > 0 {
			b.WriteByte('x')
		}
		fmt.Fprint(&b, d)
	}
	return b.String()
}
