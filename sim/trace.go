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

// Trace collects spans in the order in which they are recorded, which is that
// of their ends. The zero value is empty.
//
// Set Engine.Trace before the blocks are built: they take their tracks and
// labels at construction, by Engine.Track and Engine.Label. When it is nil,
// tracing costs the models' one test: if tr := e.Trace; tr != nil { tr.Add(…) }.
type Trace struct {
	tracks []string
	labels []string
	known  map[string]Label
	spans  []Span
}

// Track names a row of the trace; without a trace it is 0, which nobody uses.
func (e *Engine) Track(name string) Track {
	if e.Trace == nil {
		return 0
	}
	return e.Trace.NewTrack(name)
}

// Label names a kind of event; without a trace it is 0, which nobody uses.
func (e *Engine) Label(name string) Label {
	if e.Trace == nil {
		return 0
	}
	return e.Trace.NewLabel(name)
}

// NewTrack adds a row. Rows of the same name stay apart.
func (t *Trace) NewTrack(name string) Track {
	t.tracks = append(t.tracks, name)
	return Track(len(t.tracks) - 1)
}

// NewLabel returns the label of a name.
func (t *Trace) NewLabel(name string) Label {
	if l, ok := t.known[name]; ok {
		return l
	}
	if t.known == nil {
		t.known = map[string]Label{}
	}
	l := Label(len(t.labels))
	t.known[name] = l
	t.labels = append(t.labels, name)
	return l
}

// Add records a span. Call it only behind a nil check of Engine.Trace.
func (t *Trace) Add(s Span) { t.spans = append(t.spans, s) }

// Spans returns what was recorded.
func (t *Trace) Spans() []Span { return t.spans }
