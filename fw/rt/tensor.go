package rt

import (
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// Tensor is a view of an operand: rows of contiguous elements at Addr, Row bytes
// from row to row, Batch bytes from matrix to matrix (outer, inner). For images
// (Conv, Pool) tensors are contiguous NHWC and only Addr, Type and Scale count.
// A residual of Addr 0 is none.
//
// Scale is the value of one step of an int8 element, 0 meaning 1; elements of
// other types are their own values.
type Tensor struct {
	Addr  uint64
	Type  abi.DType
	Row   uint64
	Batch [2]uint64
	Scale float32
}

// Matrix is the view of a matrix of cols columns without gaps.
func Matrix(addr uint64, t abi.DType, cols int) Tensor {
	return Tensor{Addr: addr, Type: t, Row: uint64(cols * t.Size())}
}

// At moves the view on by n bytes.
func (t Tensor) At(bytes uint64) Tensor {
	t.Addr += bytes
	return t
}

// size is the bytes of an element.
func (t *Tensor) size() int64 { return int64(t.Type.Size()) }

// step is the value of one step: 1 for all types but int8.
func (t *Tensor) step() float32 {
	if t.Type != abi.I8 || t.Scale == 0 {
		return 1
	}
	return t.Scale
}

// values reports a type that kernels compute with.
func values(t abi.DType) bool { return t == abi.F32 || t == abi.BF16 || t == abi.I8 }

// operand is the view as a descriptor has it, with the inner batch's stride.
func (t *Tensor) operand() abi.Operand {
	return abi.Operand{Addr: t.Addr, RowStride: t.Row, BatchStride: t.Batch[1]}
}

// refuse is an ErrUnsupported with the operation's name.
func refuse(op, format string, args ...any) error {
	return fmt.Errorf("rt: %s: %s: %w", op, fmt.Sprintf(format, args...), ErrUnsupported)
}

// Extents that a descriptor can hold.
const (
	maxExtent = 1<<31 - 1
	maxWindow = 1<<16 - 1
)

// extent is a named size of an operation.
type extent struct {
	name    string
	v       int
	lo, top int
}

// dim is an extent of at least 1.
func dim(name string, v int) extent { return extent{name, v, 1, maxExtent} }

// window is a window's size, stride or dilation.
func window(name string, v int) extent { return extent{name, v, 1, maxWindow} }

// within checks extents.
func within(op string, all ...extent) error {
	for _, e := range all {
		if e.v < e.lo || e.v > e.top {
			return refuse(op, "%s is %d, want %d to %d", e.name, e.v, e.lo, e.top)
		}
	}
	return nil
}

// typed checks that operands are of types that kernels compute with.
func typed(op string, all ...*Tensor) error {
	for _, t := range all {
		if !values(t.Type) {
			return refuse(op, "type %v, want f32, bf16 or int8", t.Type)
		}
	}
	return nil
}

// apart checks that rows of n bytes do not overlap in an output.
func apart(op string, t *Tensor, rows int, n int64) error {
	if rows > 1 && t.Row < uint64(n) {
		return refuse(op, "output rows of %d bytes are %d bytes apart, so that they overlap", n, t.Row)
	}
	return nil
}

// orOne is v, or 1 where it is 0.
func orOne(v float32) float32 {
	if v == 0 {
		return 1
	}
	return v
}
