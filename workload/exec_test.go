package workload

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine runs a graph in float64 plain loops, rounding each result to its
// tensor's element type: what the values of a network mean, said once more.
type machine struct {
	g      *Graph
	seed   uint64
	values map[TensorID][]float32
}

func newMachine(g *Graph) *machine {
	return &machine{g: g, seed: 7, values: map[TensorID][]float32{}}
}

// run executes all operators and calls visit with each result.
func (m *machine) run(visit func(o *Op, exact []float64)) {
	for i := range m.g.Ops {
		o := &m.g.Ops[i]
		exact := m.op(o)
		if visit != nil {
			visit(o, exact)
		}
	}
}

// read gives a tensor's values, filled from the stream if nothing wrote it.
// Weights are not kept.
func (m *machine) read(id TensorID) []float32 {
	if v, ok := m.values[id]; ok {
		return v
	}
	t := m.g.Tensors[id]
	data := make([]byte, t.Bytes())
	Fill(t, m.seed, data)
	v := make([]float32, t.Elems())
	Decode(t, data, v)
	if t.Role != Weight && t.Role != Param {
		m.values[id] = v
	}
	return v
}

// optional reads a tensor that may be absent.
func (m *machine) optional(id TensorID) []float32 {
	if id == None {
		return nil
	}
	return m.read(id)
}

// op computes an operator, stores the rounded result and returns what was
// computed, in the order it was stored.
func (m *machine) op(o *Op) []float64 {
	var exact []float64
	out := m.read(o.Out())
	t := m.g.Tensors[o.Out()]
	store := func(at int, v float64) {
		exact = append(exact, v)
		var cell [8]byte
		Encode(t, []float32{float32(v)}, cell[:])
		Decode(t, cell[:], out[at:at+1])
	}
	switch {
	case o.Gemm != nil:
		m.gemm(o.Gemm, store)
	case o.Conv != nil:
		m.conv(o.Conv, store)
	case o.Pool != nil:
		m.pool(o.Kind, o.Pool, store)
	default:
		m.rows(o.Kind, o.Rows, store)
	}
	return exact
}

func (v View) at(b0, b1, row, col int) int {
	return v.Offset + b0*v.BatchStride[0] + b1*v.BatchStride[1] + row*v.RowStride + col
}

// finish applies an epilogue.
func (e *Epilogue) finish(acc float64, col int, bias, residual []float32, at int) float64 {
	acc *= float64(e.Scale)
	if bias != nil {
		acc += float64(bias[col])
	}
	if residual != nil {
		acc += float64(residual[at])
	}
	return e.Act.Apply(acc)
}

func (m *machine) gemm(g *Gemm, store func(int, float64)) {
	a, b := m.read(g.A.Tensor), m.read(g.B.Tensor)
	bias, res := m.optional(g.Bias), m.optional(g.Residual.Tensor)
	for b0 := range g.Batch[0] {
		for b1 := range g.Batch[1] {
			for row := range g.M {
				for col := range g.N {
					at, step := g.B.at(b0, b1, 0, col), g.B.RowStride
					if g.TransB {
						at, step = g.B.at(b0, b1, col, 0), 1
					}
					x := a[g.A.at(b0, b1, row, 0):]
					sum := 0.0
					for k := range g.K {
						sum += float64(x[k]) * float64(b[at])
						at += step
					}
					store(g.C.at(b0, b1, row, col), g.finish(sum, col, bias, res, g.Residual.at(b0, b1, row, col)))
				}
			}
		}
	}
}

func (m *machine) conv(c *Conv, store func(int, float64)) {
	x, f := m.read(c.X), m.read(c.F)
	bias, res := m.optional(c.Bias), m.optional(c.Residual.Tensor)
	in, out := c.C/c.Groups, c.K/c.Groups
	for pixel := range c.N * c.P * c.Q {
		n, p, q := pixel/(c.P*c.Q), pixel/c.Q%c.P, pixel%c.Q
		acc := make([]float64, c.K)
		for tap := range c.R * c.S {
			h := p*c.Stride[0] - c.Pad[0] + tap/c.S*c.Dilation[0]
			w := q*c.Stride[1] - c.Pad[1] + tap%c.S*c.Dilation[1]
			if h < 0 || h >= c.H || w < 0 || w >= c.W {
				continue
			}
			for ch := range in {
				filters := f[(tap*in+ch)*c.K:][:c.K]
				for k := range acc {
					acc[k] += float64(x[((n*c.H+h)*c.W+w)*c.C+k/out*in+ch]) * float64(filters[k])
				}
			}
		}
		for k, v := range acc {
			store(pixel*c.K+k, c.finish(v, k, bias, res, pixel*c.K+k))
		}
	}
}

func (m *machine) pool(kind Kind, p *Pool, store func(int, float64)) {
	x := m.read(p.X)
	for i := range p.N * p.P * p.Q * p.C {
		n, oh, ow, c := i/(p.P*p.Q*p.C), i/(p.Q*p.C)%p.P, i/p.C%p.Q, i%p.C
		top, sum := math.Inf(-1), 0.0
		for tap := range p.R * p.S {
			h, w := oh*p.Stride[0]-p.Pad[0]+tap/p.S, ow*p.Stride[1]-p.Pad[1]+tap%p.S
			if h >= 0 && h < p.H && w >= 0 && w < p.W {
				v := float64(x[((n*p.H+h)*p.W+w)*p.C+c])
				top, sum = max(top, v), sum+v
			}
		}
		if kind == KindAvgPool {
			top = sum / float64(p.R*p.S)
		}
		store(i, top)
	}
}

func (m *machine) rows(kind Kind, r *Rows, store func(int, float64)) {
	x, y := m.read(r.X.Tensor), m.optional(r.Y.Tensor)
	gamma, beta := m.optional(r.Gamma), m.optional(r.Beta)
	for row := range r.Rows {
		source := row
		if kind == KindGather {
			source = int(y[r.Y.at(0, 0, row, 0)])
		}
		in := make([]float64, r.Cols)
		for col := range in {
			in[col] = float64(x[r.X.at(0, 0, source, col)])
		}
		switch kind {
		case KindReduce:
			store(r.Out.at(0, 0, row, 0), reduceRow(r.By, in))
			continue
		case KindTranspose:
			for col, v := range in {
				store(r.Out.at(0, 0, col, row), v)
			}
			continue
		case KindAdd, KindMul:
			for col := range in {
				v := float64(y[r.Y.at(0, 0, row, col)])
				if kind == KindMul {
					in[col] *= v
				} else {
					in[col] += v
				}
			}
		case KindSoftmax:
			softmaxRow(in, r, row)
		case KindLayerNorm, KindRMSNorm:
			normRow(in, kind == KindLayerNorm, float64(r.Eps))
		}
		for col, v := range in {
			if gamma != nil {
				v *= float64(gamma[col])
			}
			if beta != nil {
				v += float64(beta[col])
			}
			store(r.Out.at(0, 0, row, col), kind.Act().Apply(v))
		}
	}
}

func reduceRow(by Reduction, in []float64) float64 {
	sum, top := 0.0, math.Inf(-1)
	for _, v := range in {
		sum, top = sum+v, max(top, v)
	}
	return map[Reduction]float64{ReduceSum: sum, ReduceMean: sum / float64(len(in)), ReduceMax: top}[by]
}

func softmaxRow(in []float64, r *Rows, row int) {
	valid := r.Valid + row*r.ValidStep
	if r.Period > 0 {
		valid = r.Valid + row%r.Period*r.ValidStep
	}
	valid = min(valid, r.Cols)
	top, sum := math.Inf(-1), 0.0
	for _, v := range in[:valid] {
		top = max(top, v*float64(r.Scale))
	}
	for i := range in {
		in[i] = math.Exp(in[i]*float64(r.Scale) - top)
		if i >= valid {
			in[i] = 0
		}
		sum += in[i]
	}
	for i := range in {
		in[i] /= sum
	}
}

func normRow(in []float64, center bool, eps float64) {
	var mean, square float64
	for _, v := range in {
		mean += v / float64(len(in))
	}
	if !center {
		mean = 0
	}
	for i := range in {
		in[i] -= mean
		square += in[i] * in[i] / float64(len(in))
	}
	for i := range in {
		in[i] /= math.Sqrt(square + eps)
	}
}

// mustLoad loads a workload that is right.
func mustLoad(t *testing.T, name string, opts Options) *Graph {
	t.Helper()
	g, err := Load(name, opts)
	require.NoError(t, err)
	return g
}
