package docs_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// declaration is one of a Go package: its name, a method's with its type, and its
// text, with the comment above it.
type declaration struct{ name, text string }

// declared are declarations by name, in order of their first appearance.
type declared []declaration

// set adds a declaration, or replaces the one of its name.
func (d *declared) set(x declaration) {
	for i := range *d {
		if (*d)[i].name == x.name {
			(*d)[i].text = x.text
			return
		}
	}
	*d = append(*d, x)
}

func (d declared) has(name string) bool {
	return slices.ContainsFunc(d, func(x declaration) bool { return x.name == name })
}

var spaces = regexp.MustCompile(` +`)

// byName is their text by name, whatever aligns it.
func (d declared) byName() map[string]string {
	out := map[string]string{}
	for _, x := range d {
		out[x.name] = spaces.ReplaceAllString(x.text, " ")
	}
	return out
}

// declarations takes a Go file apart. Of a group of constants each is one.
func declarations(t *testing.T, source string) (out declared, imports map[string]string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", source, parser.ParseComments)
	require.NoErrorf(t, err, "%s", source)
	text := func(from, to token.Pos) string { return source[set.Position(from).Offset:set.Position(to).Offset] }
	comment := func(c *ast.CommentGroup) string {
		if c == nil {
			return ""
		}
		return text(c.Pos(), c.End()) + "\n"
	}
	imports = map[string]string{}
	for _, i := range f.Imports {
		name := path.Base(strings.Trim(i.Path.Value, `"`))
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = text(i.Pos(), i.End())
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = strings.TrimPrefix(text(d.Recv.List[0].Type.Pos(), d.Recv.List[0].Type.End()), "*") + "." + name
			}
			out.set(declaration{name, comment(d.Doc) + text(d.Pos(), d.End())})
		case *ast.GenDecl:
			for _, s := range d.Specs {
				doc, end := d.Doc, s.End()
				if d.Lparen.IsValid() {
					doc = nil
				}
				var name string
				switch s := s.(type) {
				case *ast.TypeSpec:
					name = s.Name.Name
				case *ast.ValueSpec:
					name = s.Names[0].Name
					if s.Doc != nil {
						doc = s.Doc
					}
					if s.Comment != nil {
						end = s.Comment.End()
					}
				case *ast.ImportSpec:
					continue
				}
				out.set(declaration{name, comment(doc) + d.Tok.String() + " " + text(s.Pos(), end)})
			}
		}
	}
	return out, imports
}

// ofFiles are the declarations of files.
func ofFiles(t *testing.T, tests bool) (out declared) {
	files, err := filepath.Glob("../fw/edudrv/*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") != tests {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		list, _ := declarations(t, string(text))
		for _, d := range list {
			require.False(t, out.has(d.name), "%s is declared twice", d.name)
			out.set(d)
		}
	}
	return out
}

// tutorial is what stands in drivers.md before its first part, in it, and behind it.
func tutorial(t *testing.T) (before, part, after string) {
	text, err := os.ReadFile("drivers.md")
	require.NoError(t, err)
	const from, to = "\n## A driver from zero\n", "\n## The accelerator\n"
	before, rest, found := strings.Cut(string(text), from)
	require.True(t, found)
	part, after, found = strings.Cut(rest, to)
	require.True(t, found)
	return before, part, after
}

var (
	stepTitle = regexp.MustCompile(`(?m)^### (?:Step \d+: )?(.*)$`)
	copied    = regexp.MustCompile(`(?m)^\$ (?:cp|sed '\S+') fw/edudrv/(\S+) >?fw/myedu`)
	testNamed = regexp.MustCompile("`(Test\\w+)`")
	ofTests   = regexp.MustCompile(`^(Test|computer\.|program\.)`)
)

// reader is somebody who types what the page shows and copies what it says.
type reader struct {
	imports       map[string]string
	driver, tests declared
	files         map[string]string // copied
	copied        declared
}

// reads takes in the page up to the next step.
func (r *reader) reads(t *testing.T, text string) {
	for _, m := range copied.FindAllStringSubmatch(text, -1) {
		file, err := os.ReadFile(filepath.Join("../fw/edudrv", m[1]))
		require.NoError(t, err)
		r.files[m[1]] = string(file)
		list, _ := declarations(t, string(file))
		r.copied = append(r.copied, list...)
	}
	for _, m := range codeBlock.FindAllStringSubmatch(text, -1) {
		if m[1] != "go" {
			continue
		}
		code := m[2]
		if !strings.HasPrefix(code, "package ") {
			code = "package edudrv\n" + code
		}
		formatted, err := format.Source([]byte(m[2]))
		require.NoError(t, err)
		assert.Equal(t, string(formatted), m[2], "gofmt")
		list, imports := declarations(t, code)
		for name, path := range imports {
			r.imports[name] = path
		}
		for _, d := range list {
			switch {
			case r.copied.has(d.name):
				assert.Equal(t, r.copied.byName()[d.name], spaces.ReplaceAllString(d.text, " "), "an excerpt of a file that is copied")
			case ofTests.MatchString(d.name):
				r.tests.set(d)
			default:
				r.driver.set(d)
			}
		}
	}
}

// file is a source with the imports that it uses.
func (r *reader) file(t *testing.T, pkg string, list declared) string {
	var body strings.Builder
	for _, d := range list {
		fmt.Fprintf(&body, "\n%s\n", d.text)
	}
	used := map[string]bool{}
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+body.String(), 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && r.imports[x.Name] != "" {
				used[r.imports[x.Name]] = true
			}
		}
		return true
	})
	head := "package " + pkg + "\n"
	for path := range used {
		head += "import " + path + "\n"
	}
	source, err := format.Source([]byte(head + body.String()))
	require.NoError(t, err)
	return string(source)
}

// sources are the reader's files after a step, of a package with a path.
func (r *reader) sources(t *testing.T, path string) map[string]string {
	out := map[string]string{"steps_test.go": r.file(t, "edudrv_test", r.tests)}
	if len(r.driver) > 0 {
		out["driver.go"] = r.file(t, "edudrv", r.driver)
	}
	for name, text := range r.files {
		out[name] = text
	}
	for name, text := range out {
		if strings.HasSuffix(name, "_test.go") {
			out[name] = regexp.MustCompile(`github.com/presi-sim/presi/fw/(my)?edu(drv)?"`).ReplaceAllString(text, path+`"`)
		}
	}
	return out
}

func writeFile(t *testing.T, file, text string) {
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// TestTutorial types the tutorial of drivers.md: after each step the package
// compiles and passes its tests, with what the page has shown or said to copy so
// far, and after the last step it is fw/edudrv.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and runs a package for each step of the tutorial")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir() // a module that has the project as it is
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	text := strings.Replace(string(module), "module github.com/presi-sim/presi\n", "module tutorial\n", 1)
	writeFile(t, filepath.Join(dir, "go.mod"), text+"require github.com/presi-sim/presi v0.0.0\nreplace github.com/presi-sim/presi => "+root+"\n")
	sums, err := os.ReadFile("../go.sum")
	require.NoError(t, err)
	writeFile(t, filepath.Join(dir, "go.sum"), string(sums))

	_, part, _ := tutorial(t)
	r := &reader{imports: map[string]string{}, files: map[string]string{}}
	titles := stepTitle.FindAllStringSubmatchIndex(part, -1)
	require.Greater(t, len(titles), 10)
	r.reads(t, part[:titles[0][0]])
	for i, title := range titles {
		end := len(part)
		if i+1 < len(titles) {
			end = titles[i+1][0]
		}
		typed := len(r.tests)
		r.reads(t, part[title[1]:end])
		last := i == len(titles)-1
		assert.True(t, last || slices.ContainsFunc(r.tests[typed:], func(d declaration) bool { return strings.HasPrefix(d.name, "Test") }),
			"%s has no test", part[title[0]:title[1]])
		name := fmt.Sprint("step", i)
		for file, text := range r.sources(t, "tutorial/"+name) {
			writeFile(t, filepath.Join(dir, name, file), text)
		}
	}
	cmd := exec.Command("go", "test", "-mod=mod", "./...")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)

	regs, _ := declarations(t, r.files["regs.go"])
	typed, driver := append(r.driver, regs...).byName(), ofFiles(t, false).byName()
	for name := range typed {
		_, ok := driver[name]
		assert.True(t, ok, "fw/edudrv lacks %s, which the page shows", name)
	}
	for name, text := range driver {
		assert.Equal(t, text, typed[name], "%s of fw/edudrv is not as the page leaves it", name)
	}
	tests := ofFiles(t, true).byName()
	for _, m := range testNamed.FindAllStringSubmatch(part, -1) {
		assert.NotEmpty(t, tests[m[1]], "fw/edudrv has no test %s", m[1])
	}
	for name, text := range r.tests.byName() {
		assert.Equal(t, tests[name], text, "a test of fw/edudrv is not as on the page")
	}
}
