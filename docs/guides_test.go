package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/hw/reg"
)

// guides are the documents written by hand.
var guides = []string{"../README.md", "../ARCHITECTURE.md", "README.md", "architect.md", "drivers.md", "engineer.md", "../benchmarks/README.md"}

var codeBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// blocks returns the blocks of code of a language in a document.
func blocks(t *testing.T, file, language string) (out []string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, m := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	return out
}

// shortened runs the commands of guides in a scratch folder, in a short form:
// presi is the program that this test has built, benchmarks run once, tests are
// only compiled (TestStepsNameTests finds those that are named), make says what it
// would do, and nothing is downloaded.
const shortened = `
set -euo pipefail
go() {
	case "$*" in
	"run ./cmd/presi"*) shift 2; "$PRESI" "$@" ;;
	"run golang.org/"*) ;;
	"test ./..."*) (cd "$ROOT" && command go list ./... >/dev/null) ;;
	*-bench*) (cd "$ROOT" && command go "$@" -count 1 -benchtime 1x) ;;
	"test "*" -run Test"*) (cd "$ROOT" && command go vet "$2") ;;
	test*) (cd "$ROOT" && command go "$@" -run '^$') ;;
	*) (cd "$ROOT" && command go "$@") ;;
	esac
}
make() { (cd "$ROOT" && command make -n "$@" >/dev/null); }
`

// TestCommandsOfGuidesRun runs every block marked sh.
func TestCommandsOfGuidesRun(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs every command of the guides, most of a minute")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	program := presi(t)
	for _, file := range guides {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Symlink(filepath.Join(root, "docs"), filepath.Join(dir, "docs")))
			for _, script := range blocks(t, file, "sh") {
				cmd := exec.Command("bash", "-c", shortened+script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "ROOT="+root, "PRESI="+program)
				out, err := cmd.CombinedOutput()
				require.NoErrorf(t, err, "%s\n%s", script, out)
			}
		})
	}
}

// examples are the sources that guides show: what is here and in examples.
func examples(t *testing.T) (sources []string) {
	files, err := filepath.Glob("examples/*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, "example_test.go") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		sources = append(sources, string(text))
	}
	return sources
}

// TestGuidesShowTheseExamples finds each piece of a block of Go, from one
// unindented closing bracket to the next, in a source that is compiled and tested.
// TestTutorial has the blocks of the tutorial.
func TestGuidesShowTheseExamples(t *testing.T) {
	sources := examples(t)
	_, steps, _ := tutorial(t)
	for _, file := range guides {
		for _, code := range blocks(t, file, "go") {
			if strings.Contains(steps, code) {
				continue
			}
			for _, piece := range strings.SplitAfter(code, "\n}\n\n") {
				piece = strings.TrimRight(piece, "\n") + "\n"
				found := slices.ContainsFunc(sources, func(s string) bool { return strings.Contains(s, piece) })
				assert.True(t, found, "%s shows code that is in no example:\n%s", file, piece)
			}
		}
	}
}

var testRun = regexp.MustCompile(`go test (\./\S+) -run '(Test[^']+)'`)

// TestStepsNameTests holds each test that a guide says to run to those there are.
func TestStepsNameTests(t *testing.T) {
	seen := 0
	for _, file := range guides {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range testRun.FindAllStringSubmatch(string(text), -1) {
			names := testNames(t, filepath.Join("..", m[1]))
			for _, pattern := range strings.Split(m[2], "|") {
				seen++
				match := regexp.MustCompile("^" + pattern)
				assert.True(t, slices.ContainsFunc(names, match.MatchString), "%s: %s has no test %s", file, m[1], pattern)
			}
		}
	}
	assert.Greater(t, seen, 10, "the steps of drivers.md")
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testNames are the tests of a package.
func testNames(t *testing.T, folder string) (names []string) {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// TestGeneratedCard holds the card's registers in drivers.md to its table.
func TestGeneratedCard(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, reg.Markdown(&b, []reg.Table{edu.Registers}))
	_, table, _ := strings.Cut(b.String(), "\n\n") // without its heading
	marked(t, "drivers.md", "registers of the edu card", table)
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// TestLinksLead finds the files that guides point at.
func TestLinksLead(t *testing.T) {
	for _, file := range guides {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(file), m[1]))
			assert.NoError(t, err, "%s: %s", file, m[1])
		}
	}
}

// marked holds the part of a document that is between a mark and its end to what it should be.
func marked(t *testing.T, file, name, want string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	mark := fmt.Sprintf("<!-- Generated by make gen: %s -->\n", name)
	before, rest, found := strings.Cut(string(text), mark)
	require.True(t, found, "%s lacks the mark %q", file, mark)
	have, after, found := strings.Cut(rest, "<!-- end -->\n")
	require.True(t, found, "%s lacks an end to its generated part", file)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+mark+want+"<!-- end -->\n"+after), 0o644))
		return
	}
	require.Equal(t, want, have, "%s lags behind: make gen", file)
}

// TestGeneratedSample holds the README's sample of output to what a run prints,
// but for the line that says how long the host took.
func TestGeneratedSample(t *testing.T) {
	marked(t, "../README.md", "presi run", "```text\n"+sampleRun(t)+"```\n")
}

func sampleRun(t *testing.T) string {
	var out, log bytes.Buffer
	cmd := exec.Command(presi(t), "run")
	cmd.Stdout, cmd.Stderr = &out, &log
	require.NoErrorf(t, cmd.Run(), "%s", &log)
	return regexp.MustCompile(`(?m)^host .*\n`).ReplaceAllString(out.String(), "")
}

// program is presi, built once for all tests.
var program struct {
	sync.Once
	path string
	err  error
}

func presi(t *testing.T) string {
	program.Do(func() {
		var out []byte
		program.path = filepath.Join(scratch, "presi")
		if out, program.err = exec.Command("go", "build", "-o", program.path, "../cmd/presi").CombinedOutput(); program.err != nil {
			program.err = fmt.Errorf("%w: %s", program.err, out)
		}
	})
	require.NoError(t, program.err)
	return program.path
}

// scratch is a folder that lasts as long as the tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "presi-docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
