package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// ready sends a translated piece, or holds it until its turn.
func (s *splitter) ready(p *piece) {
	f := s.flights[p.flight]
	if f.ordered && p.sub.Space == hw.BusAddr && f.lane.head != p.flight {
		if f.held == none {
			f.held = p.id
		} else {
			s.pieces[f.heldTail].next = p.id
		}
		f.heldTail = p.id
		return
	}
	lane := f.lane
	if lane.strict && !f.ordered && f.after > lane.done {
		at := &lane.reads
		for *at != none {
			at = &s.pieces[*at].next
		}
		*at = p.id
		return
	}
	s.send(f, p)
	if f.ordered {
		s.release(lane)
	}
}

func (s *splitter) send(f *flight, p *piece) { f.lane.down.Submit(s.prepare(f, p)) }

// prepare returns what is to be submitted of a translated piece.
func (s *splitter) prepare(f *flight, p *piece) *hw.Request {
	p.sub.Data = nil
	if r := f.r; r.Data != nil {
		p.sub.Data = r.Data[p.off : p.off+p.sub.Bytes]
	}
	if p.sub.Bytes == f.r.Bytes {
		f.whole = true
	}
	if p.sub.Space == hw.BusAddr {
		f.remote = true
	}
	return &p.sub
}

// sent reports whether nothing of a write is left to be sent.
func (f *flight) sent() bool {
	return !f.waiting && f.piped == 0 && f.held == none && (f.at >= f.r.Bytes || f.status != hw.OK)
}

// release takes writes that are sent off the head of a lane, sends what the
// next ones hold, and the reads that waited for them.
func (s *splitter) release(l *lane) {
	s.releaseWrites(l)
	at := &l.reads
	for *at != none {
		p := s.pieces[*at]
		f := s.flights[p.flight]
		if f.after > l.done {
			at = &p.next
			continue
		}
		*at = p.next
		p.next = none
		s.send(f, p)
	}
}

func (s *splitter) releaseWrites(l *lane) {
	for l.head != none {
		f := s.flights[l.head]
		for f.held != none {
			p := s.pieces[f.held]
			f.held = p.next
			p.next = none
			s.send(f, p)
		}
		if !f.finished && !f.sent() {
			return
		}
		id := l.head
		l.head = f.next
		l.done++
		f.ordered, f.next = false, none
		if f.finished {
			s.freeFlight(id, f)
		}
	}
}

func (s *splitter) freeFlight(id int32, f *flight) {
	f.next = s.freeF
	s.freeF = id
}

// resolve gives a waiting piece its translation.
func (s *splitter) resolve(id int32, m *mapping) {
	p := s.pieces[id]
	f := s.flights[p.flight]
	fid := p.flight
	f.waiting = false
	f.stall += s.e.Now() - p.since
	n := s.extent(f, m)
	s.place(p, m, n)
	f.at += n
	if p.sub.Space == hw.BusAddr && (f.ordered || f.lane.strict) && s.e.Now() <= f.until {
		s.pipe(f, p)
	} else {
		s.ready(p)
	}
	s.advance(fid, f)
}

// refuse ends a waiting piece with a fault, a later event than its request's.
func (s *splitter) refuse(id int32, status hw.Status) {
	p := s.pieces[id]
	f := s.flights[p.flight]
	f.waiting = false
	f.stall += s.e.Now() - p.since
	s.fail(f, p.off, status, p.va)
	s.drop(p, f)
}

// onRefused ends a flight that has nothing to send.
func (s *splitter) onRefused(arg uint64) {
	p := s.pieces[arg]
	s.drop(p, s.flights[p.flight])
}

// abort ends a request that came while halted.
func (s *splitter) abort(id int32) {
	f := s.flights[id]
	s.fail(f, 0, hw.Aborted, f.r.Addr)
	p := s.newPiece(id, f.r.Addr)
	s.e.After(0, sim.Call{H: s.refused, Arg: uint64(p.id)})
}

// fail records the error of the lowest address.
func (s *splitter) fail(f *flight, off int64, status hw.Status, addr uint64) {
	if f.status == hw.OK || off < f.failAt {
		f.status, f.failAt, f.failAddr = status, off, addr
	}
}

// drop ends a piece.
func (s *splitter) drop(p *piece, f *flight) {
	fid := p.flight
	s.freePiece(p)
	f.open--
	if f.ordered {
		s.release(f.lane)
	}
	if f.open == 0 && !f.waiting && (f.at >= f.r.Bytes || f.status != hw.OK) {
		s.finish(fid, f)
	}
}

// onDone joins a served piece.
func (s *splitter) onDone(arg uint64) {
	p := s.pieces[arg]
	f := s.flights[p.flight]
	sub := &p.sub
	if sub.Status != hw.OK {
		s.fail(f, p.off, sub.Status, failedAt(sub, p.va))
	}
	f.remote = f.remote || sub.Remote
	f.downStalls = max(f.downStalls, sub.Stalled)
	if sub.Op == hw.Read && !f.whole {
		if sub.Zero && sub.Data != nil {
			clear(sub.Data)
			sub.Zero = false
		}
	}
	f.zero = f.zero && sub.Zero
	s.window.leave(p.epoch)
	s.drop(p, f)
}

// failedAt returns where a translated request failed, in the space in which it
// begins at va.
func failedAt(r *hw.Request, va uint64) uint64 {
	if off := r.FaultAddr - r.Addr; off < uint64(r.Bytes) {
		return va + off
	}
	return va
}

// finish fills in a request's results and fires it.
func (s *splitter) finish(id int32, f *flight) {
	r := f.r
	r.Status, r.FaultAddr, r.Remote, r.Stalled = f.status, f.failAddr, f.remote, f.stall+f.downStalls
	if r.Op == hw.Read {
		r.Zero = f.zero && f.status == hw.OK
	}
	s.stallTime += int64(f.stall)
	f.finished = true
	if !f.ordered {
		s.freeFlight(id, f)
	}
	s.end(r)
}

// end fires a finished request.
func (s *splitter) end(r *hw.Request) {
	s.live--
	s.e.Fire(r.Done)
	s.rest()
}

// rest follows the end of a request.
func (s *splitter) rest() {
	if s.live == 0 && s.halted {
		s.idle()
	}
}
