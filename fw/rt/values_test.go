package rt_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// bench computes operations on real cores and by plain loops, and compares.
// Tensors hold small integers in f32, so that sums are exact.
type bench struct {
	t *testing.T
	m *cores
	l *rt.Library
}

func newBench(t *testing.T, info abi.DeviceInfo) *bench {
	m := newCores(t, info, memoryBytes)
	t.Cleanup(m.close)
	return &bench{t, m, rt.NewLibrary(&info, rt.Options{})}
}

func (b *bench) f32(addr uint64) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b.m.mem[addr:])))
}

// fill writes n pseudo-random integers from -3 to 3 at addr.
func (b *bench) fill(addr uint64, n int) {
	x := uint32(addr)*2654435761 + 1
	for i := range n {
		x = x*1664525 + 1013904223
		binary.LittleEndian.PutUint32(b.m.mem[addr+uint64(4*i):], math.Float32bits(float32(int(x>>16)%7-3)))
	}
}

// run runs kernels that must succeed.
func (b *bench) run(ks []abi.Kernel, err error) {
	b.t.Helper()
	require.NoError(b.t, err)
	b.m.run(b.t, ks)
}

// at is an element of a view.
func (b *bench) at(v *rt.Tensor, o, i, row, col int) float64 {
	return b.f32(v.Addr + uint64(o)*v.Batch[0] + uint64(i)*v.Batch[1] + uint64(row)*v.Row + uint64(4*col))
}

const (
	addrA, addrB, addrC, addrR, addrBias, memoryBytes = 0, 2 << 20, 4 << 20, 6 << 20, 7<<20 + 1<<19, 8 << 20
)

func TestGemmValues(t *testing.T) {
	view := func(addr uint64, row, outer, inner int) rt.Tensor {
		return rt.Tensor{Addr: addr, Type: abi.F32, Row: uint64(4 * row), Batch: [2]uint64{uint64(4 * outer), uint64(4 * inner)}}
	}
	for name, g := range map[string]rt.Gemm{
		"plain":          {M: 37, N: 29, K: 53, A: view(addrA, 53, 0, 0), B: view(addrB, 29, 0, 0), C: view(addrC, 29, 0, 0)},
		"deep and wide":  {M: 70, N: 300, K: 500, A: view(addrA, 500, 0, 0), B: view(addrB, 300, 0, 0), C: view(addrC, 300, 0, 0)},
		"transposed":     {M: 20, N: 90, K: 33, TransB: true, A: view(addrA, 40, 0, 0), B: view(addrB, 33, 0, 0), C: view(addrC, 100, 0, 0)},
		"heads":          {Outer: 2, Batch: 3, M: 16, N: 16, K: 8, TransB: true, A: view(addrA, 24, 24*16, 8), B: view(addrB, 24, 24*16, 8), C: view(addrC, 16, 3*256, 256)},
		"shared weights": {Outer: 2, Batch: 3, M: 5, N: 17, K: 9, A: view(addrA, 9, 135, 45), B: view(addrB, 17, 0, 0), C: view(addrC, 17, 255, 85)},
		"single rows":    {Batch: 7, M: 1, N: 17, K: 9, A: view(addrA, 9, 0, 33), B: view(addrB, 17, 0, 0), C: view(addrC, 17, 0, 50)},
		"outer alone":    {Outer: 3, M: 4, N: 6, K: 5, A: view(addrA, 5, 20, 0), B: view(addrB, 6, 30, 0), C: view(addrC, 6, 24, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tiny)
			b.fill(addrA, 1<<18)
			b.fill(addrB, 1<<18)
			b.fill(addrR, 1<<18)
			b.fill(addrBias, 1<<10)
			g.Bias, g.Act, g.Scale = addrBias, abi.ActReLU, 0.5
			g.Residual = g.C
			g.Residual.Addr = addrR
			b.run(b.l.Gemm(&g))
			for o := range max(g.Outer, 1) {
				for i := range max(g.Batch, 1) {
					for m := range g.M {
						for n := range g.N {
							sum := 0.0
							for k := range g.K {
								w := b.at(&g.B, o, i, k, n)
								if g.TransB {
									w = b.at(&g.B, o, i, n, k)
								}
								sum += b.at(&g.A, o, i, m, k) * w
							}
							want := max(sum*0.5+b.f32(addrBias+uint64(4*n))+b.at(&g.Residual, o, i, m, n), 0)
							require.Equal(t, want, b.at(&g.C, o, i, m, n), "batch %d %d element %d %d", o, i, m, n)
						}
					}
				}
			}
		})
	}
}

func b2i(v bool) int {
	if v {
		return 1
	}
	return 0
}

// The scales of int8 operands meet in the descriptor.
func TestInt8Values(t *testing.T) {
	b := newBench(t, tiny)
	for i := range 4096 {
		b.m.mem[addrA+i], b.m.mem[addrB+i], b.m.mem[addrR+i] = byte(i*37%19-9), byte(i*53%23-11), byte(i*29%31-15)
	}
	tensor := func(addr uint64, cols int, scale float32) rt.Tensor {
		v := rt.Matrix(addr, abi.I8, cols)
		v.Scale = scale
		return v
	}
	const m, n, k = 13, 21, 40
	g := &rt.Gemm{M: m, N: n, K: k, A: tensor(addrA, k, 0.5), B: tensor(addrB, n, 0.25), C: tensor(addrC, n, 2)}
	g.Residual = tensor(addrR, n, 4)
	b.run(b.l.Gemm(g))
	raw := &rt.Gemm{M: m, N: n, K: k, A: g.A, B: g.B, C: rt.Matrix(addrC+1<<20, abi.I32, n)}
	b.run(b.l.Gemm(raw))
	for i := range m {
		for j := range n {
			sum := 0
			for p := range k {
				sum += int(int8(b.m.mem[addrA+i*k+p])) * int(int8(b.m.mem[addrB+p*n+j]))
			}
			value := float64(sum)*0.125 + 4*float64(int8(b.m.mem[addrR+i*n+j]))
			want := min(max(math.RoundToEven(value/2), -128), 127)
			require.InDelta(t, want, float64(int8(b.m.mem[addrC+i*n+j])), 1e-9)
			require.Equal(t, int32(sum), int32(binary.LittleEndian.Uint32(b.m.mem[addrC+1<<20+4*(i*n+j):])))
		}
	}
}

func TestConvValues(t *testing.T) {
	for name, c := range map[string]rt.Conv{
		"plain":     {Image: rt.Image{N: 2, H: 9, W: 11, C: 5, K: 12, P: 9, Q: 11, R: 3, S: 3, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}}},
		"strided":   {Image: rt.Image{N: 1, H: 13, W: 12, C: 20, K: 30, P: 7, Q: 5, R: 3, S: 2, Stride: [2]int{2, 3}, Pad: [2]int{1, 1}}},
		"dilated":   {Image: rt.Image{N: 1, H: 12, W: 12, C: 4, K: 9, P: 8, Q: 8, R: 3, S: 3, Stride: [2]int{1, 1}}, Dilation: [2]int{2, 2}},
		"grouped":   {Image: rt.Image{N: 1, H: 8, W: 8, C: 12, K: 24, P: 8, Q: 8, R: 3, S: 3, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}}, Groups: 3},
		"depthwise": {Image: rt.Image{N: 1, H: 8, W: 8, C: 40, K: 40, P: 8, Q: 8, R: 3, S: 3, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}}, Groups: 40},
		"pointwise": {Image: rt.Image{N: 3, H: 5, W: 5, C: 33, K: 17, P: 5, Q: 5, R: 1, S: 1, Stride: [2]int{1, 1}}},
		"large":     {Image: rt.Image{N: 1, H: 30, W: 40, C: 32, K: 48, P: 30, Q: 40, R: 3, S: 3, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, tiny)
			b.fill(addrA, 1<<18)
			b.fill(addrB, 1<<18)
			b.fill(addrR, 1<<18)
			b.fill(addrBias, 1<<10)
			f32 := func(addr uint64) rt.Tensor { return rt.Tensor{Addr: addr, Type: abi.F32} }
			c.X, c.F, c.Y = f32(addrA), f32(addrB), f32(addrC)
			c.Bias, c.Residual, c.Act = addrBias, f32(addrR), abi.ActReLU
			b.run(b.l.Conv(&c))
			dil, groups := [2]int{max(c.Dilation[0], 1), max(c.Dilation[1], 1)}, max(c.Groups, 1)
			cg, kg := c.C/groups, c.K/groups
			for i := range c.N * c.P * c.Q * c.K {
				k, q, p, n := i%c.K, i/c.K%c.Q, i/c.K/c.Q%c.P, i/c.K/c.Q/c.P
				sum := 0.0
				for r := range c.R {
					for s := range c.S {
						y, x := p*c.Stride[0]-c.Pad[0]+r*dil[0], q*c.Stride[1]-c.Pad[1]+s*dil[1]
						if y < 0 || x < 0 || y >= c.H || x >= c.W {
							continue
						}
						for ch := range cg {
							at := ((n*c.H+y)*c.W+x)*c.C + k/kg*cg + ch
							sum += b.f32(addrA+uint64(4*at)) * b.f32(addrB+uint64(4*(((r*c.S+s)*cg+ch)*c.K+k)))
						}
					}
				}
				want := max(sum+b.f32(addrBias+uint64(4*k))+b.f32(addrR+uint64(4*i)), 0)
				require.Equal(t, want, b.f32(addrC+uint64(4*i)), "image %d pixel %d %d filter %d", n, p, q, k)
			}
		})
	}
}

// rowsCase is a vector operation with the value of its elements.
type rowsCase struct {
	v    rt.Vector
	want func(b *bench, v *rt.Vector, r, c int) float64
}

func TestVectorValues(t *testing.T) {
	x := func(b *bench, v *rt.Vector, r, c int) float64 { return b.at(&v.X, 0, 0, r, c) }
	mean := func(b *bench, v *rt.Vector, r int, f func(float64) float64) (m float64) {
		for c := range v.Cols {
			m += f(x(b, v, r, c)) / float64(v.Cols)
		}
		return m
	}
	same := func(v float64) float64 { return v }
	for name, c := range map[string]rowsCase{
		"map": {rt.Vector{Op: abi.VecMap, Act: abi.ActReLU}, func(b *bench, v *rt.Vector, r, c int) float64 { return max(x(b, v, r, c), 0) }},
		"add": {rt.Vector{Op: abi.VecAdd}, func(b *bench, v *rt.Vector, r, c int) float64 { return x(b, v, r, c) + b.at(&v.Y, 0, 0, r, c) }},
		"mul": {rt.Vector{Op: abi.VecMul}, func(b *bench, v *rt.Vector, r, c int) float64 { return x(b, v, r, c) * b.at(&v.Y, 0, 0, r, c) }},
		"softmax": {rt.Vector{Op: abi.VecSoftmax, Param: 0.5, Valid: 30}, func(b *bench, v *rt.Vector, r, c int) float64 {
			sum := 0.0
			for i := range v.Valid {
				sum += math.Exp(x(b, v, r, i) / 2)
			}
			return math.Exp(x(b, v, r, c)/2) / sum * float64(b2i(c < v.Valid))
		}},
		"causal softmax": {rt.Vector{Op: abi.VecSoftmax, Valid: 5, ValidStep: 2, Period: 19}, func(b *bench, v *rt.Vector, r, c int) float64 {
			valid, sum := min(5+r%19*2, v.Cols), 0.0
			for i := range valid {
				sum += math.Exp(x(b, v, r, i))
			}
			return math.Exp(x(b, v, r, c)) / sum * float64(b2i(c < valid))
		}},
		"layernorm": {rt.Vector{Op: abi.VecLayerNorm, Gamma: addrBias, Beta: addrBias + 4096, Param: 1e-5}, func(b *bench, v *rt.Vector, r, c int) float64 {
			m := mean(b, v, r, same)
			s := mean(b, v, r, func(e float64) float64 { return (e - m) * (e - m) })
			return (x(b, v, r, c)-m)/math.Sqrt(s+1e-5)*b.f32(addrBias+uint64(4*c)) + b.f32(addrBias+4096+uint64(4*c))
		}},
		"rmsnorm": {rt.Vector{Op: abi.VecRMSNorm, Gamma: addrBias, Param: 1e-5}, func(b *bench, v *rt.Vector, r, c int) float64 {
			s := mean(b, v, r, func(e float64) float64 { return e * e })
			return x(b, v, r, c) / math.Sqrt(s+1e-5) * b.f32(addrBias+uint64(4*c))
		}},
		"batchnorm": {rt.Vector{Op: abi.VecBatchNorm, Gamma: addrBias, Beta: addrBias + 4096}, func(b *bench, v *rt.Vector, r, c int) float64 {
			return x(b, v, r, c)*b.f32(addrBias+uint64(4*c)) + b.f32(addrBias+4096+uint64(4*c))
		}},
		"mean":      {rt.Vector{Op: abi.VecReduceMean}, func(b *bench, v *rt.Vector, r, c int) float64 { return mean(b, v, r, same) }},
		"transpose": {rt.Vector{Op: abi.VecTranspose}, func(b *bench, v *rt.Vector, r, c int) float64 { return x(b, v, c, r) }},
		"gather":    {rt.Vector{Op: abi.VecGather, TableRows: 50}, func(b *bench, v *rt.Vector, r, c int) float64 { return x(b, v, (r*7)%50, c) }},
	} {
		for _, size := range [][2]int{{1, 40}, {77, 40}, {9, 700}} {
			b := newBench(t, tiny)
			v := c.v
			v.Rows, v.Cols = size[0], size[1]
			v.X, v.Y = rt.Matrix(addrA, abi.F32, v.Cols+3), rt.Matrix(addrB, abi.F32, v.Cols)
			v.Out = rt.Matrix(addrC, abi.F32, max(v.Cols, v.Rows)+1)
			b.fill(addrA, 1<<18)
			b.fill(addrB, 1<<18)
			b.fill(addrBias, 2048)
			if v.Op == abi.VecGather {
				v.Y = rt.Tensor{Addr: addrR, Type: abi.I32}
				for i := range v.Rows {
					binary.LittleEndian.PutUint32(b.m.mem[addrR+4*i:], uint32(i*7%50))
				}
			}
			b.run(b.l.Vector(&v))
			rows, cols := v.Rows, v.Cols
			switch v.Op {
			case abi.VecTranspose:
				rows, cols = cols, rows
			case abi.VecReduceMean:
				cols = 1
			}
			for r := range rows {
				for col := range cols {
					require.InDelta(t, c.want(b, &v, r, col), b.at(&v.Out, 0, 0, r, col), 2e-5, "%s of %v at %d %d", name, size, r, col)
				}
			}
		}
	}
}

// A gather of rows longer than the scratchpad becomes several kernels.
func TestWideGather(t *testing.T) {
	b := newBench(t, tiny)
	v := &rt.Vector{Op: abi.VecGather, Rows: 3, Cols: 20000, TableRows: 4, X: rt.Matrix(addrA, abi.F32, 20000),
		Y: rt.Tensor{Addr: addrR, Type: abi.I32}, Out: rt.Matrix(addrC, abi.F32, 20000)}
	b.fill(addrA, 80000)
	b.m.mem[addrR], b.m.mem[addrR+4], b.m.mem[addrR+8] = 3, 0, 2
	ks, err := b.l.Vector(v)
	require.Greater(t, len(ks), 1)
	b.run(ks, err)
	for i, row := range []int{3, 0, 2} {
		for c := range v.Cols {
			require.Equal(t, b.at(&v.X, 0, 0, row, c), b.at(&v.Out, 0, 0, i, c))
		}
	}
}

func TestPoolValues(t *testing.T) {
	for _, op := range []uint8{abi.VecMaxPool, abi.VecAvgPool} {
		for _, g := range []rt.Image{
			{N: 2, H: 9, W: 9, C: 19, P: 5, Q: 5, R: 3, S: 3, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}},
			{N: 1, H: 7, W: 7, C: 2048, P: 1, Q: 1, R: 7, S: 7, Stride: [2]int{1, 1}},
		} {
			b := newBench(t, tiny)
			b.fill(addrA, 1<<18)
			p := &rt.Pool{Image: g, Op: op, X: rt.Tensor{Addr: addrA, Type: abi.F32}, Y: rt.Tensor{Addr: addrC, Type: abi.F32}}
			b.run(b.l.Pool(p))
			for i := range g.N * g.P * g.Q * g.C {
				c, q, y, n := i%g.C, i/g.C%g.Q, i/g.C/g.Q%g.P, i/g.C/g.Q/g.P
				best, sum, count := math.Inf(-1), 0.0, 0.0
				for r := range g.R {
					for s := range g.S {
						h, w := y*g.Stride[0]-g.Pad[0]+r, q*g.Stride[1]-g.Pad[1]+s
						if h >= 0 && w >= 0 && h < g.H && w < g.W {
							e := b.f32(addrA + uint64(4*(((n*g.H+h)*g.W+w)*g.C+c)))
							best, sum, count = max(best, e), sum+e, count+1
						}
					}
				}
				if op == abi.VecAvgPool {
					best = sum / count
				}
				require.InDelta(t, best, b.f32(addrC+uint64(4*i)), 1e-5)
			}
		}
	}
}
