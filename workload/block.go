package workload

import (
	"slices"
	"strings"
)

// block builds the copies of one [[block]].
func (r *fileReader) block(t table, vals env) {
	s := r.spec(t, vals, &scope{})
	r.only(s, t, "name", "use", "repeat", "first", "set", "ops", "tensors")
	body, ok := r.body(s, t)
	if !ok {
		return
	}
	vals = r.variables(t, vals)
	repeat, first := s.int("repeat", 1, 1), s.int("first", 0, 0)
	before := len(r.faults.list)
	for i := range repeat {
		r.copyOf(t, body, vals.with(env{"i": first + i}))
		if len(r.b.g.Ops) > maxOps || repeat > maxOps {
			s.errorf("repeat", "makes more than %d operators", maxOps)
		}
		if len(r.faults.list) > before {
			return // further copies have the same faults
		}
	}
}

// body is where a block's operators are: its own table or a template.
func (r *fileReader) body(s *spec, t table) (table, bool) {
	use := s.text("use", "")
	if use == "" {
		if !s.has("ops") {
			s.errorf("ops", "is missing; want a list of operators, or use = \"a template\"")
		}
		return t, s.has("ops")
	}
	if s.has("ops") || s.has("tensors") {
		s.errorf("use", "does not go with ops or tensors in the same block")
		return t, false
	}
	body, ok := r.templates[use]
	if !ok {
		s.errorf("use", "there is no template %q", use)
	}
	return body, ok
}

// copyOf builds one copy of a block.
func (r *fileReader) copyOf(t, body table, vals env) {
	sc := &scope{prefix: r.spec(t, vals, nil).text("name", ""), in: r.b.current}
	r.tensors(body, vals, sc)
	for _, op := range r.tables(body, "ops") {
		r.op(op, vals, sc)
	}
}

// op builds one operator.
func (r *fileReader) op(t table, vals env, sc *scope) {
	s := r.spec(t, vals, sc)
	name := r.must(s, "name")
	s.place.name = sc.full(name)
	kind := s.text("op", "")
	k, ok := kindByName(kind)
	if !ok {
		s.fail(ErrUnsupported, "op", "operator %q is not supported; supported are %s", kind, kindNames())
		r.b.names[s.place.name] = broken
		r.b.current = s.place.name
		return
	}
	s.kind = k
	r.b.op(s)
}

// fileRoles are the roles that a declared tensor may have: those that no
// operator makes.
var fileRoles = []Role{Input, Weight, Activation, Cache, Index}

// tensors declares what a file's or block's `tensors` lists.
func (r *fileReader) tensors(t table, vals env, sc *scope) {
	for _, decl := range r.tables(t, "tensors") {
		s := r.spec(decl, vals, sc)
		r.only(s, decl, "name", "role", "shape", "from", "period")
		s.place.name = sc.full(r.must(s, "name"))
		x := Tensor{Name: s.place.name, Role: s.role(), DType: r.b.g.DType, Shape: s.dims("shape")}
		if x.Role == Index {
			x.DType = I32
			x.Index = IndexRule{First: s.int("from", 0, 0), Period: s.int("period", 0, 0)}
		} else if s.has("from") || s.has("period") {
			s.errorf("from", "from and period are for role = \"index\"")
		}
		r.b.declare(s.place, x)
	}
}

// role reads a tensor's role.
func (s *spec) role() Role {
	name := s.text("role", "")
	i := slices.Index(roleNames[:], name)
	if i < 0 || !slices.Contains(fileRoles, Role(i)) {
		var want []string
		for _, r := range fileRoles {
			want = append(want, r.String())
		}
		s.errorf("role", "found %q; want one of %s", name, strings.Join(want, ", "))
		return Input
	}
	return Role(i)
}

// dims reads a shape.
func (s *spec) dims(key string) []int {
	list, ok := s.attrs[key].([]any)
	if !ok || len(list) == 0 || len(list) > 4 {
		s.errorf(key, "found %v; want one to four dimensions such as [\"$batch\", 224, 224, 3]", s.attrs[key])
		return []int{1}
	}
	shape := make([]int, len(list))
	for i, v := range list {
		shape[i] = s.number(key, v, 1)
	}
	return shape
}
