// Package lines finds where the keys of a TOML text stand, for messages.
package lines

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Index has the line of every key of a TOML text, by path: "dram.channels",
// "layer[1].name". The TOML library keeps positions to itself, and has none for
// single elements of arrays.
type Index map[string]int

// Near returns the line of a path, or of the nearest path that contains it; 0 if there
// is none.
func (x Index) Near(path string) int {
	for path != "" {
		if n, ok := x[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// Of reads a text that the TOML library has accepted; on any other it
// stops somewhere and the index is incomplete.
func Of(src string) Index {
	s := scanner{src: strings.TrimPrefix(src, "\ufeff"), line: 1, lines: Index{}, arrays: map[string]int{}}
	for s.skip(" \t\r\n") {
		if s.src[s.at] == '[' {
			s.header()
		} else if !s.pair(s.table) {
			break
		}
	}
	return s.lines
}

type scanner struct {
	src    string
	at     int
	line   int
	table  string         // path of the table that pairs go to
	arrays map[string]int // elements so far of each array of tables
	lines  Index
}

// skip passes blanks and comments and says whether anything is left.
func (s *scanner) skip(blanks string) bool {
	for ; s.at < len(s.src); s.at++ {
		switch c := s.src[s.at]; {
		case c == '#':
			for s.at+1 < len(s.src) && s.src[s.at+1] != '\n' {
				s.at++
			}
		case strings.IndexByte(blanks, c) < 0:
			return true
		case c == '\n':
			s.line++
		}
	}
	return false
}

// took passes c if it is next.
func (s *scanner) took(c string) bool {
	if !strings.HasPrefix(s.src[s.at:], c) {
		return false
	}
	s.at += len(c)
	return true
}

func (s *scanner) note(path string) {
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = s.line
	}
}

// header reads [a.b] or [[a.b]]. A name that is an array of tables means its
// last element.
func (s *scanner) header() {
	s.at++
	array := s.took("[")
	keys := s.keys()
	s.table = ""
	for i, key := range keys {
		s.table = Join(s.table, key)
		if array && i == len(keys)-1 {
			s.note(s.table)
			s.arrays[s.table]++
		}
		if n := s.arrays[s.table]; n > 0 {
			s.table = Element(s.table, n-1)
		}
		s.note(s.table)
	}
	s.skip(" \t")
	s.took("]")
	if array {
		s.took("]")
	}
}

// pair reads key = value under path.
func (s *scanner) pair(path string) bool {
	keys := s.keys()
	for _, key := range keys {
		path = Join(path, key)
		s.note(path)
	}
	if len(keys) == 0 || !s.skip(" \t") || !s.took("=") {
		return false
	}
	return s.value(path)
}

// keys reads a key, dotted or not.
func (s *scanner) keys() (keys []string) {
	for s.skip(" \t") {
		key, ok := s.key()
		if !ok {
			return nil
		}
		keys = append(keys, key)
		if !s.skip(" \t") || !s.took(".") {
			return keys
		}
	}
	return keys
}

func (s *scanner) key() (string, bool) {
	start := s.at
	if c := s.src[s.at]; c == '"' || c == '\'' {
		s.text()
		return unquote(s.src[start:s.at]), true
	}
	for s.at < len(s.src) && isBare(s.src[s.at]) {
		s.at++
	}
	return s.src[start:s.at], s.at > start
}

// value reads a value and notes the lines of what lies in it.
func (s *scanner) value(path string) bool {
	if !s.skip(" \t") {
		return false
	}
	switch s.src[s.at] {
	case '{':
		return s.group("}", func(int) bool { return s.pair(path) })
	case '[':
		return s.group("]", func(i int) bool {
			s.note(Element(path, i))
			return s.value(Element(path, i))
		})
	case '"', '\'':
		s.text()
	default:
		for s.at < len(s.src) && strings.IndexByte(",]}#\n", s.src[s.at]) < 0 {
			s.at++
		}
	}
	return true
}

// group reads what stands between brackets, separated by commas.
func (s *scanner) group(end string, one func(i int) bool) bool {
	s.at++
	for i := 0; s.skip(" \t\r\n"); i++ {
		if s.took(end) {
			return true
		}
		if !one(i) || !s.skip(" \t\r\n") {
			return false
		}
		s.took(",")
	}
	return false
}

// text passes a string of any of the four kinds.
func (s *scanner) text() {
	quote := s.src[s.at : s.at+1]
	long := strings.HasPrefix(s.src[s.at:], quote+quote+quote)
	end := quote
	if long {
		end = quote + quote + quote
	}
	for s.at += len(end); s.at < len(s.src); s.at++ {
		switch {
		case s.took(end):
			for long && s.took(quote) { // up to two quotes may stand before the end
			}
			return
		case quote == `"` && s.src[s.at] == '\\' && s.at+1 < len(s.src):
			s.at++
		}
		if s.src[s.at] == '\n' {
			s.line++
		}
	}
}

// unquote returns what a quoted key means, as the TOML library has it.
func unquote(text string) string {
	var v struct {
		K string `toml:"k"`
	}
	if _, err := toml.Decode("k="+text, &v); err != nil {
		return text
	}
	return v.K
}

func isBare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// Join adds a key to a path, quoted if TOML would have it quoted.
func Join(path, key string) string {
	for i := range len(key) {
		if !isBare(key[i]) {
			key = strconv.Quote(key)
			break
		}
	}
	if key == "" {
		key = `""`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Element is the path of an array's element.
func Element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
