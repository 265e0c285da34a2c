package mmu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// walkKey names what a walk is for: misses with equal keys merge.
type walkKey struct {
	space uint64
	page  uint64 // address >> 12
	kind  Access
	priv  bool
}

// walkUnit is what the walkers serve: the device MMU or the IOMMU.
type walkUnit interface {
	key(p *piece) walkKey
	// again looks at the shared caches: a walk that ended meanwhile may have
	// filled them.
	again(p *piece, m *mapping) bool
	// job makes a walker's machine.
	job() walkJob
}

// walkJob is the machine of one walk.
type walkJob interface {
	machine
	begin(p *piece)
	// stale reports whether an invalidation since begin covers the walk.
	stale() bool
	// install fills the caches with what the walk found.
	install()
	// fault returns the walk's failure, OK if it found a translation.
	fault() hw.Status
	report()
	// serve answers another access to the walk's page, false if the
	// translation found does not allow it.
	serve(p *piece, m *mapping) bool
}

// walker is one of the page-table walkers.
type walker struct {
	*agent
	job        walkJob
	key        walkKey
	head, tail int32 // pieces that wait for this walk
	start      sim.Time
}

// walkers bounds concurrent walks and merges misses. Misses of one instant are
// served in the order of their source, so that no outcome depends on which
// event came first.
type walkers struct {
	e          *sim.Engine
	s          *splitter
	unit       walkUnit
	all        []*walker
	head, tail int32 // misses without a walker
	queued     int
	arbiter    *sim.Arbiter
	hSettle    sim.Handler
	reads      int64
	walks      int64
	merged     int64
	retries    int64
	walkTime   int64
	track      sim.Track
	label      sim.Label
	halted     sim.Call    // who waits for a halt
	quiet      func() bool // the unit's own part of being idle
	busy       int
	aborting   bool
}

func newWalkers(e *sim.Engine, name string, s *splitter, unit walkUnit, n int, src hw.Source, target hw.Target, rt route) *walkers {
	ws := &walkers{e: e, s: s, unit: unit, head: none, tail: none, quiet: func() bool { return true }}
	s.idle = ws.settle
	ws.hSettle = e.Register(name+" halt", func(uint64) { ws.settle() })
	ws.arbiter = e.NewArbiter(name+" dispatch", ws.dispatch)
	for i := range n {
		w := &walker{job: unit.job(), head: none, tail: none}
		w.agent = newAgent(e, fmt.Sprintf("%s walker %d", name, i), src, target, rt, w.job, func() { ws.ended(w) })
		w.agent.reads = &ws.reads
		ws.all = append(ws.all, w)
	}
	if e.Trace != nil {
		ws.track, ws.label = e.Trace.NewTrack(name+" walks"), e.Trace.NewLabel("walk")
	}
	return ws
}

// add takes a miss: it joins the walk of its page if there is one, else queues.
func (ws *walkers) add(p *piece) {
	if w := ws.active(ws.unit.key(p)); w != nil && !ws.aborting {
		ws.join(w, p)
		return
	}
	ws.queued++
	ws.insert(p)
	ws.kick()
}

// active returns the walk of a key, nil if there is none.
func (ws *walkers) active(key walkKey) *walker {
	for _, w := range ws.all {
		if w.busy && w.key == key {
			return w
		}
	}
	return nil
}

func (ws *walkers) join(w *walker, p *piece) {
	ws.merged++
	p.next = none
	ws.s.pieces[w.tail].next = p.id
	w.tail = p.id
}

// insert keeps the queue in order of (time, source, arrival).
func (ws *walkers) insert(p *piece) {
	at := &ws.head
	if t := ws.tail; t != none && !ws.before(p, ws.s.pieces[t]) {
		at = &ws.s.pieces[t].next
	}
	for *at != none && !ws.before(p, ws.s.pieces[*at]) {
		at = &ws.s.pieces[*at].next
	}
	p.next = *at
	*at = p.id
	if p.next == none {
		ws.tail = p.id
	}
}

func (ws *walkers) before(p, q *piece) bool {
	return p.since < q.since || p.since == q.since && p.sub.Source < q.sub.Source
}

// kick hands out walkers when the present instant's misses have all come.
func (ws *walkers) kick() {
	if ws.head != none {
		ws.arbiter.Ask()
	}
}

// dispatch serves the queue from its head until a miss finds no walker free.
func (ws *walkers) dispatch() {
	for ws.head != none {
		p := ws.s.pieces[ws.head]
		ws.head = p.next
		if ws.head == none {
			ws.tail = none
		}
		p.next = none
		ws.queued--
		if !ws.place(p) {
			ws.queued++
			p.next = ws.head
			ws.head = p.id
			if p.next == none {
				ws.tail = p.id
			}
			return
		}
	}
}

// place answers a miss from the caches, joins it to a walk of its page, or
// starts one; false if every walker is busy.
func (ws *walkers) place(p *piece) bool {
	if ws.aborting {
		ws.s.refuse(p.id, hw.Aborted)
		return true
	}
	key := ws.unit.key(p)
	if w := ws.active(key); w != nil {
		ws.join(w, p)
		return true
	}
	if m := &ws.s.m; ws.unit.again(p, m) {
		ws.s.resolve(p.id, m)
		return true
	}
	for _, w := range ws.all {
		if !w.busy {
			ws.begin(w, key, p)
			return true
		}
	}
	return false
}

func (ws *walkers) begin(w *walker, key walkKey, p *piece) {
	w.key, w.head, w.tail, w.start = key, p.id, p.id, ws.e.Now()
	ws.walks++
	ws.busy++
	w.job.begin(p)
	w.agent.start()
}

// ended takes a walk's outcome to everybody who waits for it.
func (ws *walkers) ended(w *walker) {
	first := ws.s.pieces[w.head]
	if w.job.stale() && !ws.aborting {
		ws.retries++
		w.job.begin(first)
		w.agent.start()
		return
	}
	if tr := ws.e.Trace; tr != nil {
		tr.Add(sim.Span{Start: w.start, End: ws.e.Now(), Track: ws.track, Label: ws.label, Arg: w.key.page << pageShift})
	}
	ws.walkTime += int64(ws.e.Now() - w.start)
	ws.busy--
	ws.answer(w)
	ws.kick()
	ws.settle()
}

func (ws *walkers) answer(w *walker) {
	status := w.job.fault()
	if ws.aborting {
		status = hw.Aborted
	} else if status == hw.OK {
		w.job.install()
	} else {
		w.job.report()
	}
	head := w.head
	w.head, w.tail = none, none
	for head != none {
		p := ws.s.pieces[head]
		head = p.next
		p.next = none
		m := &ws.s.m
		switch {
		case status != hw.OK:
			ws.s.refuse(p.id, status)
		case w.job.serve(p, m):
			ws.s.resolve(p.id, m)
		default:
			ws.queued++
			ws.insert(p)
		}
	}
}

// halt refuses what waits for a translation, and what comes, and fires done
// when nothing is outstanding. Walks under way end by themselves.
func (ws *walkers) halt(done sim.Call) {
	ws.s.halted, ws.aborting, ws.halted = true, true, done
	ws.kick()
	ws.e.After(0, sim.Call{H: ws.hSettle})
}

// settle fires the halt that waits, if everything is quiet.
func (ws *walkers) settle() {
	if ws.aborting && ws.s.live == 0 && ws.busy == 0 && ws.queued == 0 && ws.quiet() {
		done := ws.halted
		ws.halted = sim.Call{}
		ws.e.Fire(done)
	}
}

// restart takes requests again.
func (ws *walkers) restart() { ws.s.halted, ws.aborting = false, false }
