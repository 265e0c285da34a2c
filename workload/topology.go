package workload

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readTopology reads a topology file of SCALE-Sim (scalesim/topology_utils.py
// of scalesim-project/scale-sim-v3): a header, then a layer a line, in one of
// the forms of topologyForms. Spaces around values, commas at the end of a line
// and blank lines mean nothing, as there; all else that is not exactly of the
// form is a fault at its line and column.
//
// The layers are not linked: a file has no padding and no order of data. Each
// layer's ifmap is a tensor of its own, the first one the network's input, the
// others in device memory before the run; the host reads the last ofmap.
func readTopology(source, text string, opts Options) (*Graph, error) {
	if opts.DType == DefaultDType {
		opts.DType = BF16
	}
	f := &faults{}
	g := &Graph{Name: strings.TrimSuffix(filepath.Base(source), ".csv"), Source: source, Batch: opts.Batch, DType: opts.DType}
	r := &topology{faults: f, source: source, b: newBuilder(g, f)}
	r.read(text)
	if err := f.err(); err != nil {
		return nil, err
	}
	g.Title = fmt.Sprintf("SCALE-Sim topology, %d layers", len(g.Ops))
	g.Outputs = []TensorID{g.Ops[len(g.Ops)-1].Out()}
	return g, finishGraph(g)
}

// topology is a file being read.
type topology struct {
	faults *faults
	source string
	b      *builder
	form   *topologyForm // nil until the header has been read
	sparse bool          // a column Sparsity follows
	line   int
	field  []field
}

// field is one value of a line and the character it begins at, from 1.
type field struct {
	text string
	col  int
}

// fieldsOf takes a line apart, without the empty fields at its end.
func fieldsOf(line string) (out []field) {
	col, used := 1, 0
	for _, part := range strings.Split(line, ",") {
		text := strings.TrimSpace(part)
		lead := utf8.RuneCountInString(part[:strings.Index(part, text)])
		out = append(out, field{text, col + lead})
		if col += utf8.RuneCountInString(part) + 1; text != "" {
			used = len(out)
		}
	}
	return out[:used]
}

// fail reports a fault in a field; key is the column's name.
func (r *topology) fail(at int, key string, cause error, format string, args ...any) {
	name := ""
	if r.form != nil && at > 0 {
		name = r.field[0].text
	}
	col := 1
	if at < len(r.field) {
		col = r.field[at].col
	} else if n := len(r.field); n > 0 {
		col = r.field[n-1].col + utf8.RuneCountInString(r.field[n-1].text)
	}
	r.faults.add(&Error{Source: r.source, Line: r.line, Col: col, Name: name, Key: key,
		Msg: fmt.Sprintf(format, args...), Err: cause})
}

// byteOrderMark may lead a file that a spreadsheet has written.
const byteOrderMark = "\ufeff"

// maxFaults ends the reading of a file that is something else altogether.
const maxFaults = 100

func (r *topology) read(text string) {
	for line := range strings.SplitSeq(strings.TrimPrefix(text, byteOrderMark), "\n") {
		r.line++
		if r.field = fieldsOf(line); len(r.field) == 0 {
			continue
		}
		if r.form == nil {
			r.header()
			continue
		}
		r.layer()
		if len(r.faults.list) >= maxFaults || len(r.b.g.Ops) > maxOps {
			r.fail(0, "", nil, "too much: want at most %d layers, and fewer than %d faults", maxOps, maxFaults)
			return
		}
	}
	if r.form == nil {
		r.line, r.field = 1, nil
		r.fail(0, "", nil, "is empty; want the header %q or %q", topologyForms[0].header(), topologyForms[2].header())
	} else if len(r.b.g.Ops) == 0 && len(r.faults.list) == 0 {
		r.field = nil
		r.fail(0, "", nil, "no layer follows the header; want one a line")
	}
}

// header finds the form by the names of its columns.
func (r *topology) header() {
	form := r.formOf()
	for i, f := range r.field {
		switch want, ok := form.column(i); {
		case !ok:
			r.fail(i, f.text, nil, "a column too many; want %q", form.header())
		case !want.is(f.text):
			r.fail(i, f.text, nil, "found %q; want the column %q: the first line is the header %q", f.text, want.name, form.header())
		}
	}
	if n := len(form.columns); len(r.field) < n {
		r.fail(len(r.field), "", nil, "has %d of %d columns: %s", len(r.field), n, form.header())
	}
	r.form, r.sparse = form, len(r.field) > len(form.columns)
}

// formOf guesses the form that a header, or what stands in its place, is of.
func (r *topology) formOf() *topologyForm {
	second := ""
	if len(r.field) > 1 {
		second = strings.ToLower(r.field[1].text)
	}
	form := &topologyForms[0]
	switch {
	case second == "m", len(r.field) == 4 || len(r.field) == 5:
		form = &topologyForms[2]
	case len(r.field) > 8 && topologyForms[1].columns[8].is(r.field[8].text):
		form = &topologyForms[1]
	}
	return form
}

// layer reads a line and makes its operator.
func (r *topology) layer() {
	before, n := len(r.faults.list), len(r.form.columns)
	switch have := len(r.field); {
	case have < n:
		r.fail(have, "", nil, "has %d of %d values: %s", have, n, r.form.header())
		return
	case have > n+1 || have == n+1 && !r.sparse:
		r.fail(n, "", nil, "%d values found; want %d: %s", have, n, r.form.header())
		return
	case have == n+1:
		r.dense(n)
	}
	if name := r.field[0].text; name == "" || strings.ContainsFunc(name, unfit) {
		r.fail(0, r.form.columns[0].name, nil, "found %q; want a name of printable characters without quotes", name)
	}
	values := make([]int, n)
	for i := 1; i < n; i++ {
		values[i] = r.number(i)
	}
	if len(r.faults.list) == before {
		r.form.build(r, values)
	}
}

// unfit are the characters that names do without.
func unfit(c rune) bool { return c == '"' || !unicode.IsPrint(c) }

// number reads a size: digits alone.
func (r *topology) number(i int) int {
	text := r.field[i].text
	v, err := strconv.Atoi(text)
	if err != nil || strings.Trim(text, "0123456789") != "" || v < 1 || v > maxDim {
		r.fail(i, r.form.columns[i].name, nil, "found %q; want a whole number of 1 to %d", text, maxDim)
		return 1
	}
	return v
}

// dense refuses a sparsity ratio N:M that is not 1:1.
func (r *topology) dense(i int) {
	kept, of, _ := strings.Cut(r.field[i].text, ":")
	if kept != of || strings.Trim(kept, "0123456789") != "" || strings.Trim(kept, "0") == "" {
		r.fail(i, sparsity.name, ErrUnsupported, "found %q; want 1:1: sparse layers are not supported", r.field[i].text)
	}
}
