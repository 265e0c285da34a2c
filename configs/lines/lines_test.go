package lines

import (
	"fmt"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestLinesOfKeys(t *testing.T) {
	lines := Of("\ufeff# comment [x]\r\n" + `a = 1 # = b
"q.x".'y' = """
[not.a.table]
\""" still
"""
b.c.d = { e = 1, f = [1, 2,
  3], g = { h = 'it''s' } }
s = '''
'''''

[t.u] # here
k = [ # open
  "#]", [ 1,
  2 ],
]
"\u0041" = 1
[[t.v]]
x = 1
[[t.v]]

x = 2
[t.v.w]
y = 3
[[t.v.z]]
y = 4
`)
	want := map[string]int{
		"a": 2, `"q.x"`: 3, `"q.x".y`: 3, "b": 7, "b.c": 7, "b.c.d": 7, "b.c.d.e": 7, "b.c.d.f": 7, "b.c.d.f[0]": 7, "b.c.d.f[1]": 7, "b.c.d.f[2]": 8,
	}
	for path, line := range want {
		assert.Equalf(t, line, lines[path], "%s", path)
	}
}

func TestLinesOfTables(t *testing.T) {
	lines := Of("\n[t.u]\nk = [\n \"#]\", [ 1,\n 2 ],\n]\n\"\\u0041\" = 1\n[[t.v]]\nx = 1\n[[t.v]]\n\nx = 2\n[t.v.w]\ny = 3\n[[t.v.z]]\ny = 4\n")
	assert.Equal(t, Index{
		"t": 2, "t.u": 2, "t.u.k": 3, "t.u.k[0]": 4, "t.u.k[1]": 4, "t.u.k[1][0]": 4, "t.u.k[1][1]": 5, "t.u.A": 7,
		"t.v": 8, "t.v[0]": 8, "t.v[0].x": 9, "t.v[1]": 10, "t.v[1].x": 12, "t.v[1].w": 13, "t.v[1].w.y": 14,
		"t.v[1].z": 15, "t.v[1].z[0]": 15, "t.v[1].z[0].y": 16,
	}, lines)
}

// paths lists every path of a decoded tree.
func paths(v any, path string, visit func(string)) {
	if path != "" {
		visit(path)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			paths(inner, Join(path, name), visit)
		}
	case []map[string]any:
		for i, inner := range v {
			paths(inner, Element(path, i), visit)
		}
	case []any:
		for i, inner := range v {
			paths(inner, Element(path, i), visit)
		}
	}
}

// checkLines holds the index against the library's reading: it has a line for
// every path, inside the text.
func checkLines(t interface{ Fatalf(string, ...any) }, text string) {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return
	}
	lines, last := Of(text), strings.Count(text, "\n")+1
	paths(tree, "", func(path string) {
		if n := lines[path]; n < 1 || n > last {
			t.Fatalf("%s is at line %d of %d in:\n%s", path, n, last, text)
		}
	})
}

// Whatever the layout, each key is where it was written.
func TestEveryKeyHasItsLine(t *testing.T) {
	values := []string{"1", `"x # ] } \" "`, "'''a\nb'''", "[1, # c\n 2]", "{ a = [1], \"b c\" = 'd' }", "1979-05-27 07:32:00", "\"\"\"\\\"\"\"\nx\"\"\"\"\"", "[[], [{}]]"}
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		want := map[string]int{}
		line := 1
		write := func(s string) { text.WriteString(s); line += strings.Count(s, "\n") }
		table := ""
		tables := 0
		for i := range rapid.IntRange(1, 20).Draw(t, "items") {
			write(rapid.SampledFrom([]string{"", "\n", "# x = [\n", "  ", "\r\n\t"}).Draw(t, "blank"))
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				table = Element("list", tables)
				tables++
				want[table] = line
				write("[[ list ]]\n")
				continue
			}
			key := fmt.Sprintf("k%d", i)
			path := Join(table, key)
			if rapid.Bool().Draw(t, "dotted") {
				path, key = path+".\"x y\"", key+" . \"x y\""
			}
			want[path] = line
			write(key + " = " + rapid.SampledFrom(values).Draw(t, "value") + "\n")
		}
		var tree map[string]any
		if _, err := toml.Decode(text.String(), &tree); err != nil {
			t.Fatalf("%v in:\n%s", err, text.String())
		}
		lines := Of(text.String())
		for path, n := range want {
			if lines[path] != n {
				t.Fatalf("%s is at line %d, not %d, in:\n%s", path, n, lines[path], text.String())
			}
		}
		checkLines(t, text.String())
	})
}

func TestNear(t *testing.T) {
	l := Of(`# [not.a.table]
name = "a # b"
text = """
ops = [
"""
[set]
width = 3
[[block]]
ops = [ # a comment, with [ and {
  { name = "a", k = [1, 2] }, { name = "b" },

  { name = 'c]' },
]
set = { w = 3 }
[[block]]
name = "x"
ops = [{ name = "d" }]
`)
	for path, want := range map[string]int{
		"name": 2, "text": 3, "set": 6, "set.width": 7, "block[0]": 8, "block[0].ops": 9,
		"block[0].ops[0]": 10, "block[0].ops[1]": 10, "block[0].ops[2]": 12, "block[0].set": 14,
		"block[1]": 15, "block[1].name": 16, "block[1].ops[0]": 17,
		"block[0].set.w": 14, "block[1].ops[0].name": 17, // nearest
		"nothing": 0,
	} {
		assert.Equal(t, want, l.Near(path), path)
	}
	assert.NotContains(t, l, "block[0].ops[3]")
}
