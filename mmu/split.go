package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// mapping is a translation as the data path uses it.
type mapping struct {
	pa       uint64
	left     uint64 // bytes from the address to the end of what the translation covers
	space    hw.Space
	hasPASID bool
	pasid    uint32
}

// translator is the unit behind a splitter.
type translator interface {
	// lookup answers from the caches next to the port, or reports false.
	lookup(l *lane, r *hw.Request, va uint64, m *mapping) bool
	// miss takes over a piece, to resolve or refuse it in a later event.
	miss(id int32)
}

// splitter takes requests apart where translations end, forwards the pieces
// and joins them. Translations of one request go in order of address, one miss
// at a time; requests overlap.
//
// Writes that go to the bus leave a lane in the order in which they came,
// whatever their translations took; to device memory they may pass. On a strict
// lane a read leaves after every write that came before it.
type splitter struct {
	e       *sim.Engine
	tr      translator
	hit     sim.Time
	pieces  []*piece
	flights []*flight
	freeP   int32
	freeF   int32
	directs []direct
	freeD   int32
	live    int // flights and directs not finished
	halted  bool
	idle    func() // called when the last ends while halted
	window  window

	m mapping // scratch: one translation

	hits, misses, stallTime int64

	issue, done, refused, directIssue, directDone sim.Handler
}

// lane is one way through a splitter: a port.
type lane struct {
	s          *splitter
	down       hw.Target
	ahead      hw.Ahead // down, if it takes requests ahead of time; else nil
	l1         *TLB
	device     uint32
	head, tail int32    // writes not yet sent whole, oldest first
	until      sim.Time // when the lookup has delayed direct writes to the bus long enough
	// strict keeps reads behind earlier writes too, as PCIe does: asked and
	// done count writes that came and that were sent whole.
	strict      bool
	asked, done uint64
	reads       int32 // translated pieces of reads that wait for a write
}

// flight is one request on its way.
type flight struct {
	r          *hw.Request
	lane       *lane
	next       int32 // free list, or the lane's writes
	at         int64 // bytes that have a piece
	open       int32 // pieces not finished
	piped      int32 // pieces that the lookup delays
	held       int32 // translated pieces that wait for earlier writes
	heldTail   int32
	after      uint64   // a strict read follows so many writes,
	until      sim.Time // and the direct ones before it, which have left by then
	waiting    bool     // the next piece waits for its translation
	ordered    bool     // in the lane's list of writes
	finished   bool
	whole      bool // one piece served all of it
	remote     bool
	zero       bool
	status     hw.Status
	failAt     int64
	failAddr   uint64
	stall      sim.Time
	downStalls sim.Time
}

// piece is one sub-request of a flight.
type piece struct {
	sub    hw.Request
	lane   *lane
	flight int32
	next   int32
	id     int32
	off    int64
	va     uint64
	since  sim.Time
	epoch  uint64
}

func newSplitter(e *sim.Engine, name string, tr translator, hit sim.Time) *splitter {
	s := &splitter{e: e, tr: tr, hit: hit, freeP: none, freeF: none, freeD: none, idle: func() {}, window: newWindow(e)}
	s.issue = e.Register(name+" lookup", s.onIssue)
	s.done = e.Register(name+" piece", s.onDone)
	s.refused = e.Register(name+" refusal", s.onRefused)
	s.directIssue = e.Register(name+" hit", s.onDirectIssue)
	s.directDone = e.Register(name+" answer", s.onDirectDone)
	return s
}

func (s *splitter) newLane(down hw.Target) *lane {
	ahead, _ := down.(hw.Ahead)
	return &lane{s: s, down: down, ahead: ahead, head: none, tail: none, until: -1, reads: none}
}

// clear reports whether no direct write to the bus is on its way through the lookup.
func (l *lane) clear() bool { return l.s.e.Now() > l.until }

func (s *splitter) newFlight(l *lane, r *hw.Request) int32 {
	if s.freeF == none {
		block := make([]flight, 32)
		for i := range block {
			block[i].next = s.freeF
			s.freeF = int32(len(s.flights))
			s.flights = append(s.flights, &block[i])
		}
	}
	id := s.freeF
	f := s.flights[id]
	s.freeF = f.next
	*f = flight{r: r, lane: l, next: none, held: none, heldTail: none, zero: true, after: l.asked, until: l.until}
	s.live++
	return id
}

// takePiece returns a free piece made from a request.
func (s *splitter) takePiece(l *lane, r *hw.Request, va uint64) *piece {
	if s.freeP == none {
		block := make([]piece, 32)
		for i := range block {
			p := &block[i]
			p.id, p.next = int32(len(s.pieces)), s.freeP
			p.sub.Done = sim.Call{H: s.done, Arg: uint64(p.id)}
			s.freeP = p.id
			s.pieces = append(s.pieces, p)
		}
	}
	p := s.pieces[s.freeP]
	s.freeP = p.next
	sub := &p.sub
	sub.Op, sub.Space, sub.Source, sub.Atomic, sub.Exec, sub.Priv = r.Op, r.Space, r.Source, r.Atomic, r.Exec, r.Priv
	sub.ASID, sub.PASID, sub.HasPASID = r.ASID, r.PASID, r.HasPASID
	sub.Addr, sub.Bytes, sub.Zero = r.Addr, r.Bytes, r.Zero && r.Op == hw.Write
	sub.Status, sub.FaultAddr, sub.Remote, sub.Stalled = hw.OK, 0, false, 0
	p.lane, p.va, p.next = l, va, none
	return p
}

// newPiece makes the piece of a flight that follows what it has.
func (s *splitter) newPiece(fid int32, va uint64) *piece {
	f := s.flights[fid]
	p := s.takePiece(f.lane, f.r, va)
	p.flight, p.off = fid, f.at
	f.open++
	return p
}

func (s *splitter) freePiece(p *piece) {
	p.next = s.freeP
	s.freeP = p.id
}

// submit starts a request that needs translation, and is not direct.
func (l *lane) submit(r *hw.Request) {
	s := l.s
	id := s.newFlight(l, r)
	f := s.flights[id]
	if s.halted {
		s.abort(id)
		return
	}
	if r.Op == hw.Write {
		l.enqueue(id)
	}
	s.advance(id, f)
}

// pass sends a request that needs no translation, behind earlier writes if it
// is a write to the bus itself.
func (l *lane) pass(r *hw.Request) {
	if r.Op != hw.Write || r.Space != hw.BusAddr || l.head == none && l.clear() {
		l.down.Submit(r)
		return
	}
	s := l.s
	id := s.newFlight(l, r)
	f := s.flights[id]
	l.enqueue(id)
	p := s.newPiece(id, r.Addr)
	p.epoch = s.window.enter()
	f.at = r.Bytes
	s.pipe(f, p)
}

// enqueue puts a write at the end of the lane's order.
func (l *lane) enqueue(id int32) {
	l.s.flights[id].ordered = true
	l.asked++
	if l.head == none {
		l.head = id
	} else {
		l.s.flights[l.tail].next = id
	}
	l.tail = id
}

// advance translates a request until its end, its fault or a miss.
func (s *splitter) advance(id int32, f *flight) {
	var cur *piece
	m := &s.m
	for f.at < f.r.Bytes && f.status == hw.OK {
		va := f.r.Addr + uint64(f.at)
		if !s.tr.lookup(f.lane, f.r, va, m) {
			break
		}
		s.hits++
		n := s.extent(f, m)
		if cur != nil && cur.sub.Space == m.space && cur.sub.Addr+uint64(cur.sub.Bytes) == m.pa {
			cur.sub.Bytes += n
		} else {
			s.pipe(f, cur)
			cur = s.newPiece(id, va)
			s.place(cur, m, n)
		}
		f.at += n
	}
	s.pipe(f, cur)
	switch {
	case f.at < f.r.Bytes && f.status == hw.OK:
		p := s.newPiece(id, f.r.Addr+uint64(f.at))
		p.since = s.e.Now()
		f.waiting = true
		s.misses++
		s.tr.miss(p.id)
	case f.r.Bytes == 0:
		p := s.newPiece(id, f.r.Addr)
		s.e.After(s.hit, sim.Call{H: s.refused, Arg: uint64(p.id)})
	}
}

// extent returns how many bytes of the rest of a request a mapping covers.
func (s *splitter) extent(f *flight, m *mapping) int64 {
	rest := f.r.Bytes - f.at
	if m.left < uint64(rest) {
		return int64(m.left)
	}
	return rest
}

// place gives a piece its translated address.
func (s *splitter) place(p *piece, m *mapping, n int64) {
	p.sub.Space, p.sub.Addr, p.sub.Bytes = m.space, m.pa, n
	p.sub.PASID, p.sub.HasPASID = m.pasid, m.hasPASID
	p.epoch = s.window.enter()
}

// pipe sends a translated piece after the lookup's latency.
func (s *splitter) pipe(f *flight, p *piece) {
	switch {
	case p == nil:
	case s.hit == 0:
		s.ready(p)
	case p.sub.Space == hw.Device && f.lane.ahead != nil && f.lane.ahead.SubmitIn(s.prepare(f, p), s.hit):
		if f.ordered {
			s.release(f.lane)
		}
	default:
		f.piped++
		s.e.After(s.hit, sim.Call{H: s.issue, Arg: uint64(p.id)})
	}
}

func (s *splitter) onIssue(arg uint64) {
	p := s.pieces[arg]
	s.flights[p.flight].piped--
	s.ready(p)
}
