package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/validate/refs"
)

// run runs a batch and returns its lines and the errors of its rows.
func run(t *testing.T, k *Kind, text string, workers int) (lines []map[string]any, failed []error) {
	var out bytes.Buffer
	failed, err := k.Run(context.Background(), "points.csv", strings.NewReader(text), &out, workers)
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		lines = append(lines, v)
	}
	return lines, failed
}

// Every mistake of every row is reported with line, row and column, all rows of
// all kinds; the good rows between run.
func TestBadRows(t *testing.T) {
	for _, test := range []struct {
		kind  *Kind
		text  string
		lines int // with a result
		want  []string
	}{
		{&DRAM, "device,map,pattern,mode,n\n" +
			"DDR4_2400U,robabgracoch,seq_rd,sat,1000\n" +
			"DDR9,robabgracoch,seq_rd,sat,1000\n" +
			"DDR4_2400U,robabgra,spiral,fast,0\n" +
			"DDR4_2400U,robabgracoch,seq_rd,sat\n" +
			"\n" +
			"DDR4_2400U, ,seq_rd,sat,1000\n" +
			"HBM3_6400_1ch,rocobabgrach,rand_rw21,mlp4,1000\n", 2,
			[]string{`points.csv:3: row 2: device = DDR9: want one of `, `points.csv:4: row 3: map = robabgra: want`,
				`row 3: pattern: "spiral" is not a pattern`, `row 3: mode: "fast" is not a mode`,
				`row 3: n = "0": want a whole number from 1 to 100000000`, `points.csv:5: row 4: 4 fields; the header has 5 columns`,
				`points.csv:7: row 5: map = "": want an address map, such as robabgracoch`}},
		{&PCIe, "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B,tags,rtt_ns,note\n" +
			"gen3,x8,256,512,64,0,64,,,fine\n" +
			"gen7,x3,100,512,64,2,64,,,\n" +
			"gen3,x8,256,512,64,0,64,0,-3,\n" +
			"gen3,x8,256,512,64,0,4096,4,10,fine\n" +
			"gen3,x8,256,512,64,0,4096,4,900,fine\n", 3,
			[]string{`row 2: gen = "gen7": want gen1 to gen6`, `row 2: rcb_chunks = "2"`,
				`row 3: tags = "0"`, `row 3: rtt_ns = "-3": want a number above 0`}},
		{Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}}), "M,K,N,array_h,array_w,dataflow,overlap\n" +
			"10,9,7,4,6,ws,scalesim\n" +
			"10,9,7,4,6,xs,none\n" +
			"10,,7,0,6,ws,scalesim\n" +
			"10,9,7,,6,ws,scalesim\n" +
			"16777216,16777216,16777216,1,1,ws,double_buffered\n", 1,
			[]string{`row 2: dataflow = "xs": want ws, os or is`, `row 2: overlap = "none": want double_buffered or scalesim`,
				`row 3: K = "": want a whole number`, `row 3: array_h = "0"`, `row 4: array_h = 0: want 1 to `,
				`row 5: M = "16777216": want a product whose cycles can be counted`}},
	} {
		lines, failed := run(t, test.kind, test.text, 2)
		text := errors.Join(failed...).Error()
		for _, want := range test.want {
			assert.Contains(t, text, want)
		}
		good := 0
		for i, l := range lines {
			if _, bad := l["error"]; !bad {
				good++
			} else {
				assert.EqualValues(t, i+1, l["row"])
			}
		}
		assert.Equal(t, test.lines, good, "%s: %v", test.kind.Name, lines)
	}
}

func TestBadHeaders(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "points.csv: empty; want a line of column names: device,map,pattern,mode,n",
		"device,map,pattern,n\n":             "points.csv:1: column mode is missing",
		"device,map,pattern,mode,n,n\n":      "column n is there twice",
		"device,map,pattern,mode,n,colour\n": `no such column: "colour"`,
		"\n\"device,map,pattern,mode,n\n1\n": "points.csv:2: extraneous or missing \" in quoted-field in column 28 of the line",
	} {
		var out bytes.Buffer
		_, err := DRAM.Run(context.Background(), "points.csv", strings.NewReader(text), &out, 1)
		require.ErrorContains(t, err, want)
		require.Empty(t, out.String())
	}
	_, failed := run(t, &PCIe, "\ufeffgen , lanes,mps,mrrs,rcb,rcb_chunks,size_B,colour\r\n gen3,x8,256,512,64,0,64,red\r\n", 1)
	require.Empty(t, failed, "other columns, spaces, a byte order mark and Windows line ends are fine")
}

// A misspelt column that may be left out is not silently left out; what the
// reference's own table has besides, and notes, are no misspellings.
func TestMisspeltColumns(t *testing.T) {
	const needed = "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B"
	read := func(k *Kind, header string) error {
		_, err := k.Read("points.csv", strings.NewReader(header+"\n1\n"))
		return err
	}
	for name, want := range map[string]string{"tag": "tags", "Tags": "tags", "tgas": "tags", "rtt": "rtt_ns", "rtt_us": "rtt_ns", "rttns": "rtt_ns"} {
		require.EqualError(t, read(&PCIe, needed+","+name), fmt.Sprintf("points.csv:1: no such column: %q; did you mean %s?", name, want))
	}
	require.NoError(t, read(&PCIe, needed+",note,host,tags,tag"), "tags is there: tag is something else")
	require.EqualError(t, read(Array(BareArray), "M,K,N,array_h,array_w,dataflw"), `points.csv:1: no such column: "dataflw"; did you mean dataflow?`)

	files, err := refs.In("")
	require.NoError(t, err)
	text, err := files.Read("pcie/pcie_model.csv")
	require.NoError(t, err)
	header, _, _ := strings.Cut(string(text), "\n")
	require.NoError(t, read(&PCIe, header))
	for _, name := range strings.Split(strings.TrimSpace(header), ",") {
		require.True(t, PCIe.knows(name) || slices.Contains(PCIe.Ignored, name), name)
	}
}

// A line that is no CSV is one bad row; those after it run.
func TestQuotesInTheWay(t *testing.T) {
	lines, failed := run(t, Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}}), "M,K,N,array_h,array_w\n1,2\"3,4,8,8\n8,8,8,8,8\n", 1)
	require.Len(t, failed, 1)
	require.ErrorContains(t, failed[0], "points.csv:2: row 1: ")
	require.Len(t, lines, 2)
	require.Contains(t, lines[1], "cycles")

	lines, failed = run(t, Array(BareArray), "M,K,N,array_h,array_w,dataflow\r\n1,2,3,4,4,ws\r\n5,2,3,4,4,\"ws\r\n\r\n6,2,3,4,4,ws\r\n7,2,3,4,4,\"ws\"\n8,1,1,1,1,ws", 1)
	require.Len(t, failed, 1)
	require.ErrorContains(t, failed[0], `points.csv:3: row 2: extraneous or missing " in quoted-field in column 1`)
	require.Len(t, lines, 5)
	for _, i := range []int{0, 2, 3, 4} {
		require.Contains(t, lines[i], "cycles")
	}
}

// A result that JSON has no number for is an error of its row: those behind it
// run. SCALE-Sim counts no cycle for one multiply-accumulate in one element.
func TestResultsThatAreNotFinite(t *testing.T) {
	lines, failed := run(t, Array(BareArray), "M,K,N,array_h,array_w,dataflow,overlap\n1,1,1,1,1,os,scalesim\n8,8,8,8,8,os,scalesim\n", 1)
	require.Len(t, failed, 1)
	require.EqualError(t, failed[0], "points.csv:2: row 1: no result: +Inf is no finite number")
	require.Equal(t, map[string]any{"row": 1.0, "error": failed[0].Error()}, lines[0])
	require.Contains(t, lines[1], "cycles")
}

// Lines come in order and are the same whatever the number of workers.
func TestOrderOnManyWorkers(t *testing.T) {
	text := "M,K,N,array_h,array_w,dataflow\n"
	for i := range 300 {
		text += fmt.Sprintf("%d,9,7,4,6,ws\n", 1+i*37%300)
	}
	one, _ := run(t, Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}}), text, 1)
	many, _ := run(t, Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}}), text, 7)
	require.Equal(t, one, many)
	require.NotEqual(t, one[0], one[1])
}

func TestOrderedPanicsInTheCaller(t *testing.T) {
	seen := 0
	defer func() {
		p, ok := recover().(*Panic)
		require.True(t, ok)
		require.Equal(t, "row 5", p.Value)
		require.Contains(t, p.Error(), "TestOrderedPanicsInTheCaller")
		require.Equal(t, 5, seen, "what came before has had its turn")
	}()
	_ = Ordered(t.Context(), 9, 3, func(i int) int {
		if i >= 5 {
			panic(fmt.Sprint("row ", i))
		}
		return i
	}, func(int, int) error { seen++; return nil })
}

func TestOrderedStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	seen := 0
	err := Ordered(ctx, 1000, 2, func(i int) int { return i }, func(i, v int) error {
		require.Equal(t, seen, v)
		if seen++; seen == 3 {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, seen)
	require.NoError(t, Ordered(context.Background(), 0, 2, func(i int) int { return i }, func(int, int) error { return errors.New("nothing") }))
}

// counted holds the counts of rows against those of others that mean the same.
func counted(t *testing.T, want, got []map[string]any) {
	for i := range want {
		require.Equal(t, want[i]["cycles"], got[i]["cycles"])
		require.Equal(t, want[i]["util_pct"], got[i]["util_pct"])
	}
}

// A convolution is counted as SCALE-Sim counts it: alexnet's first layer, and
// one whose stride does not divide.
func TestConvolution(t *testing.T) {
	k := Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}})
	conv, failed := run(t, k, "ifmap_h,ifmap_w,filt_h,filt_w,channels,num_filt,stride_h,array_h,array_w,overlap\n"+
		"224,224,11,11,3,96,4,8,8,scalesim\n8,8,3,3,4,8,2,8,8,scalesim\n2,2,3,3,4,8,2,8,8,scalesim\n", 1)
	require.Len(t, failed, 1)
	require.ErrorContains(t, failed[0], "row 3: filt_h")
	gemm, failed := run(t, k, "M,K,N,array_h,array_w,overlap\n3025,363,96,8,8,scalesim\n16,36,8,8,8,scalesim\n", 1)
	require.Empty(t, failed)
	counted(t, gemm, conv)
}

// Channels and filters are those of all groups, as in a workload: a depthwise
// convolution has a product of its window for each channel.
func TestConvolutionInGroups(t *testing.T) {
	k := Array(core.Config{Array: core.ArrayConfig{F32Cycles: 1}})
	conv, failed := run(t, k, "ifmap_h,ifmap_w,filt_h,filt_w,channels,num_filt,groups,array_h,array_w\n"+
		"58,58,3,3,64,64,64,16,16\n58,58,3,3,64,128,4,16,16\n58,58,3,3,64,64,5,16,16\n58,58,3,3,60,64,5,16,16\n", 1)
	require.Len(t, failed, 2)
	require.ErrorContains(t, failed[0], `row 3: groups = "5": want a divisor of channels and num_filt, 64 and 64`)
	require.ErrorContains(t, failed[1], "row 4: groups")
	gemm, failed := run(t, k, "M,K,N,groups,line,array_h,array_w\n3136,9,1,64,56,16,16\n3136,144,32,4,56,16,16\n", 1)
	require.Empty(t, failed)
	counted(t, gemm, conv)
	cycles, util := conv[0]["cycles"].(float64), conv[0]["util_pct"].(float64)
	require.InEpsilon(t, 56*56*64*9, util/100*cycles*16*16, 1e-9, "multiply-accumulates")
}

// util_pct is the share of the peak of the type, of all arrays of a core.
func TestUtilisationIsOfThePeakOfTheType(t *testing.T) {
	k := Array(core.Config{Array: core.ArrayConfig{Rows: 8, Cols: 8, Units: 2, F32Cycles: 6}})
	lines, failed := run(t, k, "M,K,N,dtype\n100000,8,16,int8\n100000,8,16,f32\n", 1)
	require.Empty(t, failed)
	for _, line := range lines {
		require.InDelta(t, 100, line["util_pct"], 0.1)
	}
	require.InEpsilon(t, 6, lines[1]["cycles"].(float64)/lines[0]["cycles"].(float64), 0.001)
}

func TestTiling(t *testing.T) {
	good := "[T] N1 C16 M8 P15 Q14 S3 R3 - [O] N1 C2 M1 P1 Q2 S1 R1 - [I] N1 C8 M8 P15 Q7 S3 R3"
	v, err := parseTiling(good)
	require.NoError(t, err)
	require.Equal(t, tiling{extent{1, 16, 8, 15, 14, 3, 3}, extent{1, 2, 1, 1, 2, 1, 1}, extent{1, 8, 8, 15, 7, 3, 3}}, v)
	lines, failed := run(t, Array(core.Config{Array: core.ArrayConfig{Rows: 8, Cols: 8, F32Cycles: 1}}), "mapping\n"+good+"\n", 1)
	require.Empty(t, failed)
	require.EqualValues(t, 4*(8+9*105+14), lines[0]["cycles"], "four tiles of nine taps, 105 pixels each")
	lines, failed = run(t, Array(core.Config{Array: core.ArrayConfig{Rows: 8, Cols: 8, F32Cycles: 1}}), "mapping\n[T] N40 C16 M12 - [O] N2 C1 M2 - [I] N32 C16 M8\n", 1)
	require.Empty(t, failed)
	require.EqualValues(t, 2*(8+2*32+14)+2*(8+2*8+14), lines[0]["cycles"], "a matrix product in four tiles, of 32 and of 8 rows")
	for bad, want := range map[string]string{
		"C16":                                      "a tiling as [T] N1",
		strings.Replace(good, "C2", "C1", 1):       "cover C16, not 1 of 8",
		strings.Replace(good, "C16", "C0", 1):      "extents from 1",
		strings.Replace(good, "S3", "S5", 1):       "the whole window, S5",
		strings.Replace(good, "C2", "C9999999", 1): "at most",
	} {
		_, err := parseTiling(bad)
		require.ErrorContains(t, err, want, bad)
	}
}

// A file whose first line is a row already gets one line of advice.
func TestWithoutAHeader(t *testing.T) {
	for _, test := range []struct {
		kind    *Kind
		columns string
	}{{Gemm(context.Background(), nil), "M,N,K,[dtype]"}, {Array(BareArray), "[M],[K],[N],array_h,"}, {&PCIe, "gen,lanes,mps"}} {
		_, err := test.kind.Read("x.csv", strings.NewReader("64,64,64\n128,128,128\n"))
		require.ErrorContains(t, err, "x.csv:1: the first line must name the columns: "+test.columns)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestOneMistakeIsReportedOnce(t *testing.T) {
	_, failed := run(t, Array(BareArray), "M,K,N,array_h,array_w\n8,8,8,0,8\n", 1)
	require.Len(t, failed, 1)
	require.EqualError(t, failed[0], `points.csv:2: row 1: array_h = "0": want a whole number from 1 to 16384`)
}

// Every generation may be written with its word or as a bare number.
func TestGenerations(t *testing.T) {
	text := "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B\n"
	for gen := 1; gen <= 6; gen++ {
		text += fmt.Sprintf("gen%d,x8,256,512,64,0,256\n%d,8,256,512,64,0,256\n", gen, gen)
	}
	lines, failed := run(t, &PCIe, text, 2)
	require.Empty(t, failed)
	for i := 0; i < len(lines); i += 2 {
		require.Equal(t, lines[i]["wr_Gbps"], lines[i+1]["wr_Gbps"])
		mark, marked := lines[i]["unvalidated"]
		require.Equal(t, i == 10, marked, "Gen6 alone")
		require.Equal(t, marked, mark == true)
		if i > 0 {
			require.Greater(t, lines[i]["wr_Gbps"], lines[i-2]["wr_Gbps"])
		}
	}
}

// A line has the row's values, numbers as numbers, and then what was measured.
func TestLinesRepeatTheirRows(t *testing.T) {
	lines, failed := run(t, Array(BareArray), "dataflow,M,K,N,array_h,array_w,groups\nws,64,32,16,8,8,\n", 1)
	require.Empty(t, failed)
	cycles, util := lines[0]["cycles"], lines[0]["util_pct"]
	require.Positive(t, cycles)
	require.Equal(t, map[string]any{"dataflow": "ws", "M": 64.0, "K": 32.0, "N": 16.0, "array_h": 8.0, "array_w": 8.0,
		"cycles": cycles, "util_pct": util}, lines[0])
	lines, _ = run(t, &PCIe, "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B,note\ngen4,x8,256,512,64,0,0256,n\n", 1)
	require.Equal(t, "gen4", lines[0]["gen"])
	require.Equal(t, 512.0, lines[0]["mrrs"])
	require.Equal(t, "0256", lines[0]["size_B"], "no number of JSON's")
	require.NotContains(t, lines[0], "note")
	_, err := json.Marshal(repeated{&PCIe, &Row{}, 5})
	require.ErrorContains(t, err, "no object")
}

// Work whose cycles do not fit 63 bits is a mistake of the row, whichever columns
// say so, and the row behind it runs.
func TestWorkThatCannotBeCounted(t *testing.T) {
	slow := core.Config{Array: core.ArrayConfig{Rows: 1, Cols: 1, F32Cycles: 64, BurstRows: 1, BurstCycles: 1024}}
	const geometry = "ifmap_h,ifmap_w,filt_h,filt_w,channels,num_filt,groups,array_h,array_w\n"
	for _, test := range []struct {
		kind             *Kind
		header, bad, row string
		want             string
	}{
		{Array(BareArray), "M,K,N,array_h,array_w\n", "16777216,16777216,16777216,8,8", "8,8,8,8,8",
			`M = "16777216": want a product whose cycles can be counted: groups × (M + 16) × (K + 16) × (N + 16) × 1 of at most 4611686018427387904`},
		{Array(slow), "M,K,N,dtype\n", "1048576,1048576,1024,f32", "8,8,8,f32", `M = "1048576": want a product whose cycles can be counted`},
		{Array(BareArray), geometry, "4194304,4194304,4194304,4194304,1048577,1,1,32,32", "8,8,3,3,4,4,1,8,8",
			`channels = "1048577": want a window of at most 281474976710656 elements`},
		{Array(BareArray), geometry, "4194304,4194304,4194304,4194304,1048576,1,1,32,32", "8,8,3,3,4,4,1,8,8",
			`channels = "1048576": want a window of at most 281474976710656 elements`},
		{Array(BareArray), geometry, "16777216,16777216,1,1,256,16777216,1,1,1", "8,8,3,3,4,4,1,8,8",
			`ifmap_h = "16777216": want a product whose cycles can be counted`},
		{Array(BareArray), geometry, "8,8,3,3,4,4,0,8,8", "8,8,3,3,4,4,1,8,8", `groups = "0": want a whole number from 1`},
		{Array(BareArray), "array_h,array_w,mapping\n", "1,1,[T] N16777216 C16777216 M65536 - [O] N1 C1 M8 - [I] N16777216 C16777216 M8192", "8,8,[T] N1 - [O] N1 - [I] N1",
			`M8192": want a product whose cycles can be counted`},
		{Array(BareArray), "array_h,array_w,mapping\n", "8,8,[T] N2097152 C2097152 M2097152 - [O] N1 C1 M1 - [I] N2097152 C2097152 M2097152", "8,8,[T] N1 - [O] N1 - [I] N1",
			`M2097152": want a product whose cycles can be counted`},
		{Array(BareArray), "array_h,array_w,mapping\n", "8,8,[T] N1048576 C1048576 M1 - [O] N1048576 C1 M1 - [I] N1 C1048576 M1", "8,8,[T] N1 - [O] N1 - [I] N1", ""},
		{Array(BareArray), "array_h,array_w,mapping\n", "8,8,[T] N1 P16777216 Q16777216 - [O] N1 - [I] N2 P16777216 Q16777216", "8,8,[T] N1 - [O] N1 - [I] N1",
			"want tiles with N × P × Q and C × S × R of at most 281474976710656 each"},
	} {
		lines, failed := run(t, test.kind, test.header+test.bad+"\n"+test.row+"\n", 1)
		require.Len(t, lines, 2)
		require.Contains(t, lines[1], "cycles")
		if test.want == "" {
			require.Positive(t, lines[0]["cycles"])
			continue
		}
		require.Len(t, failed, 1, test.bad)
		require.ErrorContains(t, failed[0], test.want)
		require.ErrorContains(t, failed[0], "points.csv:2: row 1: ")
	}
}

// A convolution's columns are asked for where one of them is left blank.
func TestBlankGeometry(t *testing.T) {
	header := "ifmap_h,ifmap_w,filt_h,filt_w,channels,num_filt,array_h,array_w\n"
	_, failed := run(t, Array(BareArray), header+",56,3,3,64,64,8,8\n56,,3,3,64,64,8,8\n56,56,3,3,64,,8,8\n", 1)
	require.Len(t, failed, 3)
	for i, column := range []string{"ifmap_h", "ifmap_w", "num_filt"} {
		require.EqualError(t, failed[i], fmt.Sprintf(`points.csv:%d: row %d: %s = "": want a whole number from 1 to 16777216`, i+2, i+1, column))
	}
}

// A tile that a machine's scratchpad has no room for is a mistake; the published
// tilings run.
func TestTilesFitTheScratchpad(t *testing.T) {
	machine := core.Config{Array: core.ArrayConfig{Rows: 8, Cols: 8, F32Cycles: 1},
		Scratchpad: core.ScratchpadConfig{Size: 80 << 10}}
	small, bare := machine, machine
	small.Scratchpad.Size, bare.Scratchpad.Size = 1<<10, 0
	whole := func(tile string) string { return "[T] " + tile + " - [O] N1 - [I] " + tile }
	for _, test := range []struct {
		machine core.Config
		row     string // stride_h,dtype,mapping
		want    string
	}{
		{machine, ",," + whole("N1000 C1000 M1000"), "input, weights and sums take 1000000, 1000000 and 4000000 bytes, and the scratchpad has 80KiB (scratchpad.size)"},
		{machine, ",," + whole("C64 M64 P56 Q56 R3 S3"), "take 215296, 36864 and 802816 bytes"},
		{machine, ",," + whole("N16777216 C16777216 M16777216"), "take more than 1TiB"},
		{machine, ",," + whole("N64 C64 M64"), ""},
		{machine, ",," + whole("C64 M8 P15 Q17 S3 R3"), ""},
		{machine, ",bf16," + whole("N2 C64 M8 P15 Q17 S3 R3"), "take 82688, 9216 and 16320 bytes"},
		{machine, "2,," + whole("C64 M8 P15 Q17 S3 R3"), "take 69440, 4608 and 8192 bytes"},
		{machine, "2,," + whole("C64 M8 P15 Q17"), ""},
		{machine, ",," + whole("N2 C64 M8 P15 Q17 S3 R3"), ""},
		{machine, ",," + whole("N4 C64 M8 P15 Q17 S3 R3"), "take 82688, 4608 and 32640 bytes"},
		{small, ",," + whole("C64 M8 P15 Q17 S3 R3"), "the scratchpad has 1KiB"},
		{bare, ",," + whole("N1000 C1000 M1000"), ""},
		{machine, ",,[T] N8 C8 M8 - [O] N1 - [I] N1000 C1000 M1000", ""},
	} {
		_, failed := run(t, Array(test.machine), "stride_h,dtype,mapping\n"+test.row+"\n", 1)
		if test.want == "" {
			require.Empty(t, failed, test.row)
			continue
		}
		require.Len(t, failed, 1, test.row)
		require.ErrorContains(t, failed[0], `": want a tile whose operands fit the scratchpad: `)
		require.ErrorContains(t, failed[0], test.want)
	}
}

// What a block wants of a column is said in the names of the columns.
func TestFaultsNameColumns(t *testing.T) {
	_, failed := run(t, &PCIe, "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B\ngen3,x8,256,512,512,1,64\n", 1)
	require.Len(t, failed, 1)
	require.EqualError(t, failed[0], "points.csv:2: row 1: rcb = 512B: want no more than mps")
}
