package kern

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// awkward returns n float32 of all kinds: bits from anywhere, common values, and
// the edges of the functions' cases.
func awkward(r *rand.Rand, n int) []float32 {
	edges := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
		1, -1, 0.5, 2.5, -2.5, 127.5, -128.5, 88.72283, 88.8, -87.33655, -103.97, -104, 0.625, -0.625, 4, -4, 6, 1e-40, -1e-40, 3e38}
	out := make([]float32, n)
	for i := range out {
		switch r.IntN(4) {
		case 0:
			out[i] = edges[r.IntN(len(edges))]
		case 1:
			out[i] = math.Float32frombits(r.Uint32())
		default:
			out[i] = float32(r.NormFloat64() * 10)
		}
	}
	return out
}

// requireBits compares rows bit by bit; any NaN equals any other.
func requireBits(t *testing.T, want, got []float32, what string, at ...any) {
	t.Helper()
	for i, w := range want {
		if g := got[i]; math.Float32bits(w) != math.Float32bits(g) && (w == w || g == g) {
			t.Fatalf("%s %v: element %d is %v (%#x), want %v (%#x)", what, at, i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

// eachRow runs test for every back end with rows of its own, for many lengths.
func eachRow(t *testing.T, test func(t *testing.T, rows *rowFuncs, r *rand.Rand, n int)) {
	eachBackend(t, func(t *testing.T, b *backend) {
		r := rand.New(rand.NewPCG(21, 22))
		for n := range 70 {
			test(t, b.rows, r, n)
		}
		test(t, b.rows, r, 5000)
	})
}

func clone(x []float32) []float32 { return append(make([]float32, 0, len(x)+1), x...) }

func TestRowFunctionsAgree(t *testing.T) {
	eachRow(t, func(t *testing.T, rows *rowFuncs, r *rand.Rand, n int) {
		x, y, z := awkward(r, n), awkward(r, n), awkward(r, n)
		same := func(what string, f func(rows *rowFuncs, x []float32)) {
			want, got := clone(x), clone(x)
			f(&rowsPortable, want)
			guard := append(got, 42)
			f(rows, guard[:n])
			requireBits(t, want, guard[:n], what, x, y)
			require.Equal(t, float32(42), guard[n], "%s wrote behind the row", what)
		}
		for op := range rows.binary {
			same(BinaryOp(op).String(), func(rows *rowFuncs, x []float32) { rows.binary[op](x, y) })
		}
		for op := range rows.act {
			same(Act(op).String(), func(rows *rowFuncs, x []float32) { rows.act[op](x) })
		}
		same("mulAdd", func(rows *rowFuncs, x []float32) { rows.mulAdd(x, y, z) })
		same("mulAcc", func(rows *rowFuncs, x []float32) { rows.mulAcc(x, y, z) })
		same("scale", func(rows *rowFuncs, x []float32) { rows.scale(x, 0.3) })
		same("exp", func(rows *rowFuncs, x []float32) { rows.exp(x, 1.7) })
		same("norm", func(rows *rowFuncs, x []float32) { rows.norm(x, y, z, 0.3, 1.7) })
	})
}

func TestRowReductionsAgree(t *testing.T) {
	eachRow(t, func(t *testing.T, rows *rowFuncs, r *rand.Rand, n int) {
		x := awkward(r, n)
		for i, v := range x {
			if i%7 > 0 || v != v {
				x[i] = float32(r.NormFloat64()) // mostly finite, so that sums say something
			}
		}
		for name, f := range map[string]func(rows *rowFuncs, s *[lanes]float32){
			"top":     func(rows *rowFuncs, s *[lanes]float32) { rows.top(s, x) },
			"sum":     func(rows *rowFuncs, s *[lanes]float32) { rows.sum(s, x) },
			"squares": func(rows *rowFuncs, s *[lanes]float32) { rows.squares(s, x, 0.4) },
		} {
			var want, got [lanes]float32
			want[3], got[3] = -1, -1
			f(&rowsPortable, &want)
			f(rows, &got)
			requireBits(t, want[:], got[:], name, x)
		}
	})
}

func TestRowConversionsAgree(t *testing.T) {
	eachRow(t, func(t *testing.T, rows *rowFuncs, r *rand.Rand, n int) {
		x, raw := awkward(r, n), make([]byte, 8*n+1)
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		for d := F32; d <= I32; d++ {
			want, got := make([]float32, n), make([]float32, n)
			rowsPortable.load[d](want, raw, 0.37)
			rows.load[d](got, raw, 0.37)
			requireBits(t, want, got, "load "+d.String())
			if rowsPortable.store[d] == nil {
				continue
			}
			first, second := append([]byte(nil), raw...), append([]byte(nil), raw...)
			rowsPortable.store[d](first, x, 0.37)
			rows.store[d](second, x, 0.37)
			require.Equal(t, first, second, "store %v of %v", d, x)
		}
	})
}
