package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entries names what a folder has.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// perfetto returns the events of a trace for ui.perfetto.dev.
func perfetto(t *testing.T, file string) []map[string]any {
	t.Helper()
	var trace struct{ TraceEvents []map[string]any }
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &trace))
	return trace.TraceEvents
}

// A run that fails keeps the trace of what happened until then, and says so.
func TestTraceOfARunThatFails(t *testing.T) {
	dir := t.TempDir()
	file, text := filepath.Join(dir, "t.json"), filepath.Join(dir, "t.txt")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	got := in(t, "run -c tiny -w gemm:16x16x16 --timing-only --fault kind=boot-hang --trace "+file+" --trace-text "+text)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "presi: --trace "+file+": what happened until then is in it\n")
	assert.NotEmpty(t, perfetto(t, file))
	b, err := os.ReadFile(text)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(b), "# start_ps\tend_ps\t"))
	assert.Equal(t, []string{"t.json", "t.txt"}, entries(t, dir))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm(), "as it was")
}

// So does one that is interrupted.
func TestTraceOfARunInterruptedOnItsWay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	file := filepath.Join(t.TempDir(), "t.json")
	got := presi(ctx, append(strings.Fields("run -c tiny -w gemm:2048x2048x2048 --batch 4 --dtype int8 --timing-only --trace"), file)...)
	require.Equal(t, 130, got.code, got.err)
	if strings.Contains(got.err, file) {
		assert.NotEmpty(t, perfetto(t, file))
	}
}

// An earlier trace stays until there is a new one.
func TestEarlierTraceIsNotLost(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "t.json"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o666))
	require.NoError(t, os.Symlink("t.json", link))
	kept := func() {
		t.Helper()
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "x", string(b))
		assert.Equal(t, []string{"link", "t.json"}, entries(t, dir))
	}
	assert.Equal(t, 2, in(t, gemm+"--trace "+file+" --trace-text none/t.txt").code)
	kept()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, 130, presi(ctx, append(strings.Fields(gemm), "--trace", file)...).code)
	kept()
	assert.Equal(t, 0, in(t, gemm+"--timing-only --trace "+link).code)
	assert.NotEmpty(t, perfetto(t, file), "a link still leads to the file")
	assert.Equal(t, []string{"link", "t.json"}, entries(t, dir))
}

// A trace that cannot be written costs no report, and is one message.
func TestTraceOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	got := in(t, gemm+"--timing-only --trace /dev/full")
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "presi: --trace /dev/full: cannot write it: no space left on device\n", got.err)
	assert.Contains(t, got.out, "bound by")
}

// A folder below /dev is one like others: a longer file is replaced as a whole.
func TestTraceInSharedMemory(t *testing.T) {
	folder, err := os.MkdirTemp("/dev/shm", "presi")
	if err != nil {
		t.Skip("this system has no /dev/shm, whose files are what is tested")
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	file := filepath.Join(folder, "t.json")
	assert.Equal(t, 0, in(t, gemm+"--timing-only --trace "+file).code)
	want := perfetto(t, file)
	require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("x"), 1<<20), 0o666))
	require.NoError(t, os.Chmod(file, 0o600))
	assert.Equal(t, 0, in(t, gemm+"--timing-only --trace "+file).code)
	assert.Equal(t, want, perfetto(t, file))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}
