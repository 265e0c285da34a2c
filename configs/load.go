package configs

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/presi-sim/presi/configs/lines"
	"github.com/presi-sim/presi/hw"
)

// Source is one TOML text and what to call it in messages.
type Source struct {
	Name string
	Text []byte
}

// Validator is a configuration that checks itself: one hw.ConfigFault for each
// mistake, with the key as in the file.
type Validator interface {
	Validate() []error
}

// Load fills the struct that into points to from a source and the overrides
// "a.b.c=v", on top of what it holds. The error is Faults with everything that
// is wrong: syntax, unknown keys, types, units, and what the struct's own
// Validate finds.
func Load(name string, text []byte, into any, sets ...string) error {
	return LoadAll(into, []Source{{name, text}}, sets, false)
}

// LoadAll is Load from several sources; a later one overrides an earlier. With
// complete, every key must be given by some source or override, save tables of
// free keys and those tagged omitempty.
func LoadAll(into any, sources []Source, sets []string, complete bool) error {
	return load(into, sources, sets, complete, nil).err()
}

// load is LoadAll. With lost, the faults of sources that cannot be had, what
// those did not say is no mistake.
func load(into any, sources []Source, sets []string, complete bool, lost Faults) Faults {
	rv := reflect.ValueOf(into).Elem()
	d := &decoder{root: rv.Type(), from: map[string]place{}, spoilt: map[string]bool{}, faults: lost}
	readable := len(lost) == 0
	for rank, s := range sources {
		readable = d.source(rv, s, rank) && readable
	}
	for i, set := range sets {
		p := place{set: set, rank: len(sources) + i}
		if strings.TrimSpace(set) == "" {
			p.set = strconv.Quote(set)
		}
		d.at = func(string) place { return p }
		d.set(rv, set)
	}
	if !readable { // what such a source did not say would only be noise
		return d.faults
	}
	if complete {
		d.complete(rv, sources)
	}
	if v, ok := into.(Validator); ok {
		d.validate(v, sources)
	}
	return d.faults
}

// source decodes one text and says whether it was TOML.
func (d *decoder) source(rv reflect.Value, s Source, rank int) bool {
	var tree map[string]any
	if _, err := toml.Decode(string(s.Text), &tree); err != nil {
		d.faults = append(d.faults, notTOML(s, rank, err))
		return false
	}
	at := lines.Of(string(s.Text))
	d.at = func(path string) place { return place{file: s.Name, line: at[path], rank: rank} }
	d.table(rv, tree, "")
	return true
}

// notTOML says where a text stops being TOML.
func notTOML(s Source, rank int, err error) *Fault {
	p := place{file: s.Name, line: 1, rank: rank}
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return p.fault("", "", "not TOML: "+err.Error())
	}
	// The library's own line is one too far for an unexpected end of line.
	text := strings.TrimPrefix(string(s.Text), "\ufeff")
	p.line += strings.Count(text[:min(max(syntax.Position.Start, 0), len(text))], "\n")
	msg := "not TOML: " + syntax.Message
	if strings.HasPrefix(syntax.Message, "expected a top-level item to end") {
		msg += "; text and quantities need quotes, as in \"64KiB\""
	}
	return p.fault("", "", msg)
}

// complete reports what is missing; of a machine without a base that lacks
// several tables, that a base would give them.
func (d *decoder) complete(rv reflect.Value, sources []Source) {
	before := len(d.faults)
	d.missing(rv, "", sources)
	var lacking []string
	based := true // or cannot be
	for _, f := range fieldsOf(rv.Type()) {
		if f.name == "base" {
			_, given := d.from[f.name]
			based = given || d.spoilt[f.name]
		}
		if isTable(f.typ) && slices.ContainsFunc(d.faults[before:], func(x *Fault) bool { return x.Key == f.name }) {
			lacking = append(lacking, f.name)
		}
	}
	if based || len(lacking) < 2 {
		return
	}
	const shown = 3
	list := strings.Join(lacking[:min(shown, len(lacking))], ", ")
	if len(lacking) > shown {
		list += ", …"
	}
	msg := fmt.Sprintf("no base and %d tables are missing (%s): begin with base = \"edge\" to say only what differs", len(lacking), list)
	d.faults = append(d.faults[:before], &Fault{File: sources[len(sources)-1].Name, Msg: msg, rank: len(sources) - 1})
}

// missing reports the keys that nobody gave; of a table without any, the table.
func (d *decoder) missing(rv reflect.Value, path string, sources []Source) {
	for _, f := range fieldsOf(rv.Type()) {
		at, v := lines.Join(path, f.name), rv.FieldByIndex(f.index)
		_, given := d.from[at]
		switch {
		case d.spoilt[at] || !given && (f.optional || f.typ.Kind() == reflect.Map):
		case !given && isTable(f.typ):
			d.lacks(at, "the table is missing; its keys: "+strings.Join(names(f.typ), ", "), sources)
		case !given:
			msg := "missing; " + typeName(f.typ)
			if f.doc != "" {
				msg += ": " + f.doc
			}
			d.lacks(at, msg, sources)
		case isTable(f.typ):
			d.missing(v, at, sources)
		case v.Kind() == reflect.Slice && isTable(f.typ.Elem()):
			for i := range v.Len() {
				d.missing(v.Index(i), lines.Element(at, i), sources)
			}
		}
	}
}

func (d *decoder) lacks(path, msg string, sources []Source) {
	d.spoilt[path] = true
	d.faults = append(d.faults, d.nearby(path, sources).fault(path, "", msg))
}

// validate adds what the struct says of itself. A key that could not be read
// has had its fault.
func (d *decoder) validate(v Validator, sources []Source) {
	bad := map[string]bool{} // keys with a fault, from which others follow
	for _, err := range v.Validate() {
		var fault *hw.ConfigFault
		if !errors.As(err, &fault) {
			d.faults = append(d.faults, d.nearby("", sources).fault("", "", err.Error()))
			continue
		}
		if d.isSpoilt(fault.Key) || slices.ContainsFunc(fault.With, func(k string) bool { return d.isSpoilt(k) || bad[k] }) {
			continue
		}
		bad[fault.Key] = true
		p, msg := d.blame(fault, sources)
		d.faults = append(d.faults, p.fault(fault.Key, show(fault.Found), msg))
	}
}

// blame returns where a fault came about: where its key was given, or where
// another was, later, that it follows from.
func (d *decoder) blame(f *hw.ConfigFault, sources []Source) (place, string) {
	p, msg := d.nearby(f.Key, sources), "want "+f.Want
	for _, key := range f.With {
		if q, ok := d.from[key]; ok && q.rank > p.rank {
			p, msg = q, "want "+f.Want+"; set "+f.Key+", too"
		}
	}
	return p, msg
}

// isSpoilt says whether the key or a table around it has a fault already.
func (d *decoder) isSpoilt(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.spoilt[path] {
			return true
		}
	}
	return false
}

// nearby is where a key was given, else the table around it, else the last
// source.
func (d *decoder) nearby(path string, sources []Source) place {
	for ; path != ""; path = parent(path) {
		if p, ok := d.from[path]; ok {
			return p
		}
	}
	if len(sources) == 0 {
		return place{file: "configuration"}
	}
	return place{file: sources[len(sources)-1].Name, rank: len(sources) - 1}
}

// parent cuts the last key or index off a path.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// Encode writes a configuration as TOML with units, such that Load reads the
// same again.
func Encode(w io.Writer, v any) error {
	e := toml.NewEncoder(w)
	e.Indent = ""
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
