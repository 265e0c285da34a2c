package mmu

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReplay runs the recorded scenarios: those in validate/refs, and the full files
// of the folder that PRESI_IOMMU_VECTORS names.
func TestReplayIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Replay(ctx, strings.NewReader("{}\n"), io.Discard, ReplayOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestReplay(t *testing.T) {
	files, err := filepath.Glob("../validate/refs/iommu/0[1-8]_*.jsonl.gz")
	require.NoError(t, err)
	if dir := os.Getenv("PRESI_IOMMU_VECTORS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "0[1-8]_*.jsonl.gz"))
		require.NoError(t, err)
		files = append(files, more...)
	}
	require.GreaterOrEqual(t, len(files), 8)
	for _, name := range files {
		for size, cfg := range map[string]IOMMUConfig{
			"default":   DefaultIOMMUConfig(),
			"one entry": {IOTLBEntries: 1, IOTLBWays: 1, DDTEntries: 1, PDTEntries: 1},
			"large":     {IOTLBEntries: 4096, IOTLBWays: 4, DDTEntries: 64, PDTEntries: 64, WalkCacheEntries: 1024},
		} {
			t.Run(filepath.Base(name)+" "+size, func(t *testing.T) { replayFile(t, name, cfg) })
		}
	}
}

func replayFile(t *testing.T, name string, cfg IOMMUConfig) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	var out bytes.Buffer
	res, err := Replay(t.Context(), f, &out, ReplayOptions{Config: cfg})
	require.NoError(t, err)
	t.Logf("%s: %d passed, %d failed", filepath.Base(name), res.Passed, res.Failed)
	require.Positive(t, res.Passed)
	require.Zero(t, res.Failed, "%s", firstLines(out.Bytes(), 25))
}

// TestReplayReports plays a scenario whose expectation is wrong, one that is
// skipped by its tag, and a line that is no scenario.
func TestReplayReports(t *testing.T) {
	const good = `{"name":"a","caps":"0x10","fctl":"0x0","tags":["x"],"ops":[{"op":"reg_read","off":0,"size":8,"expect":{"val":"0x10"}}]}`
	bad := strings.Replace(strings.Replace(good, `"0x10"}}`, `"0x11"}}`, 1), `"a"`, `"b"`, 1)
	skip := strings.Replace(good, `"x"`, `"msi_irq"`, 1)
	var out bytes.Buffer
	res, err := Replay(t.Context(), strings.NewReader(good+"\n"+bad+"\n\n"+skip), &out, ReplayOptions{Skip: []string{"msi_irq"}})
	require.NoError(t, err)
	require.Equal(t, ReplayResult{Passed: 1, Failed: 1, Skipped: 1}, res)
	require.Equal(t, "b: op 0 (reg_read): val is 0x10, expected 0x11\na: skipped (msi_irq)\n1 passed, 1 failed\n", out.String())

	_, err = Replay(t.Context(), strings.NewReader(good+"\n{\"mem\":[[\"zero\",1]]}"), &out, ReplayOptions{})
	require.ErrorIs(t, err, ErrReplay)
	require.ErrorContains(t, err, "line 2")
	for what, text := range map[string]string{
		"size 3 is neither 4 nor 8":          strings.Replace(good, `"size":8`, `"size":3`, 1),
		`"reg_reed" is not an operation`:     strings.Replace(good, "reg_read", "reg_reed", 1),
		"address 0x4 is not a multiple of 8": strings.Replace(good, `"tags"`, `"mem":[["0x4","0x1"]],"tags"`, 1),
		"the JSON object is cut off":         good[:40],
		"a JSON object, not null":            "null",
		"a JSON object, not array":           "[]",
		"ops.size does not take string":      strings.Replace(good, `"size":8`, `"size":"8"`, 1),
		"has no name":                        `{"caps":"0x10"}`,
		"a: no operations":                   `{"name":"a"}`,
		`unknown field "va"`:                 strings.Replace(good, `"val"`, `"va"`, 1),
		"one scenario a line":                good + good,
		"no scenarios":                       "\n\n",
		`["0x8"] has not 2 numbers`:          strings.Replace(good, `"tags"`, `"mem":[["0x8"]],"tags"`, 1),
		`rw is "r" or "w"`:                   strings.Replace(good, `"reg_read"`, `"translate"`, 1),
	} {
		_, err = Replay(t.Context(), strings.NewReader(text), &out, ReplayOptions{})
		require.ErrorContains(t, err, what)
	}
	_, err = Replay(t.Context(), strings.NewReader("\x1f\x8bnot gzip"), &out, ReplayOptions{})
	require.ErrorIs(t, err, ErrReplay)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write([]byte(good + "\n" + good))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = Replay(t.Context(), bytes.NewReader(packed.Bytes()[:packed.Len()-12]), &out, ReplayOptions{})
	require.ErrorContains(t, err, "the gzip file is cut off")
}

// TestReplayFollowsInterrupts plays an illegal command whose interrupt message
// faults: the record of that raises the fault queue's interrupt, in the same step.
func TestReplayFollowsInterrupts(t *testing.T) {
	const text = `{"name":"a","caps":"0x1ee830e0e10","fctl":"0x0","ops":[
{"op":"reg_write","off":760,"size":8,"val":"0x1"},
{"op":"reg_write","off":768,"size":8,"val":"0x5000"},
{"op":"reg_write","off":776,"size":4,"val":"0x77"},
{"op":"reg_write","off":784,"size":8,"val":"0x100000000"},
{"op":"reg_write","off":24,"size":8,"val":"0x1003"},
{"op":"reg_write","off":72,"size":4,"val":"0x3"},
{"op":"reg_write","off":40,"size":8,"val":"0x2003"},
{"op":"reg_write","off":76,"size":4,"val":"0x3"},
{"op":"command","lo":"0x0","hi":"0x0","expect":{"cqcsr":"0x10403","ipsr":"0x3","fqn":1,"writes":[["0x5000",4,"0x77"]]}}]}`
	var out bytes.Buffer
	res, err := Replay(t.Context(), strings.NewReader(strings.ReplaceAll(text, "\n", "")), &out, ReplayOptions{Limit: 9})
	require.NoError(t, err)
	require.Equal(t, ReplayResult{Passed: 1}, res, out.String())
}

func firstLines(p []byte, n int) []byte {
	for i, c := range p {
		if c == '\n' {
			if n--; n == 0 {
				return p[:i]
			}
		}
	}
	return p
}
