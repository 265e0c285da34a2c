package configs

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/configs/lines"
)

// place is where a value came from.
type place struct {
	file string
	line int
	set  string
	flag string // of set; empty: --set
	rank int    // of the source; overrides come after all files
}

// fault reports a mistake at a place.
func (p place) fault(key, found, msg string) *Fault {
	return &Fault{File: p.file, Line: p.line, Set: p.set, Flag: p.flag, Key: key, Found: found, Msg: msg, rank: p.rank}
}

// decoder fills a struct from the trees of one source after the other and
// remembers where each value came from.
type decoder struct {
	root   reflect.Type
	from   map[string]place // by path: the last source that gave it
	at     func(path string) place
	faults Faults
	spoilt map[string]bool // paths that have a fault already, or were misspelt
}

func (d *decoder) bad(path string, found any, format string, args ...any) {
	d.spoilt[path] = true
	d.faults = append(d.faults, d.at(path).fault(path, show(found), fmt.Sprintf(format, args...)))
}

// table fills a struct; keys it lacks are faults.
func (d *decoder) table(rv reflect.Value, tree map[string]any, path string) {
	d.from[path] = d.at(path)
	fields := fieldsOf(rv.Type())
	for _, name := range sortedKeys(tree) {
		at := lines.Join(path, name)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			msg, meant := unknown(d.root, rv.Type(), path, name)
			d.bad(at, tree[name], "%s", msg)
			d.spoilt[meant] = meant != ""
			continue
		}
		d.value(rv.FieldByIndex(fields[i].index), tree[name], at)
	}
}

// value fills one field from a TOML value, or reports what is wrong with it.
func (d *decoder) value(rv reflect.Value, v any, path string) {
	switch t := rv.Type(); {
	case isText(t):
		d.text(rv, v, path)
	case t.Kind() == reflect.Struct:
		if tree, ok := v.(map[string]any); ok {
			d.table(rv, tree, path)
			return
		}
		d.bad(path, v, "want a table, [%s]", path)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		d.list(rv, v, path)
	case t.Kind() == reflect.Map:
		d.mapping(rv, v, path)
	default:
		d.scalar(rv, v, path)
	}
}

// text hands text to the type's own reader; integers too, save for quantities:
// a bare number where a unit belongs is the commonest mistake of all.
func (d *decoder) text(rv reflect.Value, v any, path string) {
	s, ok := v.(string)
	if q, isQuantity := quantities[rv.Type()]; !ok && isQuantity {
		d.bad(path, v, "want %s with its unit, in quotes, such as %q", q.article, q.example)
		return
	}
	if n, isInt := v.(int64); isInt {
		s, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		d.bad(path, v, "want text, in quotes")
		return
	}
	fresh := reflect.New(rv.Type())
	if err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		d.bad(path, v, "%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("%q is ", s)))
		return
	}
	d.put(rv, fresh.Elem(), path)
}

func (d *decoder) put(rv, v reflect.Value, path string) {
	rv.Set(v)
	d.from[path] = d.at(path)
}

// scalar fills booleans, numbers and strings. An integer may stand for a
// number, nothing else is converted.
func (d *decoder) scalar(rv reflect.Value, v any, path string) {
	fresh := reflect.New(rv.Type()).Elem()
	if want := assign(fresh, v); want != "" {
		d.bad(path, v, "want %s", want)
		return
	}
	d.put(rv, fresh, path)
}

// assign sets rv to a TOML scalar and returns what would have been right if it
// cannot. A type that no configuration should have is a defect of this program.
func assign(rv reflect.Value, v any) (want string) {
	switch k := rv.Kind(); {
	case k == reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return "true or false"
		}
		rv.SetBool(b)
	case k == reflect.String:
		s, ok := v.(string)
		if !ok {
			return "text, in quotes"
		}
		rv.SetString(s)
	case rv.CanFloat():
		return assignFloat(rv, v)
	case rv.CanInt():
		n, ok := v.(int64)
		if !ok || rv.OverflowInt(n) {
			return integerOf(rv.Type(), "-", 1)
		}
		rv.SetInt(n)
	case rv.CanUint():
		n, ok := v.(int64)
		if !ok || n < 0 || rv.OverflowUint(uint64(n)) {
			return integerOf(rv.Type(), "", 0)
		}
		rv.SetUint(uint64(n))
	case k == reflect.Interface && rv.NumMethod() == 0:
		rv.Set(reflect.ValueOf(v))
	default:
		panic(fmt.Sprintf("configs: no configuration may have a field of type %s", rv.Type()))
	}
	return ""
}

// integerOf names the integers of a type; those of 64 bits are all that TOML has.
func integerOf(t reflect.Type, minus string, signBits int) string {
	switch {
	case t.Bits() < 64:
		half := uint64(1) << (t.Bits() - signBits)
		return fmt.Sprintf("an integer from %s%d to %d", minus, half*uint64(signBits), half-1)
	case signBits == 0:
		return "an integer of 0 or more"
	}
	return "an integer"
}

func assignFloat(rv reflect.Value, v any) (want string) {
	f, ok := v.(float64)
	if n, isInt := v.(int64); isInt {
		f, ok = float64(n), true
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) || rv.OverflowFloat(f) {
		return "a number"
	}
	rv.SetFloat(f)
	return ""
}

// list replaces a whole slice; an array wants exactly its length.
func (d *decoder) list(rv reflect.Value, v any, path string) {
	var values []any
	switch v := v.(type) {
	case []any:
		values = v
	case []map[string]any:
		for _, tree := range v {
			values = append(values, tree)
		}
	default:
		d.bad(path, v, "want a %s, in brackets", typeName(rv.Type()))
		return
	}
	d.forget(path)
	fresh := reflect.New(rv.Type()).Elem()
	if rv.Kind() == reflect.Slice {
		fresh = reflect.MakeSlice(rv.Type(), len(values), len(values))
	} else if len(values) != rv.Len() {
		d.bad(path, v, "want %d elements, not %d", rv.Len(), len(values))
		return
	}
	for i, v := range values {
		d.value(fresh.Index(i), v, lines.Element(path, i))
	}
	d.put(rv, fresh, path)
}

// mapping adds the pairs of a table with free keys.
func (d *decoder) mapping(rv reflect.Value, v any, path string) {
	tree, ok := v.(map[string]any)
	if !ok {
		d.bad(path, v, "want a table, [%s]", path)
		return
	}
	fresh := reflect.MakeMap(rv.Type())
	for it := rv.MapRange(); it.Next(); {
		fresh.SetMapIndex(it.Key(), it.Value())
	}
	for _, name := range sortedKeys(tree) {
		value := reflect.New(rv.Type().Elem()).Elem()
		d.value(value, tree[name], lines.Join(path, name))
		fresh.SetMapIndex(reflect.ValueOf(name).Convert(rv.Type().Key()), value)
	}
	d.put(rv, fresh, path)
}

// forget drops the places of a list's elements: an earlier source's are gone.
func (d *decoder) forget(path string) {
	for at := range d.from {
		if strings.HasPrefix(at, path+"[") {
			delete(d.from, at)
		}
	}
}

func sortedKeys(tree map[string]any) []string {
	names := make([]string, 0, len(tree))
	for name := range tree {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
