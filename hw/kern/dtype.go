package kern

import (
	"fmt"
	"math"
)

// DType is an element type; the numbers are those of the uAPI (PRESI_DTYPE_*).
type DType uint8

const (
	F32  DType = 0 // IEEE 754 binary32
	F64  DType = 1 // IEEE 754 binary64
	BF16 DType = 2 // bfloat16: the upper half of a binary32
	I8   DType = 3 // two's complement, 8 bits
	I32  DType = 4 // two's complement, 32 bits
)

var dtypes = [...]struct {
	name string
	size int
}{
	F32:  {"f32", 4},
	F64:  {"f64", 8},
	BF16: {"bf16", 2},
	I8:   {"i8", 1},
	I32:  {"i32", 4},
}

// Size returns the bytes of one element, 0 for a type that does not exist.
func (d DType) Size() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

// String returns the type's name.
func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// BF16FromF32 rounds x to bfloat16, nearest, ties to even. A NaN stays a NaN
// (made quiet), an overflow becomes infinite.
func BF16FromF32(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// F32FromBF16 widens a bfloat16, which is exact.
func F32FromBF16(h uint16) float32 {
	return math.Float32frombits(uint32(h) << 16)
}

// roundI8 rounds by adding and taking away 1.5·2²³, where one unit is the last
// place of a float32; the clamp comes first, so the trick is always in range.
func roundI8(v float32) int8 {
	const magic = 3 << 22
	switch {
	case v != v:
		return 0
	case v > 127:
		return 127
	case v < -128:
		return -128
	}
	v += magic
	return int8(v - magic)
}
