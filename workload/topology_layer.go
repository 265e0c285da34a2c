package workload

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// topologyForm is one form of a topology file.
type topologyForm struct {
	columns []topologyColumn
	build   func(r *topology, v []int) // makes a layer of the values, by column
}

// topologyColumn is a column's name, and others that files have for it.
type topologyColumn struct {
	name string
	also []string
}

var (
	layerColumn = topologyColumn{"Layer name", []string{"layer", "l"}}
	sparsity    = topologyColumn{name: "Sparsity"}
	// Many files that come with SCALE-Sim say IFMAP Width twice.
	convColumns = []topologyColumn{layerColumn, {"IFMAP Height", []string{"ifmap width"}}, {name: "IFMAP Width"},
		{name: "Filter Height"}, {name: "Filter Width"}, {"Channels", []string{"channel"}}, {"Num Filter", []string{"num filters"}}}
)

// topologyForms are the forms, which a column Sparsity may follow: convolutions
// with one stride for both axes, or, as SCALE-Sim itself writes files, with two;
// and products of M×K and K×N matrices.
var topologyForms = [...]topologyForm{
	{slices.Concat(convColumns, []topologyColumn{{"Strides", []string{"stride"}}}), func(r *topology, v []int) { r.conv(append(v, v[7])) }},
	{slices.Concat(convColumns, []topologyColumn{{name: "Stride height"}, {name: "Stride width"}}), (*topology).conv},
	{[]topologyColumn{layerColumn, {name: "M"}, {name: "N"}, {name: "K"}}, (*topology).gemm},
}

// is compares a header's text with a column's names: case and the width of
// blanks do not matter.
func (c *topologyColumn) is(text string) bool {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return text == strings.ToLower(c.name) || slices.Contains(c.also, text)
}

// column is the i-th column; a sparsity may follow the last.
func (f *topologyForm) column(i int) (c topologyColumn, ok bool) {
	switch {
	case i < len(f.columns):
		return f.columns[i], true
	case i == len(f.columns):
		return sparsity, true
	}
	return c, false
}

// header is the form's first line.
func (f *topologyForm) header() string {
	names := make([]string, len(f.columns))
	for i, c := range f.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// Columns of the convolutions' forms.
const (
	colH = iota + 1
	colW
	colR
	colS
	colC
	colK
	colStrideH
	colStrideW
)

// conv makes a convolution without padding. Its output is ⌈(H − R + stride) /
// stride⌉ high, and as wide: rounded up, the last windows may reach beyond the
// image and see zeros there. With DP in its name it is depthwise: K filters for
// each channel, of that channel alone.
func (r *topology) conv(v []int) {
	before := len(r.faults.list)
	for _, axis := range [...][2]int{{colR, colH}, {colS, colW}} {
		if filter, image := axis[0], axis[1]; v[filter] > v[image] {
			r.fail(filter, convColumns[filter].name, nil, "a filter of %d does not fit into an ifmap of %d; padding is part of the ifmap", v[filter], v[image])
		}
	}
	if len(r.faults.list) > before {
		return
	}
	c := &Conv{N: r.b.g.Batch, H: v[colH], W: v[colW], C: v[colC], K: v[colK], R: v[colR], S: v[colS],
		Stride: [2]int{v[colStrideH], v[colStrideW]}, Dilation: [2]int{1, 1}, Groups: 1, Epilogue: plain}
	c.P, c.Q = places(c.H, c.R, c.Stride[0]), places(c.W, c.S, c.Stride[1])
	perGroup, filters := float64(c.C), float64(c.K)
	if strings.Contains(r.field[0].text, "DP") {
		c.Groups, perGroup, filters = c.C, 1, filters*float64(c.C)
	}
	pixels, taps := float64(c.N)*float64(c.P)*float64(c.Q), float64(c.R)*float64(c.S)
	if !r.bounded(float64(c.N)*float64(c.H)*float64(c.W)*float64(c.C), taps*perGroup*filters, pixels*filters, pixels*taps*perGroup*filters, filters) {
		return
	}
	c.K = int(filters)
	s := r.spec(KindConv)
	c.X = r.ifmap(s, c.N, c.H, c.W, c.C)
	c.F = r.b.weight(s, "filter", c.R, c.S, int(perGroup), c.K)
	c.Y = r.b.result(s, c.N, c.P, c.Q, c.K)
	r.b.emit(s, Op{Conv: c})
}

// places is how many windows of size an axis takes at a stride, rounded up.
func places(in, size, stride int) int { return (in - size + stride + stride - 1) / stride }

// plain is no epilogue.
var plain = Epilogue{Scale: 1, Bias: None, Residual: noView}

// gemm makes a product; the batch multiplies M. SCALE-Sim's order is M, N, K.
func (r *topology) gemm(v []int) {
	m, n, k := float64(v[1])*float64(r.b.g.Batch), float64(v[2]), float64(v[3])
	if !r.bounded(m*k, k*n, m*n, m*n*k, m) {
		return
	}
	s := r.spec(KindGemm)
	a := r.ifmap(s, int(m), v[3])
	b := r.b.weight(s, "filter", v[3], v[2])
	c := r.b.result(s, int(m), v[2])
	r.b.emit(s, Op{Gemm: &Gemm{Batch: [2]int{1, 1}, M: int(m), N: v[2], K: v[3], A: View{Tensor: a, RowStride: v[3]},
		B: View{Tensor: b, RowStride: v[2]}, C: View{Tensor: c, RowStride: v[2]}, Epilogue: plain}})
}

// bounded refuses a layer of too many elements or steps, or an extent that is
// too large.
func (r *topology) bounded(ifmap, filter, ofmap, macs, extent float64) bool {
	elems := math.Max(ifmap, math.Max(filter, ofmap))
	switch {
	case elems > maxElems:
		r.fail(1, "", nil, "a tensor has %.3g elements; want at most %d", elems, int64(maxElems))
	case macs > maxWork:
		r.fail(1, "", nil, "takes %.3g steps; want at most %d", macs, int64(maxWork))
	case extent > maxDim:
		r.fail(1, "", nil, "an extent is %.0f; want at most %d", extent, maxDim)
	default:
		return true
	}
	return false
}

// spec is the layer as the builder takes operators. A name that an earlier line
// has gets a number behind it, as files repeat them.
func (r *topology) spec(k Kind) *spec {
	base := r.field[0].text
	name := base
	for i := 2; r.taken(name); i++ {
		name = fmt.Sprintf("%s#%d", base, i)
	}
	r.b.opNames[name] = true
	return &spec{place: place{faults: r.faults, source: r.source, line: r.line, name: name}, kind: k, env: env{}, scope: &scope{}}
}

// taken says whether a layer of this name would collide with an earlier one.
func (r *topology) taken(name string) bool {
	for _, suffix := range [...]string{"", ".ifmap", ".filter"} {
		if _, ok := r.b.names[name+suffix]; ok {
			return true
		}
	}
	return false
}

// ifmap declares a layer's input.
func (r *topology) ifmap(s *spec, shape ...int) TensorID {
	role := Cache
	if len(r.b.g.Ops) == 0 {
		role = Input
	}
	return r.b.declare(s.place, Tensor{Name: s.place.name + ".ifmap", Role: role, DType: r.b.g.DType, Shape: shape})
}
