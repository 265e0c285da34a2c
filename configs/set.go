package configs

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// set applies one override "a.b.c=v". The value needs no quotes: the field's
// type says how to read it.
func (d *decoder) set(rv reflect.Value, text string) {
	key, value, ok := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !ok || key == "" {
		d.faults = append(d.faults, d.at("").fault("", "", "want key=value, such as dram.channels=8"))
		return
	}
	target, path, msg := d.find(rv, key)
	if msg != "" {
		d.bad(key, value, "%s", msg)
		return
	}
	if isTable(target.Type()) {
		d.bad(path, value, "a table; set one of its keys: %s", strings.Join(names(target.Type()), ", "))
		return
	}
	d.value(target, parse(target.Type(), value), path)
}

// find walks to the field that a key names.
func (d *decoder) find(rv reflect.Value, key string) (target reflect.Value, path, msg string) {
	for _, part := range strings.Split(key, ".") {
		name, index, indexed := strings.Cut(part, "[")
		if !isTable(rv.Type()) {
			return rv, path, "no such key; " + path + " is no table"
		}
		fields := fieldsOf(rv.Type())
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			msg, meant := unknown(d.root, rv.Type(), path, name)
			d.spoilt[meant] = meant != ""
			return rv, path, msg
		}
		rv, path = rv.FieldByIndex(fields[i].index), join(path, name)
		if !indexed {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if k := rv.Kind(); k != reflect.Slice && k != reflect.Array {
			return rv, path, path + " is no list"
		} else if err != nil || n < 0 || n >= rv.Len() || !strings.HasSuffix(index, "]") {
			return rv, path, path + " has " + strconv.Itoa(rv.Len()) + " elements, counted from 0"
		}
		rv, path = rv.Index(n), element(path, n)
	}
	return rv, path, ""
}

func names(t reflect.Type) (names []string) {
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return names
}

// parse turns text into the value that TOML would have given for a field of
// type t. What does not fit stays text, and decoding says what is wrong.
func parse(t reflect.Type, text string) any {
	if k := t.Kind(); !isText(t) && (k == reflect.Slice || k == reflect.Array) {
		return parseList(t.Elem(), text)
	}
	if s, err := strconv.Unquote(text); err == nil && text[0] == '"' {
		return s
	}
	if isText(t) || t.Kind() == reflect.String {
		return text
	}
	return parseScalar(text)
}

// parseScalar reads a number or a boolean as TOML does, else leaves it text.
func parseScalar(text string) any {
	var tree map[string]any
	if strings.ContainsAny(text, "#\n") {
		return text
	}
	if _, err := toml.Decode("v = "+text, &tree); err != nil {
		return text
	}
	switch v := tree["v"].(type) {
	case int64, float64, bool:
		return v
	}
	return text
}

// parseList reads "1, 2" or "[1, 2]".
func parseList(t reflect.Type, text string) any {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	list := []any{}
	if strings.TrimSpace(text) == "" {
		return list
	}
	for _, part := range strings.Split(text, ",") {
		list = append(list, parse(t, strings.TrimSpace(part)))
	}
	return list
}
