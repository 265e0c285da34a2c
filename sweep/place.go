package sweep

import (
	"cmp"
	"slices"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/configs/lines"
)

// faults collects mistakes in a sweep file, each at its line.
type faults struct {
	spec  *Spec
	lines lines.Index
	list  configs.Faults
}

// add reports a mistake at a path of the file, such as "workloads[1]"; the
// message calls it by key.
func (f *faults) add(path, key, found, msg string) {
	if f.lines == nil {
		f.lines = lines.Of(string(f.spec.text))
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
