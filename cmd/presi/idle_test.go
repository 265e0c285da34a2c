package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A flag that would have no effect is a mistake, and so is a value that no row,
// device or network can have.
func TestFlagsWithoutEffect(t *testing.T) {
	refs, err := filepath.Abs("../../validate/refs/iommu")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"b.csv":        "device,map,pattern,mode,n\nDDR4_3200AA,robabgracoch,seq_rd,sat,100\n",
		"empty.csv":    "device,map,pattern,mode,n\n",
		"bare.csv":     "M,K,N\n8,8,8\n",
		"links.csv":    "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B\ngen9,x3,100,512,64,0,64\n",
		"products.csv": "M,N,K,dtype\n8,8,8,fp8\n",
		"s.toml":       "base = \"tiny\"\nworkloads = [\"relu:4x4\"]\ndtype = [\"i8\", \"int8\"]\n",
		"good.toml":    "base = \"tiny\"\nworkloads = [\"relu:4x4\"]\n",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
	}
	replay := filepath.Join(refs, "02_first_stage.jsonl.gz")
	const none = ": has no effect with --"
	for _, c := range []struct {
		line string
		code int
		want []string // in stderr
	}{
		{"mem --batch b.csv --device X -n 5 --json", 2, []string{"--device" + none + "batch; leave one of the two out", "--transactions" + none + "batch", "--json" + none + "batch"}},
		{"iommu --curve --skip foo", 2, []string{"--skip" + none + "curve"}},
		{"iommu --json -c tiny --set core.count=1 --replay " + replay, 2, []string{"--config" + none + "replay", "--set" + none + "replay", "--json" + none + "replay"}},
		{"iommu --skip nosuchtag --replay " + replay, 2, []string{"--skip nosuchtag: no scenario of " + replay + " has this tag"}},
		{"run -w relu:4x4 --trace= --trace-text=", 2, []string{"--trace: the name is empty", "--trace-text: the name is empty"}},
		{"sweep good.toml --output=", 2, []string{"--output: the name is empty"}},
		{"sweep good.toml -o b.csv", 2, []string{"-o b.csv: cannot be the folder of results: not a directory"}},
		{"sweep good.toml -o b.csv/x", 2, []string{"-o b.csv/x: cannot be the folder of results: not a directory"}},
		{"sweep s.toml", 2, []string{`s.toml:3: dtype = "int8": is there already, as value 1`}},
		{"mem --mode rate200", 2, []string{"rate is 1 to 100 percent of the peak"}},
		{"mem --pattern conflict99999999999", 2, []string{"99999999999 is no count from 1 to 4294967295"}},
		{"mem --batch empty.csv", 2, []string{"empty.csv: no rows behind the line of column names"}},
		{"mem --batch=", 2, []string{"--batch: the name is empty"}},
		{"array --batch bare.csv", 2, []string{"bare.csv:1: column array_h is missing; add it, or give a machine with -c\nbare.csv:1: column array_w"}},
		{"array -c tiny --batch bare.csv", 0, nil},
		{"pcie --batch links.csv", 3, []string{`gen = "gen9": want`, "lanes = 3: want", "mps = 100B: want a power of two"}},
		{"gemm -c tiny --batch products.csv", 3, []string{`dtype = "fp8": want bf16, int8 or f32`}},
		{"run -c tiny -w relu:4x4 --timing-only --dtype i8", 0, nil},
		{"workload show gpt2-decode,context=1000000000000", 2, []string{"context = 1000000000000: want 1 to 1073741824"}},
		{"workload show gpt2-decode,context=2000000000000000000000", 2, []string{"context = 2000000000000000000000: want 1 to 1073741824"}},
		{"workload show gemm:8x8x8,bias,bias", 2, []string{`option "bias" is there already`}},
		{"workload show gemm:8x8x8,bios", 2, []string{`option "bios" is unknown; gemm takes`}},
	} {
		got := in(t, c.line)
		assert.Equal(t, c.code, got.code, "%s: %s", c.line, got.err)
		for _, want := range c.want {
			assert.Contains(t, got.err, want, c.line)
		}
	}
	got := in(t, "workload show gemm:1073741824x1073741824x1073741824")
	assert.Equal(t, 1, strings.Count(got.err, "\n"), got.err)
}
