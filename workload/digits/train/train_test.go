package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/presi-sim/presi/workload/digits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// few is a small part of the training images.
func few(n int) digits.Split {
	all := digits.Training()
	return digits.Split{Images: all.Images[:n*digits.Pixels], Labels: all.Labels[:n]}
}

func ignore(int, float64) {}

func TestTrainingIsDeterministicAndLearns(t *testing.T) {
	a, b := train(few(40), 2, 3, ignore), train(few(40), 2, 3, ignore)
	for i, p := range a.params() {
		assert.Equal(t, p.value, b.params()[i].value)
	}
	c := train(few(40), 1, 4, ignore)
	assert.NotEqual(t, a.conv1.weight.value, c.conv1.weight.value)

	var losses []float64
	n := train(few(48), 20, 3, func(_ int, loss float64) { losses = append(losses, loss) })
	assert.Less(t, losses[len(losses)-1], 0.7*losses[0])
	assert.Greater(t, n.accuracy(few(48)), 0.5)
}

// TestGradients compares backward with finite differences of the loss.
func TestGradients(t *testing.T) {
	rng := stream(5)
	n := newNetwork(&rng)
	data := few(1)
	for _, p := range n.params() {
		for k := range p.value { // blank pixels would sit on the ReLU's kink
			if !p.decay {
				p.value[k] = 0.05
			}
		}
	}
	n.learn(data.Image(0), data.Labels[0])
	for i, p := range n.params() {
		k := len(p.value) / 2
		for range 3 { // an element that matters
			k = (k + 7) % len(p.value)
			if p.grad[k] != 0 {
				break
			}
		}
		const h = 1e-3
		value := p.value[k]
		loss := func(v float32) float64 {
			p.value[k] = v
			_, l := crossEntropy(n.forward(data.Image(0)), data.Labels[0])
			return l
		}
		slope := (loss(value+h) - loss(value-h)) / (2 * h)
		p.value[k] = value
		assert.InDelta(t, slope, float64(p.grad[k]), 1e-3+0.02*math.Abs(slope), digits.Layers[i].Name)
	}
}

func TestShift(t *testing.T) {
	in, out := make([]float32, digits.Pixels), make([]float32, digits.Pixels)
	for i := range in {
		in[i] = float32(i + 1)
	}
	shift(in, out, 1, -1) // up and to the right
	assert.Equal(t, in[digits.Side], out[1])
	assert.Equal(t, float32(0), out[0])
	assert.Equal(t, float32(0), out[digits.Pixels-1])
	shift(in, out, 0, 0)
	assert.Equal(t, in, out)
}

func TestShippedWeightsFitTheNetwork(t *testing.T) {
	rng := stream(1)
	n := newNetwork(&rng)
	require.Len(t, digits.Layers, len(n.params()))
	for i, p := range n.params() {
		values, ok := digits.Weights(digits.Layers[i].Name)
		require.True(t, ok)
		require.Len(t, values, len(p.value), digits.Layers[i].Name)
		copy(p.value, values)
	}
	// The training program's own forward pass agrees with the reference's answers.
	test := digits.Test()
	for i, want := range digits.Reference() {
		assert.Equal(t, want, argmax(n.forward(test.Image(i))), "image %d", i)
	}
	dir := t.TempDir()
	require.NoError(t, write(dir, n))
	for _, name := range []string{"weights.f32", "ranges.csv"} {
		want, err := os.ReadFile(filepath.Join("..", "data", name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
}
