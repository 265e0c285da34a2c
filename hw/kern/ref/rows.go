package ref

import "math"

// Softmax computes rows [lo, hi) of softmax(scale·x) over the first valid(row) of
// cols columns; the columns behind are 0.
func Softmax(out []float64, x []float32, cols int, scale float64, valid func(row int) int, lo, hi int) {
	for row := lo; row < hi; row++ {
		in, z := x[row*cols:(row+1)*cols], out[row*cols:(row+1)*cols]
		clear(z)
		top, sum, n := math.Inf(-1), 0.0, valid(row)
		for _, v := range in[:n] {
			top = math.Max(top, scale*float64(v))
		}
		for c, v := range in[:n] {
			z[c] = math.Exp(scale*float64(v) - top)
			sum += z[c]
		}
		for c := range z[:n] {
			z[c] /= sum
		}
	}
}

// LayerNorm computes rows [lo, hi) of γ(x − mean)/√(variance + eps) + β over each
// row of len(gamma) columns.
func LayerNorm(out []float64, x, gamma, beta []float32, eps float64, lo, hi int) {
	cols := len(gamma)
	for row := lo; row < hi; row++ {
		in := x[row*cols : (row+1)*cols]
		mean, variance := 0.0, 0.0
		for _, v := range in {
			mean += float64(v) / float64(cols)
		}
		for _, v := range in {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(cols)
		}
		for c, v := range in {
			out[row*cols+c] = float64(gamma[c])*(float64(v)-mean)/math.Sqrt(variance+eps) + float64(beta[c])
		}
	}
}

// RMSNorm computes rows [lo, hi) of γ·x/√(mean of squares + eps).
func RMSNorm(out []float64, x, gamma []float32, eps float64, lo, hi int) {
	cols := len(gamma)
	for row := lo; row < hi; row++ {
		in := x[row*cols : (row+1)*cols]
		squares := 0.0
		for _, v := range in {
			squares += float64(v) * float64(v) / float64(cols)
		}
		for c, v := range in {
			out[row*cols+c] = float64(gamma[c]) * float64(v) / math.Sqrt(squares+eps)
		}
	}
}

// ReduceRows computes, for rows [lo, hi) of x, the row's "sum", "mean" or "max".
func ReduceRows(out []float64, x []float32, cols int, op string, lo, hi int) {
	for row := lo; row < hi; row++ {
		out[row] = reduce(cols, op, func(i int) float64 { return float64(x[row*cols+i]) })
	}
}

// ReduceCols computes, for columns [lo, hi) of x, the column's sum, mean or max.
func ReduceCols(out []float64, x []float32, cols int, op string, lo, hi int) {
	for col := lo; col < hi; col++ {
		out[col] = reduce(len(x)/cols, op, func(i int) float64 { return float64(x[i*cols+col]) })
	}
}

func reduce(n int, op string, at func(int) float64) float64 {
	sum, top := 0.0, math.Inf(-1)
	for i := range n {
		sum += at(i)
		top = math.Max(top, at(i))
	}
	switch op {
	case "max":
		return top
	case "mean":
		return sum / float64(n)
	}
	return sum
}

// Transpose computes rows [lo, hi) of the transpose of x, which has cols columns.
func Transpose(out []float64, x []float32, cols, lo, hi int) {
	rows := len(x) / cols
	for c := lo; c < hi; c++ {
		for r := range rows {
			out[c*rows+r] = float64(x[r*cols+c])
		}
	}
}

// Gather computes rows [lo, hi) of table[index[row]].
func Gather(out []float64, table []float32, cols int, index []int32, lo, hi int) {
	for row := lo; row < hi; row++ {
		for c := range cols {
			out[row*cols+c] = float64(table[int(index[row])*cols+c])
		}
	}
}
