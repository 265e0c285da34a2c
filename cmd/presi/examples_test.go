package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exampleFiles are what the files that examples name hold.
var exampleFiles = map[string]string{
	"layers.csv": "M,K,N,array_h,array_w,dataflow,overlap\n8,8,8,4,4,ws,double_buffered\n",
	"tiles.csv":  "M,K,N\n8,8,8\n",
	"shapes.csv": "M,N,K\n8,8,8\n",
	"links.csv":  "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B\ngen3,x8,256,512,64,0,64\n",
	"points.csv": "device,map,pattern,mode,n\nDDR4_3200AA,robabgracoch,seq_rd,sat,100\n",
}

// Every example of every help is a command that works: it is started with its
// files there, and ended before it runs long.
func TestExamplesOfTheHelpWork(t *testing.T) {
	refs, err := filepath.Abs("../../validate/refs")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	for name, text := range exampleFiles {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
	}
	for _, name := range []string{"02_first_stage.jsonl.gz", "08_registers.jsonl.gz"} {
		require.NoError(t, os.Symlink(filepath.Join(refs, "iommu", name), name))
	}
	require.NoError(t, os.Symlink(refs, filepath.Join("..", "refs")))
	root := (&app{}).root()
	sweep, _, err := root.Find([]string{"sweep"})
	require.NoError(t, err)
	_, text, ok := strings.Cut(sweep.Long, "A sweep file:\n")
	require.True(t, ok)
	text, _, ok = strings.Cut(text, "\nPoints are")
	require.True(t, ok)
	require.NoError(t, os.WriteFile("arrays.toml", []byte(text), 0o666))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	examples := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range strings.Split(c.Example, "\n") {
			line = regexp.MustCompile(`\S   +.*`).ReplaceAllStringFunc(strings.TrimSpace(line), func(s string) string { return s[:1] })
			args, ok := strings.CutPrefix(line, "presi ")
			if !ok {
				continue
			}
			examples++
			got := presi(ctx, strings.Fields(args)...)
			assert.Contains(t, []int{0, 130}, got.code, "%s: %s", line, got.err)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	assert.Greater(t, examples, 15)
}
