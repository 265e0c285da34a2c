package kern

import "math"

// rowFuncs are the inner loops of the vector kernels, over rows of float32. Every
// back end gives the same bits: products are rounded, nothing is fused, and sums
// are taken in lanes.
type rowFuncs struct {
	load    [I32 + 1]func(dst []float32, src []byte, scale float32)
	store   [I32 + 1]func(dst []byte, src []float32, scale float32)
	binary  [Min + 1]func(x, y []float32) // x = x op y
	act     [Exp + 1]func(x []float32)    // x = f(x)
	mulAdd  func(x, y, z []float32)       // x = x·y + z
	mulAcc  func(x, y, z []float32)       // x = x + y·z
	scale   func(x []float32, f float32)  // x = x·f
	exp     func(x []float32, bias float32)
	norm    func(x, gamma, beta []float32, mean, f float32) // x = (x − mean)·f·gamma + beta
	top     func(s *[lanes]float32, x []float32)
	sum     func(s *[lanes]float32, x []float32)
	squares func(s *[lanes]float32, x []float32, mean float32) // of (x − mean)²
}

// lanes is how many partial results a row is reduced to: element i goes to lane
// i mod lanes, in order, and the lanes are combined pairwise. The order is part
// of the result and the same on every host.
const lanes = 16

var rowsPortable = rowFuncs{
	load:   [I32 + 1]func([]float32, []byte, float32){F32: loadF32, F64: loadF64, BF16: loadBF16, I8: loadI8, I32: loadI32},
	store:  [I32 + 1]func([]byte, []float32, float32){F32: storeF32, BF16: storeBF16, I8: storeI8},
	binary: [Min + 1]func(x, y []float32){Add: addRow, Sub: subRow, Mul: mulRow, Max: maxRow, Min: minRow},
	act: [Exp + 1]func([]float32){
		Identity: func([]float32) {}, ReLU: reluRow, ReLU6: relu6Row,
		GELUTanh: each(geluTanh32), GELUErf: each(geluErf32), SiLU: each(silu32),
		Sigmoid: each(sigmoid32), Tanh: each(tanh32), Exp: each(exp32),
	},
	mulAdd: mulAddRow, mulAcc: mulAccRow, scale: scaleRow, exp: expRow, norm: normRow,
	top: topLanes, sum: sumLanes, squares: squareLanes,
}

// sumRow returns the sum of x.
func sumRow(x []float32, s *Scratch) float32 {
	clear(s.lanes[:])
	active.rows.sum(&s.lanes, x)
	return fold(&s.lanes)
}

// sumSquares returns the sum of (x − mean)².
func sumSquares(x []float32, mean float32, s *Scratch) float32 {
	clear(s.lanes[:])
	active.rows.squares(&s.lanes, x, mean)
	return fold(&s.lanes)
}

// largest returns the largest of x, NaN if one is NaN, -Inf if there is none.
func largest(x []float32, s *Scratch) float32 {
	for i := range s.lanes {
		s.lanes[i] = float32(math.Inf(-1))
	}
	active.rows.top(&s.lanes, x)
	m := s.lanes[0]
	for _, v := range s.lanes[1:] {
		m = max(m, v)
	}
	return m
}

func fold(s *[lanes]float32) float32 {
	for half := lanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

func topLanes(s *[lanes]float32, x []float32) {
	for i, v := range x {
		s[i%lanes] = max(s[i%lanes], v)
	}
}

func sumLanes(s *[lanes]float32, x []float32) {
	for i, v := range x {
		s[i%lanes] += v
	}
}

func squareLanes(s *[lanes]float32, x []float32, mean float32) {
	for i, v := range x {
		d := v - mean
		s[i%lanes] += float32(d * d)
	}
}

func addRow(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] += y[i]
	}
}

func subRow(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] -= y[i]
	}
}

func mulRow(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] *= y[i]
	}
}

func maxRow(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] = max(x[i], y[i])
	}
}

func minRow(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] = min(x[i], y[i])
	}
}

func mulAddRow(x, y, z []float32) {
	y, z = y[:len(x)], z[:len(x)]
	for i, v := range x {
		x[i] = float32(v*y[i]) + z[i]
	}
}

func mulAccRow(x, y, z []float32) {
	y, z = y[:len(x)], z[:len(x)]
	for i := range x {
		x[i] += float32(y[i] * z[i])
	}
}

func scaleRow(x []float32, f float32) {
	for i := range x {
		x[i] *= f
	}
}

func expRow(x []float32, bias float32) {
	for i, v := range x {
		x[i] = exp32(v - bias)
	}
}

func normRow(x, gamma, beta []float32, mean, f float32) {
	gamma, beta = gamma[:len(x)], beta[:len(x)]
	for i, v := range x {
		x[i] = float32(float32((v-mean)*f)*gamma[i]) + beta[i]
	}
}
