package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spec is one operator as written: its keys, the variables in force, where it
// stands, and where names are looked up. Its readers report each fault at its
// key and return a usable value, so that one pass finds all faults.
type spec struct {
	place
	kind  Kind
	attrs map[string]any
	env   env
	scope *scope
}

// has says whether the key was given.
func (s *spec) has(key string) bool {
	_, ok := s.attrs[key]
	return ok
}

// checkKeys reports the keys the operator does not take.
func (s *spec) checkKeys() {
	for _, key := range slices.Sorted(maps.Keys(s.attrs)) {
		if !s.kind.takes(key) {
			s.errorf(key, "%s does not take this key; it takes %s", s.kind, strings.Join(kinds[s.kind].keys, ", "))
		}
	}
}

// number reads an integer or expression of at least low.
func (s *spec) number(key string, value any, low int) int {
	v, err := toInt(value, s.env)
	switch {
	case err != nil:
		s.errorf(key, "%v", err)
	case v < low || v > maxDim:
		s.errorf(key, "%d is out of range; want %d to %d", v, low, maxDim)
	default:
		return v
	}
	return low
}

func toInt(value any, e env) (int, error) {
	switch v := value.(type) {
	case int64:
		return int(v), nil
	case string:
		return e.eval(v)
	}
	return 0, fmt.Errorf("found %v; want an integer or an expression such as \"4*$batch\"", value)
}

// int reads an optional integer.
func (s *spec) int(key string, def, low int) int {
	if v, ok := s.attrs[key]; ok {
		return s.number(key, v, low)
	}
	return def
}

// need reads a required integer of at least 1.
func (s *spec) need(key, what string) int {
	v, ok := s.attrs[key]
	if !ok {
		s.errorf(key, "is missing; %s needs it: %s", s.kind, what)
		return 1
	}
	return s.number(key, v, 1)
}

// pair reads one integer for both or [height, width].
func (s *spec) pair(key string, def, low int) [2]int {
	v, ok := s.attrs[key]
	if !ok {
		return [2]int{def, def}
	}
	list, ok := v.([]any)
	if !ok {
		n := s.number(key, v, low)
		return [2]int{n, n}
	}
	if len(list) != 2 {
		s.errorf(key, "found %d numbers; want one, or two as [outer, inner] or [height, width]", len(list))
		return [2]int{max(def, low), max(def, low)}
	}
	return [2]int{s.number(key, list[0], low), s.number(key, list[1], low)}
}

// nested reads one number for the inner batch or [outer, inner].
func (s *spec) nested(key string, def int) [2]int {
	if _, list := s.attrs[key].([]any); list {
		return s.pair(key, def, def)
	}
	return [2]int{def, s.int(key, def, def)}
}

// float reads an optional number.
func (s *spec) float(key string, def float64) float64 {
	switch v := s.attrs[key].(type) {
	case nil:
		return def
	case float64:
		return v
	case int64:
		return float64(v)
	default:
		s.errorf(key, "found %v; want a number", v)
		return def
	}
}

// bool reads an optional true or false.
func (s *spec) bool(key string, def bool) bool {
	switch v := s.attrs[key].(type) {
	case nil:
		return def
	case bool:
		return v
	default:
		s.errorf(key, "found %v; want true or false", v)
		return def
	}
}

// text reads an optional string with its variables expanded.
func (s *spec) text(key, def string) string {
	v, ok := s.attrs[key]
	if !ok {
		return def
	}
	return s.expand(key, v)
}

func (s *spec) expand(key string, value any) string {
	str, ok := value.(string)
	if !ok {
		s.errorf(key, "found %v; want a string", value)
		return ""
	}
	out, err := s.env.expand(str, "in")
	if err != nil {
		s.errorf(key, "%v", err)
	}
	return out
}

// act reads an optional activation.
func (s *spec) act(key string) Act {
	name := s.text(key, "none")
	act, ok := ParseAct(name)
	if !ok {
		s.errorf(key, "activation %q is not supported; supported are %s", name, strings.Join(activationNames[:], ", "))
	}
	return act
}

// dtype reads an optional element type.
func (s *spec) dtype(key string, def DType) DType {
	if !s.has(key) {
		return def
	}
	d, err := ParseDType(s.text(key, ""))
	if err != nil {
		s.errorf(key, "%v", err)
		return def
	}
	return d
}

// names reads `in`: a tensor's name or a list of them.
func (s *spec) names(key string) []string {
	switch v := s.attrs[key].(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, s.expand(key, e))
		}
		return out
	default:
		return []string{s.expand(key, v)}
	}
}
