package sim

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// WriteText writes the trace as stable text for comparisons: a line a span, in
// order of recording, as tab-separated start and end (picoseconds), track,
// label and argument. A name with a quote, a backslash or what cannot be printed
// is quoted as in Go.
func (t *Trace) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w) // which keeps the first error for Flush
	tracks, labels := textNames(t.tracks), textNames(t.labels)
	out.WriteString("# start_ps\tend_ps\ttrack\tlabel\targ\n")
	var line []byte
	for _, s := range t.spans {
		line = strconv.AppendInt(line[:0], int64(s.Start), 10)
		line = strconv.AppendInt(append(line, '\t'), int64(s.End), 10)
		line = append(append(line, '\t'), tracks[s.Track]...)
		line = append(append(line, '\t'), labels[s.Label]...)
		line = strconv.AppendUint(append(line, '\t'), s.Arg, 10)
		out.Write(append(line, '\n'))
	}
	return out.Flush()
}

func textNames(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if q := strconv.Quote(name); strings.Trim(q, `"`) != name {
			out[i] = q
		}
	}
	return out
}
