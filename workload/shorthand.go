package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// form is how one kind of operator is written as a shorthand; see [Parse].
type form struct {
	sizes   []string // names of the numbers
	example string
	build   func(sh *shorthand) map[string]any // declares operands, gives the operator's keys
}

var (
	matrixSizes = []string{"rows", "columns"}
	imageSizes  = []string{"N", "H", "W", "C"}
)

// formOf is the table of shorthands.
func formOf(k Kind) form {
	switch k {
	case KindGemm:
		return form{[]string{"M", "K", "N"}, "gemm:256x1024x512", (*shorthand).gemm}
	case KindConv:
		return form{imageSizes, "conv:1x56x56x64,64x3x3,stride=2,pad=1", (*shorthand).conv}
	case KindMaxPool, KindAvgPool:
		return form{imageSizes, k.String() + ":1x112x112x64,r=3,stride=2", (*shorthand).one}
	case KindAdd, KindMul:
		return form{matrixSizes, k.String() + ":128x768", (*shorthand).two}
	case KindGather:
		return form{matrixSizes, "gather:30522x768,n=128", (*shorthand).gather}
	}
	return form{matrixSizes, k.String() + ":128x768", (*shorthand).one}
}

// shorthand is one being read.
type shorthand struct {
	place
	text  string
	form  form
	b     *builder
	attrs map[string]any
	sizes []int
	batch int
}

// parse reads a shorthand. The batch size multiplies the first dimension of the
// operands (images, rows, rows taken).
func parse(text string, opts Options) (*Graph, error) {
	if opts.DType == DefaultDType {
		opts.DType = BF16
	}
	f := &faults{}
	g := &Graph{Name: text, Source: "shorthand", Batch: opts.Batch, DType: opts.DType}
	name, rest, _ := strings.Cut(text, ":")
	k, ok := kindByName(name)
	if !ok {
		return nil, &Error{Source: text, Col: 1, Err: ErrUnsupported,
			Msg: fmt.Sprintf("operator %q is not supported; supported are %s", name, kindNames())}
	}
	g.Title = "a single " + name
	sh := &shorthand{place: place{faults: f, source: text, name: name}, text: text, form: formOf(k),
		b: newBuilder(g, f), attrs: map[string]any{}, batch: opts.Batch}
	if !sh.read(k, rest, len(name)+1) {
		return nil, f.err()
	}
	attrs := sh.form.build(sh)
	maps.Copy(attrs, sh.attrs)
	sh.b.op(&spec{place: sh.place, kind: k, attrs: attrs, env: env{}, scope: &scope{}})
	if err := f.err(); err != nil {
		return nil, err
	}
	g.Outputs = []TensorID{g.Ops[0].Out()}
	return g, finishGraph(g)
}

// at reports a fault at a byte of the text and shows a right form.
func (sh *shorthand) at(offset int, format string, args ...any) {
	sh.faults.add(&Error{Source: sh.text, Col: offset + 1,
		Msg: fmt.Sprintf(format, args...) + "; for example " + sh.form.example})
}

// read takes the text behind the colon apart.
func (sh *shorthand) read(k Kind, rest string, offset int) bool {
	before := len(sh.faults.list)
	for i, part := range strings.Split(rest, ",") {
		switch {
		case i == 0:
			sh.sizes = sh.numbers(part, offset, sh.form.sizes)
		case i == 1 && k == KindConv && !strings.Contains(part, "="):
			if v := sh.numbers(part, offset, []string{"K", "R", "S"}); v != nil {
				sh.attrs["k"], sh.attrs["r"], sh.attrs["s"] = int64(v[0]), int64(v[1]), int64(v[2])
			}
		default:
			sh.option(k, part, offset)
		}
		offset += len(part) + 1
	}
	return len(sh.faults.list) == before
}

// numbers reads sizes joined by x.
func (sh *shorthand) numbers(text string, offset int, names []string) []int {
	parts := strings.Split(text, "x")
	out := make([]int, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > maxDim {
			sh.at(offset, "found %q; want a size of 1 to %d", p, maxDim)
			return nil
		}
		out = append(out, n)
		offset += len(p) + 1
	}
	if len(out) != len(names) {
		sh.at(offset-1, "%d sizes found; want %d: %s", len(out), len(names), strings.Join(names, "x"))
		return nil
	}
	return out
}

// internalKeys are those that name tensors: a shorthand makes its own.
var internalKeys = []string{"name", "op", "in", "out", "a", "b", "m", "residual", "weight", "table", "rows", "cols"}

// option reads key=value or a flag.
func (sh *shorthand) option(k Kind, part string, offset int) {
	key, value, given := strings.Cut(part, "=")
	known := k.takes(key) && !slices.Contains(internalKeys, key) || k == KindGather && key == "n"
	if _, twice := sh.attrs[key]; twice {
		sh.at(offset, "option %q is there already", key)
		return
	}
	if !known {
		var keys []string
		for _, x := range kinds[k].keys {
			if !slices.Contains(internalKeys, x) {
				keys = append(keys, x)
			}
		}
		sh.at(offset, "option %q is unknown; %s takes %s", key, k, strings.Join(keys, ", "))
		return
	}
	v, ok := optionValue(value, given)
	if !ok {
		sh.at(offset+len(key)+1, "option %q has no value", key)
		return
	}
	sh.attrs[key] = v
}

// optionValue reads a flag, an integer, a pair AxB, a fraction or a word.
func optionValue(text string, given bool) (any, bool) {
	if !given || text == "true" {
		return true, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f, true
	}
	if a, b, ok := strings.Cut(text, "x"); ok {
		m, err1 := strconv.ParseInt(a, 10, 64)
		n, err2 := strconv.ParseInt(b, 10, 64)
		if err1 == nil && err2 == nil {
			return []any{m, n}, true
		}
	}
	if text == "false" {
		return false, true
	}
	return text, text != ""
}

// operand declares a tensor of the network's type.
func (sh *shorthand) operand(name string, role Role, shape ...int) {
	sh.b.declare(sh.place, Tensor{Name: name, Role: role, DType: sh.b.g.DType, Shape: shape})
}

// batched returns a size multiplied by the batch, 1 if that is too much.
func (sh *shorthand) batched(n int) int {
	if n > maxDim/sh.batch {
		sh.faults.add(&Error{Source: sh.text, Key: "batch",
			Msg: fmt.Sprintf("%d is out of range; want at most %d, as it multiplies %d and a size is at most %d", sh.batch, maxDim/n, n, maxDim)})
		return 1
	}
	return n * sh.batch
}

// one declares an operand x with the batch in front.
func (sh *shorthand) one() map[string]any {
	shape := slices.Clone(sh.sizes)
	shape[0] = sh.batched(shape[0])
	sh.operand("x", Input, shape...)
	return map[string]any{"in": "x"}
}

func (sh *shorthand) two() map[string]any {
	sh.one()
	sh.operand("y", Input, sh.b.g.Tensors[0].Shape...)
	return map[string]any{"in": []any{"x", "y"}}
}

func (sh *shorthand) conv() map[string]any {
	for _, key := range []string{"k", "r", "s"} {
		if sh.attrs[key] == nil {
			sh.at(len(sh.text), "the filter KxRxS is missing behind the image")
			break
		}
	}
	attrs := sh.one()
	attrs["bias"] = false
	return attrs
}

// gemm declares A and B as whole batches.
func (sh *shorthand) gemm() map[string]any {
	m, k, n := sh.batched(sh.sizes[0]), sh.sizes[1], sh.sizes[2]
	s := spec{place: sh.place, kind: KindGemm, attrs: sh.attrs, env: env{}}
	batch := s.nested("batch", 1)
	all := batch[0] * batch[1]
	br, bc := k, n
	if s.bool("trans_b", false) {
		br, bc = n, k
	}
	sh.operand("a", Input, all, m, k)
	sh.operand("b", Weight, all, br, bc)
	view := func(name string, rows, cols int) map[string]any {
		v := packed(None, batch, rows, cols).canonical(batch)
		return map[string]any{"of": name, "row": int64(cols), "batch": []any{int64(v.BatchStride[0]), int64(v.BatchStride[1])}}
	}
	return map[string]any{"a": view("a", m, k), "b": view("b", br, bc), "m": int64(m), "k": int64(k), "n": int64(n)}
}

func (sh *shorthand) gather() map[string]any {
	s := spec{place: sh.place, kind: KindGather, attrs: sh.attrs, env: env{}}
	n := s.int("n", 1, 1)
	delete(sh.attrs, "n")
	sh.operand("table", Weight, sh.sizes...)
	sh.b.declare(sh.place, Tensor{Name: "index", Role: Index, DType: I32, Shape: []int{sh.batched(n)}})
	return map[string]any{"in": "index", "table": "table"}
}
