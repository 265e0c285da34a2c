package core

import (
	"math"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
)

func f32at(b []byte, i int) float32 { return math.Float32frombits(le.Uint32(b[4*i:])) }

// get reads the i-th stored number of a type.
func get(b []byte, t abi.DType, i int64) float64 {
	switch t {
	case abi.F32:
		return float64(math.Float32frombits(le.Uint32(b[4*i:])))
	case abi.BF16:
		return float64(math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16))
	case abi.I32:
		return float64(int32(le.Uint32(b[4*i:])))
	}
	return float64(int8(b[i]))
}

// put stores v, which a test keeps representable, as the i-th number.
func put(b []byte, t abi.DType, i int64, v float64) {
	switch t {
	case abi.F32:
		le.PutUint32(b[4*i:], math.Float32bits(float32(v)))
	case abi.BF16:
		le.PutUint16(b[2*i:], uint16(math.Float32bits(float32(v))>>16))
	case abi.I32:
		le.PutUint32(b[4*i:], uint32(int32(v)))
	default:
		b[i] = byte(int8(v))
	}
}

// fill stores n small integers of either sign: sums of their products are exact
// in float32, so results can be compared for equality.
func fill(r *rand.Rand, b []byte, t abi.DType, n int64) {
	for i := range n {
		put(b, t, i, float64(r.IntN(15)-7))
	}
}

// tensor is a test's view of an operand: values by (image or batch, row, pixel,
// channel), laid out as the descriptor says.
type tensor struct {
	mem                []byte
	typ                abi.DType
	addr               int64
	batch, row         int64
	pixel              int64
	outer              int64
	no, ni, nh, nw, nc int64
}

func (t *tensor) offset(o, b, h, w, c int64) int64 {
	return t.addr + o*t.outer + b*t.batch + h*t.row + w*t.pixel + c*int64(t.typ.Size())
}

func (t *tensor) at(o, b, h, w, c int64) float64 {
	return get(t.mem[t.offset(o, b, h, w, c):], t.typ, 0)
}

// each calls f for every element.
func (t *tensor) each(outer int64, f func(o, b, h, w, c int64)) {
	for o := range outer {
		for b := range t.ni {
			for h := range t.nh {
				for w := range t.nw {
					for c := range t.nc {
						f(o, b, h, w, c)
					}
				}
			}
		}
	}
}

// layout gives tensors addresses one after another, with gaps in their strides.
type layout struct{ end int64 }

func (l *layout) tensor(t abi.DType, outer, images, h, w, c, gap int64) tensor {
	x := tensor{typ: t, addr: l.end, no: outer, ni: images, nh: h, nw: w, nc: c, pixel: c * int64(t.Size())}
	x.row = w*x.pixel + gap
	x.batch = h*x.row + gap
	x.outer = images*x.batch + gap
	l.end = (x.addr + outer*x.outer + 63) &^ 63
	return x
}

func (t *tensor) operand() abi.Operand {
	return abi.Operand{Addr: uint64(t.addr), RowStride: uint64(t.row), BatchStride: uint64(t.batch)}
}

// fillTensor stores random small integers in every element.
func fillTensor(r *rand.Rand, t *tensor, outer int64) {
	t.each(outer, func(o, b, h, w, c int64) {
		put(t.mem[t.offset(o, b, h, w, c):], t.typ, 0, float64(r.IntN(15)-7))
	})
}

// near compares an output with its reference: exact to the rounding of its type.
func near(t require.TestingT, typ abi.DType, scale, want, got, eps float64, where ...any) {
	bound := eps * math.Max(1, math.Abs(want))
	switch typ {
	case abi.BF16:
		bound += math.Abs(want) / 256
	case abi.I8:
		bound += scale * 0.5001
		want = max(-128*scale, min(127*scale, want))
		got *= scale
	}
	if !(math.Abs(want-got) <= bound) {
		require.Failf(t, "wrong value", "%v: want %v, got %v", where, want, got)
	}
}
