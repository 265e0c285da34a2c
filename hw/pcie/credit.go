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
	waiting bool
	since   sim.Time
	stalled int64 // picoseconds during which somebody was refused
	peak    int64
}

func newSupply(name string, l Limit) supply {
	if l == Unlimited {
		return supply{name: name}
	}
	return supply{name: name, limit: int64(l)}
}

// has reports whether n are free, and keeps the account of waiting.
func (s *supply) has(now sim.Time, n int64) bool {
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

func (s *supply) idle() error {
	if s.used != 0 {
		return fmt.Errorf("pcie: %d %s are still out", s.used, s.name)
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
