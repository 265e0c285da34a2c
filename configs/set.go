package configs

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/presi-sim/presi/configs/lines"
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
	at, msg := d.find(rv, key)
	switch {
	case msg != "":
		d.bad(key, value, "%s", msg)
	case isTable(at.rv.Type()):
		d.bad(at.path, value, "a table; set one of its keys: %s", strings.Join(names(at.rv.Type()), ", "))
	default:
		d.value(at.rv, parse(at.rv.Type(), value), at.path)
		at.commit()
	}
}

// spot is where an override goes; with a map, a copy of the map's element.
type spot struct {
	rv        reflect.Value
	path      string
	owner     reflect.Value
	ownersKey string
}

func (s *spot) commit() {
	if !s.owner.IsValid() {
		return
	}
	if s.owner.IsNil() {
		s.owner.Set(reflect.MakeMap(s.owner.Type()))
	}
	s.owner.SetMapIndex(reflect.ValueOf(s.ownersKey).Convert(s.owner.Type().Key()), s.rv)
}

// find walks to the field that a key names.
func (d *decoder) find(rv reflect.Value, key string) (at spot, msg string) {
	at.rv = rv
	for _, part := range strings.Split(key, ".") {
		name, index, indexed := strings.Cut(part, "[")
		if msg = d.step(&at, name); msg == "" && indexed {
			msg = at.index(index)
		}
		if msg != "" {
			return at, msg
		}
	}
	return at, ""
}

// step goes down to a key of a table.
func (d *decoder) step(at *spot, name string) (msg string) {
	t := at.rv.Type()
	if t.Kind() == reflect.Map && !at.owner.IsValid() {
		at.owner, at.ownersKey = at.rv, name
		at.rv, at.path = reflect.New(t.Elem()).Elem(), lines.Join(at.path, name)
		return ""
	}
	if !isTable(t) {
		return "no such key; " + at.path + " is no table"
	}
	fields := fieldsOf(t)
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		msg, meant := unknown(d.root, t, at.path, name)
		d.spoilt[meant] = meant != ""
		return msg
	}
	at.rv, at.path = at.rv.FieldByIndex(fields[i].index), lines.Join(at.path, name)
	return fields[i].noset
}

// index goes to an element of a list, "2]".
func (s *spot) index(text string) (msg string) {
	if k := s.rv.Kind(); k != reflect.Slice && k != reflect.Array {
		return s.path + " is no list"
	}
	digits, closed := strings.CutSuffix(text, "]")
	n, err := strconv.Atoi(digits)
	if err != nil || !closed || n < 0 || n >= s.rv.Len() {
		return s.path + " has " + strconv.Itoa(s.rv.Len()) + " elements, counted from 0"
	}
	s.rv, s.path = s.rv.Index(n), lines.Element(s.path, n)
	return ""
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
