package workload

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPublishedFigures holds the shipped networks against what is published.
// torchvision 0.15 lists (class Weights, "_ops" in GMAC, "num_params"):
// resnet18 1.814, 11,689,512; resnet50 4.089, 25,557,032; a channel's gamma and
// beta have become one bias here. BERT-base has 110 M (Devlin et al., section
// 3), 109,482,240 in google-research's checkpoint; GPT-2 small 124,439,808.
func TestPublishedFigures(t *testing.T) {
	const resnet18Norms, resnet50Norms, mobilenetv2Norms = 4800, 26560, 17056 // channels with a batch norm
	for _, c := range []struct {
		name   string
		gmac   float64
		params int64
		macs   int64 // exact, by the formula in the comment
	}{
		{"resnet18", 1.814, 11689512 - resnet18Norms, 1814073344},
		{"resnet50", 4.089, 25557032 - resnet50Norms, 4089184256},
		// 12 layers of 128·(4·768² + 2·768·3072) + 2·128²·768, and the pooler's 768².
		{"bert-base-128", 11.174, 109482240, 12*(128*(4*768*768+2*768*3072)+2*128*128*768) + 768*768},
		// 12 layers of 4·768² + 2·768·3072 + 2·512·768, and the head's 768·50257.
		{"gpt2-decode", 0.133, 124439808, 12*(4*768*768+2*768*3072+2*512*768) + 768*50257},
		// 12 layers of 384·(4·768² + 2·768·3072) + 2·384²·768, and the pooler's 768².
		{"bert-base-384", 35.33, 109482240, 12*(384*(4*768*768+2*768*3072)+2*384*384*768) + 768*768},
		// torchvision lists 0.301 and 3,504,872; the paper 300 M and 3.4 M.
		{"mobilenetv2", 0.301, 3504872 - mobilenetv2Norms, 300774272},
		// torchvision lists 17.564 and 86,567,656; the paper 86 M. 196 patches, 12
		// layers of 197·(4·768² + 2·768·3072) + 2·197²·768, and the head's 768·1000.
		{"vit-b-16", 17.564, 86567656, 196*768*768 + 12*(197*(4*768*768+2*768*3072)+2*197*197*768) + 768*1000},
		// 12 layers of 512·(4·768² + 2·768·3072) + 2·512²·768, and one row of the head.
		{"gpt2-prefill", 48.36, 124439808, 12*(512*(4*768*768+2*768*3072)+2*512*512*768) + 768*50257},
		// Naumov et al. have 540 M parameters: 33,762,577 rows of 16, and two MLPs.
		{"dlrm", 0.000486, 540677217, 13*512 + 512*256 + 256*64 + 64*16 + 27*27*16 + 367*512 + 512*256 + 256},
		{"digits", 0.00034, 3*3*16 + 16 + 3*3*16*32 + 32 + 512*64 + 64 + 64*10 + 10,
			64*9*16 + 64*9*16*32 + 512*64 + 64*10},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := mustLoad(t, c.name, Options{})
			assert.InEpsilon(t, c.gmac*1e9, g.MACs(), 0.02)
			assert.Equal(t, c.macs, g.MACs())
			assert.Equal(t, c.params, g.Params())
			assert.NotEmpty(t, g.Title)
			assert.NotEmpty(t, g.Source)
			assert.Equal(t, BF16, g.DType)

			eight := mustLoad(t, c.name, Options{Batch: 8})
			assert.Equal(t, 8*c.macs, eight.MACs())
			assert.Equal(t, c.params, eight.Params())
			assert.Equal(t, len(g.Ops), len(eight.Ops))
		})
	}
}

// TestEncoderParams counts BERT's encoder alone: 85,054,464.
func TestEncoderParams(t *testing.T) {
	g := mustLoad(t, "bert-base-128", Options{})
	n := int64(0)
	for _, x := range g.Tensors {
		if x.Name[0] == 'l' && (x.Role == Weight || x.Role == Param) { // layer_0 … layer_11
			n += x.Elems()
		}
	}
	assert.EqualValues(t, 85054464, n)
}

func TestListHoldsTheShippedNetworks(t *testing.T) {
	assert.Equal(t, []string{"bert-base-128", "bert-base-384", "digits", "dlrm", "gpt2-decode", "gpt2-prefill",
		"mobilenetv2", "resnet18", "resnet50", "vit-b-16"}, List())
	for _, name := range List() {
		for _, d := range []DType{F32, BF16, I8} {
			g := mustLoad(t, name, Options{DType: d, Batch: 2})
			assert.Equal(t, name, g.Name, "a network's name is its file's")
			assert.Equal(t, d, g.DType)
			require.NoError(t, g.Validate())
		}
	}
}

// TestShapes spots layers whose shapes are in the papers' tables.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		network, tensor, shape string
		role                   Role
		dtype                  DType
	}{
		{"resnet50", "conv1", "2x112x112x64", Activation, I8},
		{"resnet50", "maxpool", "2x56x56x64", Activation, I8},
		{"resnet50", "layer1.2.conv3", "2x56x56x256", Activation, I8},
		{"resnet50", "layer2.3.conv3", "2x28x28x512", Activation, I8},
		{"resnet50", "layer3.5.conv3", "2x14x14x1024", Activation, I8},
		{"resnet50", "layer4.2.conv3", "2x7x7x2048", Activation, I8},
		{"resnet50", "layer4.2.conv2.weight", "3x3x512x512", Weight, I8},
		{"resnet50", "layer4.2.conv2.bias", "512", Param, F32},
		{"resnet50", "fc", "2x1000", Output, F32},
		{"resnet18", "layer4.0.downsample.0.weight", "1x1x256x512", Weight, I8},
		{"bert-base-128", "tokens", "256", Index, I32},
		{"bert-base-128", "embeddings.word_embeddings.weight", "30522x768", Weight, I8},
		{"bert-base-128", "layer_11.attention.scores", "3072x128", Activation, I8},
		{"bert-base-128", "layer_11.output.LayerNorm.gamma", "768", Param, F32},
		{"bert-base-128", "pooler.dense", "2x768", Output, F32},
		{"mobilenetv2", "features.2.conv.1.0", "2x56x56x96", Activation, I8},
		{"mobilenetv2", "features.2.conv.1.0.weight", "3x3x1x96", Weight, I8},
		{"mobilenetv2", "features.6.conv.2", "2x28x28x32", Activation, I8},
		{"mobilenetv2", "features.10.conv.2", "2x14x14x64", Activation, I8},
		{"mobilenetv2", "features.16.conv.2", "2x7x7x160", Activation, I8},
		{"mobilenetv2", "features.18.0", "2x7x7x1280", Activation, I8},
		{"vit-b-16", "conv_proj", "2x14x14x768", Activation, I8},
		{"vit-b-16", "encoder.pos_embedding", "197x768", Weight, I8},
		{"vit-b-16", "encoder.layers.11.mlp.3", "394x768", Activation, I8},
		{"bert-base-384", "layer_11.attention.scores", "9216x384", Activation, I8},
		{"gpt2-prefill", "h11.attn.scores", "12288x512", Activation, I8},
		{"gpt2-prefill", "lm_head", "2x50257", Output, F32},
		{"dlrm", "emb_l.2.weight", "10131227x16", Weight, I8},
		{"dlrm", "interaction.z", "54x27", Activation, I8},
		{"dlrm", "top_l.2", "2x1", Output, F32},
		{"gpt2-decode", "h11.attn.k_cache", "1024x768", Cache, I8},
		{"gpt2-decode", "h11.attn.scores", "24x512", Activation, I8},
		{"gpt2-decode", "lm_head", "2x50257", Output, F32},
	} {
		g := mustLoad(t, c.network, Options{Batch: 2, DType: I8})
		id, ok := g.Lookup(c.tensor)
		require.True(t, ok, c.tensor)
		x := g.Tensor(id)
		assert.Equal(t, c.shape, x.ShapeString(), c.tensor)
		assert.Equal(t, c.role, x.Role, c.tensor)
		assert.Equal(t, c.dtype, x.DType, c.tensor)
	}
}

// TestCacheRows: a decoding step writes row context-1 of each sequence's cache
// and attends to all rows of it.
func TestCacheRows(t *testing.T) {
	g := mustLoad(t, "gpt2-decode,context=16,layers=1,vocab=500", Options{Batch: 3, DType: F32})
	m := newMachine(g)
	id, _ := g.Lookup("h0.attn.k_cache")
	before := append([]float32(nil), m.read(id)...)
	m.run(nil)
	for row := range 3 * 16 {
		old, now := before[row*768:(row+1)*768], m.values[id][row*768:(row+1)*768]
		if row%16 == 15 {
			assert.NotEqual(t, old, now, "row %d is the new token's", row)
		} else {
			assert.Equal(t, old, now, "row %d is an older token's", row)
		}
	}
	position, _ := g.Lookup("position")
	assert.Equal(t, []float32{15, 15, 15}, m.values[position])
	probs, _ := g.Lookup("h0.attn.softmax")
	sum := float32(0)
	for _, p := range m.values[probs][:16] {
		sum += p
	}
	assert.InDelta(t, 1, sum, 1e-5)
}

// TestCausalAttention: a token's attention ends with itself, and a change of the
// last token changes nothing before it.
func TestCausalAttention(t *testing.T) {
	g := mustLoad(t, "gpt2-prefill,seq=7,layers=1,vocab=500", Options{Batch: 2, DType: F32})
	run := func(last float32) *machine {
		m := newMachine(g)
		id, _ := g.Lookup("tokens")
		m.read(id)[13] = last // of the second prompt
		m.run(nil)
		return m
	}
	a, b := run(3), run(4)
	probs, _ := g.Lookup("h0.attn.softmax")
	for row := range 2 * 12 * 7 {
		sum := float32(0)
		for col, p := range a.values[probs][row*7 : row*7+7] {
			sum += p
			assert.Equal(t, col <= row%7, p > 0, "row %d column %d", row, col)
		}
		assert.InDelta(t, 1, sum, 1e-5)
	}
	out, _ := g.Lookup("h0.mlp.c_proj")
	for row := range 14 {
		old, now := a.values[out][row*768:row*768+768], b.values[out][row*768:row*768+768]
		assert.Equal(t, row < 13, assert.ObjectsAreEqual(old, now), "row %d", row)
	}
	logits, _ := g.Lookup("lm_head")
	assert.Equal(t, a.values[logits][:500], b.values[logits][:500], "the first prompt is another one's neighbour")
	assert.NotEqual(t, a.values[logits][500:], b.values[logits][500:])
}

// TestPatchesAndPositions: the class token leads the patches of each image, and
// each image gets the same positions.
func TestPatchesAndPositions(t *testing.T) {
	g := mustLoad(t, "vit-b-16,grid=2,layers=1", Options{Batch: 3, DType: F32})
	m := newMachine(g)
	m.run(nil)
	value := func(name string) []float32 {
		id, ok := g.Lookup(name)
		require.True(t, ok, name)
		return m.read(id)
	}
	class, patches, position, sum := value("class_token"), value("conv_proj"), value("encoder.pos_embedding"), value("encoder.add_position")
	for i := range 3 * 5 * 768 {
		image, token, col := i/(5*768), i/768%5, i%768
		want := class[col]
		if token > 0 {
			want = patches[(image*4+token-1)*768+col]
		}
		require.InDelta(t, want+position[token*768+col], sum[i], 1e-6, "image %d token %d", image, token)
	}
}

// smallTables leaves the long tables of dlrm out: what is left fits a test.
const smallTables = ",c2=1000,c3=1000,c6=500,c9=500,c11=1000,c15=1000,c20=1000,c23=500,c25=500"

// TestInteraction: the products of all pairs of features, one after another,
// behind the dense ones.
func TestInteraction(t *testing.T) {
	g := mustLoad(t, "dlrm"+smallTables, Options{Batch: 3, DType: F32})
	m := newMachine(g)
	m.run(nil)
	value := func(name string) []float32 {
		id, ok := g.Lookup(name)
		require.True(t, ok, name)
		return m.read(id)
	}
	features, got, dense := value("features"), value("interaction"), value("bot_l.3")
	for sample := range 3 {
		row := got[sample*367 : (sample+1)*367]
		assert.Equal(t, dense[sample*16:sample*16+16], row[:16])
		at := 16
		for i := range 27 {
			for j := range i {
				want := 0.0
				for k := range 16 {
					want += float64(features[sample*432+i*16+k]) * float64(features[sample*432+j*16+k])
				}
				require.InDelta(t, want, row[at], 1e-5, "features %d and %d", i, j)
				at++
			}
		}
		assert.Equal(t, 367, at)
		table := value("emb_l.4.weight")
		index := int(value("lS_i.4")[sample])
		assert.Equal(t, table[index*16:index*16+16], features[sample*432+5*16:sample*432+6*16])
	}
}

func TestVariants(t *testing.T) {
	a, b := mustLoad(t, "bert-base-384,layers=2", Options{}), mustLoad(t, "bert-base-128,layers=2,seq=384", Options{})
	assert.Equal(t, "bert-base-384,layers=2", a.Name)
	assert.Equal(t, "BERT-base, sequences of 384 tokens", a.Title)
	assert.Equal(t, b.Tensors, a.Tensors)
	assert.Equal(t, b.Ops, a.Ops)
	g := mustLoad(t, "bert-base-384,layers=1,seq=16", Options{}) // a run's variables go before the file's
	assert.Equal(t, "192x16", g.Tensor(op(t, g, "layer_0.attention.scores").Out()).ShapeString())
}

func TestVariablesOfANetwork(t *testing.T) {
	short, long := mustLoad(t, "gpt2-decode,context=256", Options{}), mustLoad(t, "gpt2-decode,context=1024", Options{})
	assert.Equal(t, int64(12*2*768*(1024-256)), long.MACs()-short.MACs())
	assert.Equal(t, "gpt2-decode,context=256", short.Name)
	assert.Equal(t, "1x112x112x3", mustLoad(t, "resnet18,side=112", Options{}).Tensors[0].ShapeString())
}

func TestInputsAndOrder(t *testing.T) {
	g := mustLoad(t, "gpt2-decode", Options{})
	assert.Len(t, g.Inputs, 2+2*12)
	for _, id := range g.Inputs {
		assert.Contains(t, []Role{Index, Cache}, g.Tensor(id).Role)
	}
	for _, o := range g.Ops {
		n := 0
		for _, set := range []bool{o.Gemm != nil, o.Conv != nil, o.Pool != nil, o.Rows != nil} {
			if set {
				n++
			}
		}
		assert.Equal(t, 1, n, o.Name)
		assert.Regexp(t, `^gpt2-decode\.toml:\d+$`, o.Pos)
		assert.NotContains(t, o.Reads(), None)
	}
}
