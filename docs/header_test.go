package docs_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHeaderCompiles has a C compiler judge the register header: alone, twice
// in one file, and with the offsets that drivers use.
func TestHeaderCompiles(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("this machine has no C compiler")
	}
	const program = `
#include "presi_regs.h"
#include "presi_regs.h"
_Static_assert(PRESI_IDENT_BLOCK_BASE + PRESI_IDENT_ID == 0, "identification comes first");
_Static_assert(PRESI_MGMT_BLOCK_BASE + PRESI_MGMT_BOOT_STATUS == 0x3004, "boot status");
_Static_assert(PRESI_QUEUE_BLOCK_BASE + 3 * PRESI_QUEUE_BLOCK_STRIDE + PRESI_QUEUE_CTRL == 0x10324, "a queue's control");
_Static_assert(PRESI_DOORBELL_BLOCK_BASE + 63 * PRESI_DOORBELL_BLOCK_STRIDE + PRESI_DOORBELL_FENCE_KICK == 0x13f00c, "the last doorbell");
_Static_assert(PRESI_MGMT_MBOX_ARG(3) == 0x2c, "an array");
_Static_assert(PRESI_IDENT_CAP_ARRAY_COLS_MASK >> PRESI_IDENT_CAP_ARRAY_COLS_SHIFT == 0xffff, "a field");
int main(void) { return 0; }
`
	cmd := exec.Command(cc, "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c11", "-I.", "-x", "c", "-", "-o", filepath.Join(t.TempDir(), "header"))
	cmd.Stdin = strings.NewReader(program)
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
}
