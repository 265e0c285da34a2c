package workload

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/presi-sim/presi/configs/lines"
)

// readVariant reads a file that says only how it differs from a shipped network:
// its base, a name of its own, and variables.
func readVariant(source, text string, root map[string]any, opts Options, vars map[string]int) (*Graph, error) {
	f := &faults{}
	r := &fileReader{place: place{faults: f, source: source}, lines: lines.Of(text)}
	t := table{attrs: root}
	top := r.spec(t, env{}, &scope{})
	r.only(top, t, "name", "title", "source", "base", "set")
	name, title, from := r.must(top, "name"), r.must(top, "title"), r.must(top, "source")
	base, known := r.baseOf(top)
	given := r.variables(t, env{"batch": opts.Batch})
	delete(given, "batch")
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, ok := known[key]; base != "" && !ok {
			s := r.spec(table{path: "set." + key}, env{}, nil)
			s.errorf(key, "%s has no variable of this name; it has %s", base, known.names())
		}
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	g, err := loadFile(base, opts, override(given, vars))
	if err != nil {
		return nil, err
	}
	g.Name, g.Title, g.Source = withVars(name, vars), title, from
	return g, nil
}

// override lets the variables of a run replace those of a file.
func override(given, vars map[string]int) map[string]int {
	out := maps.Clone(given)
	maps.Copy(out, vars)
	return out
}

// baseOf finds the shipped network a variant is of, and its variables.
func (r *fileReader) baseOf(s *spec) (base string, known env) {
	base = s.text("base", "")
	text, err := fs.ReadFile(networkFiles, "networks/"+base+".toml")
	var root map[string]any
	if err == nil {
		_, err = toml.Decode(string(text), &root)
	}
	s.line = r.lines.Near("base")
	if _, again := root["base"]; err != nil || again {
		s.errorf("base", "found %q; want a shipped network without a base of its own; shipped are %s", base, strings.Join(List(), ", "))
		return "", nil
	}
	known = env{}
	set, _ := root["set"].(map[string]any)
	for key := range set {
		known[key] = 0
	}
	return base, known
}

// withVars is a network's name with the variables that were given.
func withVars(name string, vars map[string]int) string {
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		name += fmt.Sprintf(",%s=%d", key, vars[key])
	}
	return name
}
