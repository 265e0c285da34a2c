package mmu

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReplay runs the recorded scenarios: those in testdata, and the full files
// of the folder that PRESI_IOMMU_VECTORS names.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/0[1-8]_*.jsonl.gz")
	require.NoError(t, err)
	if dir := os.Getenv("PRESI_IOMMU_VECTORS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "0[1-8]_*.jsonl.gz"))
		require.NoError(t, err)
		files = append(files, more...)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			var out bytes.Buffer
			res, err := Replay(f, &out, ReplayOptions{Skip: []string{}})
			require.NoError(t, err)
			t.Logf("%s: %d passed, %d failed, %d skipped", filepath.Base(name), res.Passed, res.Failed, res.Skipped)
			require.Positive(t, res.Passed)
			require.Zero(t, res.Failed, "%s", firstLines(out.Bytes(), 25))
		})
	}
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
