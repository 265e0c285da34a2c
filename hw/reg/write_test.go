package reg

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Markdown(&b, []Table{sample(), pair("second", 0x40)}))
	golden(t, "sample.md", b.Bytes())
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, JSON(&b, []Table{sample()}))
	golden(t, "sample.json", b.Bytes())
	var back []map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Len(t, back[0]["registers"], len(sample().Registers))
}

func TestCHeader(t *testing.T) {
	evil := pair("second", 0x40)
	evil.Text = "ends */ a comment /* and opens one"
	var b bytes.Buffer
	require.NoError(t, CHeader(&b, "SAMPLE_REGS_H", "npu", []Table{sample(), evil}))
	golden(t, "sample.h", b.Bytes())
	compile(t, b.Bytes(), `
#include <stdint.h>
#include "regs.h"
#include "regs.h"
_Static_assert(NPU_UNIT_BLOCK_BASE == 0x1000 && NPU_UNIT_BLOCK_COUNT == 3 && NPU_UNIT_BLOCK_STRIDE == 0x100, "table");
_Static_assert(NPU_UNIT_BLOCK_BASE + 2 * NPU_UNIT_BLOCK_STRIDE + NPU_UNIT_BASE(1) == 0x1230, "array");
_Static_assert(NPU_UNIT_LEN(2) == 0x48 && NPU_UNIT_LEN_ELEMENTS == 3, "array");
_Static_assert(NPU_UNIT_CTRL == 4, "offset");
_Static_assert(NPU_UNIT_CTRL_CAUSE_MASK == 0x0ff00000u && NPU_UNIT_CTRL_CAUSE_SHIFT == 20, "field");
_Static_assert((NPU_UNIT_CTRL_MODE_FAST << NPU_UNIT_CTRL_MODE_SHIFT & ~NPU_UNIT_CTRL_MODE_MASK) == 0, "value");
_Static_assert(sizeof(NPU_UNIT_WIDE_ALL_MASK) == 8 && NPU_UNIT_WIDE_ALL_MASK == UINT64_MAX, "wide");
int main(void) { return 0; }
`)
}

func TestCHeaderRefusesAMacroOfTwoThings(t *testing.T) {
	table := Table{Name: "t", Size: 8, Registers: []Register{
		{Name: "CTRL", Size: 4, Fields: []Field{{Name: "MODE"}}}, {Offset: 4, Name: "CTRL_MODE_MASK", Size: 4}}}
	require.Empty(t, Check(table))
	assert.EqualError(t, CHeader(&bytes.Buffer{}, "H", "X", []Table{table}), "header in C: macros defined twice: X_T_CTRL_MODE_MASK")
}

// compile builds and runs a program beside the header.
func compile(t *testing.T, header []byte, program string) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("this machine has no C compiler")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "regs.h"), header, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.c"), []byte(program), 0o644))
	exe := filepath.Join(dir, "main")
	out, err := exec.Command(cc, "-Wall", "-Wextra", "-Werror", "-std=c11", "-o", exe, filepath.Join(dir, "main.c")).CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	require.NoError(t, exec.Command(exe).Run())
}
