package kern

import "fmt"

// Transpose is a task: Out[c, r] = X[r, c], elements of Elem bytes (1, 2, 4 or
// 8). X has Rows rows of Cols elements, LDX bytes apart; Out Cols rows of Rows.
type Transpose struct {
	Rows, Cols int
	Elem       int
	X, Out     []byte
	LDX, LDOut int
}

// Check implements Task.
func (k *Transpose) Check() error {
	if k.Elem != 1 && k.Elem != 2 && k.Elem != 4 && k.Elem != 8 {
		return fmt.Errorf("transpose: %w: elements of %d bytes; 1, 2, 4 and 8 are", ErrType, k.Elem)
	}
	return wrap("transpose", k.Rows, k.Cols, counts(k.Rows, k.Cols),
		span("X", k.X, k.Rows, k.LDX, k.Cols*k.Elem), separate(k.Cols, k.LDOut, k.Rows*k.Elem),
		span("Out", k.Out, k.Cols, k.LDOut, k.Rows*k.Elem))
}

// Parts implements Task.
func (k *Transpose) Parts(workers int) int { return partsOf(workers, k.Rows, k.Cols, 4) }

// Run implements Task: squares of 16×16 elements, so that each cache line is
// used whole.
func (k *Transpose) Run(part, parts int, _ *Scratch) {
	const side = 16
	t := partOf(part, parts, k.Rows, k.Cols, side, side)
	for r := t.m0; r < t.m1; r += side {
		for c := t.n0; c < t.n1; c += side {
			k.square(tile{r, min(r+side, t.m1), c, min(c+side, t.n1)})
		}
	}
}

func (k *Transpose) square(t tile) {
	x, out := k.X, k.Out
	for c := t.n0; c < t.n1; c++ {
		for r := t.m0; r < t.m1; r++ {
			from, to := r*k.LDX+c*k.Elem, c*k.LDOut+r*k.Elem
			switch k.Elem {
			case 1:
				out[to] = x[from]
			case 2:
				le.PutUint16(out[to:], le.Uint16(x[from:]))
			case 4:
				le.PutUint32(out[to:], le.Uint32(x[from:]))
			case 8:
				le.PutUint64(out[to:], le.Uint64(x[from:]))
			}
		}
	}
}

// Gather is a task: row i of Out is row Index[i] of Table, RowBytes long. Table
// has TableRows rows, LDTable bytes apart; Index holds Rows int32; rows of Out
// are LDOut bytes apart. Check reads the indices and reports one that is outside
// the table as ErrIndex.
type Gather struct {
	Rows, RowBytes int
	Table          []byte
	TableRows      int
	LDTable, LDOut int
	Index          []byte
	Out            []byte
}

// Check implements Task.
func (k *Gather) Check() error {
	err := first(counts(k.Rows, k.RowBytes, k.TableRows), span("Index", k.Index, 1, 0, 4*k.Rows),
		span("Table", k.Table, k.TableRows, k.LDTable, k.RowBytes), separate(k.Rows, k.LDOut, k.RowBytes),
		span("Out", k.Out, k.Rows, k.LDOut, k.RowBytes))
	for i := 0; err == nil && i < k.Rows; i++ {
		if at := k.at(i); at < 0 || at >= k.TableRows {
			err = fmt.Errorf("%w: index %d is %d, the table has %d rows", ErrIndex, i, at, k.TableRows)
		}
	}
	return wrap("gather", k.Rows, k.RowBytes, err)
}

// Parts implements Task.
func (k *Gather) Parts(workers int) int { return partsOf(workers, k.Rows, k.RowBytes, 1) }

// Run implements Task.
func (k *Gather) Run(part, parts int, _ *Scratch) {
	m0, m1 := rowsOf(part, parts, k.Rows)
	for i := m0; i < m1; i++ {
		copy(k.Out[i*k.LDOut:i*k.LDOut+k.RowBytes], k.Table[k.at(i)*k.LDTable:])
	}
}

func (k *Gather) at(i int) int { return int(int32(le.Uint32(k.Index[4*i:]))) }

// separate checks that output rows do not overlap.
func separate(rows, ld, bytes int) error {
	if rows > 1 && ld < bytes {
		return fmt.Errorf("%w: Out: stride %d is less than a row of %d bytes", ErrShape, ld, bytes)
	}
	return nil
}
