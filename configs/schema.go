package configs

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/presi-sim/presi/configs/lines"
	"github.com/presi-sim/presi/sim"
)

// field is one key of a configuration struct: an exported field with a toml tag.
type field struct {
	name     string
	doc      string
	unit     string // of a bare number, from the unit tag
	noset    string // what to do instead of an override, from the noset tag
	optional bool   // toml:"key,omitempty"
	index    []int
	typ      reflect.Type
}

// fieldsOf lists the keys of a struct in order. An embedded struct without a
// tag lends its keys. A field without a tag is a defect of this program.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("toml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !tagged:
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case !f.IsExported() || name == "-":
		case name == "":
			panic(fmt.Sprintf("configs: %s.%s has no toml tag", t, f.Name))
		default:
			fields = append(fields, field{name, f.Tag.Get("doc"), f.Tag.Get("unit"), f.Tag.Get("noset"),
				strings.Contains(options, "omitempty"), []int{i}, f.Type})
		}
	}
	return fields
}

// quantity is how a unit type is called and written.
type quantity struct{ what, article, unit, example string }

var quantities = map[reflect.Type]quantity{
	reflect.TypeFor[sim.Bytes](): {"size", "a size", "B, kB, KiB, MB, MiB, GB, GiB, TB, TiB", "64KiB"},
	reflect.TypeFor[sim.Hertz](): {"frequency", "a frequency", "Hz, kHz, MHz, GHz", "1.2GHz"},
	reflect.TypeFor[sim.Rate]():  {"bandwidth", "a bandwidth", "B/s, kB/s, KiB/s, MB/s, MiB/s, GB/s, GiB/s, TB/s", "900GB/s"},
	reflect.TypeFor[sim.Time]():  {"duration", "a duration", "ps, ns, us, ms, s", "350ns"},
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// isText says whether values of the type are read from text by themselves.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// isTable says whether the type is a TOML table with keys of its own.
func isTable(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

// typeName is what the reference calls a type.
func typeName(t reflect.Type) string {
	if q, ok := quantities[t]; ok {
		return q.what
	}
	if isText(t) {
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "text"
	case reflect.Slice, reflect.Array:
		return "list of " + plural(typeName(t.Elem()))
	case reflect.Map:
		return "table of " + plural(typeName(t.Elem()))
	case reflect.Struct:
		return "table"
	case reflect.Interface:
		return "value"
	}
	return "integer"
}

// plural is what several of a type are called.
func plural(name string) string {
	switch {
	case name == "text" || strings.Contains(name, " of "):
		return name
	case strings.HasSuffix(name, "y"):
		return strings.TrimSuffix(name, "y") + "ies"
	}
	return name + "s"
}

// Key describes one key, for the generated reference.
type Key struct {
	Path    string // "dram.channels"; "layer[].name" in an array of tables
	Type    string // integer, number, boolean, text, size, frequency, bandwidth, duration, list of …
	Unit    string // units a quantity may have, or what a bare number counts
	Default string // the value v has, as TOML writes it
	Doc     string
}

// Keys lists the keys of a configuration struct (or a pointer to one) in order,
// by reflection. What v holds are the defaults.
func Keys(v any) []Key {
	rv := reflect.Indirect(reflect.ValueOf(v))
	return appendKeys(nil, "", rv)
}

func appendKeys(keys []Key, path string, rv reflect.Value) []Key {
	for _, f := range fieldsOf(rv.Type()) {
		at, v := lines.Join(path, f.name), rv.FieldByIndex(f.index)
		switch {
		case isTable(f.typ):
			keys = appendKeys(keys, at, v)
		case f.typ.Kind() == reflect.Slice && isTable(f.typ.Elem()):
			keys = appendKeys(keys, at+"[]", reflect.New(f.typ.Elem()).Elem())
		default:
			unit := f.unit
			if q, ok := quantities[elem(f.typ)]; ok {
				unit = q.unit
			}
			keys = append(keys, Key{at, typeName(f.typ), unit, show(v.Interface()), f.doc})
		}
	}
	return keys
}

// elem is the type of a list's elements, or the type itself.
func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		return t.Elem()
	}
	return t
}

// show writes a value as TOML would, tables in short.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case time.Time:
		return "a date"
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 1, 64) // not to be taken for an integer
		}
	case encoding.TextMarshaler:
		p, err := v.MarshalText()
		if err != nil {
			return fmt.Sprint(v)
		}
		return quoted(string(p))
	case map[string]any:
		return "{…}"
	case []map[string]any:
		return "[[…]]"
	}
	rv := reflect.ValueOf(v)
	if k := rv.Kind(); k == reflect.Slice || k == reflect.Array {
		parts := make([]string, rv.Len())
		for i := range parts {
			parts[i] = show(rv.Index(i).Interface())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if rv.Kind() == reflect.String {
		return quoted(rv.String())
	}
	return fmt.Sprint(v)
}

// quoted writes text in quotes, cut where it gets long.
func quoted(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
