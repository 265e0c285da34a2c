package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/workload"
)

var update = flag.Bool("update", false, "write the golden files anew")

// call is a finished call of the program.
type call struct {
	out, err string
	code     int
}

func presi(ctx context.Context, args ...string) call {
	var out, err bytes.Buffer
	a := &app{out: &out, err: &err}
	code := a.execute(ctx, args)
	return call{out.String(), err.String(), code}
}

// in runs a command line, with its words separated by blanks.
func in(t *testing.T, line string) call {
	t.Helper()
	return presi(t.Context(), strings.Fields(line)...)
}

// names that come and go with machines, networks and operators.
func withoutNames(text string) string {
	text = strings.ReplaceAll(text, strings.Join(workload.List(), ", "), "{networks}")
	var machines []string
	for _, m := range configs.List() {
		machines = append(machines, m.Name)
	}
	text = strings.ReplaceAll(text, strings.Join(machines, ", "), "{machines}")
	return operators.ReplaceAllString(text, "supported are {operators}")
}

var operators = regexp.MustCompile("supported are [a-z0-9_, ]+")

// golden compares text, less what comes and goes, with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = withoutNames(got)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o666))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to make it")
	assert.Equal(t, string(want), got, "golden file %s", path)
}

// TestOutput holds what is stable, word for word.
func TestOutput(t *testing.T) {
	for _, c := range []struct{ name, line string }{
		{"help", ""},
		{"run_help", "run --help"},
		{"workload_show", "workload show digits --dtype int8"},
		{"workload_show_conv", "workload show conv:1x8x8x4,8x3x3,pad=1 --batch 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := in(t, c.line)
			assert.Equal(t, 0, got.code)
			assert.Empty(t, got.err)
			golden(t, c.name, got.out)
		})
	}
}

// TestBadInput holds the messages: one a mistake, exit code 2, nothing on stdout.
func TestBadInput(t *testing.T) {
	for _, c := range []struct{ name, line string }{
		{"unknown command", "rnu -w digits"},
		{"unknown command without a likeness", "frobnicate"},
		{"unknown subcommand", "config lst"},
		{"unknown help", "help swep"},
		{"unknown flags", "run --bach 3 --vrify --json"},
		{"unknown flag without a likeness", "run --frobnicate"},
		{"unknown short flag", "run -x"},
		{"flag without a value", "run --set"},
		{"boolean", "run --json=maybe"},
		{"an argument too many", "run digits"},
		{"arguments missing", "workload show"},
		{"arguments too many", "sweep a.toml b.toml"},
		{"no such format", "regs --format pdf"},
		{"everything at once", "run -c tiny -w resnet19 --batch x --dtype fp8 --workers -1 --set core.cont=2 --set dram.channels=two --set core.clock=5 --verify --timing-only"},
		{"batch", "run -c tiny -w gemm:8x8x8 --batch 2000000"},
		{"unknown machine", "run -c egde"},
		{"no such files", "run -c none.toml -w none.toml"},
		{"machine file", "run -c testdata/bad.toml -w gemm:8x8x8"},
		{"check", "config check testdata/bad.toml none.toml"},
		{"show", "config show testdata/bad.toml"},
		{"network file", "run -c tiny -w testdata/badnet.toml"},
		{"shorthands", "workload show gemm:8x8"},
		{"operator", "run -w lstm:8x8"},
		{"trace files", "run -c tiny -w gemm:8x8x8 --trace none/a.json --trace-text none/b.txt"},
		{"one trace file for two", "run -c tiny -w gemm:8x8x8 --trace same --trace-text same"},
		{"sweep file", "sweep testdata/badsweep.toml"},
		{"sweep flags and file", "sweep none.toml --workers none --best 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := in(t, c.line)
			assert.Equal(t, 2, got.code)
			assert.Empty(t, got.out)
			golden(t, "bad_"+strings.ReplaceAll(c.name, " ", "_"), "$ presi "+c.line+"\n"+got.err)
		})
	}
}

func TestNoDefectReachesTheUserAsAPanic(t *testing.T) {
	var err bytes.Buffer
	a := &app{out: brokenWriter{}, err: &err}
	assert.Equal(t, 1, a.execute(t.Context(), []string{"config", "show", "tiny"}))
	assert.Contains(t, err.String(), "presi: a defect of presi, not of your input: ouch")
}

// brokenWriter stands for a defect.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { panic("ouch") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	require.NoError(t, err)
	defer full.Close()
	for _, line := range []string{"config list", "regs", "workload show gemm:8x8x8", "run -c tiny -w gemm:8x8x8", "config show --set core.count=1"} {
		var stderr bytes.Buffer
		a := &app{out: full, err: &stderr}
		assert.Equal(t, 1, a.execute(t.Context(), strings.Fields(line)), line)
		assert.Contains(t, stderr.String(), "no space left on device", line)
	}
}

func TestExitCodes(t *testing.T) {
	other := errors.New("other")
	for want, err := range map[int]error{0: nil, 1: other, 2: input(other), 3: errPoints, 130: errInterrupted} {
		assert.Equal(t, want, exitCode(err))
		if err != nil {
			assert.Equal(t, want, exitCode(errors.Join(errors.New("more"), err)))
		}
	}
	assert.NoError(t, input(nil, nil))
	assert.ErrorIs(t, input(nil, other), other)
}

func TestListsHaveALineForEach(t *testing.T) {
	machines := in(t, "config list")
	require.Equal(t, 0, machines.code, machines.err)
	for _, m := range configs.List() {
		assert.Regexp(t, "(?m)^"+m.Name+" +"+regexp.QuoteMeta(m.Description)+"$", machines.out)
	}
	networks := in(t, "workload list")
	require.Equal(t, 0, networks.code, networks.err)
	for _, name := range workload.List() {
		assert.Regexp(t, "(?m)^"+name+` +\d+ +\d+ +\d+ +\S`, networks.out)
	}
	assert.Regexp(t, "(?m)^digits +5 +38282 +337536 +handwritten digits, 8x8 images, trained$", networks.out)
	assert.Equal(t, len(workload.List())+1, strings.Count(networks.out, "\n"))
}

// Two builds that no version tells apart do not share results of sweeps.
func TestBuildNamesTheProgram(t *testing.T) {
	assert.Regexp(t, "^"+regexp.QuoteMeta(version())+" [0-9a-f]{16}$", build())
}

func TestVersion(t *testing.T) {
	got := in(t, "--version")
	assert.Equal(t, call{"presi version " + version() + "\n", "", 0}, got)
}
