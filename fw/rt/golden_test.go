package rt_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

var update = flag.Bool("update", false, "write the golden files")

// known are layers of shipped networks whose descriptors are kept.
func known() []layer {
	matrix := func(addr uint64, cols int) rt.Tensor { return rt.Matrix(addr, abi.BF16, cols) }
	vector := func(name string, v rt.Vector) layer {
		v.X, v.Out = matrix(1<<20, v.Cols), matrix(3<<20, v.Cols)
		return layer{name, func(l *rt.Library) ([]abi.Kernel, error) { return l.Vector(&v) }}
	}
	heads := func(rows int) rt.Gemm {
		g := rt.Gemm{Batch: 12, M: rows, N: 128, K: 64, TransB: true, A: matrix(1<<20, 768), B: matrix(2<<20, 768), C: matrix(3<<20, 128)}
		g.A.Batch[1], g.B.Batch[1], g.C.Batch[1] = 128, 128, uint64(256*rows)
		return g
	}
	gemms := func(name string, g rt.Gemm) layer {
		return layer{name, func(l *rt.Library) ([]abi.Kernel, error) { return l.Gemm(&g) }}
	}
	pool := &rt.Pool{Op: abi.VecMaxPool, X: rt.Tensor{Addr: 1 << 20, Type: abi.BF16}, Y: rt.Tensor{Addr: 2 << 20, Type: abi.BF16},
		Image: rt.Image{N: 1, H: 112, W: 112, C: 64, P: 56, Q: 56, R: 3, S: 3, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}}}
	return append(append([]layer(nil), layers...),
		gemms("attention scores", heads(128)), gemms("decode scores", heads(1)),
		layer{"max pool", func(l *rt.Library) ([]abi.Kernel, error) { return l.Pool(pool) }},
		vector("softmax", rt.Vector{Op: abi.VecSoftmax, Rows: 1536, Cols: 128, Param: 0.125}),
		vector("layernorm", rt.Vector{Op: abi.VecLayerNorm, Rows: 128, Cols: 768, Gamma: 5 << 20, Beta: 6 << 20, Param: 1e-12}),
		vector("gelu", rt.Vector{Op: abi.VecMap, Rows: 128, Cols: 3072, Act: abi.ActGELU}),
		vector("transpose", rt.Vector{Op: abi.VecTranspose, Rows: 768, Cols: 768}))
}

// Descriptors of known layers stay what they are; run with -update after a
// change of the mapper that is meant.
func TestGolden(t *testing.T) {
	for name, info := range map[string]*abi.DeviceInfo{"tiny": &tiny, "edge": &edge, "datacenter": &datacenter} {
		var out bytes.Buffer
		l := rt.NewLibrary(info, rt.Options{})
		for _, v := range known() {
			ks, err := v.make(l)
			require.NoError(t, err)
			for i := range ks {
				k := &ks[i]
				sound(t, info, k)
				fmt.Fprintf(&out, "%s\n\tkind %d op %d %v to %v flags %#x act %d dims %v\n\toperands %#x\n\t%s\n",
					v.name, k.Kind, k.Op, k.InType, k.OutType, k.Flags, k.Act, k.Dims, k.Operands, describe(k))
			}
		}
		file := filepath.Join("testdata", name+".golden")
		if *update {
			require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), out.String(), name)
	}
}

// The same shape gives the same descriptor, whatever was mapped before.
func TestDeterministic(t *testing.T) {
	used := rt.NewLibrary(&edge, rt.Options{})
	all := known()
	for i := range all {
		_, err := all[len(all)-1-i].make(used)
		require.NoError(t, err)
	}
	for _, v := range all {
		a, err := v.make(used)
		require.NoError(t, err)
		b, err := v.make(rt.NewLibrary(&edge, rt.Options{}))
		require.NoError(t, err)
		assert.Equal(t, b, a, v.name)
	}
}

func TestRefusals(t *testing.T) {
	l := rt.NewLibrary(&tiny, rt.Options{})
	with := func(change func(*rt.Gemm)) error {
		g := dense(8, 8, 8, abi.BF16)
		change(g)
		_, err := l.Gemm(g)
		return err
	}
	convWith := func(change func(*rt.Conv)) error {
		c := resnet(1)
		change(c)
		_, err := l.Conv(c)
		return err
	}
	vectorWith := func(change func(*rt.Vector)) error {
		v := &rt.Vector{Op: abi.VecMap, Rows: 8, Cols: 8, X: rt.Matrix(1<<20, abi.F32, 8), Out: rt.Matrix(2<<20, abi.F32, 8)}
		change(v)
		_, err := l.Vector(v)
		return err
	}
	flow := func() error {
		_, err := rt.NewLibrary(&tiny, rt.Options{Dataflow: 3}).Gemm(dense(8, 8, 8, abi.BF16))
		return err
	}
	poolWith := func(p rt.Pool) error {
		_, err := l.Pool(&p)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{with(func(g *rt.Gemm) { g.K = 0 }), "gemm: k is 0, want 1 to 2147483647"},
		{with(func(g *rt.Gemm) { g.M = 1 << 31 }), "m is 2147483648"},
		{with(func(g *rt.Gemm) { g.A.Type = abi.F32 }), "types f32 and bf16"},
		{with(func(g *rt.Gemm) { g.A.Type, g.B.Type = abi.F64, abi.F64 }), "type f64, want f32, bf16 or int8"},
		{with(func(g *rt.Gemm) { g.C.Type = abi.I32 }), "int32 output, want int8 operands"},
		{with(func(g *rt.Gemm) { g.Residual = rt.Matrix(1, abi.I8, 8) }), "residual of type int8, want the output's, bf16"},
		{with(func(g *rt.Gemm) { g.C.Row = 15 }), "rows of 16 bytes are 15 bytes apart"},
		{with(func(g *rt.Gemm) { g.Act = abi.NumActs }), "activation 9"},
		{flow(), "dataflow 3, want 0 to 2"},
		{convWith(func(c *rt.Conv) { c.Groups = 3 }), "3 groups, want a divisor of 64"},
		{convWith(func(c *rt.Conv) { c.Pad[1] = -1 }), "pad[1] is -1"},
		{convWith(func(c *rt.Conv) { c.Stride[0] = 0 }), "stride[0] is 0"},
		{convWith(func(c *rt.Conv) { c.F.Type = abi.I8 }), "types bf16 and int8"},
		{convWith(func(c *rt.Conv) { c.R, c.S, c.H, c.W = 999, 999, 2000, 2000 }), "of the scratchpad"},
		{vectorWith(func(v *rt.Vector) { v.Op = abi.VecAvgPool }), "operation 14"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Act = abi.VecSoftmax, abi.ActReLU }), "softmax: activation 1"},
		{vectorWith(func(v *rt.Vector) { v.Gamma = 4 }), "map: it takes no such parameter vector"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Y.Type = abi.VecAdd, abi.I8 }), "add: operands of types f32 and int8"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Out.Type = abi.VecTranspose, abi.BF16 }), "transpose: from f32"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Y.Type = abi.VecGather, abi.F32 }), "indices of type f32"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Y.Type = abi.VecGather, abi.I32 }), "table rows is 0"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Valid = abi.VecSoftmax, 9 }), "valid is 9, want 0 to 8"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.ValidStep = abi.VecSoftmax, -1 }), "valid step is -1, want 0 to"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Cols, v.Gamma = abi.VecRMSNorm, 8193, 4 }), "8193 columns with parameters, want at most 8192"},
		{vectorWith(func(v *rt.Vector) { v.Op, v.Cols = abi.VecReduceMax, 1<<20 }), "reduce_max: a row of 1048576 columns takes"},
		{poolWith(rt.Pool{Op: abi.VecAdd}), "operation 1, want"},
		{poolWith(rt.Pool{Op: abi.VecMaxPool, Image: rt.Image{C: 3, K: 4}}), "4 output channels, want the input's 3"},
	} {
		assert.ErrorIs(t, c.err, rt.ErrUnsupported)
		assert.ErrorContains(t, c.err, c.want)
	}
}

// An outer stride beyond 32 bits becomes a kernel an outer batch.
func TestFarOuter(t *testing.T) {
	g := dense(8, 8, 8, abi.F32)
	g.Outer, g.Batch = 3, 2
	for _, v := range []*rt.Tensor{&g.A, &g.B, &g.C} {
		v.Batch = [2]uint64{1 << 33, 1 << 20}
	}
	ks, err := rt.NewLibrary(&edge, rt.Options{}).Gemm(g)
	require.NoError(t, err)
	require.Len(t, ks, 3)
	for i := range ks {
		assert.Equal(t, g.A.Addr+uint64(i)<<33, ks[i].Operands[0].Addr)
		assert.Equal(t, uint32(1), ks[i].Dims[abi.DimOuter])
	}
}

// Batches that share weights and follow one another are rows of one product.
func TestFold(t *testing.T) {
	g := dense(8, 8, 8, abi.F32)
	g.Outer, g.Batch = 3, 2
	g.A.Batch, g.C.Batch = [2]uint64{512, 256}, [2]uint64{512, 256}
	ks, err := rt.NewLibrary(&edge, rt.Options{}).Gemm(g)
	require.NoError(t, err)
	require.Len(t, ks, 1)
	assert.Equal(t, []uint32{1, 48, 8, 8, 1}, ks[0].Dims[:5])

	g.A.Batch[0] = 1024 // a gap between outer batches
	ks, err = rt.NewLibrary(&edge, rt.Options{}).Gemm(g)
	require.NoError(t, err)
	assert.Equal(t, []uint32{3, 16, 8, 8, 1}, ks[0].Dims[:5])
}
