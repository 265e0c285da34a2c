package docs_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layer is a row of the import policy.
type layer struct {
	folder string
	from   []string
}

// TestGeneratedHouse holds ARCHITECTURE.md's table of packages to the import
// policy and to the packages' own first sentences.
func TestGeneratedHouse(t *testing.T) {
	var b bytes.Buffer
	row(&b, "folder", "what it is", "imports from")
	b.WriteString("|---|---|---|\n")
	for _, l := range policy(t) {
		from := "–"
		if len(l.from) > 0 {
			from = "`" + strings.Join(l.from, "` `") + "`"
		}
		row(&b, "`"+l.folder+"`", synopsis(t, l.folder), from)
	}
	marked(t, "../ARCHITECTURE.md", "the house", b.String())
}

// policy reads the table of policy_test.go.
func policy(t *testing.T) (out []layer) {
	f, err := parser.ParseFile(token.NewFileSet(), "../policy_test.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != "layers" {
			return true
		}
		for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
			fields := e.(*ast.CompositeLit).Elts
			l := layer{folder: literal(t, fields[0])}
			if list, ok := fields[1].(*ast.CompositeLit); ok {
				for _, from := range list.Elts {
					l.from = append(l.from, literal(t, from))
				}
			}
			out = append(out, l)
		}
		return false
	})
	require.NotEmpty(t, out, "policy_test.go has no table of layers")
	return out
}

func literal(t *testing.T, e ast.Expr) string {
	s, err := strconv.Unquote(e.(*ast.BasicLit).Value)
	require.NoError(t, err)
	return s
}

// synopsis is the first sentence of a package's comment, its name left out. A
// folder without a package speaks by the program in it.
func synopsis(t *testing.T, folder string) string {
	files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	require.NoError(t, err)
	if len(files) == 0 {
		files, err = filepath.Glob(filepath.Join("..", folder, "*", "*.go"))
		require.NoError(t, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		if f.Doc == nil {
			continue
		}
		s := new(doc.Package).Synopsis(f.Doc.Text())
		s = strings.TrimPrefix(s, "Command presi ")
		s = strings.TrimPrefix(s, "Package "+f.Name.Name+" ")
		return strings.TrimSuffix(strings.TrimPrefix(s, "is "), ".")
	}
	require.Fail(t, "no package comment", folder)
	return ""
}
