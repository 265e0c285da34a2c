package main

import (
	"math"

	"github.com/presi-sim/presi/workload/digits"
)

// param is a tensor that learns: values, the gradient of the batch so far, and
// whether weight decay applies.
type param struct {
	value, grad []float32
	decay       bool
}

// network is the layers with the activations of one image. Images are HWC.
type network struct {
	conv1, conv2 conv
	fc1, fc2     dense
	a1, a2       []float32 // after the convolutions' ReLU
	pooled       []float32
	winner       []int // which element of a2 each pooled one is
	a3, logits   []float32
}

func newNetwork(rng *stream) *network {
	const n = digits.Side
	v := &network{
		conv1: newConv(rng, n, 1, 16), conv2: newConv(rng, n, 16, 32),
		fc1: newDense(rng, n*n/4*32, 64), fc2: newDense(rng, 64, digits.Classes),
		pooled: make([]float32, n*n/4*32), winner: make([]int, n*n/4*32),
	}
	return v
}

// params lists the tensors in the order of digits.Layers.
func (n *network) params() []*param {
	return []*param{&n.conv1.weight, &n.conv1.bias, &n.conv2.weight, &n.conv2.bias,
		&n.fc1.weight, &n.fc1.bias, &n.fc2.weight, &n.fc2.bias}
}

// forward computes the logits of an image.
func (n *network) forward(image []float32) []float32 {
	n.a1 = relu(n.conv1.forward(image))
	n.a2 = relu(n.conv2.forward(n.a1))
	n.pool()
	n.a3 = relu(n.fc1.forward(n.pooled))
	n.logits = n.fc2.forward(n.a3)
	return n.logits
}

// learn adds an image's gradient and gives its loss.
func (n *network) learn(image []float32, label int) float64 {
	grad, loss := crossEntropy(n.forward(image), label)
	grad = rectify(n.fc2.backward(n.a3, grad), n.a3)
	grad = n.unpool(n.fc1.backward(n.pooled, grad))
	grad = n.conv2.backward(n.a1, rectify(grad, n.a2))
	n.conv1.backward(image, rectify(grad, n.a1))
	return loss
}

// crossEntropy is the loss of the softmax and its gradient.
func crossEntropy(logits []float32, label int) ([]float32, float64) {
	top := logits[argmax(logits)]
	var sum float64
	grad := make([]float32, len(logits))
	for _, v := range logits {
		sum += math.Exp(float64(v - top))
	}
	for i, v := range logits {
		grad[i] = float32(math.Exp(float64(v-top)) / sum)
	}
	loss := -math.Log(math.Max(float64(grad[label]), 1e-30))
	grad[label]--
	return grad, loss
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// relu clears negative elements in place.
func relu(v []float32) []float32 {
	for i := range v {
		v[i] = max(v[i], 0)
	}
	return v
}

// rectify clears the gradient where the ReLU's output is 0.
func rectify(grad, out []float32) []float32 {
	for i := range grad {
		if out[i] <= 0 {
			grad[i] = 0
		}
	}
	return grad
}

// pool takes the largest of each 2×2 window.
func (n *network) pool() {
	const half, c = digits.Side / 2, 32
	for i := range n.pooled {
		y, x, k := i/(half*c), i/c%half, i%c
		best := (2*y*digits.Side+2*x)*c + k
		for _, d := range [3]int{c, digits.Side * c, (digits.Side + 1) * c} {
			if at := (2*y*digits.Side+2*x)*c + k + d; n.a2[at] > n.a2[best] {
				best = at
			}
		}
		n.pooled[i], n.winner[i] = n.a2[best], best
	}
}

// unpool sends the gradient to the winners.
func (n *network) unpool(grad []float32) []float32 {
	out := make([]float32, len(n.a2))
	for i, g := range grad {
		out[n.winner[i]] += g
	}
	return out
}

// accuracy is the share of images classified right.
func (n *network) accuracy(s digits.Split) float64 {
	classes := make([]int, s.Len())
	for i := range classes {
		classes[i] = argmax(n.forward(s.Image(i)))
	}
	return digits.Accuracy(classes, s.Labels)
}

// round makes every weight representable in bfloat16, to nearest even.
func (n *network) round() {
	for _, p := range n.params() {
		for i, v := range p.value {
			bits := math.Float32bits(v)
			p.value[i] = math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
		}
	}
}

// moments gathers the range of an activation.
type moments struct {
	name              string
	n, sum, sumSquare float64
	max               float64
}

func (m *moments) add(values []float32) {
	for _, v := range values {
		m.n++
		m.sum += float64(v)
		m.sumSquare += float64(v) * float64(v)
		m.max = math.Max(m.max, math.Abs(float64(v)))
	}
}

func (m *moments) mean() float64 { return m.sum / m.n }
func (m *moments) std() float64  { return math.Sqrt(m.sumSquare/m.n - m.mean()*m.mean()) }

// ranges measures the activations over a set of images.
func (n *network) ranges(s digits.Split) []*moments {
	out := []*moments{{name: "image"}, {name: "conv1"}, {name: "conv2"}, {name: "pool"}, {name: "fc1"}, {name: "fc2"}}
	for i := range s.Len() {
		n.forward(s.Image(i))
		for k, v := range [][]float32{s.Image(i), n.a1, n.a2, n.pooled, n.a3, n.logits} {
			out[k].add(v)
		}
	}
	return out
}
