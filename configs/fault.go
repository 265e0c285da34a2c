// Package configs reads TOML into the configuration structs of the blocks. It
// reports every mistake at once, each with file, line and key; takes overrides
// from the command line through the same checks; writes the resolved
// configuration; and ships the machines.
//
// The format is TOML 1.0 (toml.io/en/v1.0.0). Quantities are text with a unit,
// of sim's types: "1.2GHz", "64KiB", "900GB/s", "350ns".
package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in a configuration.
type Fault struct {
	File  string // empty with Set
	Line  int    // 0: nowhere in particular
	Set   string // the override "a.b.c=v" that is at fault
	Flag  string // that gave it, if it was not --set
	Key   string
	Found string // as TOML writes it; empty: there is no value to show
	Msg   string // what would be right

	rank int // of the source, for the order of reports
}

// Error is "file:line: key = found: what would be right", or "--set key=found:
// what would be right".
func (f *Fault) Error() string {
	var b strings.Builder
	switch {
	case f.Flag != "":
		fmt.Fprintf(&b, "%s %s: ", f.Flag, f.Set)
	case f.Set != "":
		fmt.Fprintf(&b, "--set %s: ", f.Set)
	case f.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", f.File, f.Line)
	default:
		fmt.Fprintf(&b, "%s: ", f.File)
	}
	if f.Key != "" && (f.Set == "" || f.Flag != "" || !f.setsKey()) {
		b.WriteString(f.Key)
		if f.Found != "" {
			b.WriteString(" = " + f.Found)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Msg)
	return b.String()
}

// setsKey says whether the override names the key by itself.
func (f *Fault) setsKey() bool {
	key, _, _ := strings.Cut(f.Set, "=")
	return strings.TrimSpace(key) == f.Key
}

// Faults is every mistake that was found. It is what Load returns as an error:
//
//	var faults configs.Faults
//	if errors.As(err, &faults) { … }
type Faults []*Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As the faults one by one.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}
	return errs
}

// err returns the faults in the order of sources and lines, nil if there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b *Fault) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return f
}
