package rt_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
)

// Machines like those the project ships.
var (
	tiny       = abi.DeviceInfo{NumCores: 2, ArrayRows: 8, ArrayCols: 8, VectorLanes: 8, ScratchpadSize: 64 << 10}
	edge       = abi.DeviceInfo{NumCores: 1, ArrayRows: 16, ArrayCols: 16, VectorLanes: 16, ScratchpadSize: 512 << 10}
	datacenter = abi.DeviceInfo{NumCores: 4, ArrayRows: 128, ArrayCols: 128, VectorLanes: 256, ScratchpadSize: 32 << 20}
)

// sound checks a descriptor as the sequencer would: its form, its geometry, and
// its slots, which lie in the scratchpad apart from one another.
func sound(t require.TestingT, info *abi.DeviceInfo, k *abi.Kernel) {
	var p [abi.KernelSize]byte
	k.Encode(p[:])
	var back abi.Kernel
	require.Equal(t, abi.StatusOK, back.Decode(p[:]), "%+v", k)
	require.Equal(t, *k, back)
	slot, status := core.Footprint(k)
	require.Equal(t, abi.StatusOK, status, "%+v", k)
	end := int64(0)
	for i, size := range slot {
		if size == 0 {
			assert.Zero(t, k.Buffers[i], "slots of operand %d, which does not exist", i)
			continue
		}
		require.NotZero(t, k.Buffers[i], "operand %d of %+v", i, k)
		require.Zero(t, k.Spad[i]%64)
		require.GreaterOrEqual(t, int64(k.Spad[i]), end, "operand %d overlaps the one before: %+v", i, k)
		end = int64(k.Spad[i]) + int64(k.Buffers[i])*size
	}
	require.LessOrEqual(t, end, int64(info.ScratchpadSize), "%+v", k)
}

// machineGen draws a machine.
func machineGen(t *rapid.T) (*abi.DeviceInfo, rt.Options) {
	info := &abi.DeviceInfo{
		NumCores:       uint32(rapid.IntRange(1, 8).Draw(t, "cores")),
		ArrayRows:      uint32(rapid.SampledFrom([]int{1, 4, 8, 16, 48, 128}).Draw(t, "rows")),
		ArrayCols:      uint32(rapid.SampledFrom([]int{1, 4, 8, 16, 96, 128}).Draw(t, "cols")),
		VectorLanes:    uint32(rapid.SampledFrom([]int{1, 8, 256}).Draw(t, "lanes")),
		ScratchpadSize: uint64(rapid.IntRange(16, 1<<14).Draw(t, "spad")) * 64,
	}
	return info, rt.Options{Dataflow: uint8(rapid.IntRange(0, 2).Draw(t, "dataflow"))}
}

var types = []abi.DType{abi.F32, abi.BF16, abi.I8}

func drawType(t *rapid.T, name string) abi.DType { return rapid.SampledFrom(types).Draw(t, name) }

func drawEpilogue(t *rapid.T, out abi.DType) (e rt.Epilogue) {
	e.Act = uint8(rapid.IntRange(0, abi.NumActs-1).Draw(t, "act"))
	if rapid.Bool().Draw(t, "bias") {
		e.Bias = 1 << 40
	}
	if rapid.Bool().Draw(t, "residual") {
		e.Residual = rt.Tensor{Addr: 1 << 41, Type: out, Row: 1 << 20, Batch: [2]uint64{1 << 36, 1 << 30}}
	}
	return e
}

// Every product of a shape that can be mapped is mapped soundly; what is refused
// has the reason in its error.
func TestGemmProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info, o := machineGen(t)
		in, out := drawType(t, "in"), drawType(t, "out")
		size := rapid.IntRange(1, 3000)
		g := &rt.Gemm{Outer: rapid.IntRange(0, 3).Draw(t, "outer"), Batch: rapid.IntRange(0, 5).Draw(t, "batch"),
			M: size.Draw(t, "m"), N: size.Draw(t, "n"), K: size.Draw(t, "k"), TransB: rapid.Bool().Draw(t, "trans"),
			Epilogue: drawEpilogue(t, out)}
		g.A = rt.Tensor{Addr: 1 << 20, Type: in, Row: 1 << 16, Batch: [2]uint64{1 << 34, 1 << 29}}
		g.B, g.C = rt.Matrix(2<<20, in, 3000), rt.Tensor{Addr: 3 << 20, Type: out, Row: 1 << 16, Batch: [2]uint64{1 << 31, 1 << 28}}
		ks, err := rt.NewLibrary(info, o).Gemm(g)
		if err != nil {
			require.ErrorIs(t, err, rt.ErrUnsupported)
			require.Contains(t, err.Error(), "scratchpad")
			return
		}
		for i := range ks {
			sound(t, info, &ks[i])
		}
		d := &ks[0].Dims
		total := len(ks) * int(d[abi.DimOuter]*d[abi.DimBatch]*d[abi.DimM])
		require.Equal(t, max(g.Outer, 1)*max(g.Batch, 1)*g.M, total)
		require.Equal(t, [2]uint32{uint32(g.N), uint32(g.K)}, [2]uint32{d[abi.DimN], d[abi.DimK]})
	})
}

func TestConvProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info, o := machineGen(t)
		in, out := drawType(t, "in"), drawType(t, "out")
		groups := rapid.IntRange(1, 40).Draw(t, "groups")
		c := &rt.Conv{Groups: groups, Epilogue: drawEpilogue(t, out)}
		c.N, c.C, c.K = rapid.IntRange(1, 5).Draw(t, "n"), groups*rapid.IntRange(1, 60).Draw(t, "c"), groups*rapid.IntRange(1, 60).Draw(t, "k")
		c.R, c.S = rapid.IntRange(1, 7).Draw(t, "r"), rapid.IntRange(1, 7).Draw(t, "s")
		c.P, c.Q = rapid.IntRange(1, 60).Draw(t, "p"), rapid.IntRange(1, 60).Draw(t, "q")
		pair := func(name string) [2]int {
			return [2]int{rapid.IntRange(1, 3).Draw(t, name), rapid.IntRange(1, 3).Draw(t, name)}
		}
		c.Stride, c.Dilation = pair("stride"), pair("dilation")
		c.H, c.W = (c.P-1)*c.Stride[0]+(c.R-1)*c.Dilation[0]+1, (c.Q-1)*c.Stride[1]+(c.S-1)*c.Dilation[1]+1
		c.X, c.F, c.Y = rt.Tensor{Addr: 1 << 20, Type: in}, rt.Tensor{Addr: 1 << 30, Type: in}, rt.Tensor{Addr: 1 << 35, Type: out}
		ks, err := rt.NewLibrary(info, o).Conv(c)
		if err != nil {
			require.ErrorIs(t, err, rt.ErrUnsupported)
			return
		}
		require.Len(t, ks, 1)
		sound(t, info, &ks[0])
	})
}

func TestVectorProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info, _ := machineGen(t)
		v := &rt.Vector{Op: uint8(rapid.IntRange(0, abi.VecGather).Draw(t, "op")), Rows: rapid.IntRange(1, 20000).Draw(t, "rows"),
			Cols: rapid.IntRange(1, 20000).Draw(t, "cols"), TableRows: 7}
		in, out := drawType(t, "in"), drawType(t, "out")
		if v.Op == abi.VecTranspose {
			out = in
		}
		v.X, v.Out = rt.Tensor{Addr: 1 << 20, Type: in, Row: 1 << 18}, rt.Tensor{Addr: 1 << 40, Type: out, Row: 1 << 18}
		switch v.Op {
		case abi.VecAdd, abi.VecSub, abi.VecMul:
			v.Y = rt.Tensor{Addr: 1 << 50, Type: in, Row: 1 << 18}
		case abi.VecGather:
			v.Y = rt.Tensor{Addr: 1 << 50, Type: abi.I32}
		case abi.VecLayerNorm, abi.VecBatchNorm:
			v.Gamma, v.Beta = 1<<51, 1<<52
		}
		ks, err := rt.NewLibrary(info, rt.Options{}).Vector(v)
		if err != nil {
			require.ErrorIs(t, err, rt.ErrUnsupported)
			return
		}
		cols := uint32(0)
		for i := range ks {
			sound(t, info, &ks[i])
			cols += ks[i].Dims[abi.DimCols]
		}
		require.Equal(t, v.Cols, int(cols))
	})
}

func TestPoolProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info, _ := machineGen(t)
		p := &rt.Pool{Op: rapid.SampledFrom([]uint8{abi.VecMaxPool, abi.VecAvgPool}).Draw(t, "op")}
		p.N, p.C = rapid.IntRange(1, 5).Draw(t, "n"), rapid.IntRange(1, 3000).Draw(t, "c")
		p.R, p.S = rapid.IntRange(1, 9).Draw(t, "r"), rapid.IntRange(1, 9).Draw(t, "s")
		p.P, p.Q = rapid.IntRange(1, 120).Draw(t, "p"), rapid.IntRange(1, 120).Draw(t, "q")
		p.Stride = [2]int{2, 3}
		p.H, p.W = (p.P-1)*2+p.R, (p.Q-1)*3+p.S
		p.X = rt.Tensor{Addr: 1 << 20, Type: drawType(t, "type")}
		p.Y = rt.Tensor{Addr: 1 << 40, Type: p.X.Type}
		ks, err := rt.NewLibrary(info, rt.Options{}).Pool(p)
		if err != nil {
			require.ErrorIs(t, err, rt.ErrUnsupported)
			return
		}
		require.Len(t, ks, 1)
		sound(t, info, &ks[0])
	})
}

// resnet is a 3×3 layer of ResNet-50's first stage, bf16.
func resnet(n int) *rt.Conv {
	c := &rt.Conv{X: rt.Tensor{Addr: 1 << 20, Type: abi.BF16}, F: rt.Tensor{Addr: 2 << 20, Type: abi.BF16}, Y: rt.Tensor{Addr: 3 << 20, Type: abi.BF16}}
	c.Image = rt.Image{N: n, H: 56, W: 56, C: 64, K: 64, P: 56, Q: 56, R: 3, S: 3, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}}
	c.Epilogue = rt.Epilogue{Bias: 4 << 20, Act: abi.ActReLU}
	return c
}

func dense(m, n, k int, dt abi.DType) *rt.Gemm {
	return &rt.Gemm{M: m, N: n, K: k, A: rt.Matrix(1<<20, dt, k), B: rt.Matrix(1<<30, dt, n), C: rt.Matrix(1<<31, dt, n)}
}

// describe is the mapping of a kernel as text.
func describe(k *abi.Kernel) string {
	return fmt.Sprintf("m %d n %d k %d w %d, order %d split %d, cores %d, slots %v at %v",
		k.Tile[0], k.Tile[1], k.Tile[2], k.Tile[3], k.Order, k.Split, k.Cores, k.Buffers, k.Spad)
}

func BenchmarkMapper(b *testing.B) {
	for range b.N {
		_, err := rt.NewLibrary(&datacenter, rt.Options{}).Gemm(dense(512, 3072, 768, abi.BF16))
		if err != nil && !errors.Is(err, rt.ErrUnsupported) {
			b.Fatal(err)
		}
	}
}
