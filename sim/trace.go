package sim

// Track and Label are interned at construction so that an event is numbers.
type (
	// Track is a row of the trace: one block or unit.
	Track uint32
	// Label is an event's name.
	Label uint32
)

// Span is one traced interval (or an instant, when Start == End).
type Span struct {
	Start, End Time
	Track      Track
	Label      Label
	Arg        uint64 // shown with the event: bytes, a sequence number
}

// Trace collects spans in the order in which they end.
type Trace struct {
	tracks []string
	labels []string
	spans  []Span
}

// Track names a row of the trace, when there is one. Set Engine.Trace before
// the blocks are built: they take their tracks at construction.
func (e *Engine) Track(name string) Track {
	if e.Trace == nil {
		return 0
	}
	return e.Trace.NewTrack(name)
}

// Label names a kind of event, when there is a trace.
func (e *Engine) Label(name string) Label {
	if e.Trace == nil {
		return 0
	}
	return e.Trace.NewLabel(name)
}

// NewTrack names a row.
func (t *Trace) NewTrack(name string) Track {
	t.tracks = append(t.tracks, name)
	return Track(len(t.tracks) - 1)
}

// NewLabel names a kind of event.
func (t *Trace) NewLabel(name string) Label {
	for i, l := range t.labels {
		if l == name {
			return Label(i)
		}
	}
	t.labels = append(t.labels, name)
	return Label(len(t.labels) - 1)
}

// Add records a span. Call it only behind a nil check of Engine.Trace.
func (t *Trace) Add(s Span) { t.spans = append(t.spans, s) }

// Spans returns what was recorded.
func (t *Trace) Spans() []Span { return t.spans }
