package sweep

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSameLinesForAnyNumberOfWorkers(t *testing.T) {
	p := plan(t, small)
	one, two := t.TempDir(), t.TempDir()
	a := run(t, p, Options{Dir: one, Workers: 1})
	b := run(t, p, Options{Dir: two, Workers: 2})
	assert.Equal(t, 6, a.Done())
	assert.Zero(t, a.Failed)
	assert.Len(t, journalLines(t, one), 6)
	assert.Equal(t, journalLines(t, one), journalLines(t, two))
	for i := range a.Results {
		a.Results[i].HostSeconds, b.Results[i].HostSeconds = 0, 0
	}
	assert.Equal(t, a.Results, b.Results, "results are in the plan's order, however they finished")
}

func TestValuesChangeNoTime(t *testing.T) {
	timing := run(t, plan(t, small), Options{Dir: t.TempDir()})
	values := run(t, plan(t, "functional = true\n"+small), Options{Dir: t.TempDir()})
	for i := range timing.Results {
		assert.Equal(t, timing.Results[i].SimTime, values.Results[i].SimTime)
	}
}

func TestLinesHaveWhatTheyWereMeasuredOn(t *testing.T) {
	dir := t.TempDir()
	out := run(t, plan(t, small), Options{Dir: dir})
	text := strings.Join(journalLines(t, dir), "\n")
	for _, name := range []string{`"sim_time_ps":`, `"cycles":`, `"bound_by":`, `"version":"test"`, `"workload":"softmax:16x16"`,
		`"array.rows,array.cols":"[8, 16]"`, `"clock":"500MHz"`} {
		assert.Contains(t, text, name)
	}
	r := out.Results[0]
	assert.EqualValues(t, 32*32*32, r.MACs)
	assert.Positive(t, r.SimTime)
	assert.EqualValues(t, 4, r.Config["array"].(map[string]any)["rows"])
}

func TestResume(t *testing.T) {
	p, dir := plan(t, small), t.TempDir()
	run(t, p, Options{Dir: dir})
	whole := journalLines(t, dir)
	path := filepath.Join(dir, JournalName)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	kept := strings.SplitAfterN(string(text), "\n", 4) // three lines and the rest

	for _, c := range []struct {
		name, text string
		resumed    int
		note       string
	}{
		{"all there", string(text), 6, ""},
		{"killed between points", strings.Join(kept[:3], ""), 3, ""},
		{"killed within a line", strings.Join(kept[:3], "") + kept[3][:40], 3, "points.jsonl: the last line is torn"},
		{"killed before its first line's end", kept[0][:40], 0, "torn"},
		{"a whole last line without its end", strings.TrimSuffix(string(text), "\n"), 5, "torn"},
		{"nothing", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o666))
			var notes []string
			out := run(t, p, Options{Dir: dir, Note: func(s string) { notes = append(notes, s) }})
			assert.Equal(t, c.resumed, out.Resumed)
			assert.Equal(t, 6, out.Done())
			assert.Equal(t, whole, journalLines(t, dir))
			if c.note == "" {
				assert.Empty(t, notes)
				return
			}
			require.Len(t, notes, 1)
			assert.Contains(t, notes[0], c.note)
		})
	}
}

func TestLinesThatAreNoResultsStay(t *testing.T) {
	p, dir := plan(t, small), t.TempDir()
	other := run(t, plan(t, "seed = 7\n"+small), Options{Dir: dir})
	require.Equal(t, 6, other.Done())
	path := filepath.Join(dir, JournalName)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString("not JSON\n\n{\"key\":\"k\"}\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())

	var notes []string
	out := run(t, p, Options{Dir: dir, Note: func(s string) { notes = append(notes, s) }})
	assert.Equal(t, 6, out.Foreign)
	assert.Zero(t, out.Resumed)
	require.Len(t, notes, 2)
	assert.Contains(t, notes[0], "points.jsonl:7: no result of a point")
	assert.Contains(t, notes[1], "points.jsonl:9: ")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 6+3+6, strings.Count(string(text), "\n"))
}

// partly is a sweep in which one pair of values makes no machine, and one value's
// memory is too small for the workload.
const partly = `base = "tiny"
workloads = ["gemm:1024x1024x16"]
[axes]
"dram.size" = ["64MiB", "2MiB"]
"dram.low_watermark" = [0.2, 0.9]
"dram.high_watermark" = [0.8, 0.95]
`

func TestPointsFailAlone(t *testing.T) {
	p, dir := plan(t, partly), t.TempDir()
	out := run(t, p, Options{Dir: dir})
	require.Equal(t, 8, out.Done())
	require.Equal(t, 2+3, out.Failed)
	for i, r := range out.Results {
		assert.Equal(t, r.Error == "", r.Measures != nil)
		if p.Points[i].Machine == nil {
			assert.Contains(t, r.Error, "dram.low_watermark=0.9: want more than 0 and less than high_watermark, 0.8")
		} else if r.Error != "" {
			assert.Equal(t, "2MiB", r.Axes["dram.size"])
		}
	}
	r := out.Rankings()[0]
	assert.Equal(t, 5, r.Failed)
	assert.Len(t, r.Points, 3)

	again := run(t, p, Options{Dir: dir})
	assert.Equal(t, 8, again.Resumed, "a deterministic failure is not tried again")
	assert.Equal(t, 5, again.Failed)
	retried := run(t, p, Options{Dir: dir, Retry: true})
	assert.Equal(t, 3, retried.Resumed, "unless asked for")
	assert.Equal(t, 5, retried.Failed)
	assert.Len(t, journalLines(t, dir), 8+5)
}

func TestInterrupted(t *testing.T) {
	p, dir := plan(t, small), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	out, err := p.Run(ctx, Options{Dir: dir, Workers: 1, Progress: func(done, _, total int) {
		assert.Equal(t, 6, total)
		if done == 2 {
			cancel()
		}
	}})
	require.NoError(t, err)
	assert.True(t, out.Interrupted)
	assert.GreaterOrEqual(t, out.Done(), 2)
	assert.Less(t, out.Done(), 6)
	assert.Len(t, journalLines(t, dir), out.Done(), "what finished is written down, and nothing else")
	rest := run(t, p, Options{Dir: dir})
	assert.Equal(t, out.Done(), rest.Resumed)
	assert.False(t, rest.Interrupted)
	assert.Len(t, journalLines(t, dir), 6)
}

func TestEqualMachinesRunOnce(t *testing.T) {
	p, dir := plan(t, `base = "tiny"
workloads = ["gemm:8x8x8"]
[axes]
"core.clock" = ["500MHz", "0.5GHz"]
`), t.TempDir()
	var last int
	out := run(t, p, Options{Dir: dir, Progress: func(done, _, _ int) { last = done }})
	assert.Equal(t, 2, out.Done())
	assert.Equal(t, 2, last)
	assert.Len(t, journalLines(t, dir), 1)
	assert.False(t, out.Interrupted)
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err := plan(t, small).Run(context.Background(), Options{Dir: file})
	assert.ErrorContains(t, err, "folder of the sweep")
}

// A disk that is full ends a sweep; the lines before stay whole.
func TestJournalThatTakesNoMore(t *testing.T) {
	p, dir := plan(t, small), t.TempDir()
	run(t, p, Options{Dir: dir})
	j, err := openJournal(dir, func(string) {})
	require.NoError(t, err)
	require.NoError(t, j.close())
	j.done = map[string]*Result{}
	r := &runner{plan: p, o: Options{Workers: 2}, journal: j, points: map[string]int{}, out: &Outcome{Plan: p, Results: make([]*Result, len(p.Points))}}
	err = r.run(context.Background(), r.missing())
	assert.ErrorIs(t, err, os.ErrClosed)
	assert.False(t, r.out.Interrupted)
	assert.Len(t, journalLines(t, dir), 6)
}

func TestDefectIsAPointsFailure(t *testing.T) {
	p := plan(t, small)
	p.Points[2].Machine.Array.Rows = 0 // what no checked configuration has
	out := run(t, p, Options{Dir: t.TempDir(), Workers: 2})
	assert.Equal(t, 6, out.Done())
	require.NotEmpty(t, out.Results[2].Error)
	assert.Contains(t, out.Results[2].Error, "defect of the simulator")
}
