package sim

import "fmt"

// linkTrace is the link's row of the trace.
type linkTrace struct {
	track  Track
	source []Label
	shared Label
}

// declare makes the link's counters and its row of the trace.
func (l *Link) declare(name string) {
	counters := []Counter{
		{"bytes", "bytes sent", &l.stats.Bytes},
		{"messages", "messages sent", &l.stats.Messages},
		{"busy_ps", "time spent sending", &l.stats.Busy},
		{"queued_ps", "time from request to the last byte sent, summed over messages", &l.stats.Queued},
	}
	l.trace.track = l.e.Track(name)
	l.trace.shared = l.e.Label("turns of several sources")
	for i := range l.stats.BySource {
		source := fmt.Sprintf("source%d", i)
		counters = append(counters, Counter{source + "_bytes", "bytes of " + source, &l.stats.BySource[i]})
		l.trace.source = append(l.trace.source, l.e.Label(source))
	}
	l.e.Stats.Add(name, counters...)
}

// add records a grant that has ended.
func (t *linkTrace) add(e *Engine, g *linkGrant) {
	if e.Trace == nil {
		return
	}
	label := t.shared
	if g.round == 0 {
		label = t.source[g.order[0]]
	}
	e.Trace.Add(Span{Start: g.start, End: e.now, Track: t.track, Label: label, Arg: uint64(g.bytes)})
}
