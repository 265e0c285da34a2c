package workload

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// head is a network's first lines, so that ops start at line 9.
const head = `name = "t"
title = "t"
source = "t"
outputs = ["last"]
tensors = [{ name = "x", role = "input", shape = [4, 8, 8, 6] }
]
[[block]]
ops = [
`

func read(text string) (*Graph, error) {
	return readFile("t.toml", text, Options{Batch: 2, DType: F32}, nil)
}

// TestFileFaults: each fault gives one message that says where, what was found
// and what would be right.
func TestFileFaults(t *testing.T) {
	last := `{ name = "last", op = "copy", in = "x" },`
	for _, c := range []struct {
		name, text string
		want       []string // one for each message, in order
	}{
		{"syntax", "name = \"t\"\ntitle = = 3\n", []string{"t.toml:2: column 9: title:"}},
		{"empty", "", []string{"t.toml: name: is missing", "t.toml: title: is missing", "t.toml: source: is missing",
			"t.toml: block: is missing", "t.toml: outputs: is missing"}},
		{"unknown key", "nane = 3\n" + head + last + "]", []string{"t.toml:1: nane: is unknown here; known are name"}},
		{"operator", head + `{ name = "a", op = "lstm", in = "x" },` + "\n" + last + "]",
			[]string{`t.toml:9: a: op: operator "lstm" is not supported; supported are gemm, conv, maxpool`}},
		{"two operators, one message each; followers are silent", head + `{ name = "a", op = "lstm", in = "x" },
{ name = "b", op = "relu" },
{ name = "c", op = "conv", in = "x", k = 4, r = 9 },
{ name = "d", op = "add", in = ["b", "c"] },` + last + "]",
			[]string{"t.toml:9: a: op:", "t.toml:11: c: r: a window of 9 does not fit into 8 with padding 0"}},
		{"key", head + `{ name = "a", op = "relu", in = "x", stide = 2 },` + "\n" + last + "]",
			[]string{"t.toml:9: a: stide: relu does not take this key; it takes name, op, in, out, dtype"}},
		{"tensor", head + `{ name = "last", op = "relu", in = "y" }]`,
			[]string{`t.toml:9: last: in: there is no tensor "y" above this operator`}},
		{"number", head + `{ name = "last", op = "conv", in = "x", k = 1.5, r = 1 }]`,
			[]string{`last: k: found 1.5; want an integer or an expression`}},
		{"range", head + `{ name = "last", op = "conv", in = "x", k = 0, r = 1 }]`, []string{`k: 0 is out of range; want 1 to`}},
		{"variable", head + `{ name = "last", op = "conv", in = "x", k = "$w", r = 1 }]`,
			[]string{`k: "$w" is no expression: $w is not set (set are $batch, $i)`}},
		{"missing", head + `{ name = "last", op = "conv", in = "x" }]`,
			[]string{`r: is missing; conv needs it: height of the filter`, `k: is missing; conv needs it: output channels`}},
		{"groups", head + `{ name = "last", op = "conv", in = "x", k = 4, r = 1, groups = 4 }]`,
			[]string{`groups: 4 does not divide the 6 input and 4 output channels`}},
		{"activation", head + `{ name = "last", op = "conv", in = "x", k = 4, r = 1, act = "mish" }]`,
			[]string{`act: activation "mish" is not supported; supported are none, relu`}},
		{"padded average", head + `{ name = "last", op = "avgpool", in = "x", r = 2, pad = 1 }]`,
			[]string{`pad: avgpool does not take this key`}},
		{"pool padding", head + `{ name = "last", op = "maxpool", in = "x", r = 2, pad = 2 }]`,
			[]string{`pad: [2 2] is as large as the window 2×2`}},
		{"image", head + `{ name = "f", op = "gemm", in = "x", n = 3 },{ name = "last", op = "maxpool", r = 2 }]`,
			[]string{`in: f is 4x3; maxpool wants an image [N, H, W, C]`}},
		{"shapes", head + `{ name = "f", op = "gemm", in = "x", n = 3 },{ name = "last", op = "add", in = ["f", "x"] }]`,
			[]string{`in: f is 4x3 and x is 4x8x8x6; add wants equal shapes, or a first dimension that divides the other's`}},
		{"period", head + `{ name = "last", op = "softmax", in = "x", period = 4 }]`, []string{`period: says after how many rows valid_step starts over`}},
		{"mask", head + `{ name = "last", op = "softmax", in = "x", valid_step = -1, period = 0 }]`,
			[]string{`valid_step: -1 is out of range`, `period: 0 is out of range`}},
		{"blocks of rows into a view", head + `{ name = "f", op = "copy", a = { of = "x" }, rows = 2, cols = 384 },
{ name = "g", op = "copy", a = { of = "x" }, rows = 4, cols = 384 }, { name = "last", op = "add", in = ["g", "f"], out = "g" }]`,
			[]string{`out: does not go with operands of different shapes`}},
		{"variant", "name = \"v\"\nbase = \"bert-base-384\"\nblock = 3\n", []string{"t.toml:3: block: is unknown here; known are name, title, source, base, set",
			"t.toml: title: is missing", "t.toml: source: is missing", `t.toml:2: base: found "bert-base-384"; want a shipped network without a base`}},
		{"variant's variables", "name = \"v\"\ntitle = \"v\"\nsource = \"v\"\nbase = \"vit-b-16\"\n[set]\ngrid = -2\nside = 3\n",
			[]string{"t.toml:6: grid: -2 is out of range", "t.toml:7: side: vit-b-16 has no variable of this name; it has $grid, $layers"}},
		{"operands", head + `{ name = "last", op = "add", in = "x" }]`, []string{`in: 1 operands found; add takes 2`}},
		{"index", head + `{ name = "last", op = "gather", in = "x", rows = 4, cols = 4 }]`,
			[]string{`in: x is no index tensor; gather wants one with role = "index"`}},
		{"reduction", head + `{ name = "last", op = "reduce", in = "x", by = "median" }]`,
			[]string{`by: reduction "median" is not supported; supported are sum, mean, max`}},
		{"valid", head + `{ name = "last", op = "softmax", in = "x", valid = 7 }]`, []string{`valid: 7 is more than the 6 columns`}},
		{"scale", head + `{ name = "last", op = "softmax", in = "x", scale = -1 }]`, []string{`scale: -1 is out of range`}},
		{"dtype", head + `{ name = "last", op = "relu", in = "x", dtype = "fp8" }]`, []string{`dtype: dtype "fp8" is unknown: want f32, bf16 or int8`}},
		{"mixed types", head + `{ name = "a", op = "gemm", in = "x", n = 3, dtype = "int8" },{ name = "last", op = "gemm", n = 3 }]`,
			[]string{`last: b: a is int8 and last.weight is f32; want one type`}},
		{"view key", head + `{ name = "last", op = "gemm", a = { of = "x", rows = 6 }, m = 4, k = 6, n = 2 }]`,
			[]string{`last.a: rows: a view does not take this key; it takes of, offset, row, batch`}},
		{"view beyond", head + `{ name = "last", op = "gemm", a = { of = "x", row = 600 }, m = 4, k = 6, n = 2 }]`,
			[]string{`last: a: a view of 1x1x4x6 ends at element 1805; x has 1536 (4x8x8x6)`}},
		{"view without size", head + `{ name = "last", op = "gemm", a = { of = "x", row = 6 }, n = 2 }]`,
			[]string{`m: is missing`, `k: is missing`}},
		{"depth", head + `{ name = "w", op = "gemm", in = "x", n = 5 },{ name = "last", op = "gemm", in = "x", b = "w" }]`,
			[]string{`b: w is 4x5, which gives K = 4; A has 384 columns`}},
		{"residual", head + `{ name = "a", op = "conv", in = "x", k = 4, r = 1, residual = "x" },` + last + `]`,
			[]string{`a: residual: x is 4x8x8x6; want 4x8x8x4`}},
		{"residual view", head + `{ name = "a", op = "conv", in = "x", k = 6, r = 1, residual = { of = "x" } },` + last + `]`,
			[]string{`a: residual: conv adds whole tensors; want a name`}},
		{"pool into a view", head + `{ name = "a", op = "maxpool", in = "x", r = 2, out = { of = "x" } },` + last + `]`,
			[]string{`a: out: maxpool writes whole tensors; want a name`}},
		{"out is constant", head + `{ name = "last", op = "copy", in = "x" }, { name = "b", op = "relu", in = "last", out = "x" }]`,
			[]string{`b: out: x is of role input; want an activation, output or cache`}},
		{"twice", head + `{ name = "last", op = "relu", in = "x" }, { name = "last", op = "relu", in = "x" }]`,
			[]string{`last: name: is taken by an earlier operator`, `last: name: tensor "last" is there already`}},
		{"unwritten", strings.Replace(head, `6] }`, `6] }, {name = "h", role = "activation", shape = [4, 4]}`, 1) +
			`{ name = "last", op = "relu", in = "h" }]`, []string{`last: in: h is read before an operator wrote it`}},
		{"huge", strings.Replace(head, "[4, 8, 8, 6]", "[1000000, 1000000, 8, 6]", 1) + last + "]",
			[]string{"t.toml:5: x: shape: 1000000x1000000x8x6 is out of range"}},
		{"role", strings.Replace(head, `"input"`, `"output"`, 1) + last + "]",
			[]string{`t.toml:5: x: role: found "output"; want one of input, weight, activation, cache, index`}},
		{"outputs", strings.Replace(head, `["last"]`, `["lost"]`, 1) + last + "]", []string{`t.toml:4: outputs: there is no tensor "lost"`}},
		{"no template", head + last + "]\n[[block]]\nuse = \"basic\"\n", []string{`t.toml:10: use: there is no template "basic"`}},
		{"set", head + last + "]\nset = { i = 3 }\n", []string{`t.toml:10: i: is no name for a variable`}},
		{"block key", head + last + "]\nrepaet = 3\n", []string{`t.toml:10: repaet: is unknown here; known are name, use, repeat`}},
		{"in of the first block", head + `{ name = "last", op = "relu", in = "$in" }]`, []string{`in: $in is empty`}},
		{"index without gather", strings.Replace(head, `6] }`, `6] }, {name = "i", role = "index", shape = [4]}`, 1) + last + "]",
			[]string{`t.toml:5: i: role: no gather uses this index tensor; want one`}},
		{"dataset", "dataset = \"cifar\"\n" + head + last + "]", []string{`dataset: "cifar" is unknown; want "digits"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(c.text)
			require.Error(t, err)
			got := messages(err)
			require.Len(t, got, len(c.want), "%s", strings.Join(got, "\n"))
			for i, want := range c.want {
				assert.Contains(t, got[i], want)
			}
		})
	}
}

// messages lists the faults in an error, each checked to be an *Error.
func messages(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range joined.Unwrap() {
		var fault *Error
		if errors.As(e, &fault) {
			out = append(out, fault.Error())
		}
	}
	return out
}

func TestLoadFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
		want string
		is   error
	}{
		{"resnet51", Options{}, "resnet51: is no network; want one of bert-base-128, bert-base-384, digits, dlrm, gpt2-decode", ErrUnknown},
		{"", Options{}, "is no network", ErrUnknown},
		{"../networks/digits", Options{}, "is no network", ErrUnknown},
		{"digits", Options{Batch: -1}, "batch: -1 is out of range; want 1 to 1048576", nil},
		{"relu:536870912x1", Options{Batch: 4}, "batch: 4 is out of range; want at most 2, as it multiplies 536870912 and a size is at most 1073741824", nil},
		{"gemm:536870912x1x1", Options{Batch: 3}, "batch: 3 is out of range; want at most 2", nil},
		{"gather:2x2,n=1073741824", Options{Batch: 2}, "batch: 2 is out of range; want at most 1", nil},
		{"digits", Options{DType: I32}, "dtype: int32 is no type for a network; want f32, bf16 or int8", nil},
		{"digits,context=3", Options{}, "context: digits has no variable of this name; it has $batch", nil},
		{"gpt2-decode,context", Options{}, "is no variable; want name=number, for example gpt2-decode,context=1024", nil},
		{"gpt2-decode,context=2000", Options{}, "position counts to 1999; the table wpe.weight has 1024 rows", nil},
		{"gpt2-decode,context=0", Options{}, "gpt2-decode,context=0: context = 0: want 1 or more", nil},
		{"gpt2-decode,context=0,layers=2", Options{}, "gpt2-decode,context=0,layers=2: context = 0: want 1 or more", nil},
		{"gpt2-decode,context=-3", Options{}, "gpt2-decode,context=-3: context = -3: want 1 or more", nil},
		{"missing.toml", Options{}, "workload missing.toml: open missing.toml:", os.ErrNotExist},
		{"lstm:3x4", Options{}, `lstm:3x4: column 1: operator "lstm" is not supported; supported are gemm`, ErrUnsupported},
	} {
		_, err := Load(c.name, c.opts)
		require.Error(t, err, c.name)
		assert.Contains(t, err.Error(), c.want)
		if c.is != nil {
			assert.ErrorIs(t, err, c.is)
		}
		if strings.Contains(c.want, "or more") {
			assert.EqualError(t, err, c.want, "and nothing that follows from it")
		}
	}
}

// A variable may be 0 where the network has use for it; and what is wrong
// without it is not blamed on it.
func TestVariableOfZero(t *testing.T) {
	network := strings.Replace(head, "[[block]]", "[set]\nn = 1\n[[block]]", 1)
	require.NotEqual(t, head, network)
	file := filepath.Join(t.TempDir(), "mine.toml")
	require.NoError(t, os.WriteFile(file, []byte(network+`{ name = "last", op = "relu", in = "x" }]`), 0o644))
	mustLoad(t, file+",n=0", Options{})
	require.NoError(t, os.WriteFile(file, []byte(network+`{ name = "last", op = "relu", in = "y" }]`), 0o644))
	_, err := Load(file+",n=0", Options{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "n = 0")
}

func TestUnsupportedOperatorCanBeTested(t *testing.T) {
	_, err := read(head + `{ name = "last", op = "lstm", in = "x" }]`)
	assert.ErrorIs(t, err, ErrUnsupported)
	var fault *Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, 9, fault.Line)
	assert.Equal(t, "op", fault.Key)
}

func TestLoadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.toml")
	require.NoError(t, os.WriteFile(file, []byte(head+`{ name = "last", op = "relu", in = "x" }]`), 0o644))
	g := mustLoad(t, file, Options{})
	assert.Equal(t, "t", g.Name)
	assert.Equal(t, file+":9", g.Ops[0].Pos)
}
