package kern

import "math"

// lanes is how many partial sums a row is added up in: element i goes to lane
// i mod lanes, in order, and the lanes are added pairwise. The order is part of
// the result and the same on every host.
const lanes = 16

// sumRow returns the sum of x.
func sumRow(x []float32) float32 {
	var s [lanes]float32
	for ; len(x) >= lanes; x = x[lanes:] {
		for i, v := range x[:lanes] {
			s[i] += v
		}
	}
	for i, v := range x {
		s[i] += v
	}
	return fold(&s)
}

// sumSquares returns the sum of (x - mean)².
func sumSquares(x []float32, mean float32) float32 {
	var s [lanes]float32
	for ; len(x) >= lanes; x = x[lanes:] {
		for i, v := range x[:lanes] {
			d := v - mean
			s[i] += float32(d * d)
		}
	}
	for i, v := range x {
		d := v - mean
		s[i] += float32(d * d)
	}
	return fold(&s)
}

func fold(s *[lanes]float32) float32 {
	for half := lanes / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

// maxRow returns the largest of x, NaN if one is NaN, -Inf if there is none.
func maxRow(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// expRow replaces x by e to the x − bias.
func expRow(x []float32, bias float32) {
	for i, v := range x {
		x[i] = exp32(v - bias)
	}
}

// scaleRow replaces x by x·f.
func scaleRow(x []float32, f float32) {
	for i := range x {
		x[i] *= f
	}
}
