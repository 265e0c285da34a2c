package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// op finds an operator by name.
func op(t *testing.T, g *Graph, name string) *Op {
	t.Helper()
	for i := range g.Ops {
		if g.Ops[i].Name == name {
			return &g.Ops[i]
		}
	}
	require.Fail(t, "no operator "+name)
	return nil
}

// TestTraffic counts bytes by hand for each kind of operator, in int8: one byte
// an element, four for parameters and indices.
func TestTraffic(t *testing.T) {
	for _, c := range []struct {
		network, op string
		want        Traffic
	}{
		{"resnet18", "conv1", Traffic{In: 224 * 224 * 3, Weights: 7*7*3*64 + 4*64, Out: 112 * 112 * 64}},
		{"resnet18", "layer1.0.conv2", Traffic{In: 2 * 56 * 56 * 64, Weights: 9*64*64 + 4*64, Out: 56 * 56 * 64}}, // with residual
		{"resnet18", "maxpool", Traffic{In: 112 * 112 * 64, Out: 56 * 56 * 64}},
		{"resnet18", "avgpool", Traffic{In: 7 * 7 * 512, Out: 512}},
		{"resnet18", "fc", Traffic{In: 512, Weights: 512*1000 + 4*1000, Out: 4 * 1000}},
		{"bert-base-128", "embeddings.word_embeddings", Traffic{In: 4 * 128, Weights: 128 * 768, Out: 128 * 768}}, // rows taken, not the table
		{"bert-base-128", "embeddings.add_position", Traffic{In: 2 * 128 * 768, Out: 128 * 768}},
		{"bert-base-128", "layer_0.attention.scores", Traffic{In: 2 * 128 * 768, Out: 12 * 128 * 128}},
		{"bert-base-128", "layer_0.attention.probs", Traffic{In: 12 * 128 * 128, Out: 12 * 128 * 128}},
		{"bert-base-128", "layer_0.attention.context", Traffic{In: 12*128*128 + 128*768, Out: 128 * 768}},
		{"bert-base-128", "layer_0.output.LayerNorm", Traffic{In: 128 * 768, Weights: 2 * 4 * 768, Out: 128 * 768}},
		{"gpt2-decode", "h0.attn.c_attn.k", Traffic{In: 768, Weights: 768*768 + 4*768, Out: 768}}, // one row of the cache
		{"gpt2-decode", "h0.attn.scores", Traffic{In: 768 + 512*768, Out: 12 * 512}},
		{"gpt2-decode", "lm_head", Traffic{In: 768, Weights: 768 * 50257, Out: 4 * 50257}},
		{"mobilenetv2", "features.2.conv.1.0", Traffic{In: 112 * 112 * 96, Weights: 9*96 + 4*96, Out: 56 * 56 * 96}},
		{"vit-b-16", "concat.class", Traffic{Weights: 768, Out: 768}},
		{"vit-b-16", "encoder.add_position", Traffic{In: 197 * 768, Weights: 197 * 768, Out: 197 * 768}},
		{"gpt2-prefill", "lm_head", Traffic{In: 768, Weights: 768 * 50257, Out: 4 * 50257}},
		{"dlrm", "emb_l.2", Traffic{In: 4, Weights: 16, Out: 16}},
		{"dlrm", "interaction.26", Traffic{In: 26, Out: 26}},
		{"reduce:30x20", "reduce", Traffic{In: 600, Out: 30}},
		{"add:30x20", "add", Traffic{In: 1200, Out: 600}},
		{"transpose:30x20", "transpose", Traffic{In: 600, Out: 600}},
	} {
		g := mustLoad(t, c.network, Options{DType: I8})
		assert.Equal(t, c.want, g.Traffic(op(t, g, c.op)), "%s %s", c.network, c.op)
	}
}

// TestTableTellsTheSums: rows and totals agree where no weight is shared.
func TestTableTellsTheSums(t *testing.T) {
	for _, name := range List() {
		g := mustLoad(t, name, Options{})
		var macs, params int64
		for _, row := range g.Table() {
			macs, params = macs+row.MACs, params+row.Params
			assert.NotEmpty(t, row.Name)
			assert.NotEmpty(t, row.Shape)
			assert.Positive(t, row.Bytes)
		}
		assert.Equal(t, g.MACs(), macs)
		if name == "gpt2-decode" || name == "gpt2-prefill" {
			params -= 50257 * 768 // wte shows as embedding and as head
		}
		assert.Equal(t, g.Params(), params)
	}
}

func TestElems(t *testing.T) {
	g := mustLoad(t, "resnet18", Options{})
	assert.EqualValues(t, 112*112*64, op(t, g, "conv1").Elems())
	assert.EqualValues(t, 56*56*64*9, op(t, g, "maxpool").Elems())
	assert.EqualValues(t, 1000, op(t, g, "fc").Elems())
	g = mustLoad(t, "softmax:10x20", Options{})
	assert.EqualValues(t, 200, g.Ops[0].Elems())
}
