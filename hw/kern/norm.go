package kern

import (
	"fmt"
	"math"
)

// Softmax is a task over rows: Out[r, c] = exp(Scale·X[r, c] − m) / Σ for the
// first Valid + n·ValidStep columns (at most Cols) of row r, which is number
// n = First + r of its matrix, counted from 0 again after Period rows (Period 0:
// never). m is the largest Scale·X among these columns; those behind are 0. Scale
// 0 means 1. A causal mask over heads of M rows is ValidStep 1, Period M. A row
// without valid columns, or of -Inf only, is all zeros.
type Softmax struct {
	Rows, Cols       int
	Valid, ValidStep int
	First, Period    int
	Scale            float32
	X, Out           View
}

// columns returns how many columns of row r count.
func (k *Softmax) columns(r int) int {
	n := k.First + r
	if k.Period > 0 {
		n %= k.Period
	}
	return min(k.Valid+n*k.ValidStep, k.Cols)
}

// Check implements Task.
func (k *Softmax) Check() error {
	return wrap("softmax", k.Rows, k.Cols, counts(k.Rows, k.Cols, k.Valid, k.ValidStep, k.First, k.Period),
		k.X.input("X", k.Rows, k.Cols), k.Out.output("Out", k.Rows, k.Cols))
}

// Parts implements Task.
func (k *Softmax) Parts(workers int) int { return partsOf(workers, k.Rows, k.Cols, 2*vectorWork) }

// Run implements Task.
func (k *Softmax) Run(part, parts int, s *Scratch) {
	m0, m1 := rowsOf(part, parts, k.Rows)
	for r := m0; r < m1; r++ {
		x := s.floats(0, k.Cols)
		k.X.load(x, r, 0)
		valid := k.columns(r)
		softmaxRow(x[:valid], k.Scale, s)
		clear(x[valid:])
		k.Out.store(x, r, 0)
	}
}

func softmaxRow(x []float32, scale float32, s *Scratch) {
	if scale = orOne(scale); scale != 1 {
		active.rows.scale(x, scale)
	}
	top := largest(x, s)
	if math.IsInf(float64(top), -1) {
		clear(x)
		return
	}
	active.rows.exp(x, top)
	active.rows.scale(x, 1/sumRow(x, s))
}

// NormKind selects what Norm subtracts and divides by.
type NormKind uint8

const (
	LayerNorm NormKind = iota // (x − mean) / √(variance + ε)
	RMSNorm                   // x / √(mean of squares + ε)
)

// Norm is a task over rows: Out = normalised X · Gamma[c] + Beta[c]. Gamma and
// Beta are float32 vectors of Cols; nil means 1 and 0. The variance is that of
// the row (divided by Cols), taken in a second pass over the differences.
type Norm struct {
	Kind        NormKind
	Rows, Cols  int
	X, Out      View
	Gamma, Beta []byte
	Eps         float32
}

// Check implements Task.
func (k *Norm) Check() error {
	var kind error
	if k.Kind > RMSNorm {
		kind = fmt.Errorf("%w: norm %d", ErrType, k.Kind)
	}
	return wrap("norm", k.Rows, k.Cols, kind, counts(k.Rows, k.Cols),
		k.X.input("X", k.Rows, k.Cols), k.Out.output("Out", k.Rows, k.Cols),
		optional("Gamma", k.Gamma, k.Cols), optional("Beta", k.Beta, k.Cols))
}

// Parts implements Task.
func (k *Norm) Parts(workers int) int { return partsOf(workers, k.Rows, k.Cols, vectorWork) }

// Run implements Task.
func (k *Norm) Run(part, parts int, s *Scratch) {
	m0, m1 := rowsOf(part, parts, k.Rows)
	gamma, beta := vectorOr(s, 1, k.Gamma, 0, k.Cols, 1), vectorOr(s, 2, k.Beta, 0, k.Cols, 0)
	for r := m0; r < m1; r++ {
		x := s.floats(0, k.Cols)
		k.X.load(x, r, 0)
		k.normalise(x, gamma, beta, s)
		k.Out.store(x, r, 0)
	}
}

func (k *Norm) normalise(x, gamma, beta []float32, s *Scratch) {
	n, mean := float32(len(x)), float32(0)
	if k.Kind == LayerNorm {
		mean = sumRow(x, s) / n
	}
	f := float32(1 / math.Sqrt(float64(sumSquares(x, mean, s)/n+k.Eps)))
	active.rows.norm(x, gamma, beta, mean, f)
}
