package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

// tracedRun is a little of everything that records itself.
func tracedRun(t *testing.T) *Engine {
	e := New(1)
	e.Trace = &Trace{}
	l := e.NewLink("pcie \"up\"\n", LinkConfig{Rate: 16e9, Latency: 100 * Nanosecond, Quantum: 512, Weights: []int{1, 1}})
	doorbell, array := e.Track("doorbell"), e.Track("array|0")
	e.Trace.Add(Span{0, 0, doorbell, e.Label("ring"), 3})
	l.Send(0, 4096, Call{})
	ask := e.Register("ask", func(uint64) { l.Send(1, 2048, Call{}) })
	e.At(50*Nanosecond, Call{H: ask})
	require.NoError(t, e.Run())
	tile := e.Label("tile ✓ \\ <b>")
	for i := range Time(3) { // overlap without nesting
		e.Trace.Add(Span{i * 1000, 1_500_000 + i*1001, array, tile, uint64(i)})
	}
	e.Trace.Add(Span{1_600_000, 1_600_001, array, tile, 1<<64 - 1})
	return e
}

func TestTraceText(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, tracedRun(t).Trace.WriteText(&out))
	golden(t, "trace.txt", out.Bytes())
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		assert.Len(t, strings.Split(line, "\t"), 5, line)
	}
}

func TestTracePerfettoGolden(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, tracedRun(t).Trace.WritePerfetto(&out))
	golden(t, "trace.json", out.Bytes())
}

type jsonTrace struct {
	TraceEvents []struct {
		Phase string      `json:"ph"`
		Name  string      `json:"name"`
		PID   int         `json:"pid"`
		TID   int         `json:"tid"`
		TS    json.Number `json:"ts"`
		Dur   json.Number `json:"dur"`
		Args  struct {
			Name string      `json:"name"`
			Arg  json.Number `json:"arg"`
		} `json:"args"`
	} `json:"traceEvents"`
}

// picoseconds reads a decimal number of microseconds exactly.
func picoseconds(t require.TestingT, n json.Number) Time {
	r, ok := new(big.Rat).SetString(n.String())
	require.True(t, ok, n)
	r.Mul(r, big.NewRat(int64(Microsecond), 1))
	require.True(t, r.IsInt(), n)
	return Time(r.Num().Int64())
}

func TestPerfettoIsExactSortedAndNests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr Trace
		name := rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "#") })
		names := rapid.SliceOfN(name, 1, 3).Draw(t, "names")
		for _, n := range names {
			tr.NewTrack(n)
		}
		label := tr.NewLabel(rapid.String().Draw(t, "label"))
		want := map[Span]int{}
		for range rapid.IntRange(0, 30).Draw(t, "spans") {
			start := Time(rapid.IntRange(0, 20).Draw(t, "start")) * Time(rapid.SampledFrom([]int64{1, 999_999, 1e15}).Draw(t, "scale"))
			s := Span{start, start + Time(rapid.IntRange(0, 20).Draw(t, "length")), Track(rapid.IntRange(0, len(names)-1).Draw(t, "track")), label, rapid.Uint64().Draw(t, "arg")}
			tr.Add(s)
			want[s]++
		}
		var out bytes.Buffer
		require.NoError(t, tr.WritePerfetto(&out))
		var parsed jsonTrace
		require.NoError(t, json.Unmarshal(out.Bytes(), &parsed), out.String())

		got := map[Span]int{}
		open := map[int][]Span{}
		track := map[int]Track{}
		tracks := -1
		for _, ev := range parsed.TraceEvents {
			switch {
			case ev.Name == "thread_name" && ev.Phase == "M":
				if base, _, more := strings.Cut(ev.Args.Name, " #"); more {
					assert.Equal(t, escaped(names[tracks]), base, "a further thread of the track")
					track[ev.TID] = Track(tracks)
					continue
				}
				tracks++
				track[ev.TID] = Track(tracks)
				assert.Equal(t, escaped(names[tracks]), ev.Args.Name)
			case ev.Phase == "X" || ev.Phase == "i":
				s := Span{Start: picoseconds(t, ev.TS), Track: track[ev.TID], Label: label}
				s.End = s.Start
				if ev.Phase == "X" {
					s.End += picoseconds(t, ev.Dur)
					assert.Less(t, s.Start, s.End)
				}
				_, ok := new(big.Int).SetString(ev.Args.Arg.String(), 10)
				require.True(t, ok)
				require.NoError(t, json.Unmarshal([]byte(ev.Args.Arg), &s.Arg))
				got[s]++
				stack := open[ev.TID]
				if len(stack) > 0 {
					assert.LessOrEqual(t, stack[len(stack)-1].Start, s.Start, "sorted")
				}
				for len(stack) > 0 && stack[len(stack)-1].End <= s.Start {
					stack = stack[:len(stack)-1]
				}
				if len(stack) > 0 {
					assert.LessOrEqual(t, s.End, stack[len(stack)-1].End, "nested")
				}
				open[ev.TID] = append(stack, s)
				assert.Equal(t, escaped(tr.labels[label]), ev.Name)
			}
		}
		assert.Equal(t, len(names)-1, tracks)
		assert.Equal(t, want, got)
	})
}

// escaped is what a name is after a trip through JSON: bytes that are no UTF-8
// become U+FFFD.
func escaped(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func TestTraceIsOffWithoutOne(t *testing.T) {
	e := New(1)
	assert.Zero(t, e.Track("x"))
	assert.Zero(t, e.Label("y"))
	assert.Nil(t, e.Trace)
	e.Trace = &Trace{}
	assert.Equal(t, []Track{0, 1}, []Track{e.Track("x"), e.Track("x")}, "tracks stay apart")
	assert.Equal(t, []Label{0, 1, 0}, []Label{e.Label("x"), e.Label("y"), e.Label("x")}, "labels are interned")
}

func TestTracingDoesNotChangeTime(t *testing.T) {
	traced := tracedRun(t)
	spans := 0
	for _, s := range traced.Trace.Spans() {
		if s.Track == 0 {
			spans++
		}
	}
	assert.Positive(t, spans)
	e := New(1)
	l := e.NewLink("pcie", LinkConfig{Rate: 16e9, Latency: 100 * Nanosecond, Quantum: 512, Weights: []int{1, 1}})
	l.Send(0, 4096, Call{})
	e.At(50*Nanosecond, Call{H: e.Register("ask", func(uint64) { l.Send(1, 2048, Call{}) })})
	require.NoError(t, e.Run())
	assert.Equal(t, traced.Now(), e.Now())
	assert.Equal(t, traced.Stats.Snapshot()[0].Value, e.Stats.Snapshot()[0].Value)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritersReturnErrors(t *testing.T) {
	tr := tracedRun(t).Trace
	assert.EqualError(t, tr.WriteText(fullDisk{}), "no space left")
	assert.EqualError(t, tr.WritePerfetto(fullDisk{}), "no space left")
	assert.EqualError(t, WriteMarkdown(fullDisk{}, nil), "no space left")
}

func TestStats(t *testing.T) {
	e := New(1)
	var hits, bytesRead int64
	e.Stats.Add("iotlb0", Counter{"hits", "translations found", &hits})
	e.Stats.Add("dma0", Counter{"read_bytes", "payload|header read", &bytesRead})
	hits, bytesRead = 3, 4096
	assert.Equal(t, []Sample{{"iotlb0", "hits", 3}, {"dma0", "read_bytes", 4096}}, e.Stats.Snapshot())
	var out strings.Builder
	require.NoError(t, WriteMarkdown(&out, e.Stats.Blocks()))
	assert.Equal(t, "| block | counter | value | meaning |\n| --- | --- | ---: | --- |\n"+
		"| iotlb0 | `hits` | 3 | translations found |\n| dma0 | `read_bytes` | 4096 | payload\\|header read |\n", out.String())
}
