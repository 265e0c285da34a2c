package main

import "math"

// newParam draws values uniformly with the deviation √(2/fan) of He's
// initialisation; fan 0 gives zeros.
func newParam(rng *stream, n, fan int) param {
	p := param{value: make([]float32, n), grad: make([]float32, n), decay: fan > 0}
	if fan > 0 {
		limit := math.Sqrt(6 / float64(fan))
		for i := range p.value {
			p.value[i] = float32(limit * rng.uniform())
		}
	}
	return p
}

// dense is out = in·weight + bias; weight is [in, out].
type dense struct {
	in, out      int
	weight, bias param
}

func newDense(rng *stream, in, out int) dense {
	return dense{in: in, out: out, weight: newParam(rng, in*out, in), bias: newParam(rng, out, 0)}
}

func (d *dense) forward(x []float32) []float32 {
	y := append([]float32(nil), d.bias.value...)
	for i, v := range x {
		axpy(v, d.weight.value[i*d.out:(i+1)*d.out], y)
	}
	return y
}

// backward adds to the parameters' gradients and gives the input's.
func (d *dense) backward(x, grad []float32) []float32 {
	axpy(1, grad, d.bias.grad)
	out := make([]float32, d.in)
	for i, v := range x {
		axpy(v, grad, d.weight.grad[i*d.out:(i+1)*d.out])
		out[i] = dot(grad, d.weight.value[i*d.out:(i+1)*d.out])
	}
	return out
}

// conv is a 3×3 convolution of a side×side image with padding 1; weight is
// [3, 3, in, out].
type conv struct {
	side, in, out int
	weight, bias  param
}

func newConv(rng *stream, side, in, out int) conv {
	return conv{side: side, in: in, out: out, weight: newParam(rng, 9*in*out, 9*in), bias: newParam(rng, out, 0)}
}

// taps calls f for each output pixel, filter tap and input pixel under it.
func (c *conv) taps(f func(out, tap, in int)) {
	n := c.side
	for y := range n {
		for x := range n {
			for t := range 9 {
				if iy, ix := y+t/3-1, x+t%3-1; iy >= 0 && iy < n && ix >= 0 && ix < n {
					f(y*n+x, t, iy*n+ix)
				}
			}
		}
	}
}

func (c *conv) forward(x []float32) []float32 {
	y := make([]float32, c.side*c.side*c.out)
	for i := range y {
		y[i] = c.bias.value[i%c.out]
	}
	c.taps(func(out, tap, in int) {
		for k := range c.in {
			if v := x[in*c.in+k]; v != 0 {
				axpy(v, c.row(c.weight.value, tap, k), y[out*c.out:(out+1)*c.out])
			}
		}
	})
	return y
}

// row is the weights of one tap and input channel.
func (c *conv) row(w []float32, tap, k int) []float32 {
	return w[(tap*c.in+k)*c.out : (tap*c.in+k+1)*c.out]
}

// backward adds to the parameters' gradients and gives the input's.
func (c *conv) backward(x, grad []float32) []float32 {
	dx := make([]float32, c.side*c.side*c.in)
	for i := range c.side * c.side {
		axpy(1, grad[i*c.out:(i+1)*c.out], c.bias.grad)
	}
	c.taps(func(out, tap, in int) {
		g := grad[out*c.out : (out+1)*c.out]
		for k := range c.in {
			if v := x[in*c.in+k]; v != 0 {
				axpy(v, g, c.row(c.weight.grad, tap, k))
			}
			dx[in*c.in+k] += dot(g, c.row(c.weight.value, tap, k))
		}
	})
	return dx
}

// axpy is y += a·x, each product rounded.
func axpy(a float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(a * v)
	}
}

// dot is the scalar product, each product rounded.
func dot(x, y []float32) float32 {
	y = y[:len(x)]
	var sum float32
	for i, v := range x {
		sum += float32(v * y[i])
	}
	return sum
}

// adam is the optimiser of Kingma and Ba (ICLR 2015) with the decoupled weight
// decay of Loshchilov and Hutter (ICLR 2019).
type adam struct {
	params []*param
	m, v   [][]float64
	steps  int
}

func newAdam(params []*param) *adam {
	a := &adam{params: params}
	for _, p := range params {
		a.m = append(a.m, make([]float64, len(p.value)))
		a.v = append(a.v, make([]float64, len(p.value)))
	}
	return a
}

// step applies the mean gradient of n images and clears it.
func (a *adam) step(rate float64, n int) {
	const beta1, beta2, eps, decay = 0.9, 0.999, 1e-8, 0.02
	a.steps++
	c1 := 1 - math.Pow(beta1, float64(a.steps))
	c2 := 1 - math.Pow(beta2, float64(a.steps))
	for k, p := range a.params {
		for i, g32 := range p.grad {
			g := float64(g32) / float64(n)
			m := float64(beta1*a.m[k][i]) + float64((1-beta1)*g)
			v := float64(beta2*a.v[k][i]) + float64((1-beta2)*float64(g*g))
			a.m[k][i], a.v[k][i] = m, v
			delta := m / c1 / (math.Sqrt(v/c2) + eps)
			if p.decay {
				delta += float64(decay * float64(p.value[i]))
			}
			p.value[i] -= float32(rate * delta)
		}
		clear(p.grad)
	}
}
