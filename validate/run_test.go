package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/validate/refs"
)

var update = flag.Bool("update", false, "rewrite docs/validation.md; with PRESI_REFS, what is recorded")

const (
	page     = "../docs/validation.md"
	recorded = "testdata/recorded.json" // tables of references that are not shipped
)

// Every target holds on the shipped references, and the page says what was
// measured. With PRESI_REFS those of the folder that it names are held, and what
// is recorded of them.
func TestTargets(t *testing.T) {
	dir := os.Getenv("PRESI_REFS")
	files, err := refs.In(dir)
	require.NoError(t, err)
	tables, err := Run(context.Background(), Options{Refs: files})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(tables), 19)
	gated := 0
	for _, x := range tables {
		t.Logf("%-50s %5d points: mean %.3f %%, p90 %.3f %%, worst %.3f %% (%s)", x.Name, x.Points, x.MeanPct, x.P90Pct, x.WorstPct, x.WorstPoint)
		assert.True(t, x.Pass, "%s: mean %.3f %%, p90 %.3f %%, worst %.3f %% at %s, R² %v; want %s",
			x.Name, x.MeanPct, x.P90Pct, x.WorstPct, x.WorstPoint, x.R2, x.Target)
		assert.Positive(t, x.Points, x.Name)
		if x.Target != "" {
			gated++
		}
	}
	assert.GreaterOrEqual(t, gated, 16)
	if dir != "" {
		golden(t, recorded, unshipped(t, tables))
		return
	}
	var old []Table
	text, err := os.ReadFile(recorded)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &old))
	var b bytes.Buffer
	require.NoError(t, WriteMarkdown(&b, tables, old))
	golden(t, page, b.Bytes())
}

// unshipped are the tables of what is not shipped, or in part.
func unshipped(t *testing.T, tables []Table) []byte {
	tables = slices.DeleteFunc(slices.Clone(tables), func(x Table) bool {
		return !strings.HasPrefix(x.Name, "tpu-v4") && !strings.HasPrefix(x.Name, "IOMMU")
	})
	text, err := json.MarshalIndent(tables, "", "  ")
	require.NoError(t, err)
	return append(text, '\n')
}

func golden(t *testing.T, file string, got []byte) {
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s lags behind the models: make gen", file)
}

// folder returns references of a folder with one file.
func folder(t *testing.T, name, text string) refs.Files {
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	files, err := refs.In(dir)
	require.NoError(t, err)
	return files
}

// A reference that says something else than the model is found: its worst point
// is named, and its target does not hold.
func TestWrongReferenceIsFound(t *testing.T) {
	shipped, err := refs.In("")
	require.NoError(t, err)
	text, err := shipped.Read("systolic/scalesim.csv")
	require.NoError(t, err)
	o := Options{Refs: folder(t, "systolic/scalesim.csv", strings.Replace(string(text), "1976831", "1976832", 1))}
	tables, err := scaleSimTables(context.Background(), &o)
	require.NoError(t, err)
	require.Equal(t, 128, tables[0].Points)
	require.False(t, tables[0].Pass)
	require.Equal(t, "alexnet Conv3 8x8 ws", tables[0].WorstPoint)
	require.InDelta(t, 100/1976832.0, tables[0].WorstPct, 1e-9)

	o.Refs = folder(t, "iommu/08_registers.jsonl.gz",
		`{"name":"odd","caps":"0x10","fctl":"0x0","ops":[{"op":"reg_read","off":0,"size":8,"expect":{"val":"0x11"}}]}`+"\n"+
			`{"name":"even","caps":"0x10","fctl":"0x0","ops":[{"op":"reg_read","off":0,"size":8,"expect":{"val":"0x10"}}]}`)
	tables, err = iommuTables(context.Background(), &o)
	require.NoError(t, err)
	last := tables[len(tables)-1]
	require.Equal(t, Table{Name: "IOMMU scenarios 08_registers", Source: last.Source, Points: 2, MeanPct: 50, P90Pct: 100, WorstPct: 100,
		WorstPoint: "odd", Target: "worst ≤ 0 %"}, last)
}

// A reference that cannot be read is an error with its file and line.
func TestBrokenReference(t *testing.T) {
	o := Options{Refs: folder(t, "systolic/scalesim.csv", "M,K,N,array_h,array_w,dataflow,compute_cycles\n8,8,8,8,8,xs,5\n")}
	_, err := scaleSimTables(context.Background(), &o)
	require.ErrorContains(t, err, `systolic/scalesim.csv:2: row 1: dataflow = "xs"`)
	o.Refs = folder(t, "iommu/01_ddt.jsonl.gz", "{")
	_, err = iommuTables(context.Background(), &o)
	require.ErrorContains(t, err, "iommu/01_ddt.jsonl.gz: ")
	_, err = refs.In(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "is no folder")
	_, err = refs.In("run_test.go")
	require.EqualError(t, err, "run_test.go: is no folder")
	_, err = refs.In("testdata")
	require.ErrorContains(t, err, "testdata: has none of the files looked for: dram/ramulator2.csv, ")
	require.ErrorContains(t, err, "iommu/01_ddt.jsonl.gz, ")
	require.ErrorContains(t, err, ", tpu_v4/gemm.csv")
}

// A validation that is interrupted gives the tables that it has finished.
func TestInterruptedValidationGivesWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	all := references
	defer func() { references = all }()
	references = references[5:7]
	files, err := refs.In("")
	require.NoError(t, err)
	tables, err := Run(ctx, Options{Refs: files, Progress: func(int, int) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, tables, 1)
	require.Equal(t, 128, tables[0].Points)
}
