package sim

import (
	"bufio"
	"encoding/json"
	"io"
	"sort"
	"strconv"
)

// WritePerfetto writes the trace in the Chrome JSON trace event format (Trace
// Event Format, Google, 2016), which ui.perfetto.dev opens. A track is a
// thread. Times are microseconds with six decimals, written by integer
// arithmetic, so that they are exact picoseconds.
//
// The format wants the spans of a thread to nest. Spans of a track that overlap
// otherwise go to further threads of the same name, with #2, #3 behind it.
func (t *Trace) WritePerfetto(w io.Writer) error {
	p := perfetto{out: bufio.NewWriter(w)}
	for _, label := range t.labels {
		p.labels = append(p.labels, jsonString(label))
	}
	p.text(`{"displayTimeUnit":"ns","traceEvents":[` + "\n")
	p.text(`{"ph":"M","name":"process_name","pid":1,"args":{"name":"presi"}}`)
	byTrack := make([][]Span, len(t.tracks))
	for _, s := range t.spans {
		byTrack[s.Track] = append(byTrack[s.Track], s)
	}
	for track, spans := range byTrack {
		p.track(t.tracks[track], spans)
	}
	p.text("\n]}\n")
	return p.out.Flush()
}

type perfetto struct {
	out     *bufio.Writer // keeps the first error for Flush
	labels  []string      // as JSON
	threads int
	line    []byte
}

func (p *perfetto) text(s string) { p.out.WriteString(s) }

// lane is a thread being laid out: the ends of the spans that are open.
type lane struct {
	open  []Time
	spans []Span
}

// fits reports whether s nests in what the lane holds, all of which began no later.
func (l *lane) fits(s Span) bool {
	for n := len(l.open); n > 0 && l.open[n-1] <= s.Start; n = len(l.open) {
		l.open = l.open[:n-1]
	}
	return len(l.open) == 0 || s.End <= l.open[len(l.open)-1]
}

// track writes a track as one thread, or as several when its spans do not nest.
func (p *perfetto) track(name string, spans []Span) {
	sort.SliceStable(spans, func(i, j int) bool {
		a, b := &spans[i], &spans[j]
		return a.Start < b.Start || a.Start == b.Start && a.End > b.End
	})
	lanes := []lane{{}}
	for _, s := range spans {
		i := 0
		for i < len(lanes) && !lanes[i].fits(s) {
			i++
		}
		if i == len(lanes) {
			lanes = append(lanes, lane{})
		}
		lanes[i].open = append(lanes[i].open, s.End)
		lanes[i].spans = append(lanes[i].spans, s)
	}
	for i, l := range lanes {
		if i > 0 {
			p.thread(name+" #"+strconv.Itoa(i+1), l.spans)
		} else {
			p.thread(name, l.spans)
		}
	}
}

// thread writes a thread's names and its spans in order of their starts.
func (p *perfetto) thread(name string, spans []Span) {
	p.threads++
	id := strconv.Itoa(p.threads)
	p.text(",\n" + `{"ph":"M","name":"thread_name","pid":1,"tid":` + id + `,"args":{"name":` + jsonString(name) + `}}`)
	p.text(",\n" + `{"ph":"M","name":"thread_sort_index","pid":1,"tid":` + id + `,"args":{"sort_index":` + id + `}}`)
	for _, s := range spans {
		p.span(id, s)
	}
}

// span writes a complete event, or an instant event when it has no length.
func (p *perfetto) span(thread string, s Span) {
	b := append(p.line[:0], ",\n{\"ph\":"...)
	if s.Start == s.End {
		b = append(b, `"i","s":"t","ts":`...)
	} else {
		b = append(b, `"X","dur":`...)
		b = appendMicroseconds(b, s.End-s.Start)
		b = append(b, `,"ts":`...)
	}
	b = appendMicroseconds(b, s.Start)
	b = append(append(b, `,"name":`...), p.labels[s.Label]...)
	b = append(append(b, `,"pid":1,"tid":`...), thread...)
	b = strconv.AppendUint(append(b, `,"args":{"arg":`...), s.Arg, 10)
	p.line = append(b, "}}"...)
	p.out.Write(p.line)
}

// appendMicroseconds appends a time that is not negative in microseconds.
func appendMicroseconds(b []byte, t Time) []byte {
	b = strconv.AppendInt(b, int64(t/Microsecond), 10)
	b = append(b, '.')
	for scale := Microsecond / 10; scale > 0; scale /= 10 {
		b = append(b, byte('0'+t/scale%10))
	}
	return b
}

func jsonString(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return string(b)
}
