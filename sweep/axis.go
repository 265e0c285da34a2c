package sweep

import (
	"fmt"
	"slices"
	"strings"

	"github.com/presi-sim/presi/configs/lines"
)

// Axis is one dimension of the grid of machines: keys that change together, and
// the values they take.
type Axis struct {
	Name   string   // as in the file: the keys with commas between
	Labels []string // of the values, as in the file
	sets   [][]string
	paths  []string // of the values in the file
}

// axes reads the axes in the order of the file.
func (s *Spec) axes(f *faults) (axes []Axis) {
	owner := map[string]string{} // of each configuration key: the path that sets it
	for _, name := range s.order["axes"] {
		values, path := s.Axes[name], lines.Join("axes", name)
		keys := strings.Split(name, ",")
		for i := range keys {
			keys[i] = strings.TrimSpace(keys[i])
			f.claim(owner, keys[i], path, name)
		}
		if slices.ContainsFunc(keys, func(k string) bool { return k == "" || unfit["axes"][k] != "" }) {
			continue
		}
		if len(values) == 0 {
			f.add(path, name, "[]", "want at least one value")
			continue
		}
		axes = append(axes, readAxis(f, name, path, keys, values))
	}
	for _, name := range s.order["set"] {
		f.claim(owner, name, lines.Join("set", name), name)
	}
	return axes
}

// unfit are keys of a machine that are nothing to sweep over, by the table of the
// sweep's file, with what to do instead.
var unfit = map[string]map[string]string{
	"axes": {
		"base":        `a sweep has one machine, base = "…" at the top; for another one, write another sweep`,
		"name":        "changes nothing of a machine; want a key that does",
		"description": "changes nothing of a machine; want a key that does",
	},
	"set": {"base": `the machine is base = "…" at the top of the file`},
}

// claim reports a configuration key that two places set, or that nobody can.
func (f *faults) claim(owner map[string]string, key, path, name string) {
	if key == "" {
		f.add(path, name, "", "want configuration keys with commas between, such as \"array.rows,array.cols\"")
		return
	}
	table, _, _ := strings.Cut(path, ".")
	if instead := unfit[table][key]; instead != "" {
		f.add(path, key, "", instead)
		return
	}
	if first, ok := owner[key]; ok {
		f.add(path, name, "", key+" is set by "+first+", too")
		return
	}
	owner[key] = path
}

func readAxis(f *faults, name, path string, keys []string, values []any) Axis {
	a := Axis{Name: name}
	for i, v := range values {
		at := lines.Element(path, i)
		label := literal(v)
		if s, ok := v.(string); ok {
			label = s
		}
		if first := slices.Index(a.Labels, label); first >= 0 {
			f.add(at, name, literal(v), fmt.Sprintf("is there already, as value %d", first+1))
		}
		sets, ok := assign(keys, v)
		if !ok {
			f.add(at, name, literal(v), fmt.Sprintf("want %d values in brackets, one for each key, or one value for all", len(keys)))
		}
		a.Labels = append(a.Labels, label)
		a.sets = append(a.sets, sets)
		a.paths = append(a.paths, at)
	}
	return a
}

// assign gives each key its value: of several keys each its own from a list, or
// all the same.
func assign(keys []string, v any) (sets []string, ok bool) {
	list, isList := v.([]any)
	each := isList && len(keys) > 1
	if each && len(list) != len(keys) {
		return nil, false
	}
	for i, key := range keys {
		if each {
			v = list[i]
		}
		sets = append(sets, key+"="+literal(v))
	}
	return sets, true
}

// fixed returns the overrides of the table set, in the order of the file.
func (s *Spec) fixed(f *faults) (sets, paths []string) {
	for _, name := range s.order["set"] {
		v, path := s.Set[name], lines.Join("set", name)
		if unfit["set"][name] != "" {
			continue
		}
		if _, isTable := v.(map[string]any); isTable {
			f.add(path, path, "{…}", `want a value; a key with dots needs quotes, as in "core.clock" = "1GHz"`)
			continue
		}
		sets = append(sets, name+"="+literal(v))
		paths = append(paths, path)
	}
	return sets, paths
}
