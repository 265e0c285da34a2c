package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sweep"
)

func sweepIn(t *testing.T, dir, line string) call {
	t.Helper()
	return in(t, "sweep "+line+" -o "+dir)
}

func journal(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, sweep.JournalName))
	require.NoError(t, err)
	return string(text)
}

func TestSweepRanksPointsAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	first := sweepIn(t, dir, "testdata/small.toml --workers 2 --best 3")
	require.Equal(t, 0, first.code, first.err)
	assert.Empty(t, first.err)
	assert.Contains(t, first.out, "8 of 8 points done, 0 of them before, 0 failed: "+filepath.Join(dir, "points.jsonl"))
	for _, want := range []string{"gemm:64x64x64, bf16, batch 1: best 3 of 4 points", "softmax:16x64, bf16, batch 1: best 3 of 4 points",
		"array.rows,array.cols  dram.channels  time", "axis", "dram.channels          2      4"} {
		assert.Contains(t, first.out, want)
	}
	assert.Regexp(t, regexp.MustCompile(`(?m)^8 +\d +\S+ ms +1\.00x`), first.out, "the larger array is the fastest")
	text := journal(t, dir)
	assert.Equal(t, 8, strings.Count(text, "\n"))

	again := sweepIn(t, dir, "testdata/small.toml --best 3")
	assert.Equal(t, 0, again.code)
	assert.Equal(t, text, journal(t, dir), "nothing is run twice")
	assert.Equal(t, strings.Replace(first.out, "0 of them before", "8 of them before", 1), again.out)
}

func TestSweepMendsATornJournal(t *testing.T) {
	dir := t.TempDir()
	whole := sweepIn(t, dir, "testdata/small.toml --workers 1")
	path := filepath.Join(dir, sweep.JournalName)
	text := journal(t, dir)
	require.NoError(t, os.WriteFile(path, []byte(text[:len(text)-100]), 0o666))
	got := sweepIn(t, dir, "testdata/small.toml --workers 1")
	assert.Equal(t, 0, got.code)
	assert.Equal(t, path+": the last line is torn, as a killed run leaves it; its point is run again\n", got.err)
	assert.Equal(t, strings.Replace(whole.out, "0 of them before", "7 of them before", 1), got.out)
}

func TestSweepWithFailedPoints(t *testing.T) {
	dir := t.TempDir()
	got := sweepIn(t, dir, "testdata/partly.toml")
	assert.Equal(t, 3, got.code)
	assert.Equal(t, "presi: some points failed: 1 of 2, listed above\n", got.err)
	assert.Contains(t, got.out, "best 1 of 2 points")
	assert.Contains(t, got.out, "\n1 failed: ")
	assert.Contains(t, got.out, "the first: gemm:1024x1024x16, bf16, batch 1, dram.size = 2MiB")
	assert.Contains(t, journal(t, dir), `"error":`)
	again := sweepIn(t, dir, "testdata/partly.toml")
	assert.Equal(t, 3, again.code, "failed points are results, too")
	assert.Contains(t, again.out, "2 of them before")
	assert.Contains(t, sweepIn(t, dir, "testdata/partly.toml --retry").out, "1 of them before")
}

func TestInterruptedSweepCanGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	early := presi(ctx, "sweep", "testdata/small.toml", "-o", t.TempDir())
	assert.Equal(t, call{err: "presi: interrupted; the same command goes on from here\n", code: 130}, early, "while it is planned")

	dir, got := "", call{}
	const behind = "softmax:16x64, bf16, batch 1: none of 4 points has a time"
	for try := 0; try < 50 && !strings.Contains(got.out, behind); try++ { // as long as the interrupt comes too late
		dir = t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				if info, err := os.Stat(filepath.Join(dir, sweep.JournalName)); err == nil && info.Size() > 0 {
					cancel()
				}
			}
		}()
		got = presi(ctx, "sweep", "testdata/small.toml", "-o", dir, "--workers", "1")
		cancel()
	}
	assert.Equal(t, early.err, got.err)
	assert.Contains(t, got.out, "of 8 points done")
	assert.Contains(t, got.out, behind)
	done := strings.Count(journal(t, dir), "\n")
	again := sweepIn(t, dir, "testdata/small.toml")
	assert.Equal(t, 0, again.code)
	assert.Contains(t, again.out, fmt.Sprintf("8 of 8 points done, %d of them before", done))
}

func TestSweepFolderIsNamedAfterItsFile(t *testing.T) {
	file, err := filepath.Abs("testdata/partly.toml")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	in(t, "sweep "+file)
	assert.FileExists(t, "partly-sweep/points.jsonl")
}

func TestSweepWhoseFolderCannotBe(t *testing.T) {
	got := sweepIn(t, "testdata/small.toml", "testdata/small.toml")
	assert.Equal(t, 2, got.code)
	assert.Equal(t, "-o testdata/small.toml: cannot be the folder of results: not a directory\n", got.err)
}
