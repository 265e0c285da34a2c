package workload

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxDim bounds every number in a workload: far above any network, and low
// enough that products of a few of them fit an int64.
const maxDim = 1 << 30

// env holds the variables of a network file.
type env map[string]int

// with is a copy of e with more variables.
func (e env) with(more env) env {
	out := maps.Clone(e)
	maps.Copy(out, more)
	return out
}

// expand replaces $name in text by the variable's value. Names in keep stay.
func (e env) expand(text string, keep ...string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			return b.String() + text, nil
		}
		name := identifier(text[i+1:])
		b.WriteString(text[:i])
		text = text[i+1+len(name):]
		if slices.Contains(keep, name) {
			b.WriteString("$" + name)
			continue
		}
		v, ok := e[name]
		if !ok {
			return "", fmt.Errorf("$%s is not set; set are %s", name, e.names())
		}
		b.WriteString(strconv.Itoa(v))
	}
}

func (e env) names() string {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(e)) {
		names = append(names, "$"+k)
	}
	return strings.Join(names, ", ")
}

// identifier is the longest prefix of lower-case letters, digits and _.
func identifier(s string) string {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return s[:i]
		}
	}
	return s
}

// eval computes an integer expression of numbers, $variables, + - * / and
// parentheses. Division must be exact.
func (e env) eval(text string) (int, error) {
	p := exprParser{env: e, rest: text}
	v, err := p.sum(0)
	if err == nil && p.skip() != 0 {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no expression: %w; want something like \"4*$batch\"", text, err)
	}
	return v, nil
}

type exprParser struct {
	env  env
	rest string
}

// maxDepth bounds the nesting of parentheses.
const maxDepth = 16

// skip passes blanks and gives the next byte, 0 at the end.
func (p *exprParser) skip() byte {
	p.rest = strings.TrimLeft(p.rest, " ")
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *exprParser) sum(depth int) (int, error) {
	v, err := p.term(depth)
	for err == nil {
		op := p.skip()
		if op != '+' && op != '-' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w int
		w, err = p.term(depth)
		if op == '-' {
			w = -w
		}
		v += w
		if err == nil {
			err = inRange(v)
		}
	}
	return 0, err
}

func (p *exprParser) term(depth int) (int, error) {
	v, err := p.factor(depth)
	for err == nil {
		op := p.skip()
		if op != '*' && op != '/' {
			return v, nil
		}
		p.rest = p.rest[1:]
		var w int
		if w, err = p.factor(depth); err != nil {
			break
		}
		switch {
		case op == '*':
			v *= w
			err = inRange(v)
		case w == 0 || v%w != 0:
			err = fmt.Errorf("%d/%d is not exact", v, w)
		default:
			v /= w
		}
	}
	return 0, err
}

func (p *exprParser) factor(depth int) (int, error) {
	switch c := p.skip(); {
	case c == '(':
		if depth == maxDepth {
			return 0, fmt.Errorf("more than %d nested parentheses", maxDepth)
		}
		p.rest = p.rest[1:]
		v, err := p.sum(depth + 1)
		if err == nil && p.skip() != ')' {
			err = fmt.Errorf("a ) is missing")
		}
		if err == nil {
			p.rest = p.rest[1:]
		}
		return v, err
	case c == '$':
		name := identifier(p.rest[1:])
		v, ok := p.env[name]
		if !ok {
			return 0, fmt.Errorf("$%s is not set (set are %s)", name, p.env.names())
		}
		p.rest = p.rest[1+len(name):]
		return v, nil
	default:
		digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		v, err := strconv.Atoi(p.rest[:digits])
		if err != nil {
			return 0, fmt.Errorf("a number or $name is missing")
		}
		p.rest = p.rest[digits:]
		return v, inRange(v)
	}
}

// inRange keeps intermediate results where they cannot overflow.
func inRange(v int) error {
	if v > maxDim || v < -maxDim {
		return fmt.Errorf("%d is out of range: at most %d", v, maxDim)
	}
	return nil
}
