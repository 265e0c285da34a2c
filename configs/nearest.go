package configs

import (
	"reflect"
	"slices"
	"strings"

	"github.com/presi-sim/presi/configs/lines"
)

// unknown says what to do about a key that table t, at path, does not have. The
// second result is the key that was probably meant, if one was.
func unknown(root, t reflect.Type, path, name string) (msg, meant string) {
	names := make([]string, 0, 16)
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	if near := nearest(name, names); near != "" {
		meant = lines.Join(path, near)
		return "no such key; did you mean " + meant + "?", meant
	}
	for _, k := range Keys(reflect.Zero(root).Interface()) {
		if k.Path == name || strings.HasSuffix(k.Path, "."+name) {
			return "no such key here; there is " + k.Path, ""
		}
	}
	if len(names) == 0 {
		return "no such key", ""
	}
	where := "at the top are "
	if path != "" {
		where = "[" + path + "] has "
	}
	return "no such key; " + where + strings.Join(names, ", "), ""
}

// Nearest returns the name that was probably meant by what was written, "" if none is like it.
func Nearest(got string, names []string) string { return nearest(got, names) }

// nearest returns the name that is most like what was written, the first of
// equals; none if all are too far off for a slip of the hand.
func nearest(got string, names []string) string {
	best, at := "", max(1, len(got)/3)+1
	for _, name := range names {
		if d := distance(strings.ToLower(got), strings.ToLower(name)); d < at {
			best, at = name, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = slices.Min([]int{last[j] + 1, row[j-1] + 1, last[j-1] + cost})
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
