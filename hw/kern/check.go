package kern

import (
	"errors"
	"fmt"
)

// What can be wrong with a task; Check wraps one of these.
var (
	ErrShape = errors.New("kern: shape does not fit its operands")
	ErrType  = errors.New("kern: unsupported element type")
	ErrIndex = errors.New("kern: gather index outside the table")
)

// View is a row-major matrix in bytes: row r starts at Data[r*LD]. LD 0 repeats
// one row (inputs only). For I8, value = Scale × q, and Scale 0 means 1; other
// types ignore Scale.
type View struct {
	Data  []byte
	LD    int
	Type  DType
	Scale float32
}

// row returns the bytes of cols elements of row r from column c on.
func (v *View) row(r, c, cols int) []byte {
	if cols == 0 {
		return nil
	}
	size := v.Type.Size()
	o := r*v.LD + c*size
	return v.Data[o : o+cols*size]
}

// span checks that rows of the given bytes, ld apart, lie in data.
func span(what string, data []byte, rows, ld, bytes int) error {
	if rows == 0 || bytes == 0 {
		return nil
	}
	if ld < 0 {
		return fmt.Errorf("%w: %s: stride %d is negative", ErrShape, what, ld)
	}
	need, ok := extent(rows, ld, bytes)
	if !ok || need > len(data) {
		return fmt.Errorf("%w: %s: %d rows of %d bytes, %d apart, need %d bytes, got %d",
			ErrShape, what, rows, bytes, ld, need, len(data))
	}
	return nil
}

// extent returns (rows-1)·ld + bytes, and whether that stays well inside an int.
func extent(rows, ld, bytes int) (int, bool) {
	const limit = 1 << 46
	if ld > 0 && rows-1 > limit/ld || bytes > limit {
		return limit, false
	}
	return (rows-1)*ld + bytes, true
}

// counts checks that no count is negative or beyond 2³¹.
func counts(ns ...int) error {
	for _, n := range ns {
		if n < 0 || n > 1<<31-1 {
			return fmt.Errorf("%w: count %d", ErrShape, n)
		}
	}
	return nil
}

// input checks v as a rows×cols operand of one of the tensor types.
func (v *View) input(what string, rows, cols int) error {
	if v.Type != F32 && v.Type != BF16 && v.Type != I8 {
		return fmt.Errorf("%w: %s: %v; f32, bf16 and i8 are", ErrType, what, v.Type)
	}
	return span(what, v.Data, rows, v.LD, cols*v.Type.Size())
}

// output checks v as a rows×cols result: rows must not overlap.
func (v *View) output(what string, rows, cols int) error {
	if bytes := cols * v.Type.Size(); rows > 1 && v.LD < bytes {
		return fmt.Errorf("%w: %s: stride %d is less than a row of %d bytes", ErrShape, what, v.LD, bytes)
	}
	return v.input(what, rows, cols)
}

// vector checks a float32 vector of n elements.
func vector(what string, b []byte, n int) error {
	return span(what, b, 1, 0, 4*n)
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
