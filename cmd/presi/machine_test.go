package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/abi"
)

func TestShowPrintsShippedMachinesWithTheirComments(t *testing.T) {
	want, ok := configs.Text("tiny")
	require.True(t, ok)
	assert.Equal(t, call{string(want), "", 0}, in(t, "config show tiny"))
	edge, _ := configs.Text("edge")
	assert.Equal(t, string(edge), in(t, "config show").out)
}

// What show prints of a resolved machine is a machine, the same one.
func TestShowPrintsWhatCanBeLoaded(t *testing.T) {
	got := in(t, "config show tiny --set core.count=1 --set core.clock=1GHz")
	require.Equal(t, 0, got.code, got.err)
	file := filepath.Join(t.TempDir(), "m.toml")
	require.NoError(t, os.WriteFile(file, []byte(got.out), 0o666))
	m, err := configs.Machine(file)
	require.NoError(t, err)
	want, err := configs.Machine("tiny", "core.count=1", "core.clock=1GHz")
	require.NoError(t, err)
	assert.Equal(t, want, m)
}

func TestCheck(t *testing.T) {
	got := in(t, "config check testdata/one.toml tiny")
	assert.Equal(t, 0, got.code, got.err)
	assert.True(t, strings.HasPrefix(got.out, "testdata/one.toml: fine: the tiny machine with a single core\ntiny: fine: "), got.out)
	got = in(t, "config check tiny --set core.count=0")
	assert.Equal(t, 2, got.code)
	assert.Equal(t, "--set core.count=0: want 1 to 32\n", got.err)
}

func TestKeysAreAllThere(t *testing.T) {
	got := in(t, "config keys tiny")
	require.Equal(t, 0, got.code, got.err)
	m, err := configs.Machine("tiny")
	require.NoError(t, err)
	for _, k := range configs.Keys(m) {
		assert.Contains(t, got.out, "| `"+k.Path[strings.LastIndexByte(k.Path, '.')+1:]+"` |")
	}
}

func TestRegs(t *testing.T) {
	md, c, js := in(t, "regs"), in(t, "regs --format c"), in(t, "regs --format json")
	for _, got := range []call{md, c, js} {
		require.Equal(t, 0, got.code, got.err)
	}
	assert.Equal(t, md, in(t, "regs --format md"))
	assert.Contains(t, c.out, "#ifndef PRESI_REGS_H")
	var tables []map[string]any
	require.NoError(t, json.Unmarshal([]byte(js.out), &tables))
	require.Len(t, tables, len(abi.Tables))
	for i, table := range abi.Tables {
		assert.Equal(t, table.Name, tables[i]["name"])
		assert.Contains(t, md.out, table.Name)
	}
	var direct bytes.Buffer
	require.NoError(t, regsFormats["c"](&direct, abi.Tables))
	assert.Equal(t, direct.String(), c.out)
}
