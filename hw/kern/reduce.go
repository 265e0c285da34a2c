package kern

import (
	"fmt"
	"math"
)

// ReduceOp is how Reduce combines values.
type ReduceOp uint8

const (
	Sum ReduceOp = iota
	Mean
	Maximum // NaN if one is NaN
)

// Reduce is a task. Along the rows (Down false) it gives one value a row, Out is
// Rows×1; with Down it gives one value a column, Out is 1×Cols. An empty sum is
// 0, an empty mean NaN, an empty maximum -Inf.
type Reduce struct {
	Op         ReduceOp
	Down       bool
	Rows, Cols int
	X, Out     View
}

// Check implements Task.
func (k *Reduce) Check() error {
	var op error
	if k.Op > Maximum {
		op = fmt.Errorf("%w: reduction %d", ErrType, k.Op)
	}
	outRows, outCols := k.Rows, 1
	if k.Down {
		outRows, outCols = 1, k.Cols
	}
	return wrap("reduce", k.Rows, k.Cols, op, counts(k.Rows, k.Cols),
		k.X.input("X", k.Rows, k.Cols), k.Out.output("Out", outRows, outCols))
}

// Parts implements Task.
func (k *Reduce) Parts(workers int) int {
	if k.Down {
		return partsOf(workers, k.Cols, 1, k.Rows*vectorWork)
	}
	return partsOf(workers, k.Rows, 1, k.Cols*vectorWork)
}

// Run implements Task.
func (k *Reduce) Run(part, parts int, s *Scratch) {
	if k.Down {
		k.down(part, parts, s)
		return
	}
	m0, m1 := rowsOf(part, parts, k.Rows)
	for r := m0; r < m1; r++ {
		x := s.floats(0, k.Cols)
		k.X.load(x, r, 0)
		one := s.floats(1, 1)
		one[0] = k.row(x, s)
		k.Out.store(one, r, 0)
	}
}

func (k *Reduce) row(x []float32, s *Scratch) float32 {
	switch k.Op {
	case Maximum:
		return largest(x, s)
	case Mean:
		return sumRow(x, s) / float32(len(x))
	}
	return sumRow(x, s)
}

func (k *Reduce) down(part, parts int, s *Scratch) {
	c0, c1 := share(part, parts, k.Cols, 1), share(part+1, parts, k.Cols, 1)
	for c := c0; c < c1; c += chunk {
		n := min(chunk, c1-c)
		x, acc := s.floats(0, n), s.floats(1, n)
		fold, begin := Add, float32(0)
		if k.Op == Maximum {
			fold, begin = Max, float32(math.Inf(-1))
		}
		for i := range acc {
			acc[i] = begin
		}
		for r := range k.Rows {
			k.X.load(x, r, c)
			fold.apply(acc, x)
		}
		if k.Op == Mean {
			for i := range acc {
				acc[i] /= float32(k.Rows)
			}
		}
		k.Out.store(acc, 0, c)
	}
}
