package kern

import "math"

// The functions below are the Cephes single-precision ones (expf, tanhf) and the
// rational erf of Eigen, with every product rounded, so that they give the same
// bits on every architecture. Errors were measured over all regimes against
// float64 and are held by tests:
//
//	exp32      2 ulp, gradual underflow included
//	tanh32     3 ulp
//	erf32      5e-7 absolute
//	sigmoid32  4 ulp

const (
	log2E = 1.44269504088896341
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440e-4
)

// exp32 returns e to the x.
func exp32(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > 88.8:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	const magic = 3 << 22 // adding it rounds to an integer
	n := float32(x*log2E) + magic - magic
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	p := float32(1.9875691500e-4)
	p = float32(p*r) + 1.3981999507e-3
	p = float32(p*r) + 8.3334519073e-3
	p = float32(p*r) + 4.1665795894e-2
	p = float32(p*r) + 1.6666665459e-1
	p = float32(p*r) + 5.0000001201e-1
	p = float32(float32(p*r)*r) + r + 1
	i := int32(n)
	return p * pow2(i>>1) * pow2(i-i>>1)
}

// pow2 returns 2 to the n for n in [-126, 127].
func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// tanh32 returns the hyperbolic tangent of x.
func tanh32(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	if a < 0.625 {
		z := float32(x * x)
		p := float32(-5.70498872745e-3)
		p = float32(p*z) + 2.06390887954e-2
		p = float32(p*z) - 5.37397155531e-2
		p = float32(p*z) + 1.33314422036e-1
		p = float32(p*z) - 3.33332819422e-1
		return float32(float32(p*z)*x) + x
	}
	t := 1 - 2/(exp32(2*a)+1)
	return math.Float32frombits(math.Float32bits(t) | math.Float32bits(x)&(1<<31))
}

// erf32 returns the error function of x.
func erf32(x float32) float32 {
	if x >= 4 || x <= -4 { // 1 - 1.6e-8, which rounds to 1
		return math.Float32frombits(math.Float32bits(1) | math.Float32bits(x)&(1<<31))
	}
	z := float32(x * x)
	p := float32(-2.72614225801306e-10)
	p = float32(p*z) + 2.77068142495902e-08
	p = float32(p*z) - 2.10102402082508e-06
	p = float32(p*z) - 5.69250639462346e-05
	p = float32(p*z) - 7.34990630326855e-04
	p = float32(p*z) - 2.95459980854025e-03
	p = float32(p*z) - 1.60960333262415e-02
	q := float32(-1.45660718464996e-05)
	q = float32(q*z) - 2.13374055278905e-04
	q = float32(q*z) - 1.68282697438203e-03
	q = float32(q*z) - 7.37332916720468e-03
	q = float32(q*z) - 1.42647390514189e-02
	return float32(x*p) / q
}

// sigmoid32 returns 1/(1 + e to the -x).
func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

// geluTanh32 is ½x(1 + tanh u) with u = √(2/π)(x + 0.044715x³), as x·sigmoid(2u).
func geluTanh32(x float32) float32 {
	const twice = 1.5957691216057308
	u := float32(float32(float32(x*x)*0.044715) * x)
	return product32(x, sigmoid32(float32(twice*(x+u))))
}

// geluErf32 is ½x(1 + erf(x/√2)).
func geluErf32(x float32) float32 {
	return product32(x, 0.5+0.5*erf32(float32(x*(math.Sqrt2/2))))
}

// silu32 is x·sigmoid(x).
func silu32(x float32) float32 { return product32(x, sigmoid32(x)) }

// product32 is x·y, but 0 where y vanished: -Inf·0 is the limit 0, not NaN.
func product32(x, y float32) float32 {
	if y == 0 {
		return 0
	}
	return x * y
}
