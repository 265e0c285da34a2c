package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// watch is the completion time-out (section 2.8): the reads outstanding in the
// order of sending, and one timer that is due no later than the oldest.
type watch struct {
	timer          *sim.Timer
	oldest, newest uint32
}

func (l *Link) watchRead(i uint32, s *segment) {
	w := &l.watch
	s.older, s.newer = w.newest, none
	if w.newest == none {
		w.oldest = i
		w.timer.Set(l.e.Now()+l.c.CompletionTimeout, 0)
	} else {
		l.segments.at(w.newest).newer = i
	}
	w.newest = i
}

func (l *Link) unwatch(s *segment) {
	w := &l.watch
	if s.older == none {
		w.oldest = s.newer
	} else {
		l.segments.at(s.older).newer = s.newer
	}
	if s.newer == none {
		w.newest = s.older
	} else {
		l.segments.at(s.newer).older = s.older
	}
	if w.oldest == none {
		w.timer.Stop()
	}
}

// onWatch gives up the reads whose time is over. What comes for them later is
// dropped; until then the host may hold their requests.
func (l *Link) onWatch(uint64) {
	for l.watch.oldest != none {
		i := l.watch.oldest
		s := l.segments.at(i)
		if due := s.asked + l.c.CompletionTimeout; due > l.e.Now() {
			l.watch.timer.Set(due, 0)
			break
		}
		l.stats.TimeOuts++
		s.ended = true
		s.req.Status, s.req.FaultAddr = hw.TimedOut, s.addr
		if s.dropped {
			l.segments.give(i)
		}
		l.note(CompletionTimeout)
		l.endRead(s)
	}
	l.pump()
}

// LoseCompletions makes the completions of the next n segments of DMA reads
// vanish, so that the completion time-out ends these reads with hw.TimedOut.
func (l *Link) LoseCompletions(n int) { l.lose += n }

// note leaves an error in the function's registers.
func (l *Link) note(err Error) {
	if l.report != nil {
		l.report.Inject(err)
	}
}
