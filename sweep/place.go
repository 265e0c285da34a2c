package sweep

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/configs"
)

// faults collects mistakes in a sweep file, each at its line.
type faults struct {
	spec  *Spec
	lines map[string]int
	list  configs.Faults
}

// add reports a mistake at a path of the file, such as "workloads[1]"; the
// message calls it by key.
func (f *faults) add(path, key, found, msg string) {
	if f.lines == nil {
		f.lines = linesOf(f.spec)
	}
	fault := &configs.Fault{File: f.spec.file, Line: f.lines[path], Key: key, Found: found, Msg: msg}
	same := func(other *configs.Fault) bool { return *other == *fault }
	if !slices.ContainsFunc(f.list, same) {
		f.list = append(f.list, fault)
	}
}

// err returns the mistakes in the order of the file, nil if there are none.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b *configs.Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return f.list
}

// mark can be read from nothing, so that reading a file into marks gives one
// fault for each value in it: its place.
type mark struct{}

func (*mark) UnmarshalText([]byte) error { return errors.New("") }

// probes are read from a sweep file in vain: the first finds no key that it
// knows at the top, the second each value of the tables, the third each element
// of the lists.
func probes() []any {
	return []any{
		&struct{}{},
		&struct {
			Axes map[string]mark `toml:"axes"`
			Set  map[string]mark `toml:"set"`
		}{},
		&struct {
			Workloads []mark            `toml:"workloads"`
			DTypes    []mark            `toml:"dtype"`
			Batches   []mark            `toml:"batch"`
			Axes      map[string][]mark `toml:"axes"`
		}{},
	}
}

// linesOf finds the line of every value of a sweep file, by path.
func linesOf(s *Spec) map[string]int {
	lines := map[string]int{}
	for _, probe := range probes() {
		var places configs.Faults
		if errors.As(configs.Load(s.file, s.text, probe), &places) {
			for _, p := range places {
				lines[p.Key] = p.Line
			}
		}
	}
	return lines
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// pathOf is the path of a value in the tables axes and set, as configs writes it:
// keys with dots have quotes.
func pathOf(table, key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !bare(r) }) {
		key = strconv.Quote(key)
	}
	return table + "." + key
}

func bare(r rune) bool {
	return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
