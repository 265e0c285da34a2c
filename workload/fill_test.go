package workload

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// filled gives a tensor's initial values.
func filled(x Tensor, seed uint64) []float32 {
	data := make([]byte, x.Bytes())
	Fill(x, seed, data)
	values := make([]float32, x.Elems())
	Decode(x, data, values)
	return values
}

func TestFillDependsOnSeedAndNameAlone(t *testing.T) {
	x := Tensor{Name: "w", Role: Weight, DType: F32, Shape: []int{40, 50}, Scale: 1, Range: unit(1)}
	y := x
	y.Name = "v"
	assert.Equal(t, filled(x, 1), filled(x, 1))
	assert.NotEqual(t, filled(x, 1), filled(x, 2))
	assert.NotEqual(t, filled(x, 1), filled(y, 1))
	y.Name, y.Shape = "w", []int{7}
	assert.Equal(t, filled(x, 1)[:7], filled(y, 1))
}

// TestFillGolden pins the stream: results stored elsewhere depend on it.
func TestFillGolden(t *testing.T) {
	x := Tensor{Name: "conv1.weight", Role: Weight, DType: F32, Shape: []int{4}, Scale: 1, Range: Range{Mean: 0, Std: 1, Max: 4}}
	got := filled(x, 42)
	for i, want := range []float32{-1.7313637, -0.2774780, 0.1185869, 0.9365380} {
		assert.InDelta(t, want, got[i], 1e-6)
	}
}

func TestFillHasTheRange(t *testing.T) {
	for _, d := range []DType{F32, BF16, I8} {
		x := Tensor{Name: "x", Role: Weight, DType: d, Shape: []int{100000}, Range: Range{Mean: 0.5, Std: 0.25, Max: 1.5}}
		x.Scale = float32(x.Range.Max / 127)
		r := measure(filled(x, 3))
		assert.InDelta(t, 0.5, r.Mean, 0.01, d)
		assert.InDelta(t, 0.25, r.Std, 0.01, d)
		assert.LessOrEqual(t, r.Max, 0.5+0.25*drawn+0.01, d)
		assert.Greater(t, r.Max, 0.5+0.25*3, d)
	}
}

func TestFillIndices(t *testing.T) {
	x := Tensor{Name: "i", Role: Index, DType: I32, Shape: []int{1000}, Scale: 1, Index: IndexRule{Limit: 30}}
	seen := map[float32]bool{}
	for _, v := range filled(x, 5) {
		assert.True(t, v >= 0 && v < 30)
		seen[v] = true
	}
	assert.Len(t, seen, 30)
	x.Shape, x.Index = []int{7}, IndexRule{First: 4, Period: 3, Limit: 30}
	assert.Equal(t, []float32{4, 5, 6, 4, 5, 6, 4}, filled(x, 5))
}

func TestFillClearsWhatOperatorsWrite(t *testing.T) {
	data := []byte{1, 2, 3, 4, 5}
	Fill(Tensor{Name: "a", Role: Activation, DType: I8, Shape: []int{4}}, 1, data)
	assert.Equal(t, []byte{0, 0, 0, 0, 5}, data)
}

func TestFillTakesShippedValues(t *testing.T) {
	x := Tensor{Name: "w", Role: Weight, DType: BF16, Shape: []int{3}, Scale: 1, Values: []float32{1, -0.5, 3}}
	assert.Equal(t, x.Values, filled(x, 9))
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		x      Tensor
		values []float32
		want   []byte
	}{
		{Tensor{DType: F32}, []float32{1, -2}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
		// ties to even: 1 + 2⁻⁸ is halfway between 0x3f80 and 0x3f81, 1 + 3·2⁻⁸ between 0x3f81 and 0x3f82
		{Tensor{DType: BF16}, []float32{1, 1 + 1./256, 1 + 3./256}, []byte{0x80, 0x3f, 0x80, 0x3f, 0x82, 0x3f}},
		{Tensor{DType: BF16}, []float32{float32(math.Inf(1)), math.MaxFloat32}, []byte{0x80, 0x7f, 0x80, 0x7f}},
		{Tensor{DType: I8, Scale: 0.5}, []float32{0.25, 0.75, -1, 1000, -1000}, []byte{0, 2, 0xfe, 127, 0x81}},
		{Tensor{DType: I32}, []float32{-1, 258}, []byte{255, 255, 255, 255, 2, 1, 0, 0}},
	} {
		out := make([]byte, len(c.want))
		Encode(c.x, c.values, out)
		assert.Equal(t, c.want, out, c.x.DType)
	}
	nan := make([]byte, 2)
	Encode(Tensor{DType: BF16}, []float32{math.Float32frombits(0x7f800001)}, nan)
	back := make([]float32, 1)
	Decode(Tensor{DType: BF16}, nan, back)
	assert.True(t, back[0] != back[0])
}

// TestEncodeDecode: a value comes back within half a step.
func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float32Range(-100, 100).Draw(t, "v")
		for _, c := range []struct {
			x    Tensor
			step float64
		}{
			{Tensor{DType: F32, Scale: 1}, 0},
			{Tensor{DType: BF16, Scale: 1}, math.Abs(float64(v))/256 + 0x1p-133},
			{Tensor{DType: I8, Scale: 100. / 127}, 100. / 254 * 1.0001},
		} {
			var cell [4]byte
			var back [1]float32
			Encode(c.x, []float32{v}, cell[:])
			Decode(c.x, cell[:], back[:])
			if d := math.Abs(float64(back[0]) - float64(v)); d > c.step {
				t.Fatalf("%s: %g came back as %g", c.x.DType, v, back[0])
			}
		}
	})
}

func TestParseDType(t *testing.T) {
	for d := F32; d <= I8; d++ {
		got, err := ParseDType(d.String())
		require.NoError(t, err)
		assert.Equal(t, d, got)
	}
	for _, s := range []string{"", "int32", "fp16", "default"} {
		_, err := ParseDType(s)
		assert.ErrorContains(t, err, "want f32, bf16 or int8")
	}
}

func BenchmarkFill(b *testing.B) {
	for _, d := range []DType{F32, BF16, I8} {
		b.Run(d.String(), func(b *testing.B) {
			x := Tensor{Name: "w", Role: Weight, DType: d, Shape: []int{1 << 20}, Scale: 0.1, Range: unit(1)}
			out := make([]byte, x.Bytes())
			b.ReportAllocs()
			for range b.N {
				Fill(x, 1, out)
			}
			b.ReportMetric(float64(x.Elems())*float64(b.N)/b.Elapsed().Seconds(), "elem/s")
		})
	}
}
