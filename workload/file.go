package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/presi-sim/presi/configs/lines"
)

// fileReader turns the parsed text of a network file into calls of a builder.
type fileReader struct {
	place     // of the file itself
	lines     lines.Index
	b         *builder
	templates map[string]table
}

// table is one TOML table and its path in the file.
type table struct {
	path  string
	attrs map[string]any
}

// readFile reads a network: text of the file called source, with variables
// that override its [set].
func readFile(source, text string, opts Options, vars map[string]int) (*Graph, error) {
	var root map[string]any
	if _, err := toml.Decode(text, &root); err != nil {
		return nil, syntaxError(source, err)
	}
	if _, variant := root["base"]; variant {
		return readVariant(source, text, root, opts, vars)
	}
	f := &faults{}
	g := &Graph{Batch: opts.Batch, DType: opts.DType}
	r := &fileReader{place: place{faults: f, source: source}, lines: lines.Of(text), b: newBuilder(g, f),
		templates: map[string]table{}}
	r.network(table{attrs: root}, opts.Batch, vars)
	if err := f.err(); err != nil {
		return nil, err
	}
	return g, finishGraph(g)
}

// finishGraph derives what follows from tensors and operators, and checks it all.
func finishGraph(g *Graph) error {
	for i, t := range g.Tensors {
		if t.Role == Input || t.Role == Index || t.Role == Cache {
			g.Inputs = append(g.Inputs, TensorID(i))
		}
	}
	for _, id := range g.Outputs {
		if g.Tensors[id].Role == Activation {
			g.Tensors[id].Role = Output
		}
	}
	if err := g.Validate(); err != nil {
		return err
	}
	if err := g.attach(); err != nil {
		return err
	}
	g.predict()
	return nil
}

// syntaxError puts the TOML library's message in our form.
func syntaxError(source string, err error) error {
	var p toml.ParseError
	if errors.As(err, &p) {
		return &Error{Source: source, Line: p.Position.Line, Col: p.Position.Col, Key: p.LastKey, Msg: p.Message, Err: err}
	}
	return &Error{Source: source, Msg: err.Error(), Err: err}
}

// network reads the whole file.
func (r *fileReader) network(root table, batch int, vars map[string]int) {
	top := r.spec(root, env{}, &scope{})
	r.only(top, root, "name", "title", "source", "dtype", "dataset", "outputs", "tensors", "set", "template", "block")
	g := r.b.g
	g.Name, g.Title, g.Source = r.must(top, "name"), r.must(top, "title"), r.must(top, "source")
	if name := top.text("dataset", ""); name != "" {
		if known, ok := datasets[name]; ok {
			g.Dataset = known()
		} else {
			top.errorf("dataset", "%q is unknown; want \"digits\"", name)
		}
	}
	if own := top.dtype("dtype", BF16); g.DType == DefaultDType {
		g.DType = own
	}
	vals := r.variables(root, env{"batch": batch})
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if _, ok := vals[name]; !ok || name == "batch" {
			r.errorf(name, "%s has no variable of this name; it has %s", g.Name, vals.names())
		}
		vals[name] = vars[name]
	}
	g.Name = withVars(g.Name, vars)
	r.tensors(root, vals, &scope{})
	for _, t := range r.tables(root, "template") {
		name := r.must(r.spec(t, vals, &scope{}), "name")
		r.only(r.spec(t, vals, &scope{}), t, "name", "ops", "tensors")
		r.templates[name] = t
	}
	blocks := r.tables(root, "block")
	if len(blocks) == 0 {
		r.errorf("block", "is missing; want at least one [[block]] with ops")
	}
	for _, t := range blocks {
		r.block(t, vals)
	}
	r.outputs(r.spec(root, vals, &scope{}))
}

// outputs finds the tensors that the host reads at the end.
func (r *fileReader) outputs(s *spec) {
	names := s.names("outputs")
	if len(names) == 0 {
		s.errorf("outputs", "is missing; want the tensors the host reads, such as [\"fc\"]")
	}
	s.line = r.lines.Near("outputs")
	for _, name := range names {
		if id, ok := r.b.find(s, "outputs", name); ok {
			r.b.g.Outputs = append(r.b.g.Outputs, id)
		}
	}
}

// spec makes a reader of a table's keys.
func (r *fileReader) spec(t table, e env, sc *scope) *spec {
	p := r.place
	p.line = r.lines.Near(t.path)
	return &spec{place: p, attrs: t.attrs, env: e, scope: sc}
}

// at is the path of a key of a table.
func (t table) at(key string) string {
	if t.path == "" {
		return key
	}
	return t.path + "." + key
}

// only reports the keys that do not belong.
func (r *fileReader) only(s *spec, t table, keys ...string) {
	for _, key := range slices.Sorted(maps.Keys(t.attrs)) {
		if !slices.Contains(keys, key) {
			p := s.place
			p.line = r.lines.Near(t.at(key))
			p.errorf(key, "is unknown here; known are %s", strings.Join(keys, ", "))
		}
	}
}

// must reads a string that has to be there.
func (r *fileReader) must(s *spec, key string) string {
	v := s.text(key, "")
	if v == "" {
		s.errorf(key, "is missing; want a string")
	}
	return v
}

// variables reads a [set] table over those in force.
func (r *fileReader) variables(t table, e env) env {
	set, ok := t.attrs["set"].(map[string]any)
	if !ok {
		if t.attrs["set"] != nil {
			r.spec(t, e, nil).errorf("set", "found %v; want a table such as { width = 64 }", t.attrs["set"])
		}
		return e
	}
	more := env{}
	sub := table{path: t.at("set"), attrs: set}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		s := r.spec(table{path: sub.at(name), attrs: set}, e, nil)
		if identifier(name) != name || name == "batch" || name == "i" || name == "in" {
			s.errorf(name, "is no name for a variable; want lower-case letters, digits and _, and none of batch, i, in")
			continue
		}
		more[name] = s.number(name, set[name], 0)
	}
	return e.with(more)
}

// tables lists the elements of an array of tables.
func (r *fileReader) tables(t table, key string) []table {
	var list []any
	switch v := t.attrs[key].(type) {
	case nil:
		return nil
	case []map[string]any:
		for _, m := range v {
			list = append(list, m)
		}
	case []any:
		list = v
	default:
		r.spec(t, env{}, nil).errorf(key, "found %v; want an array of tables", v)
	}
	var out []table
	for i, v := range list {
		path := fmt.Sprintf("%s[%d]", t.at(key), i)
		m, ok := v.(map[string]any)
		if !ok {
			r.spec(table{path: path}, env{}, nil).errorf(key, "found %v; want a table such as { name = \"x\", … }", v)
			continue
		}
		out = append(out, table{path: path, attrs: m})
	}
	return out
}
