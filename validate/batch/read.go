// Package batch runs tables of points: a CSV row in, a line of JSON out, in
// order, on several processors. A row that is wrong says where and why, and the
// others run.
package batch

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/presi-sim/presi/configs"
)

// Column is one column of a batch.
type Column struct {
	Name     string
	Optional bool
	Doc      string
	Advice   string // what to do when it is missing, instead of the list of all
}

// Header is what a batch may have for columns.
type Header struct {
	Columns []Column
	// Ignored are columns of reference files that say nothing here.
	Ignored []string
	// AnyOther ignores whatever else there is, save what looks like an optional
	// column that is not there.
	AnyOther bool
}

// Read reads a CSV file whose first line names its columns. Each row is one
// line: a field in quotes ends on it. The error is of the file as a whole: no
// header, or one with columns that are missing, twice there or unknown. Mistakes
// of a row are in the row.
func (h *Header) Read(file string, r io.Reader) ([]*Row, error) {
	l := newLines(r)
	names, err := l.read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: empty; want a line of column names: %s", file, h.list())
	case isSyntax(err):
		return nil, fmt.Errorf("%s:%d: %w", file, l.at, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i := range names {
		names[i] = strings.TrimSpace(strings.TrimPrefix(names[i], "\ufeff"))
	}
	if err := h.check(file, names); err != nil {
		return nil, err
	}
	rows, err := h.rows(file, l, names)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: no rows behind the line of column names", file)
	}
	return rows, err
}

func (h *Header) rows(file string, l *lines, names []string) (rows []*Row, err error) {
	at := map[string]int{}
	for i, n := range names {
		at[n] = i
	}
	for {
		fields, err := l.read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		row := &Row{File: file, Line: l.at, Number: len(rows) + 1, fields: fields, at: at}
		switch {
		case isSyntax(err):
			row.faults = append(row.faults, row.errorf("%w", err))
		case err != nil:
			return rows, fmt.Errorf("%s: %w", file, err)
		case len(fields) != len(names):
			row.faults = append(row.faults, row.errorf("%d fields; the header has %d columns", len(fields), len(names)))
		}
		rows = append(rows, row)
	}
}

// check holds the header against the columns.
func (h *Header) check(file string, names []string) error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(file+":1: "+format, args...))
	}
	if !slices.ContainsFunc(names, func(n string) bool { return h.knows(n) || slices.Contains(h.Ignored, n) }) {
		return fmt.Errorf("%s:1: the first line must name the columns: %s", file, h.list())
	}
	for i, n := range names {
		switch {
		case slices.Contains(names[:i], n):
			bad("column %s is there twice", n)
		case h.knows(n) || slices.Contains(h.Ignored, n):
		case h.meant(n, names) != "":
			bad("no such column: %q; did you mean %s?", n, h.meant(n, names))
		case !h.AnyOther:
			bad("no such column: %q; there are %s", n, h.list())
		}
	}
	for _, c := range h.Columns {
		switch {
		case c.Optional || slices.Contains(names, c.Name):
		case c.Advice != "":
			bad("column %s is missing; %s", c.Name, c.Advice)
		default:
			bad("column %s is missing; want %s", c.Name, h.list())
		}
	}
	return errors.Join(faults...)
}

// meant returns the column that was probably meant by a name that is none: one
// that may be left out, is not there, and is like it or begins with it.
func (h *Header) meant(name string, names []string) string {
	var absent []string
	for _, c := range h.Columns {
		if c.Optional && !slices.Contains(names, c.Name) {
			absent = append(absent, c.Name)
		}
	}
	if near := configs.Nearest(name, absent); near != "" {
		return near
	}
	for _, c := range absent {
		if strings.HasPrefix(c, strings.ToLower(name)+"_") {
			return c
		}
	}
	return ""
}

func (h *Header) knows(name string) bool {
	return slices.ContainsFunc(h.Columns, func(c Column) bool { return c.Name == name })
}

// list names the columns, optional ones in brackets.
func (h *Header) list() string {
	var out []string
	for _, c := range h.Columns {
		if c.Optional {
			out = append(out, "["+c.Name+"]")
		} else {
			out = append(out, c.Name)
		}
	}
	return strings.Join(out, ",")
}
