package workload

import (
	"fmt"
	"strings"
)

// lines maps the paths of a TOML file to line numbers: "name", "set.width",
// "block[2].repeat", and "block[2].ops[5]" for an element of an array. The TOML
// library gives positions for syntax errors only, and operators are elements
// of arrays; this scan reads a file that the library has accepted.
type lines map[string]int

// locate scans a file.
func locate(text string) lines {
	s := lineScanner{text: text, line: 1, found: lines{}, count: map[string]int{}}
	for s.at < len(s.text) {
		s.statement()
	}
	return s.found
}

// of is the line of a path, or of the nearest path that contains it.
func (l lines) of(path string) int {
	for path != "" {
		if n, ok := l[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

type lineScanner struct {
	text   string
	at     int
	line   int
	prefix string // path of the table in force, with a dot
	found  lines
	count  map[string]int // elements of each array of tables so far
}

// statement reads a header, a key with its value, or a blank line.
func (s *lineScanner) statement() {
	switch c := s.text[s.at]; {
	case c == '[':
		s.header()
	case strings.IndexByte(" \t\r\n", c) >= 0:
		s.next()
	case c == '#':
		s.skipLine()
	default:
		s.keyValue()
	}
}

// next passes one byte.
func (s *lineScanner) next() {
	if s.text[s.at] == '\n' {
		s.line++
	}
	s.at++
}

func (s *lineScanner) skipLine() {
	for s.at < len(s.text) && s.text[s.at] != '\n' {
		s.at++
	}
}

func (s *lineScanner) header() {
	start := s.at
	s.skipLine()
	head, _, _ := strings.Cut(s.text[start:s.at], "]")
	name := strings.Trim(head, "[ \t")
	path := name
	if strings.HasPrefix(head, "[[") {
		path = fmt.Sprintf("%s[%d]", name, s.count[name])
		s.count[name]++
	}
	s.found[path] = s.line
	s.prefix = path + "."
}

func (s *lineScanner) keyValue() {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] != '=' && s.text[s.at] != '\n' {
		s.at++
	}
	path := s.prefix + strings.Trim(s.text[start:s.at], " \t\"'")
	s.found[path] = s.line
	s.value(path)
}

// value passes a value to the end of its line, noting where the elements of an
// outermost array begin.
func (s *lineScanner) value(path string) {
	depth, elem, fresh := 0, 0, false
	for s.at < len(s.text) {
		c := s.text[s.at]
		if depth == 0 && c == '\n' {
			return
		}
		blank := strings.IndexByte(" \t\r\n#],", c) >= 0
		if depth == 1 && fresh && !blank {
			s.found[fmt.Sprintf("%s[%d]", path, elem)] = s.line
			elem++
			fresh = false
		}
		switch c {
		case '#':
			s.skipLine()
			continue
		case '"', '\'':
			s.quoted()
			continue
		case '[', '{':
			depth++
			fresh = fresh || depth == 1
		case ']', '}':
			depth--
		case ',':
			fresh = fresh || depth == 1
		}
		s.next()
	}
}

// quoted passes a string of any of TOML's four kinds.
func (s *lineScanner) quoted() {
	quote := s.text[s.at : s.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], quote) {
		if s.text[s.at] == '\\' && quote[0] == '"' && s.at+1 < len(s.text) {
			s.next()
		}
		s.next()
	}
	s.at = min(s.at+len(quote), len(s.text))
}
