// Package presi_test holds what concerns the whole tree: who may import whom.
package presi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/presi-sim/presi/"

// layers is the house from the ground up: a package imports only from rows
// above its own, and from those the row names in "from". A folder stands for
// everything below it that has no row of its own.
var layers = []struct {
	folder string
	from   []string
}{
	{"sim", nil},
	{"hw/reg", nil},
	{"hw/abi", []string{"hw/reg"}},
	{"hw", []string{"sim", "hw/abi"}},
	{"hw/fault", []string{"sim", "hw"}},
	{"hw/alloc", nil},
	{"hw/kern", nil},
	{"hw/mem", []string{"sim", "hw"}},
	{"hw/pcie", []string{"sim", "hw", "hw/fault"}},
	{"hw/edu", []string{"sim", "hw", "hw/reg", "hw/pcie"}},
	{"hw/mgmt", []string{"sim", "hw", "hw/abi", "hw/reg", "hw/fault"}},
	{"hw/core", []string{"sim", "hw", "hw/abi", "hw/kern"}},
	{"mmu", []string{"sim", "hw", "hw/abi", "hw/fault"}},
	{"dma", []string{"sim", "hw", "hw/abi"}},
	{"queue", []string{"sim", "hw", "hw/abi", "hw/reg", "hw/fault"}},
	{"hw/npu", []string{"sim", "hw", "hw/abi", "hw/reg", "hw/fault", "hw/kern", "hw/mem", "hw/pcie", "hw/mgmt", "hw/core", "mmu", "dma", "queue"}},
	{"hw/host", []string{"sim", "hw", "hw/abi", "hw/alloc", "hw/mem", "hw/pcie", "mmu"}},
	{"configs/lines", nil},
	{"configs", []string{"configs/lines", "sim", "hw", "hw/npu", "hw/host", "hw/fault", "mmu"}},
	{"fw", []string{"hw", "hw/abi"}},
	{"fw/npudrv", []string{"hw", "hw/abi", "hw/alloc", "fw"}},
	{"fw/edudrv", []string{"hw", "hw/abi", "fw"}},
	{"fw/rt", []string{"hw/abi", "fw"}},
	{"workload", []string{"configs/lines", "hw/abi", "fw/rt"}},
	{"fw/fwtest", []string{"sim", "hw", "hw/abi", "hw/reg", "hw/fault", "hw/kern", "hw/pcie", "hw/npu", "hw/host", "configs", "fw", "fw/npudrv"}},
	{"lab", []string{"sim", "hw", "hw/abi", "hw/kern", "hw/mem", "hw/pcie", "hw/core", "hw/npu", "hw/host", "hw/fault", "mmu", "dma", "queue", "configs", "fw", "fw/npudrv", "fw/rt", "workload"}},
	{"sweep", []string{"sim", "configs/lines", "configs", "workload", "lab"}},
	{"validate", []string{"sim", "hw", "hw/abi", "hw/mem", "hw/pcie", "hw/core", "hw/host", "mmu", "dma", "configs", "fw", "fw/rt", "lab"}},
	{"cmd", []string{"sim", "hw/reg", "hw/abi", "hw/npu", "configs", "workload", "lab", "sweep", "validate", "mmu", "fw/fwtest"}},
	{"benchmarks", nil}, // tests only
	{"docs", nil},       // likewise
}

// models are simulated: nothing in them may depend on the machine that
// simulates, or on the order in which a host runs things.
var models = []string{"hw", "dma", "mmu", "queue"}

// notModels lists what lies under a model's folder and is none: the kernels run
// on the host's worker pool.
var notModels = []string{"hw/kern"}

var forbiddenInModels = []string{"time", "math/rand", "math/rand/v2", "os", "sync", "sync/atomic", "unsafe"}

// layerOf returns the row of a folder: the longest that contains it.
func layerOf(folder string) int {
	best := -1
	for i, l := range layers {
		if within(folder, l.folder) && (best < 0 || len(l.folder) > len(layers[best].folder)) {
			best = i
		}
	}
	return best
}

func within(folder, of string) bool { return folder == of || strings.HasPrefix(folder, of+"/") }

// source is a file that is no test, with what it imports.
type source struct {
	file    string
	folder  string
	imports []string
	starts  []int // lines of go statements
}

func sources(t *testing.T) (out []source) {
	fset := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{file: file, folder: path.Dir(filepath.ToSlash(file))}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				s.starts = append(s.starts, fset.Position(g.Pos()).Line)
			}
			return true
		})
		out = append(out, s)
		return nil
	}))
	return out
}

func TestImportsGoUpwards(t *testing.T) {
	for i, l := range layers {
		for _, from := range l.from {
			assert.Less(t, layerOf(from), i, "%s may import %s, which is no row above it", l.folder, from)
		}
	}
	seen := 0
	for _, s := range sources(t) {
		own := layerOf(s.folder)
		if !assert.GreaterOrEqual(t, own, 0, "%s lies in no row of the table", s.file) {
			continue
		}
		seen++
		for _, imp := range s.imports {
			target, ours := strings.CutPrefix(imp, module)
			if !ours || within(target, layers[own].folder) && layerOf(target) == own {
				continue
			}
			row := layerOf(target)
			ok := row >= 0 && slices.Contains(layers[own].from, layers[row].folder)
			assert.True(t, ok, "%s imports %s", s.file, target)
		}
	}
	assert.Greater(t, seen, 100, "the sources were not found")
}

func TestModelsKnowNothingOfTheHost(t *testing.T) {
	inAny := func(folder string, of []string) bool {
		return slices.ContainsFunc(of, func(f string) bool { return within(folder, f) })
	}
	for _, s := range sources(t) {
		if !inAny(s.folder, models) || inAny(s.folder, notModels) {
			continue
		}
		for _, imp := range s.imports {
			if imp == "unsafe" && s.folder == "hw/abi" {
				continue // wire structs, moved as bytes
			}
			assert.NotContains(t, forbiddenInModels, imp, "%s imports %s", s.file, imp)
		}
		assert.Empty(t, s.starts, "%s starts goroutines", s.file)
	}
}
