package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestShorthands(t *testing.T) {
	for _, c := range []struct {
		text, op, shape, out string
		macs                 int64
		batch                int
	}{
		{"gemm:256x1024x512", "gemm", "256x1024x512", "256x512", 256 * 1024 * 512, 1},
		{"gemm:256x1024x512", "gemm", "512x1024x512", "512x512", 512 * 1024 * 512, 2},
		{"gemm:128x64x128,batch=12,trans_b", "gemm", "12*128x64x128", "1536x128", 12 * 128 * 64 * 128, 1},
		{"gemm:8x4x2,batch=3x5", "gemm", "15*8x4x2", "120x2", 15 * 8 * 4 * 2, 1},
		{"gemm:8x4x2,bias,act=gelu,scale=0.5", "gemm", "8x4x2", "8x2", 64, 1},
		{"conv:1x56x56x64,64x3x3,stride=2,pad=1", "conv", "1x56x56x64 64x3x3/2", "1x28x28x64", 28 * 28 * 64 * 9 * 64, 1},
		{"conv:1x56x56x64,64x3x3,pad=1,groups=64", "conv", "3x56x56x64 64x3x3 groups 64", "3x56x56x64", 3 * 56 * 56 * 9 * 64, 3},
		{"conv:1x9x7x1,2x3x1,dilation=2x1,stride=1x2", "conv", "1x9x7x1 2x3x1/1x2", "1x5x4x2", 5 * 4 * 2 * 3, 1},
		{"maxpool:1x112x112x64,r=3,stride=2,pad=1", "maxpool", "1x112x112x64 3x3/2", "1x56x56x64", 0, 1},
		{"avgpool:1x7x7x2048", "avgpool", "1x7x7x2048 7x7/7", "1x1x1x2048", 0, 1},
		{"add:128x768", "add", "128x768", "128x768", 0, 1},
		{"mul:3x5", "mul", "3x5", "3x5", 0, 1},
		{"gelu:3x5", "gelu", "3x5", "3x5", 0, 1},
		{"softmax:1536x128,valid=100,scale=0.125", "softmax", "1536x128", "1536x128", 0, 1},
		{"softmax:24x8,valid=1,valid_step=1,period=8", "softmax", "24x8", "24x8", 0, 1},
		{"layernorm:128x768", "layernorm", "128x768", "128x768", 0, 1},
		{"reduce:128x768,by=max", "reduce", "128x768", "128x1", 0, 1},
		{"transpose:128x768", "transpose", "256x768", "768x256", 0, 2},
		{"gather:30522x768,n=128", "gather", "256x768", "256x768", 0, 2},
		{"copy:4x4", "copy", "4x4", "4x4", 0, 1},
	} {
		t.Run(c.text, func(t *testing.T) {
			g := mustLoad(t, c.text, Options{Batch: c.batch})
			require.Len(t, g.Ops, 1)
			row := g.Table()[0]
			assert.Equal(t, c.op, row.Op)
			assert.Equal(t, c.shape, row.Shape)
			assert.Equal(t, c.macs, row.MACs)
			assert.Equal(t, c.out, g.Tensor(g.Outputs[0]).ShapeString())
			assert.Equal(t, BF16, g.Tensor(g.Outputs[0]).DType)
			assert.Equal(t, c.text, g.Name)
		})
	}
}

func TestShorthandOptionsArrive(t *testing.T) {
	g, err := Parse("gemm:8x4x2,bias,act=silu,scale=0.5,trans_b,dtype=f32")
	require.NoError(t, err)
	m := g.Ops[0].Gemm
	assert.Equal(t, Silu, m.Act)
	assert.Equal(t, float32(0.5), m.Scale)
	assert.True(t, m.TransB)
	assert.NotEqual(t, None, m.Bias)
	assert.Equal(t, F32, g.Tensor(m.C.Tensor).DType)
	assert.Equal(t, View{Tensor: m.B.Tensor, RowStride: 4}, m.B)

	g, err = Parse("conv:1x9x7x1,2x3x1,dilation=2x1,stride=1x2,pad=3x0")
	require.NoError(t, err)
	c := g.Ops[0].Conv
	assert.Equal(t, [2]int{2, 1}, c.Dilation)
	assert.Equal(t, [2]int{1, 2}, c.Stride)
	assert.Equal(t, [2]int{3, 0}, c.Pad)
	assert.Equal(t, None, c.Bias)
}

func TestShorthandFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"gemm:", `gemm:: column 6: found ""; want a size of 1 to 1073741824; for example gemm:256x1024x512`},
		{"gemm:25x6x", `column 11: found ""; want a size`},
		{"gemm:25x6", `column 10: 2 sizes found; want 3: MxKxN`},
		{"gemm:25x6x7x8", `4 sizes found; want 3`},
		{"gemm:25x-6x7", `column 9: found "-6"`},
		{"gemm:25x6x99999999999999999999", `column 11: found "99999999999999999999"`},
		{"gemm:2x3x4,stride=2", `column 12: option "stride" is unknown; gemm takes batch, n, k, trans_b`},
		{"gemm:2x3x4,a=x", `column 12: option "a" is unknown`},
		{"gemm:2x3x4,act=", `column 16: option "act" has no value`},
		{"gemm:2x3x4,act=mish", `act: activation "mish" is not supported`},
		{"gemm:2x3x4,bias,bias", `column 17: option "bias" is there already`},
		{"gemm:2x3x4,batch=0", `batch: 0 is out of range`},
		{"gemm:1000000x1000000x1000000", `1000000x1000000x1000000 takes 1e+18 steps; want at most`},
		{"conv:1x8x8x3", "column 13: the filter KxRxS is missing behind the image; for example conv:1x56x56x64,64x3x3,stride=2,pad=1"},
		{"conv:1x8x8x3,4x3", "column 17: 2 sizes found; want 3: KxRxS"},
		{"conv:1x8x8x3,4x9x9", "r: a window of 9 does not fit into 8"},
		{"maxpool:1x8x8x3", "r: is missing; maxpool needs it"},
		{"softmax:12", "1 sizes found; want 2: rowsxcolumns"},
		{"gather:100x10,n=0", "n: 0 is out of range"},
		{"relu:3x4,", `column 10: option "" is unknown`},
	} {
		_, err := Parse(c.text)
		if assert.Error(t, err, c.text) {
			assert.Contains(t, err.Error(), c.want, c.text)
		}
	}
}

// TestGemmShorthandProperty: sizes survive, and costs are those of the shape.
func TestGemmShorthandProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 300)
		m, k, n, b := dim.Draw(t, "m"), dim.Draw(t, "k"), dim.Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "b")
		text := "gemm:" + shapeString([]int{m, k, n}) + ",batch=" + shapeString([]int{b})
		g, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := g.MACs(), int64(b*m*k*n); got != want {
			t.Fatalf("%d MACs, want %d", got, want)
		}
		if got, want := g.Traffic(&g.Ops[0]), (Traffic{In: int64(2 * b * m * k), Weights: int64(2 * b * k * n), Out: int64(2 * b * m * n)}); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// FuzzParse: any text gives a graph that holds its own rules, or an error.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"gemm:256x1024x512,batch=12", "conv:1x56x56x64,64x3x3,stride=2,pad=1", "gather:9x9,n=3",
		"softmax:3x4,scale=1e-3", "gpt2-decode,context=9", "maxpool:1x8x8x3,r=3x2", "gemm:1x1x1,batch=1073741824x1073741824"} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, text string, batch int) {
		g, err := Load(text, Options{Batch: batch})
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		require.NoError(t, g.Validate())
		for _, row := range g.Table() {
			assert.GreaterOrEqual(t, row.MACs, int64(0))
			assert.Greater(t, row.Bytes, int64(0))
		}
	})
}

// FuzzNetworkFile: likewise for files.
func FuzzNetworkFile(f *testing.F) {
	for _, name := range List() {
		text, err := networkFiles.ReadFile("networks/" + name + ".toml")
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add(head + `{ name = "last", op = "gemm", a = { of = "x", row = 6 }, m = 4, k = 6, n = "($batch+1)*2" }]`)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		g, err := read(text)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		require.NoError(t, g.Validate())
		assert.Len(t, g.Table(), len(g.Ops))
		assert.GreaterOrEqual(t, g.MACs(), int64(0))
	})
}
