package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/validate"
)

// write makes a file for a command to read.
func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// objects are the lines of JSON in an output.
func objects(t *testing.T, out string) (lines []map[string]any) {
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		lines = append(lines, v)
	}
	return lines
}

// TestBatches runs a batch of each kind: the good rows come out in order with
// the names that scripts know, the bad one is named, and the exit code says so.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		command, text, bad string
		keys               []string
	}{
		{"mem", "device,map,pattern,mode,n\nDDR4_2400U,robabgracoch,seq_rd,sat,2000\nDDR5,robabgracoch,seq_rd,sat,2000\nHBM3_6400_1ch,rocobabgrach,rand_rd,mlp4,2000\n",
			"row 2: device = DDR5", []string{"bw_GBps", "pct_peak", "rdlat_mean_ns", "rdlat_p50_ns", "rdlat_p99_ns", "rowhit_rate"}},
		{"pcie", "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B\ngen3,x8,256,512,64,0,256\ngen3,x5,256,512,64,0,256\ngen4,x8,256,512,64,0,256\n",
			"row 2: lanes = 5", []string{"wr_Gbps", "rd_Gbps", "rdwr_each_Gbps", "rd_latency_ns"}},
		{"array", "M,K,N,array_h,array_w,dataflow,overlap\n64,64,64,8,8,ws,scalesim\n64,64,64,8,8,ws,never\n64,64,64,8,8,ws,double_buffered\n",
			`row 2: overlap = "never"`, []string{"cycles", "util_pct"}},
		{"gemm -c tiny", "M,N,K\n64,32,16\n64,32,0\n128,64,64\n", `row 2: K = "0"`, []string{"time_us"}},
	} {
		t.Run(c.command, func(t *testing.T) {
			file := write(t, "points.csv", c.text)
			got := in(t, c.command+" --batch "+file)
			assert.Equal(t, 3, got.code)
			assert.Contains(t, got.err, file+":3: "+c.bad)
			lines := objects(t, got.out)
			require.Len(t, lines, 3)
			assert.EqualValues(t, 2, lines[1]["row"])
			assert.Contains(t, lines[1]["error"], c.bad)
			for _, key := range c.keys {
				assert.Contains(t, lines[0], key)
				assert.Contains(t, lines[2], key)
			}
			assert.NotEqual(t, lines[0], lines[2])

			rows := strings.SplitAfter(c.text, "\n")
			got = in(t, c.command+" --batch "+write(t, "good.csv", rows[0]+rows[1]+rows[3]))
			assert.Equal(t, 0, got.code, got.err)
			assert.Equal(t, []map[string]any{lines[0], lines[2]}, objects(t, got.out))

			assert.Equal(t, 2, in(t, c.command+" --batch "+write(t, "odd.csv", "colour\nred\n")).code)
			assert.Equal(t, 2, in(t, c.command+" --batch none.csv").code)
			if c.command != "mem" {
				got = in(t, c.command)
				assert.Equal(t, 2, got.code)
				assert.Contains(t, got.err, "wants --batch FILE")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			assert.Equal(t, 130, presi(ctx, strings.Fields(c.command+" --batch "+file)...).code)
		})
	}
}

func TestMemWithoutABatch(t *testing.T) {
	got := in(t, "mem --device HBM2_2000_8ch --map rocobabgrach --pattern rand_rw21 --mode mlp16 -n 3000 --json")
	require.Equal(t, 0, got.code, got.err)
	batch := in(t, "mem --batch "+write(t, "one.csv", "device,map,pattern,mode,n\nHBM2_2000_8ch,rocobabgrach,rand_rw21,mlp16,3000\n"))
	assert.Equal(t, batch.out, got.out, "the same as the row of a batch")
	got = in(t, "mem -n 3000")
	assert.Equal(t, 0, got.code)
	assert.Regexp(t, `^bandwidth +[0-9.]+ GB/s, [0-9.]+ % of the peak\nread latency .*\nrow hits .*\n$`, got.out)
	got = in(t, "mem --device DDR9 --pattern spiral --mode fast -n 0")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "--transactions 0: want")
	got = in(t, "mem --device DDR9 --pattern spiral --mode fast")
	for _, want := range []string{"--device = DDR9: want one of DDR4_2400U", `--pattern: "spiral" is not`, `--mode: "fast" is not`} {
		assert.Contains(t, got.err, want)
	}
}

func TestArrayOfAMachine(t *testing.T) {
	file := write(t, "layers.csv", "M,K,N\n100,64,64\n")
	edge := objects(t, in(t, "array -c edge --batch "+file).out)
	wide := objects(t, in(t, "array -c edge --set array.cols=32 --batch "+file).out)
	assert.Less(t, wide[0]["cycles"], edge[0]["cycles"])
	got := in(t, "array --set array.cols=32 --batch "+file)
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "--config")
	got = in(t, "array --batch "+file)
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "column array_h is missing; add it, or give a machine with -c")

	const published = "../../validate/refs/gemmini/rtl.csv"
	assert.Zero(t, in(t, "array -c gemmini-8x8 --batch "+published).code)
	got = in(t, "array -c gemmini-8x8 --set scratchpad.size=1KiB --batch "+published)
	assert.Equal(t, 3, got.code)
	assert.Contains(t, got.err, "and the scratchpad has 1KiB (scratchpad.size)")
}

func TestIOMMU(t *testing.T) {
	const good = `{"name":"a","caps":"0x10","fctl":"0x0","tags":["x"],"ops":[{"op":"reg_read","off":0,"size":8,"expect":{"val":"0x10"}}]}` + "\n"
	bad := strings.Replace(good, `"0x10"}}`, `"0x11"}}`, 1)
	got := in(t, "iommu --replay "+write(t, "good.jsonl", good))
	assert.Equal(t, call{out: "1 passed, 0 failed\n"}, got)
	file := write(t, "bad.jsonl", good+bad)
	got = in(t, "iommu --replay "+file)
	assert.Equal(t, "a: op 0 (reg_read): val is 0x10, expected 0x11\n1 passed, 1 failed\n", got.out)
	assert.Equal(t, 1, got.code)
	got = in(t, "iommu --skip x --replay "+file)
	assert.Equal(t, 0, got.code)
	assert.Contains(t, got.out, "a: skipped (x)\n")
	got = in(t, "iommu --replay "+write(t, "odd.jsonl", good+"{"))
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "odd.jsonl: bad scenario file: line 2")
	for _, line := range []string{"iommu", "iommu --curve --replay x", "iommu --replay none.jsonl", "iommu --curve -c none"} {
		assert.Equal(t, 2, in(t, line).code, line)
	}
}

func TestIOMMUCurve(t *testing.T) {
	got := in(t, "iommu --curve --json --set iommu.iotlb_entries=64 --set iommu.iotlb_ways=64")
	require.Equal(t, 0, got.code, got.err)
	points := objects(t, got.out)
	require.Len(t, points, 39)
	small := map[float64]float64{} // 64 B, by window
	for _, p := range points {
		if p["size_B"] == 64.0 {
			small[p["window_B"].(float64)] = p["rd_Gbps"].(float64)
		}
	}
	assert.InEpsilon(t, small[64<<10], small[256<<10], 0.05, "64 pages are held")
	assert.Less(t, small[16<<20], 0.8*small[256<<10])
}

func TestValidate(t *testing.T) {
	if testing.Short() {
		t.Skip("drives every reference")
	}
	got := in(t, "validate --json")
	require.Equal(t, 0, got.code, got.err)
	var all struct {
		Tables []map[string]any
		Pass   bool
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &all))
	assert.True(t, all.Pass)
	for _, table := range all.Tables {
		for _, key := range []string{"name", "source", "points", "mean_pct", "p90_pct", "worst_pct", "worst_point", "target", "pass"} {
			assert.Contains(t, table, key)
		}
	}
	assert.Equal(t, 2, in(t, "validate --refs none").code)
}

// A long measurement ends soon after it is interrupted, alone and as a row.
func TestMemIsInterrupted(t *testing.T) {
	long := write(t, "long.csv", "device,map,pattern,mode,n\nDDR4_2400U,robabgracoch,rand_rd,sat,100000000\n")
	for _, line := range []string{"mem -n 100000000", "mem --batch " + long} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := presi(ctx, strings.Fields(line)...)
		cancel()
		assert.Equal(t, call{err: "presi: interrupted\n", code: 130}, got, line)
	}
}

func TestReferencesThatAreNone(t *testing.T) {
	got := in(t, "validate --refs none")
	assert.Equal(t, call{"", "--refs none: is no folder: no such file or directory\n", 2}, got)
	dir := t.TempDir()
	got = in(t, "validate --refs "+dir)
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "--refs "+dir+": has none of the files looked for: dram/ramulator2.csv")
}

func TestInterruptedValidation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, call{"", "presi: interrupted\n", 130}, presi(ctx, "validate"))
	got := presi(ctx, "validate", "--json")
	assert.Equal(t, call{`{"tables":[],"pass":false,"interrupted":true}` + "\n", "presi: interrupted\n", 130}, got)
	var out strings.Builder
	require.NoError(t, (&app{out: &out}).printTables([]validate.Table{{Name: "half"}}, false, true))
	assert.Contains(t, out.String(), "half")
}
