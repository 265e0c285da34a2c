package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
)

// small is a sweep of six quick points.
const small = `base = "tiny"
workloads = ["gemm:32x32x32", "softmax:16x16"]
[axes]
"array.rows,array.cols" = [4, 8, [8, 16]]
`

func plan(t *testing.T, text string) *Plan {
	t.Helper()
	s, err := parse(t.Context(), "s.toml", []byte(text))
	require.NoError(t, err)
	p, err := s.Plan(t.Context(), "test")
	require.NoError(t, err)
	return p
}

// journalLines reads a journal without what may differ between runs.
func journalLines(t *testing.T, dir string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, JournalName))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		delete(m, "host_seconds")
		b, err := json.Marshal(m)
		require.NoError(t, err)
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

func run(t *testing.T, p *Plan, o Options) *Outcome {
	t.Helper()
	out, err := p.Run(context.Background(), o)
	require.NoError(t, err)
	return out
}

func TestPlanIsTheGridInOrder(t *testing.T) {
	p := plan(t, `base = "tiny"
workloads = ["gemm:8x8x8", "relu:4x4"]
dtype = ["bf16", "int8"]
[axes]
"dram.channels" = [2, 1]
"array.rows,array.cols" = [4, [8, 16]]
[set]
"core.count" = 1
`)
	var got []string
	for i := range p.Points {
		pt := &p.Points[i]
		got = append(got, fmt.Sprint(pt.Workload, " ", pt.DType, " ", pt.Batch, " ", p.Values(pt)))
		assert.Equal(t, 1, pt.Machine.Core.Count)
	}
	var want []string
	for _, w := range []string{"gemm:8x8x8 bf16 1 ", "gemm:8x8x8 int8 1 ", "relu:4x4 bf16 1 ", "relu:4x4 int8 1 "} {
		for _, v := range []string{"[2 4]", "[2 [8, 16]]", "[1 4]", "[1 [8, 16]]"} {
			want = append(want, w+v)
		}
	}
	assert.Equal(t, want, got)
	last := p.Points[3].Machine
	assert.Equal(t, []int{1, 8, 16}, []int{last.DRAM.Channels, last.Array.Rows, last.Array.Cols})
}

func TestKeyIsOfAllThatDecides(t *testing.T) {
	base := plan(t, small)
	again := plan(t, "title = \"another title\" # and a comment\n"+small)
	for i := range base.Points {
		assert.Equal(t, base.Points[i].Key, again.Points[i].Key, "a point is what it simulates, not how its file is written")
	}
	seen := map[string]string{base.Points[0].Key: "base"}
	for name, text := range map[string]string{
		"seed":       "seed = 2\n" + small,
		"functional": "functional = true\n" + small,
		"type":       "dtype = [\"f32\"]\n" + small,
		"batch":      "batch = [2]\n" + small,
		"machine":    small + "[set]\n\"core.count\" = 1\n",
		"workload":   strings.Replace(small, "32x32x32", "32x32x33", 1),
	} {
		key := plan(t, text).Points[0].Key
		assert.Empty(t, seen[key], "%s does not change the key", name)
		seen[key] = name
	}
	s, err := parse(t.Context(), "s.toml", []byte(small))
	require.NoError(t, err)
	newer, err := s.Plan(t.Context(), "newer")
	require.NoError(t, err)
	assert.NotEqual(t, base.Points[0].Key, newer.Points[0].Key, "results of two versions must not mix")
}

func TestNetworkFilesAndMachinesBesideTheSweep(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	write("m.toml", "base = \"tiny\"\n[core]\ncount = 1\n")
	network := `name = "t"
title = "t"
source = "t"
outputs = ["a"]
tensors = [{ name = "x", role = "input", shape = [4, 8] }]
[[block]]
ops = [{ name = "a", op = "relu", in = "x" }]
`
	write("n.toml", network)
	file := write("s.toml", "base = \"m.toml\"\nworkloads = [\"n.toml\"]\n")
	keyOf := func() string {
		s, err := Load(t.Context(), file)
		require.NoError(t, err)
		p, err := s.Plan(t.Context(), "test")
		require.NoError(t, err)
		require.Len(t, p.Points, 1)
		assert.Equal(t, 1, p.Points[0].Machine.Core.Count)
		return p.Points[0].Key
	}
	before := keyOf()
	write("n.toml", strings.Replace(network, "[4, 8]", "[4, 9]", 1))
	assert.NotEqual(t, before, keyOf(), "the network has changed, its points have, too")
}

// A topology of SCALE-Sim is a file like any other.
func TestTopologiesBesideTheSweep(t *testing.T) {
	dir := t.TempDir()
	keyOf := func(filters string) string {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "t.csv"),
			[]byte("Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\nconv, 8, 8, 3, 3, 4, "+filters+", 1,\n"), 0o666))
		file := filepath.Join(dir, "s.toml")
		require.NoError(t, os.WriteFile(file, []byte("base = \"tiny\"\nworkloads = [\"t.csv\"]\n"), 0o666))
		s, err := Load(t.Context(), file)
		require.NoError(t, err)
		p, err := s.Plan(t.Context(), "test")
		require.NoError(t, err)
		return p.Points[0].Key
	}
	assert.NotEqual(t, keyOf("8"), keyOf("16"))
}

func TestPlanIsInterrupted(t *testing.T) {
	s, err := parse(t.Context(), "s.toml", []byte(small))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Plan(ctx, "test")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWorkloadsHaveTheirOwnBatch(t *testing.T) {
	g, err := LoadWorkload("digits", 0, 0)
	require.NoError(t, err)
	assert.Equal(t, datasetBatch, g.Batch)
	g, err = LoadWorkload("digits", 0, 5)
	require.NoError(t, err)
	assert.Equal(t, 5, g.Batch)
	g, err = LoadWorkload("gemm:4x4x4", 0, 0)
	require.NoError(t, err)
	assert.Equal(t, 1, g.Batch)
}

func TestExampleSweep(t *testing.T) {
	s, err := Load(t.Context(), "testdata/arrays.toml")
	require.NoError(t, err)
	assert.Equal(t, "arrays", s.Name())
	p, err := s.Plan(t.Context(), "test")
	require.NoError(t, err)
	assert.Len(t, p.Points, 2*2*3*3)
}

func TestLiterals(t *testing.T) {
	for want, v := range map[string]any{`"a"`: "a", "3": int64(3), "0.5": 0.5, "2.0": 2.0, "1e+30": 1e30, "true": true,
		`["x", 1]`: []any{"x", int64(1)}} {
		assert.Equal(t, want, literal(v))
	}
}

func TestFaults(t *testing.T) {
	axes := func(line string) string {
		return "base = \"tiny\"\nworkloads = [\"gemm:8x8x8\"]\n[axes]\n" + line + "\n"
	}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"everything missing", "", []string{"s.toml: base: missing", "s.toml: workloads: missing"}},
		{"no TOML", "base = tiny", []string{"s.toml:1: not TOML"}},
		{"unknown key", "base = \"tiny\"\nworkload = [\"gemm:8x8x8\"]", []string{"s.toml:2: workload = [\"gemm:8x8x8\"]: no such key; did you mean workloads?"}},
		{"unknown machine", "base = \"tyny\"\nworkloads = [\"gemm:8x8x8\"]", []string{`s.toml:1: base = "tyny": no such machine; did you mean tiny?`}},
		{"missing machine file", "base = \"no.toml\"\nworkloads = [\"gemm:8x8x8\"]", []string{`s.toml:1: base = "no.toml": cannot read it`}},
		{"workloads", "base = \"tiny\"\nworkloads = [\n\"resnet19\",\n\"gemm:0x8x8\", \"no.toml\",\n\"lstm:3\"]", []string{
			`s.toml:3: workloads = "resnet19": is no network; did you mean resnet18?`,
			`s.toml:4: workloads = "gemm:0x8x8": column 6: `,
			`s.toml:4: workloads = "no.toml": cannot read no.toml: no such file`,
			`s.toml:5: workloads = "lstm:3": column 1: operator "lstm" is not supported`}},
		{"no workloads", "base = \"tiny\"\nworkloads = []", []string{"s.toml:2: workloads = []: want at least one"}},
		{"types and batches", "base = \"tiny\"\nworkloads = [\"gemm:8x8x8\"]\ndtype = [\"bf16\",\n\"fp8\", \"bf16\"]\nbatch = [1, 0]", []string{
			`s.toml:4: dtype = "fp8": want f32, bf16 or int8`, `s.toml:4: dtype = "bf16": is there already, as value 1`,
			"s.toml:5: batch = 0: want 1 to 1048576"}},
		{"batch is a list", "base = \"tiny\"\nworkloads = [\"gemm:8x8x8\"]\nbatch = 4", []string{"s.toml:3: batch = 4: want a list of integers, in brackets"}},
		{"no such axis", axes(`"array.row" = [8]`), []string{"s.toml:4: array.row = 8: no such key; did you mean array.rows?"}},
		{"each bad value of an axis, once", axes("\"dram.channels\" = [1, -1,\n\"two\", 2]\n\"core.count\" = [1, 2]"), []string{
			"s.toml:4: dram.channels = -1: want", `s.toml:5: dram.channels = "two": want an integer`}},
		{"unit", axes(`"core.clock" = [500]`), []string{`s.toml:4: core.clock = 500: `}},
		{"no value", axes(`"core.count" = []`), []string{"s.toml:4: core.count = []: want at least one value"}},
		{"value twice", axes(`"core.count" = [1, 2, 1]`), []string{"s.toml:4: core.count = 1: is there already, as value 1"}},
		{"one value", axes(`"core.count" = 1`), []string{"s.toml:4: axes.\"core.count\" = 1: want a list"}},
		{"no quotes", axes(`array.rows = [8]`), []string{"s.toml:4: axes.array = {…}: want a list of values; a key with dots needs quotes"}},
		{"pairs", axes(`"array.rows,array.cols" = [[8, 8], [8], 4]`), []string{"s.toml:4: array.rows,array.cols = [8]: want 2 values in brackets"}},
		{"comma", axes(`"array.rows," = [8]`), []string{"s.toml:4: array.rows,: want configuration keys with commas between"}},
		{"key of two axes", axes("\"array.rows\" = [8]\n\"array.rows,array.cols\" = [8]"), []string{
			`s.toml:5: array.rows,array.cols: array.rows is set by axes."array.rows", too`}},
		{"axis and set", axes("\"core.count\" = [1]\n[set]\n\"core.count\" = 2"), []string{`s.toml:6: core.count: core.count is set by axes."core.count", too`}},
		{"set", axes("\"core.count\" = [1, 2]\n[set]\n\"dram.chanels\" = 2\n\"core.clock\" = \"fast\""), []string{
			"s.toml:6: dram.chanels = 2: no such key; did you mean dram.channels?", `s.toml:7: core.clock = "fast": `}},
		{"set without quotes", axes("[set]\ncore.clock = \"1GHz\""), []string{"s.toml:5: set.core = {…}: want a value; a key with dots needs quotes"}},
		{"of every kind at once", "base = \"tiny\"\nworkloads = [\"resnet19\"]\ndtype = [\"fp8\"]\n[axes]\n\"core.count\" = [1, 99]\n\"core.clok\" = [1]\n[set]\n\"dram.channels\" = -1", []string{
			`s.toml:2: workloads = "resnet19": is no network`, `s.toml:3: dtype = "fp8": want f32`, "s.toml:5: core.count = 99: want",
			"s.toml:6: core.clok = 1: no such key; did you mean core.clock?", "s.toml:8: dram.channels = -1: want"}},
		{"keys that are no axes", axes("base = [\"tiny\", \"edge\"]\n\"name\" = [\"a\", \"b\"]\n\"description,core.count\" = [[\"a\", 1]]\n[set]\nbase = \"edge\""), []string{
			"s.toml:4: base: a sweep has one machine, base = \"…\" at the top", "s.toml:5: name: changes nothing of a machine",
			"s.toml:6: description: changes nothing of a machine", "s.toml:8: base: the machine is base = \"…\" at the top of the file"}},
		{"unknown keys and what else is wrong", "bass = \"tiny\"\nworkloads = [\"gemm:8x8x8\"]\ncolour = 1\ndtype = [\"fp8\"]\nbatch = [0]\n", []string{
			"s.toml:1: bass = \"tiny\": no such key; did you mean base?", "s.toml:3: colour = 1: no such key", `s.toml:4: dtype = "fp8": want f32`, "s.toml:5: batch = 0: want 1 to"}},
		{"no machine and what is set of it", "base = \"tinny\"\nworkloads = [\"gemm:8x8x8\"]\n[axes]\n\"core.count\" = [\"x\"]\n[set]\n\"core.clok\" = 1\n", []string{
			`s.toml:1: base = "tinny": no such machine; did you mean tiny?`, `s.toml:4: core.count = "x": want an integer`, "s.toml:6: core.clok = 1: no such key; did you mean core.clock?"}},
		{"what follows from a value", "base = \"edge\"\nworkloads = [\"gemm:8x8x8\"]\n[axes]\n\"dram.channels\" = [1, 2]\n", []string{
			`s.toml:4: dram.channels = 1: dram.size = "4GiB": want at most 2GiB, what 1 × LPDDR5_6400 hold, in units of 32 bytes; set dram.size, too`}},
		{"too many", axes(`"core.count,core.outstanding" = [` + numbers(400) + "]\n\"dram.channels\" = [" + numbers(400) + "]"), []string{"s.toml:3: axes: the grid has too many points"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parse(t.Context(), "s.toml", []byte(c.text))
			if err == nil {
				_, err = s.Plan(t.Context(), "test")
			}
			var got configs.Faults
			require.ErrorAs(t, err, &got)
			require.Len(t, got, len(c.want), "%v", err)
			for i, want := range c.want {
				assert.True(t, strings.HasPrefix(got[i].Error(), want), "got  %s\nwant %s…", got[i], want)
			}
		})
	}
}

func numbers(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(out, ", ")
}

// maxBatch is a copy of a limit of workload.Load.
func TestLargestBatch(t *testing.T) {
	_, err := LoadWorkload("relu:1x1", 0, maxBatch)
	assert.NoError(t, err)
	_, err = LoadWorkload("relu:1x1", 0, maxBatch+1)
	assert.ErrorContains(t, err, fmt.Sprintf("want 1 to %d", maxBatch))
}

func TestFilesThatCannotBeRead(t *testing.T) {
	_, err := Load(t.Context(), "testdata/none.toml")
	assert.EqualError(t, err, "testdata/none.toml: cannot read it: no such file or directory")
}
