package fwtest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deletions are lines of the reference driver that must not be missing: each
// invalidation, phase check, acknowledgement and check, with the tests that find
// out.
var deletions = []struct {
	name, file, from, to, tests string
}{
	{"phase check", "ring.go", "c.Phase != phase {", "c.Phase != phase && (some || c.Seqno == 0) {", "TestReferenceDriver|TestPortableSuiteUnderChaos"},
	{"invalidation behind an unmap", "vm.go", "\ts.clear(va, n)\n\ts.d.invalidate(s.asid, va, n)\n", "\ts.clear(va, n)\n", "TestReferenceDriver|TestPortableSuiteUnderChaos"},
	{"clearing behind an unmap", "vm.go", "\ts.clear(va, n)\n\ts.d.invalidate(s.asid, va, n)\n", "\ts.d.invalidate(s.asid, va, n)\n", "TestReferenceDriver"},
	{"invalidation behind a context", "vm.go", "\t\ts.d.invalidate(s.asid, 0, 0)\n", "", "TestReferenceDriver|TestPortableSuiteUnderChaos"},
	{"look at the ring before a reset", "reset.go", "\tr.complete() // a lost interrupt is no hang\n", "", "TestMatrix"},
	{"MMU's registers behind a reset", "reset.go", "\tif d.tables != nil {\n\t\td.programMMU()\n\t}\n", "", "TestReferenceDriver"},
	{"end of the schedulers at unplug", "ring.go", "r.sched.End(unix.ENODEV)", "_ = r", "TestReferenceDriver"},
	{"slots for a job's fence", "job.go", "d.locked.Lock(1, ", "d.locked.Lock(0, ", "TestReferenceDriver"},
	{"resume of a queue in error", "ring.go", "\t\tr.d.write(r.reg(regQCtrl), ctrlEnable|ctrlResume)\n", "\t\t_ = r\n", "TestReferenceDriver"},
	{"death of a guilty queue", "reset.go", "\t\tguilty.queue.entity.Kill(fw.ErrCanceled)\n", "", "TestReferenceDriver"},
}

// A driver without one of those lines is caught.
func TestDeletions(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the driver anew for every line that is missing")
	}
	for _, x := range deletions {
		t.Run(x.name, func(t *testing.T) {
			out := withoutLine(t, x.file, x.from, x.to, x.tests)
			assert.Contains(t, out, "--- FAIL: ", "the suite does not miss it")
			assert.NotContains(t, out, "[build failed]")
			for _, line := range strings.Split(out, "\n") {
				if strings.HasPrefix(line, "    --- FAIL: ") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// withoutLine runs tests of this package over a driver whose source is changed in
// one place, and returns what they print.
func withoutLine(t *testing.T, file, from, to, tests string) string {
	path, err := filepath.Abs(filepath.Join("..", "npudrv", file))
	require.NoError(t, err)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), from), "%s has the text once: %q", file, from)
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, file), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(string(source), from, to, 1)), 0o666))
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, text, 0o666))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-timeout", "60s", "-run", "^("+tests+")$", ".").CombinedOutput()
	require.Error(t, err, "the tests pass: %s", out)
	return string(out)
}
