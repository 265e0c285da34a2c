package sim

import "fmt"

// LinkConfig describes a serial link.
type LinkConfig struct {
	Rate    Rate  // bytes a second
	Latency Time  // from the end of serialisation to arrival
	Quantum Bytes // what a source of weight 1 sends in its turn while others wait
	Weights []int // one a source: turns are Weight × Quantum long
}

// Link is a serial resource that several sources share: each has a queue of
// messages, first in first out, and the link serves them by weighted round
// robin in turns of Weight × Quantum bytes. A source that is alone sends
// without turns; when a rival comes, its grant is cut at the next quantum.
//
// Between changes in contention the round robin is arithmetic: one event
// stands for all the whole rounds in which no message ends. So the cost follows
// messages and arrivals, not bytes.
//
// Times do not drift: within a busy period, byte n is through at exactly
// n/Rate seconds from the period's start, rounded down to the picosecond.
// The choice of who sends is made at the end of an instant, so it does not
// depend on the order in which the instant's requests were made.
type Link struct {
	e       *Engine
	c       LinkConfig
	sources []linkSource
	ready   sourceSet // those with messages
	tick    Handler   // the current grant has ended; the payload is its generation
	choose  *Arbiter  // the end of an instant at which the link may take up work

	base   Time  // start of the busy period
	sent   Bytes // in the busy period, up to the last grant's end
	free   Time  // end of the last grant
	turn   int   // whose turn it is
	credit Bytes // left in the turn
	grant  linkGrant
	busy   bool
	gen    uint64

	stats LinkStats
	trace linkTrace
}

// LinkStats counts what a link did, up to the end of its last grant.
type LinkStats struct {
	Bytes    int64
	Messages int64
	Busy     int64   // picoseconds of serialisation
	Queued   int64   // picoseconds from Send to the end of serialisation, summed over messages
	BySource []int64 // bytes of each source
}

type linkSource struct {
	queue  FIFO[linkMessage]
	weight Bytes // bytes a turn
}

type linkMessage struct {
	left   Bytes
	asked  Time
	onSent Call
	done   Call
}

// linkGrant is what the link does between two decisions: one source's bytes, or
// whole rounds of all sources in order.
type linkGrant struct {
	start Time
	bytes Bytes
	order []int // sources in their order of service; one when it is no round
	round Bytes // bytes a round; 0 when it is no round
	alone bool  // nobody else waited when it began
}

// NewLink returns an idle link and declares its counters under name. A bad
// configuration is a bug of the caller, which validates its own.
func (e *Engine) NewLink(name string, c LinkConfig) *Link {
	if c.Rate <= 0 || c.Quantum <= 0 || c.Latency < 0 || len(c.Weights) == 0 {
		panic(fmt.Sprintf("sim: link %s: rate, quantum and weights must be positive: %+v", name, c))
	}
	l := &Link{e: e, c: c, free: -1, turn: len(c.Weights) - 1}
	for _, w := range c.Weights {
		if w <= 0 {
			panic(fmt.Sprintf("sim: link %s: weight %d is not positive", name, w))
		}
		l.sources = append(l.sources, linkSource{weight: Bytes(w) * c.Quantum})
	}
	l.ready = newSourceSet(len(l.sources))
	l.tick = e.Register(name, l.onTick)
	l.choose = e.NewArbiter(name+" arbiter", l.onChoose)
	l.stats.BySource = make([]int64, len(l.sources))
	l.declare(name)
	return l
}

// Send queues a message of a source. done fires when its last byte has arrived:
// at the end of serialisation plus the latency. No bytes is a message too.
func (l *Link) Send(source int, bytes Bytes, done Call) { l.SendNotify(source, bytes, Call{}, done) }

// SendNotify is Send that also fires sent at the end of serialisation, when the
// sender's buffer is free again.
func (l *Link) SendNotify(source int, bytes Bytes, sent, done Call) {
	if bytes < 0 {
		panic(fmt.Sprintf("sim: link: message of %d bytes", bytes))
	}
	s := &l.sources[source]
	m := s.queue.Add()
	m.left, m.asked, m.onSent, m.done = bytes, l.e.now, sent, done
	l.ready.add(source)
	switch {
	case !l.busy:
		l.choose.Ask()
	case s.queue.Len() == 1:
		l.cut(source)
	}
}

// Pending returns how many messages of a source are not through yet.
func (l *Link) Pending(source int) int { return l.sources[source].queue.Len() }

// Stats returns the counters; the slice in it is the link's own.
func (l *Link) Stats() LinkStats { return l.stats }
