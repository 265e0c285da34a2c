package core

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// acts are the activations by their definitions.
var acts = [abi.NumActs]func(float64) float64{
	abi.ActNone:  func(x float64) float64 { return x },
	abi.ActReLU:  func(x float64) float64 { return max(x, 0) },
	abi.ActReLU6: func(x float64) float64 { return min(max(x, 0), 6) },
	abi.ActGELU:  func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
	abi.ActGELUTanh: func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	},
	abi.ActSiLU:    func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	abi.ActSigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	abi.ActTanh:    math.Tanh,
	abi.ActExp:     math.Exp,
}

// vectorCase is a random VECTOR kernel with its tensors.
type vectorCase struct {
	k                      *abi.Kernel
	a, b, c                tensor
	bias, scale            tensor
	r, s, sh, sw, ph, pw   int64
	tableRows, valid, rows int64
	step, period           int64
}

func drawVector(t *rapid.T, op uint8) *vectorCase {
	p := &vectorCase{k: &abi.Kernel{Kind: abi.KernelVector, Op: op, OutScale: 1, ResScale: 0.5, Scale: 0.5, Param: 0.125}, r: 1, s: 1, sh: 1, sw: 1}
	k := p.k
	k.InType, k.OutType = drawTypes(t)
	if isPool(op) || op == abi.VecTranspose {
		k.OutType = k.InType
	}
	gap := rapid.SampledFrom([]int64{0, 8}).Draw(t, "gap")
	rows, cols := rapid.Int64Range(1, 40).Draw(t, "rows"), rapid.Int64Range(1, 40).Draw(t, "cols")
	p.rows, p.valid, p.tableRows = rows, rapid.Int64Range(0, cols).Draw(t, "valid"), rapid.Int64Range(1, 50).Draw(t, "table")
	p.step, p.period = rapid.Int64Range(0, 3).Draw(t, "step"), rapid.Int64Range(0, 50).Draw(t, "period")
	k.Dims = [16]uint32{uint32(rows), uint32(cols), uint32(p.valid), uint32(p.tableRows), uint32(p.step), uint32(p.period)}
	var l layout
	switch {
	case isPool(op):
		p.pool(t, &l, gap)
	case op == abi.VecGather:
		p.a = l.tensor(k.InType, 1, 1, p.tableRows, 1, cols, gap)
		p.b = l.tensor(abi.I32, 1, 1, 1, 1, rows, 0)
		p.c = l.tensor(k.OutType, 1, 1, rows, 1, cols, gap)
	default:
		p.a, p.b = l.tensor(k.InType, 1, 1, rows, 1, cols, gap), l.tensor(k.InType, 1, 1, rows, 1, cols, gap)
		outRows, outCols := rows, cols
		if isReduce(op) {
			outCols = 1
		} else if op == abi.VecTranspose {
			outRows, outCols = cols, rows
		}
		p.c = l.tensor(k.OutType, 1, 1, outRows, 1, outCols, gap)
	}
	p.bias, p.scale = l.tensor(abi.F32, 1, 1, 1, 1, cols, 0), l.tensor(abi.F32, 1, 1, 1, 1, cols, 0)
	k.Operands = [4]abi.Operand{p.a.operand(), p.b.operand(), p.c.operand()}
	drawMapping(t, k, [4]uint32{uint32(p.c.nh), uint32(p.c.nc), 1, uint32(p.c.nw)})
	p.rules(t)
	return p
}

// rules makes the mapping one that the operation allows.
func (p *vectorCase) rules(t *rapid.T) {
	k := p.k
	if wholeRows(k.Op) || k.Op == abi.VecGather {
		k.Tile[abi.TileN] = 0
		k.Split = abi.SplitM
	}
	if k.Op == abi.VecTranspose {
		k.Tile[abi.TileM] = rapid.Uint32Range(1, uint32(p.a.nh)).Draw(t, "rows of a tile")
		k.Tile[abi.TileN] = rapid.Uint32Range(1, uint32(p.a.nc)).Draw(t, "columns of a tile")
	}
	if k.Split == abi.SplitBatch && !isPool(k.Op) {
		k.Split = abi.SplitN
	}
	switch k.Op {
	case abi.VecLayerNorm, abi.VecBatchNorm:
		k.Flags, k.Bias, k.ColScale = abi.KernelBias|abi.KernelColScale, uint64(p.bias.addr), uint64(p.scale.addr)
	case abi.VecRMSNorm:
		k.Flags, k.ColScale = abi.KernelColScale, uint64(p.scale.addr)
	case abi.VecMap, abi.VecAdd, abi.VecSub, abi.VecMul, abi.VecGather:
		k.Act = uint8(rapid.IntRange(0, abi.NumActs-1).Draw(t, "act"))
	}
}

func (p *vectorCase) pool(t *rapid.T, l *layout, gap int64) {
	small := rapid.Int64Range(1, 3)
	p.r, p.s, p.sh, p.sw = small.Draw(t, "r"), small.Draw(t, "s"), small.Draw(t, "sh"), small.Draw(t, "sw")
	p.ph, p.pw = rapid.Int64Range(0, p.r-1).Draw(t, "ph"), rapid.Int64Range(0, p.s-1).Draw(t, "pw")
	images, c := rapid.Int64Range(1, 2).Draw(t, "images"), rapid.Int64Range(1, 20).Draw(t, "channels")
	h, w := rapid.Int64Range(3, 12).Draw(t, "h"), rapid.Int64Range(3, 12).Draw(t, "w")
	oh, ow := (h+2*p.ph-p.r)/p.sh+1, (w+2*p.pw-p.s)/p.sw+1
	for i, v := range []int64{images, h, w, c, c, p.r, p.s, p.sh, p.sw, p.ph, p.pw, 1, 1, 1, oh, ow} {
		p.k.Dims[i] = uint32(v)
	}
	p.a = l.tensor(p.k.InType, 1, images, h, w, c, gap)
	p.c = l.tensor(p.k.OutType, 1, images, oh, ow, c, gap)
}

func (p *vectorCase) end() int { return int(p.scale.addr+p.scale.outer) + 64 }

func (p *vectorCase) load(m *machine) {
	r := rand.New(rand.NewPCG(5, 7))
	for _, x := range []*tensor{&p.a, &p.b, &p.c, &p.bias, &p.scale} {
		x.mem = m.mem.bytes
		fillTensor(r, x, x.no)
	}
	if p.k.Op == abi.VecGather {
		for i := range p.rows {
			put(p.b.mem[p.b.addr:], abi.I32, i, float64(r.Int64N(p.tableRows)))
		}
	}
}

// x and y are the values of operands 0 and 1.
func (p *vectorCase) x(b, h, w, c int64) float64 {
	return p.value(&p.a, p.k.Scale, b, h, w, c)
}

func (p *vectorCase) y(h, c int64) float64 { return p.value(&p.b, p.k.ResScale, 0, h, 0, c) }

func (p *vectorCase) value(t *tensor, scale float32, b, h, w, c int64) float64 {
	v := t.at(0, b, h, w, c)
	if t.typ == abi.I8 {
		v *= float64(scale)
	}
	return v
}

// want is one output by plain loops.
func (p *vectorCase) want(b, h, w, c int64) float64 {
	k, act := p.k, acts[p.k.Act]
	row := func(f func(x float64)) {
		for i := range p.a.nc {
			f(p.x(0, h, 0, i))
		}
	}
	n, sum, squares, top := float64(p.a.nc), 0.0, 0.0, math.Inf(-1)
	if wholeRows(k.Op) {
		row(func(x float64) { sum, squares, top = sum+x, squares+x*x, max(top, x) })
	}
	switch k.Op {
	case abi.VecAdd:
		return act(p.x(0, h, 0, c) + p.y(h, c))
	case abi.VecSub:
		return act(p.x(0, h, 0, c) - p.y(h, c))
	case abi.VecMul:
		return act(p.x(0, h, 0, c) * p.y(h, c))
	case abi.VecSoftmax:
		valid := p.columns(h)
		if c >= valid {
			return 0
		}
		total := 0.0
		for i := range valid {
			total += math.Exp(float64(k.Param) * (p.x(0, h, 0, i) - top))
		}
		return math.Exp(float64(k.Param)*(p.x(0, h, 0, c)-top)) / total
	case abi.VecLayerNorm:
		variance := squares/n - sum/n*sum/n
		return (p.x(0, h, 0, c)-sum/n)/math.Sqrt(variance+float64(k.Param))*p.scale.at(0, 0, 0, 0, c) + p.bias.at(0, 0, 0, 0, c)
	case abi.VecRMSNorm:
		return p.x(0, h, 0, c) / math.Sqrt(squares/n+float64(k.Param)) * p.scale.at(0, 0, 0, 0, c)
	case abi.VecBatchNorm:
		return p.x(0, h, 0, c)*p.scale.at(0, 0, 0, 0, c) + p.bias.at(0, 0, 0, 0, c)
	case abi.VecReduceSum:
		return sum
	case abi.VecReduceMax:
		return top
	case abi.VecReduceMean:
		return sum / n
	case abi.VecTranspose:
		return p.a.at(0, 0, c, 0, h)
	case abi.VecGather:
		return act(p.x(0, int64(get(p.b.mem[p.b.addr:], abi.I32, h)), 0, c))
	case abi.VecMaxPool, abi.VecAvgPool:
		return p.pooled(b, h, w, c)
	}
	return act(p.x(b, h, w, c))
}

// columns is how many columns of row h a softmax counts.
func (p *vectorCase) columns(h int64) int64 {
	if p.period > 0 {
		h %= p.period
	}
	return min(p.valid+h*p.step, p.a.nc)
}

func (p *vectorCase) pooled(b, h, w, c int64) float64 {
	sum, top, n := 0.0, math.Inf(-1), 0.0
	for r := range p.r {
		for s := range p.s {
			y, x := h*p.sh-p.ph+r, w*p.sw-p.pw+s
			if y >= 0 && y < p.a.nh && x >= 0 && x < p.a.nw {
				v := p.x(b, y, x, c)
				sum, top, n = sum+v, max(top, v), n+1
			}
		}
	}
	if p.k.Op == abi.VecMaxPool {
		return top
	}
	return sum / n
}

func (p *vectorCase) verify(t require.TestingT) {
	p.c.each(1, func(_, b, h, w, c int64) {
		near(t, p.k.OutType, float64(p.k.OutScale), p.want(b, h, w, c), p.c.at(0, b, h, w, c), 2e-5, abi.VecOpNames[p.k.Op], b, h, w, c)
	})
}

// traffic is what one core moves: every input once, halos of pools again.
func (p *vectorCase) traffic() (load int64) {
	k, in := p.k, int64(p.k.InType.Size())
	n := p.a.nh * p.a.nc
	switch {
	case isBinary(k.Op):
		return 2 * n * in
	case k.Op == abi.VecGather:
		return p.rows * (p.a.nc*in + 4)
	case k.Op == abi.VecLayerNorm || k.Op == abi.VecRMSNorm:
		return n*in + p.a.nc*4*int64(k.Flags&abi.KernelBias/abi.KernelBias+k.Flags&abi.KernelColScale/abi.KernelColScale)
	}
	return n * in
}

func TestVectorProperties(t *testing.T) {
	for op := range uint8(abi.NumVecOps) {
		t.Run(abi.VecOpNames[op], func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p, cfg := drawVector(t, op), drawMachine(t)
				place(t, p.k)
				if p.k.Op == abi.VecTranspose {
					p.k.OutScale, p.k.Scale = 1, 1
				}
				m := newMachine(t, cfg, 2, p.end())
				defer m.close()
				p.load(m)
				took, o := m.mustRun(t, p.k)
				p.verify(t)
				timing := newMachine(t, cfg, 0, p.end())
				copy(timing.mem.bytes, m.mem.bytes) // indices are control
				alone, _ := timing.mustRun(t, p.k)
				require.Equal(t, took, alone, "timing depends on values")
				checkBounds(t, m, p.k, took, o)
				out := p.c.ni * p.c.nh * p.c.nw * p.c.nc * int64(p.k.OutType.Size())
				require.Equal(t, out, o.StoreBytes, "bytes stored")
				if cfg.Core.Count == 1 && !isPool(op) && op != abi.VecBatchNorm {
					require.Equal(t, p.traffic(), o.LoadBytes, "bytes loaded")
				}
			})
		})
	}
}

func TestVectorCycles(t *testing.T) {
	c := VectorConfig{Lanes: 16, SpecialCycles: 4, StartCycles: 8}
	for _, test := range []struct {
		spec VectorSpec
		want int64
	}{
		{VectorSpec{Op: abi.VecAdd, Rows: 3, Cols: 11}, 8 + 3},
		{VectorSpec{Op: abi.VecMap, Rows: 4, Cols: 16, Act: abi.ActTanh}, 8 + 4*(1+4)},
		{VectorSpec{Op: abi.VecMap, Rows: 4, Cols: 16, Act: abi.ActGELU, Quantise: true}, 8 + 4*(1+10+1+2*4)},
		// a row of 17 is two words; a tree over 16 lanes is 4 deep
		{VectorSpec{Op: abi.VecSoftmax, Rows: 5, Cols: 17}, 8 + 5*(2*(5+4)+4+4)},
		{VectorSpec{Op: abi.VecReduceSum, Rows: 5, Cols: 16}, 8 + 5*(1+4+4)},
		// rows of 3 lie side by side in fields of 4 lanes: five rows are two groups, a tree is 2 deep
		{VectorSpec{Op: abi.VecReduceSum, Rows: 5, Cols: 3}, 8 + 2*(1+2+4)},
		{VectorSpec{Op: abi.VecReduceSum, Rows: 33, Cols: 1}, 8 + 3*(1+0+4)},
		{VectorSpec{Op: abi.VecReduceSum, Rows: 5, Cols: 9}, 8 + 5*(1+4+4)},
		{VectorSpec{Op: abi.VecMaxPool, Rows: 4, Cols: 16, Taps: 9}, 8 + 4*9},
		{VectorSpec{Op: opEpilogue, Rows: 4, Cols: 16, Residual: true, Act: abi.ActReLU}, 8 + 4*3},
		{VectorSpec{Op: abi.VecTranspose, Rows: 4, Cols: 16, Conflict: 8}, 8 + 4*8},
	} {
		assert.Equal(t, test.want, c.Cycles(test.spec), "%+v", test.spec)
	}
}

// Twice the lanes never take more cycles, and one row or column more never fewer.
func TestVectorCyclesAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := VectorConfig{Lanes: 1 << rapid.IntRange(0, 12).Draw(t, "lanes"), SpecialCycles: rapid.IntRange(1, 20).Draw(t, "special"), StartCycles: 8}
		s := VectorSpec{Op: uint8(rapid.IntRange(0, abi.NumVecOps).Draw(t, "op")), Act: uint8(rapid.IntRange(0, abi.NumActs-1).Draw(t, "act")),
			Rows: rapid.Int64Range(1, 5000).Draw(t, "rows"), Cols: rapid.Int64Range(1, 5000).Draw(t, "cols")}
		cycles := c.Cycles(s)
		wide, row, col := c, s, s
		wide.Lanes, row.Rows, col.Cols = 2*c.Lanes, s.Rows+1, s.Cols+1
		require.LessOrEqual(t, wide.Cycles(s), cycles, "twice the lanes")
		require.GreaterOrEqual(t, c.Cycles(row), cycles, "a row more")
		require.GreaterOrEqual(t, c.Cycles(col), cycles, "a column more")
	})
}

func TestScratchpadModel(t *testing.T) {
	cfg := ScratchpadConfig{Size: 64 * sim.KiB, Banks: 16, BankBytes: 8}
	for stride, turns := range map[int64]int64{1: 1, 8: 1, 16: 2, 24: 1, 32: 4, 128: 16, 1 << 20: 16, 40: 1} {
		assert.Equal(t, turns, cfg.conflict(stride), "stride %d", stride)
	}
	s := scratchpad{cfg: &cfg}
	s.start(0)
	assert.EqualValues(t, 100, s.alone(50, 128*100), "bytes that take longer than the unit does")
	after := func(p *pace, edge int64) int64 { return int64(p.at(edge)-p.at(edge-100)) / cycleTicks }
	full := demandOf(128*100, 100)
	s.want(abi.UnitArray, full, 0)
	assert.EqualValues(t, 100, after(&s.array, 100), "the array alone has all banks")
	s.want(abi.UnitVector, full, 100)
	assert.EqualValues(t, 50, after(&s.array, 200), "half of them beside the vector unit")
	assert.EqualValues(t, 50, after(&s.vector, 200))
	s.want(abi.UnitVector, full/4, 200)
	assert.EqualValues(t, 100, after(&s.vector, 300), "which has all it wants when that is little")
	assert.EqualValues(t, 75, after(&s.array, 300))
	s.want(abi.UnitLoad, full, 300)
	assert.EqualValues(t, 25, after(&s.array, 400), "the port takes half")
	assert.EqualValues(t, 100, after(&s.vector, 400))
	s.want(abi.UnitLoad, 0, 400)
	s.want(abi.UnitVector, 0, 400)
	assert.EqualValues(t, 100, after(&s.array, 500), "and gives it back")
	assert.EqualValues(t, 50+25+75, int64(s.array.lag(500))/cycleTicks)
	assert.EqualValues(t, 512, cfg.clearCycles())
}

func ExampleFootprint() {
	k := abi.Kernel{Kind: abi.KernelConv, InType: abi.BF16, OutType: abi.BF16, Flags: abi.KernelResidual,
		Dims: [16]uint32{1, 56, 56, 64, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 56, 56},
		Tile: [6]uint32{14, 32, 64, 0}}
	slots, status := Footprint(&k)
	fmt.Println(slots, status)
	// 16·58 pixels of 64 channels, 9·64 rows of 32 filters, 14·56 pixels of 32 filters
	// Output: [118784 36864 100352 50176] OK
}
