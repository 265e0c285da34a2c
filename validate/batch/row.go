package batch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/hw"
)

// Row is one line of a batch. Its readers collect what is wrong; Err has it all.
type Row struct {
	File   string
	Line   int // in the file
	Number int // from 1, without the header

	ctx    context.Context // that ends what measures it; nil: nothing does
	prefix string          // of columns in messages, when there is no file
	fields []string
	at     map[string]int
	faults []error
	spoilt map[string]bool // columns that have a fault
}

// Err returns everything that is wrong with the row, nil if nothing is.
func (r *Row) Err() error { return errors.Join(r.faults...) }

// stopped says that what measures the row may end without a result.
func (r *Row) stopped() bool { return r.ctx != nil && r.ctx.Err() != nil }

func (r *Row) errorf(format string, args ...any) error {
	if r.File == "" {
		return fmt.Errorf(r.prefix+format, args...)
	}
	return fmt.Errorf("%s:%d: row %d: "+format, append([]any{r.File, r.Line, r.Number}, args...)...)
}

// Bad notes that a column's value is wrong and says what would be right.
func (r *Row) Bad(column, want string, args ...any) {
	if r.spoilt == nil {
		r.spoilt = map[string]bool{}
	}
	r.spoilt[column] = true
	r.faults = append(r.faults, r.errorf("%s = %q: want %s", column, r.Text(column), fmt.Sprintf(want, args...)))
}

// Wrong notes an error, if there is one, that says itself what is wrong with a
// column's value.
func (r *Row) Wrong(column string, err error) {
	if err != nil {
		r.faults = append(r.faults, r.errorf("%s: %w", column, err))
	}
}

// keys are the keys of configurations in a message.
var keys = regexp.MustCompile(`\b[a-z]+\.[a-z]\w*\b`)

// Fault notes an error of the block that the row is for. Mistakes in its
// configuration are renamed after the columns: a key "pcie.mps" is the column
// mps, unless columns has another name for it, and so are keys in what it wants,
// if the row has such columns. A column that has a fault already gets no other.
func (r *Row) Fault(err error, columns map[string]string) {
	if err == nil {
		return
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range all.Unwrap() {
			r.Fault(e, columns)
		}
		return
	}
	var c *hw.ConfigFault
	if !errors.As(err, &c) {
		r.faults = append(r.faults, r.errorf("%w", err))
		return
	}
	column := func(key string) string {
		if name, ok := columns[key]; ok {
			return name
		}
		return key[strings.LastIndex(key, ".")+1:]
	}
	at := column(c.Key)
	if r.spoilt[at] {
		return
	}
	want := keys.ReplaceAllStringFunc(c.Want, func(key string) string {
		if _, ok := r.at[column(key)]; ok {
			return column(key)
		}
		return key
	})
	r.faults = append(r.faults, r.errorf("%s = %v: want %s", at, c.Found, want))
}

// spoiltIn reports whether one of the columns has a fault.
func (r *Row) spoiltIn(columns ...string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return r.spoilt[c] })
}

// Has reports whether the row has a value in a column.
func (r *Row) Has(column string) bool { return r.Text(column) != "" }

// Text returns a column's text, "" where there is none.
func (r *Row) Text(column string) string {
	i, ok := r.at[column]
	if !ok || i >= len(r.fields) {
		return ""
	}
	return strings.TrimSpace(r.fields[i])
}

// Int returns a whole number from low to high. Without a value it returns 0
// and notes that there is none.
func (r *Row) Int(column string, low, high int64) int64 {
	return r.prefixed(column, "", low, high)
}

// Or is Int for a column that may be left out.
func (r *Row) Or(column string, without, low, high int64) int64 {
	if !r.Has(column) {
		return without
	}
	return r.Int(column, low, high)
}

// prefixed is Int for text that may begin with a word, as "gen3".
func (r *Row) prefixed(column, prefix string, low, high int64) int64 {
	v, err := strconv.ParseInt(strings.TrimPrefix(r.Text(column), prefix), 10, 64)
	switch {
	case err == nil && v >= low && v <= high:
		return v
	case prefix == "":
		r.Bad(column, "a whole number from %d to %d", low, high)
	default:
		r.Bad(column, "%s%d to %s%d", prefix, low, prefix, high)
	}
	return 0
}

// Float returns a positive number.
func (r *Row) Float(column string) float64 {
	v, err := strconv.ParseFloat(r.Text(column), 64)
	if err != nil || !(v > 0) || v > 1e18 {
		r.Bad(column, "a number above 0")
		return 0
	}
	return v
}
