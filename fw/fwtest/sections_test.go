package fwtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	enters = regexp.MustCompile(`[\w.]+\.Enter(Active)?\(\)`)
	exits  = regexp.MustCompile(`(?m)^(\s*)(defer )?([\w.]+\.Exit\(\))$`)
)

// sections are the functions of the driver that enter a section, as "file function".
func sections(t *testing.T) (all []string) {
	files, err := filepath.Glob("../npudrv/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		eachFunction(t, string(text), func(name, body string) string {
			if enters.MatchString(body) {
				all = append(all, filepath.Base(file)+" "+name)
			}
			return body
		})
	}
	return all
}

// withoutSections returns a source in which each function's sections can be left
// out, by sectionOf its name.
func withoutSections(t *testing.T, file, source string) string {
	return eachFunction(t, source, func(name, body string) string {
		missing := "missing(`" + sectionOf(file+" "+name) + "`)"
		if !enters.MatchString(body) {
			return body
		}
		body = enters.ReplaceAllStringFunc(body, func(call string) string { return "(" + missing + " || " + call + ")" })
		return exits.ReplaceAllString(body, "${1}${2}func() {\nif !"+missing+" {\n${3}\n}\n}()")
	})
}

func sectionOf(place string) string { return "section of " + place }

// eachFunction has fn replace the text of each function and method.
func eachFunction(t *testing.T, source string, fn func(name, body string) string) string {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, "", source, 0)
	require.NoError(t, err)
	for i := len(parsed.Decls) - 1; i >= 0; i-- {
		if f, ok := parsed.Decls[i].(*ast.FuncDecl); ok {
			from, to := set.Position(f.Body.Pos()).Offset, set.Position(f.Body.End()).Offset
			source = source[:from] + fn(f.Name.Name, source[from:to]) + source[to:]
		}
	}
	return source
}
