package ref

import "math"

// Acts are the unary functions by name.
var Acts = map[string]func(float64) float64{
	"identity":  func(x float64) float64 { return x },
	"relu":      func(x float64) float64 { return math.Max(x, 0) },
	"relu6":     func(x float64) float64 { return math.Min(math.Max(x, 0), 6) },
	"gelu_tanh": func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
	"gelu_erf":  func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
	"silu":      func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	"sigmoid":   func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	"tanh":      math.Tanh,
	"exp":       math.Exp,
}

// Binaries are the binary functions by name.
var Binaries = map[string]func(x, y float64) float64{
	"add": func(x, y float64) float64 { return x + y },
	"sub": func(x, y float64) float64 { return x - y },
	"mul": func(x, y float64) float64 { return x * y },
	"max": math.Max,
	"min": math.Min,
}

// Unary computes elements [lo, hi) of f(x).
func Unary(out []float64, x []float32, f func(float64) float64, lo, hi int) {
	for i := lo; i < hi; i++ {
		out[i] = f(float64(x[i]))
	}
}

// Binary computes elements [lo, hi) of f(x, y); y repeats when it is shorter.
func Binary(out []float64, x, y []float32, f func(x, y float64) float64, lo, hi int) {
	for i := lo; i < hi; i++ {
		out[i] = f(float64(x[i]), float64(y[i%len(y)]))
	}
}

// Epilogue is what follows a product, Act(acc·scale + bias + residual), for rows
// of cols. ScaleVec and Bias are per column, Residual per element; nil leaves
// them out, and Scale then applies.
type Epilogue struct {
	Cols           int
	Scale          float64
	ScaleVec, Bias []float32
	Residual       []float32
	ResidualScale  float64
	Act            func(float64) float64
}

// Rows applies e to rows [lo, hi) of acc, in place.
func (e Epilogue) Rows(acc []float64, lo, hi int) {
	for i := lo * e.Cols; i < hi*e.Cols; i++ {
		c, v := i%e.Cols, acc[i]
		if e.ScaleVec != nil {
			v *= float64(e.ScaleVec[c])
		} else {
			v *= e.Scale
		}
		if e.Bias != nil {
			v += float64(e.Bias[c])
		}
		if e.Residual != nil {
			v += e.ResidualScale * float64(e.Residual[i])
		}
		if e.Act != nil {
			v = e.Act(v)
		}
		acc[i] = v
	}
}

// BatchNorm computes rows [lo, hi) of γ(x − mean)/√(variance + eps) + β, each
// vector per column.
func BatchNorm(out []float64, x, gamma, beta, mean, variance []float32, eps float64, lo, hi int) {
	cols := len(gamma)
	for i := lo * cols; i < hi*cols; i++ {
		c := i % cols
		out[i] = float64(gamma[c])*(float64(x[i])-float64(mean[c]))/math.Sqrt(float64(variance[c])+eps) + float64(beta[c])
	}
}
