package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// direct is a request that one cached translation covers. It goes on by itself,
// with the translated address in it; what that has replaced is kept here, and put
// back when the request has been served.
type direct struct {
	r        *hw.Request
	lane     *lane // while it waits for the lookup's latency
	done     sim.Call
	addr     uint64
	epoch    uint64
	pasid    uint32
	next     int32 // in the free list
	space    hw.Space
	hasPASID bool
}

// open reports whether a request may go on by itself: writes, and reads of a
// strict lane, not while earlier writes wait.
func (l *lane) open(r *hw.Request) bool {
	return !l.s.halted && (l.head == none || r.Op == hw.Read && !l.strict)
}

// covers reports whether a mapping is of all of a request.
func (m *mapping) covers(r *hw.Request) bool { return uint64(r.Bytes-1) < m.left }

// forward sends a request that a mapping covers after the lookup's latency.
func (l *lane) forward(r *hw.Request, m *mapping) {
	s := l.s
	s.hits++
	s.live++
	i := s.freeD
	if i == none {
		i = s.newDirects()
	}
	d := &s.directs[i]
	s.freeD = d.next
	d.r, d.done, d.addr, d.space, d.pasid, d.hasPASID = r, r.Done, r.Addr, r.Space, r.PASID, r.HasPASID
	d.epoch = s.window.enter()
	r.Addr, r.Space, r.PASID, r.HasPASID = m.pa, m.space, m.pasid, m.hasPASID
	r.Done = sim.Call{H: s.directDone, Arg: uint64(i)}
	if s.hit == 0 {
		l.down.Submit(r)
		return
	}
	if r.Op == hw.Write && m.space == hw.BusAddr {
		l.until = s.e.Now() + s.hit
	}
	if l.ahead == nil || !l.ahead.SubmitIn(r, s.hit) {
		d.lane = l
		s.e.After(s.hit, sim.Call{H: s.directIssue, Arg: uint64(i)})
	}
}

// newDirects enlarges the pool and returns the first that is free.
func (s *splitter) newDirects() int32 {
	from := len(s.directs)
	s.directs = append(s.directs, make([]direct, from+16)...)
	for i := from; i < len(s.directs); i++ {
		s.directs[i].next = s.freeD
		s.freeD = int32(i)
	}
	return s.freeD
}

func (s *splitter) onDirectIssue(i uint64) {
	d := &s.directs[i]
	d.lane.down.Submit(d.r)
}

// onDirectDone gives a served request back.
func (s *splitter) onDirectDone(i uint64) {
	d := &s.directs[i]
	r := d.r
	if r.Space == hw.BusAddr {
		r.Remote = true
	}
	if r.Status != hw.OK {
		r.FaultAddr = failedAt(r, d.addr)
	}
	r.Done, r.Addr, r.Space, r.PASID, r.HasPASID = d.done, d.addr, d.space, d.pasid, d.hasPASID
	epoch := d.epoch
	d.next, s.freeD = s.freeD, int32(i)
	s.window.leave(epoch) // who waits for that may send more
	s.live--              // as in end, which the compiler does not put here
	s.e.Fire(r.Done)
	s.rest()
}
