package workload

import (
	"testing"

	"github.com/presi-sim/presi/workload/digits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDigitsGraph runs the digits graph on all held-out images in one batch and
// holds the classes against those the reference program stored.
func TestDigitsGraph(t *testing.T) {
	n := len(digits.Labels())
	for _, c := range []struct {
		dtype DType
		same  int // classes that have to equal the reference's
	}{{F32, n}, {BF16, n}, {I8, n - 4}} {
		t.Run(c.dtype.String(), func(t *testing.T) {
			g := mustLoad(t, "digits", Options{Batch: n, DType: c.dtype})
			m := newMachine(g)
			m.run(nil)
			classes := m.classes(g.Outputs[0])
			same := 0
			for i, class := range digits.Reference() {
				if class == classes[i] {
					same++
				}
			}
			assert.GreaterOrEqual(t, same, c.same)
			assert.GreaterOrEqual(t, digits.Accuracy(classes, digits.Labels()), 0.97)
			t.Logf("%d of %d classes as the reference's, accuracy %.4f", same, n, digits.Accuracy(classes, digits.Labels()))
		})
	}
}

// classes is the largest logit of each row.
func (m *machine) classes(id TensorID) []int {
	rows, cols := m.g.Tensors[id].Matrix()
	out := make([]int, rows)
	for i := range out {
		logits := m.values[id][i*cols : (i+1)*cols]
		for c, v := range logits {
			if v > logits[out[i]] {
				out[i] = c
			}
		}
	}
	return out
}

func TestDigitsGraphCarriesItsData(t *testing.T) {
	g := mustLoad(t, "digits", Options{Batch: 400})
	assert.Equal(t, BF16, g.DType)
	require.NotNil(t, g.Dataset)
	assert.Equal(t, "digits", g.Dataset.Name)
	assert.Equal(t, 360, g.Dataset.Len())
	assert.Equal(t, append(append([]float32{}, digits.Test().Image(359)...), digits.Test().Image(0)...), g.Dataset.Batch(359, 2))
	assert.Equal(t, 1.0, g.Dataset.Accuracy(g.Dataset.Labels))
	assert.Equal(t, digits.Accuracy(digits.Reference(), digits.Labels()), g.Dataset.Accuracy(g.Dataset.Reference))
	for _, x := range g.Tensors {
		assert.Equal(t, x.Role.HostFilled(), x.Values != nil, x.Name)
	}
	id, ok := g.Lookup("image")
	require.True(t, ok)
	images := g.Tensor(id).Values
	assert.Equal(t, digits.Images(), images[:360*digits.Pixels])
	assert.Equal(t, digits.Test().Image(0), images[360*digits.Pixels:361*digits.Pixels])

	id, _ = g.Lookup("fc2")
	assert.Equal(t, F32, g.Tensor(id).DType)
	assert.Equal(t, Output, g.Tensor(id).Role)
}
