package workload

import (
	"encoding/binary"
	"fmt"
	"math"
)

// DType is the type of a tensor's elements in memory, little-endian.
type DType uint8

const (
	// DefaultDType in Options means the network's own choice (its key dtype),
	// bf16 where it has none. No tensor of a loaded graph has it.
	DefaultDType DType = iota
	F32                // IEEE 754 binary32
	BF16               // bfloat16: the upper half of a binary32, rounded to nearest even
	I8                 // int8 with the tensor's Scale: value = Scale * int8
	I32                // int32 control data: indices
)

var dtypes = [...]struct {
	name string
	size int
}{DefaultDType: {"default", 0}, F32: {"f32", 4}, BF16: {"bf16", 2}, I8: {"int8", 1}, I32: {"int32", 4}}

// String is the type's name as --dtype takes it.
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Size is the bytes one element takes.
func (d DType) Size() int { return dtypes[d].size }

// ParseDType reads the type of a network's weights and activations.
func ParseDType(s string) (DType, error) {
	if s == "i8" { // as many tools write it
		return I8, nil
	}
	for d := F32; d <= I8; d++ {
		if s == dtypes[d].name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("dtype %q is unknown: want f32, bf16 or int8", s)
}

// Encode writes values as t's element type into out, which must hold
// len(values) elements. int8 is value/Scale rounded to nearest even and
// saturated at ±127; int32 is rounded the same way.
func Encode(t Tensor, values []float32, out []byte) {
	switch t.DType {
	case F32:
		for i, v := range values {
			binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
		}
	case BF16:
		for i, v := range values {
			binary.LittleEndian.PutUint16(out[2*i:], toBF16(v))
		}
	case I8:
		inv := 1 / float64(t.Scale)
		for i, v := range values {
			out[i] = byte(toI8(float64(v) * inv))
		}
	case I32:
		for i, v := range values {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(int32(math.RoundToEven(float64(v)))))
		}
	}
}

// Decode reads len(values) elements of t from data: the inverse of [Encode].
func Decode(t Tensor, data []byte, values []float32) {
	for i := range values {
		switch t.DType {
		case F32:
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		case BF16:
			values[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
		case I8:
			values[i] = t.Scale * float32(int8(data[i]))
		case I32:
			values[i] = float32(int32(binary.LittleEndian.Uint32(data[4*i:])))
		}
	}
}

// toBF16 rounds to nearest even; NaN stays NaN.
func toBF16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

func toI8(v float64) int8 {
	return int8(math.RoundToEven(min(max(v, -127), 127)))
}
