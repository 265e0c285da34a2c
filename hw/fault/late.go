package fault

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Chaos is the section [chaos]: every delay that the rules allow happens.
type Chaos struct {
	Seed uint64 `toml:"seed,omitempty" doc:"of chaos mode, in which every delay that the rules allow happens; 0: off"`
}

// Late is a target behind which requests are late, each by a random time: those of
// any order may pass each other; of a target that keeps writes in order, writes
// do not.
type Late struct {
	e       *sim.Engine
	to      hw.Target
	stream  *sim.Stream
	most    sim.Time
	ordered bool
	last    sim.Time // of the latest write
	held    []*hw.Request
	free    []uint32
	call    sim.Handler
}

// NewLate returns a target that hands requests to another up to most later.
func NewLate(e *sim.Engine, name string, to hw.Target, stream *sim.Stream, most sim.Time, ordered bool) *Late {
	l := &Late{e: e, to: to, stream: stream, most: most, ordered: ordered}
	l.call = e.Register(name, func(i uint64) {
		r := l.held[i]
		l.held[i] = nil
		l.free = append(l.free, uint32(i))
		l.to.Submit(r)
	})
	return l
}

// Pick returns a random delay: mostly short, one in eight up to most.
func Pick(s *sim.Stream, most sim.Time) sim.Time {
	if s.Intn(8) == 0 {
		return sim.Time(s.Intn(int64(most) + 1))
	}
	return sim.Time(s.Intn(int64(most)/16 + 1))
}

// Submit implements hw.Target.
func (l *Late) Submit(r *hw.Request) {
	at := l.e.Now() + Pick(l.stream, l.most)
	if l.ordered && r.Op == hw.Write {
		at = max(at, l.last)
		l.last = at
	}
	if len(l.free) == 0 {
		l.free = append(l.free, uint32(len(l.held)))
		l.held = append(l.held, nil)
	}
	i := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	l.held[i] = r
	l.e.At(at, sim.Call{H: l.call, Arg: uint64(i)})
}

var _ hw.InOrder = (*Late)(nil)

// WritesInOrder implements hw.InOrder: whether writes stay in order.
func (l *Late) WritesInOrder() bool { return l.ordered }

// Idle reports whether nothing is held.
func (l *Late) Idle() bool { return len(l.free) == len(l.held) }
