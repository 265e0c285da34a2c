package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestValidateGuardsBuiltGraphs breaks graphs the way another importer could.
func TestValidateGuardsBuiltGraphs(t *testing.T) {
	for _, c := range []struct {
		network, want string
		damage        func(g *Graph)
	}{
		{"gemm:4x5x6", "tensor 9 does not exist; want 0 to 2", func(g *Graph) { g.Ops[0].Gemm.A.Tensor = 9 }},
		{"gemm:4x5x6", "tensor -1 does not exist", func(g *Graph) { g.Ops[0].Gemm.C.Tensor = None }},
		{"add:4x5", "tensor -1 does not exist", func(g *Graph) { g.Ops[0].Rows.Y.Tensor = None }},
		{"gemm:4x5x6", "tensor -1 does not exist", func(g *Graph) { g.Ops[0].Gemm.B.Tensor = None }},
		{"gemm:4x5x6", "out: gemm is also read", func(g *Graph) { g.Ops[0].Gemm.A.Tensor = g.Ops[0].Gemm.C.Tensor }},
		{"gemm:4x5x6", "rows are 3 apart and 6 long: they overlap", func(g *Graph) { g.Ops[0].Gemm.C.RowStride = 3 }},
		{"gemm:4x5x6,batch=2", "all 2 matrices of a batch go to one place", func(g *Graph) { g.Ops[0].Gemm.C.BatchStride[1] = 0 }},
		{"gemm:4x5x6,bias", "bias: gemm.bias is 6 bf16; want 6 f32", func(g *Graph) { g.Tensors[g.Ops[0].Gemm.Bias].DType = BF16 }},
		{"gemm:4x5x6,bias", "a parameter vector is bf16; want f32", func(g *Graph) { g.Tensors[g.Ops[0].Gemm.Bias].DType = BF16 }},
		{"gemm:4x5x6", "b: a view of 1x1x5x7 ends at", func(g *Graph) { g.Ops[0].Gemm.N, g.Ops[0].Gemm.B.RowStride = 7, 7 }},
		{"gather:9x4,n=3", "int32", func(g *Graph) { g.Tensors[1].DType = F32 }},
		{"gather:9x4,n=3", "no gather uses this index tensor", func(g *Graph) { g.Tensors[1].Index.Limit = 0 }},
		{"relu:4x4", "values: 3 values found for 4x4; want 16", func(g *Graph) { g.Tensors[0].Values = make([]float32, 3) }},
		{"relu:4x4", "outputs: tensor 7 is written by no operator", func(g *Graph) { g.Outputs[0] = 7 }},
		{"layernorm:4x4", "gamma: layernorm.gamma is 4 f32; want 5 f32", func(g *Graph) {
			g.Ops[0].Rows.Cols, g.Ops[0].Rows.Rows = 5, 1
		}},
		{"conv:1x4x4x4,8x3x3", "weight: conv.weight is 3x3x4x8; want 3x3x4x9", func(g *Graph) { g.Ops[0].Conv.K = 9 }},
		{"maxpool:1x4x4x4,r=2", "out: maxpool is 1x2x2x4; want 1x3x2x4", func(g *Graph) { g.Ops[0].Pool.P = 3 }},
	} {
		g := mustLoad(t, c.network, Options{})
		c.damage(g)
		err := g.Validate()
		if assert.Error(t, err, c.want) {
			assert.Contains(t, err.Error(), c.want)
		}
	}
}

// concat is a graph of views: two halves of a tensor written apart, then read
// whole, and a head read in place.
const concat = head + `
  { name = "copy.a", op = "copy", a = { of = "x", row = 6 }, rows = 5, cols = 6, out = { of = "both", row = 10 } },
  { name = "copy.b", op = "copy", a = { of = "x", offset = 6, row = 6 }, rows = 5, cols = 4, out = { of = "both", offset = 6, row = 10 } },
  { name = "heads", op = "gemm", batch = 2, m = 5, k = 3, n = 5, trans_b = true, a = { of = "both", row = 10, batch = 5 }, b = { of = "both", offset = 2, row = 10, batch = 5 } },
  { name = "last", op = "softmax", valid = 3 },
]
tensors = [{ name = "both", role = "activation", shape = [5, 10] }]
`

// TestViews runs the graph and computes one element of each step by hand.
func TestViews(t *testing.T) {
	g, err := read(concat)
	require.NoError(t, err)
	m := newMachine(g)
	m.run(nil)
	value := func(name string, at int) float32 {
		id, ok := g.Lookup(name)
		require.True(t, ok, name)
		return m.values[id][at]
	}
	assert.Equal(t, value("x", 2*6+5), value("both", 2*10+5))
	assert.Equal(t, value("x", 6+2*6+3), value("both", 2*10+9))
	sum := float64(0)
	for k := range 3 { // head 1, row 4 by row 2
		sum += float64(value("both", 5+4*10+k)) * float64(value("both", 2+5+2*10+k))
	}
	assert.InDelta(t, sum, float64(value("heads", (5+4)*5+2)), 1e-5)
	assert.Zero(t, value("last", 3))
	assert.InDelta(t, 1, value("last", 0)+value("last", 1)+value("last", 2), 1e-6)
}

// TestMobileBlock: an inverted residual with a depthwise convolution fits the
// format as it is.
func TestMobileBlock(t *testing.T) {
	g, err := read(head + `
  { name = "start", op = "conv", in = "x", k = 6, r = 1 },
]
[[block]]
name = "features.$i"
repeat = 2
first = 1
ops = [
  { name = "conv.0", op = "conv", k = 36, r = 1, act = "relu6" },
  { name = "conv.1", op = "conv", k = 36, r = 3, pad = 1, groups = 36, act = "relu6" },
  { name = "conv.2", op = "conv", k = 6, r = 1, residual = "$in" },
]
[[block]]
ops = [{ name = "last", op = "avgpool" }]
`)
	require.NoError(t, err)
	depthwise := op(t, g, "features.2.conv.1")
	assert.EqualValues(t, 4*8*8*36*9, depthwise.MACs())
	assert.Equal(t, "3x3x1x36", g.Tensor(depthwise.Conv.F).ShapeString())
	assert.Equal(t, "features.1.conv.2", g.Tensor(op(t, g, "features.2.conv.2").Conv.Residual.Tensor).Name)
}
