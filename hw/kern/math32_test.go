package kern

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/hw/kern/ref"
)

// ulps returns the distance of got from want in units of the last place of want
// as a float32, at least the smallest denormal.
func ulps(got float32, want float64) float64 {
	switch {
	case math.IsNaN(want):
		return map[bool]float64{true: 0, false: math.Inf(1)}[got != got]
	case math.Abs(want) > math.MaxFloat32*(1+0x1p-25):
		return map[bool]float64{true: 0, false: math.Inf(1)}[float64(got) == math.Copysign(math.Inf(1), want)]
	}
	_, exp := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exp-24, -149))
}

// sweep calls f for floats of every sign and exponent, 64 mantissas each.
func sweep(f func(float32)) {
	for hi := range uint32(1 << 9) {
		for lo := range uint32(64) {
			f(math.Float32frombits(hi<<23 | lo*0x20821))
		}
	}
	for x := float32(-110); x < 110; x += 0.0137 {
		f(x)
	}
	for _, x := range []float32{-4, 4, 0.625, -0.625, 88.72283, 88.72284, -87.33655, -103.97, float32(math.Inf(1)), float32(math.Inf(-1))} {
		f(x)
	}
}

func TestFunctionsAgainstFloat64(t *testing.T) {
	for _, test := range []struct {
		name  string
		f     func(float32) float32
		want  func(float64) float64
		ulps  float64 // bound on the error in ulps, or
		delta float64 // absolute, relative to max(|x|, 1)
	}{
		{"exp", exp32, math.Exp, 2, 0},
		{"tanh", tanh32, math.Tanh, 3, 0},
		{"sigmoid", sigmoid32, ref.Acts["sigmoid"], 4, 1e-38},
		{"erf", erf32, math.Erf, 0, 5e-7},
		{"silu", silu32, ref.Acts["silu"], 0, 3e-7},
		{"gelu_tanh", geluTanh32, ref.Acts["gelu_tanh"], 0, 4e-7},
		{"gelu_erf", geluErf32, ref.Acts["gelu_erf"], 0, 4e-7},
	} {
		worst, at := 0.0, float32(0)
		sweep(func(x float32) {
			want := test.want(float64(x))
			if math.IsInf(float64(x), -1) && math.IsNaN(want) {
				want = 0 // the limit of x·Φ(x), which the float64 formula misses
			}
			got := test.f(x)
			if math.IsNaN(want) || math.IsInf(want, 0) {
				assert.Zero(t, ulps(got, want), "%s(%v) = %v, want %v", test.name, x, got, want)
				return
			}
			if math.Abs(float64(got)-want) <= test.delta*max(math.Abs(float64(x)), 1) {
				return
			}
			if e := ulps(got, want); e > worst {
				worst, at = e, x
			}
		})
		assert.LessOrEqual(t, worst, test.ulps, "%s at %v: got %v, want %v", test.name, at, test.f(at), test.want(float64(at)))
		t.Logf("%s: %.2f ulp beyond the absolute bound", test.name, worst)
	}
}

func TestBF16(t *testing.T) {
	for _, test := range []struct {
		bits uint32
		want uint16
	}{
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
		{0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0x7f800001, 0x7fc0}, {0xff800001, 0xffc0},
		{0x80000000, 0x8000}, {0x00008000, 0x0000}, {0x00018000, 0x0002}, {0x00000001, 0x0000},
	} {
		assert.Equal(t, test.want, BF16FromF32(math.Float32frombits(test.bits)), "%#x", test.bits)
	}
	for h := range 1 << 16 {
		if x := F32FromBF16(uint16(h)); x == x {
			assert.Equal(t, uint16(h), BF16FromF32(x))
		}
	}
}

func TestRoundI8(t *testing.T) {
	for _, test := range []struct {
		x, scale float32
		want     int8
	}{
		{0.5, 1, 0}, {1.5, 1, 2}, {2.5, 1, 2}, {-0.5, 1, 0}, {-1.5, 1, -2}, {126.5, 1, 126}, {127.5, 1, 127}, {300, 1, 127},
		{-128.5, 1, -128}, {-1e30, 1, -128}, {float32(math.Inf(1)), 1, 127}, {float32(math.NaN()), 1, 0}, {1, 0.5, 2}, {-127.5, 1, -128},
	} {
		assert.Equal(t, test.want, roundI8(test.x/test.scale), "%v / %v", test.x, test.scale)
	}
	for x := float32(-130); x < 130; x += 0.0625 {
		assert.Equal(t, ref.Quantize(float64(x), 1), roundI8(x), "%v", x)
	}
}

func TestNames(t *testing.T) {
	names := map[string]bool{}
	for d := F32; d <= I32; d++ {
		names[d.String()] = true
	}
	assert.Len(t, names, 5)
	assert.Equal(t, []int{4, 8, 2, 1, 4, 0}, []int{F32.Size(), F64.Size(), BF16.Size(), I8.Size(), I32.Size(), DType(9).Size()})
	for a := Identity; a <= Exp; a++ {
		assert.Contains(t, ref.Acts, a.String())
	}
}
