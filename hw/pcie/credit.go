package pcie

import (
	"fmt"

	"github.com/presi-sim/presi/sim"
)

// supply is a bounded resource of the sender: tags, or credits of one class.
type supply struct {
	name    string
	limit   int64 // 0: none
	used    int64
	late    sim.FIFO[giving] // part of used that is on its way back
	waiting bool
	awaited bool // there will be an event for the first of late
	since   sim.Time
	stalled int64 // picoseconds during which somebody was refused
	peak    int64
}

// giving is n that are there again at an instant.
type giving struct {
	at sim.Time
	n  int64
}

func newSupply(name string, l Limit) supply {
	if l == Unlimited {
		return supply{name: name}
	}
	return supply{name: name, limit: int64(l)}
}

// has reports whether n are free, and keeps the account of waiting.
func (s *supply) has(now sim.Time, n int64) bool {
	for s.late.Len() > 0 && s.late.Front().at <= now {
		s.give(s.late.Pop().n)
	}
	ok := s.limit == 0 || s.used+n <= s.limit
	if ok == s.waiting {
		if ok {
			s.stalled += int64(now - s.since)
		} else {
			s.since = now
		}
		s.waiting = !ok
	}
	return ok
}

func (s *supply) take(n int64) {
	s.used += n
	s.peak = max(s.peak, s.used)
}

func (s *supply) give(n int64) {
	s.used -= n
	if s.used < 0 {
		panic("pcie: " + s.name + " given back twice")
	}
}

// giveAt gives n back at an instant that is not before those of earlier calls.
func (s *supply) giveAt(at sim.Time, n int64) { s.late.Push(giving{at, n}) }

// await returns the instant, now or later, at which more is there, when somebody waits
// for it and no event has been asked for yet.
func (s *supply) await(now sim.Time) (at sim.Time, ok bool) {
	if !s.waiting || s.awaited || s.late.Len() == 0 {
		return 0, false
	}
	s.awaited = true
	return max(now, s.late.Front().at), true
}

func (s *supply) idle() error {
	out := s.used
	for i := range s.late.Len() {
		out -= s.late.At(i).n
	}
	if out != 0 {
		return fmt.Errorf("pcie: %d %s are still out", out, s.name)
	}
	return nil
}

// portion returns how many of unlimited-or-limited things a segment may take at
// once: a sixty-fourth, so that what a segment holds too long stays below 2 % of
// a supply that is the bottleneck.
func (l Limit) portion(most int64) int64 {
	if l == Unlimited {
		return most
	}
	return max(1, min(most, int64(l)/64))
}
