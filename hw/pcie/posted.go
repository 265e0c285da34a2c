package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Writes and interrupts arrive in the order of Submit and become visible in it.

// onWriteArrived takes a write segment, or an interrupt, at the root complex.
func (l *Link) onWriteArrived(arg uint64) {
	s := l.segments.at(uint32(arg))
	t := l.transfers.at(s.transfer)
	l.inWire -= s.length(t)
	if t.last == none {
		t.first = uint32(arg)
	} else {
		l.segments.at(t.last).next = uint32(arg)
	}
	t.last = uint32(arg)
	t.arrived++
	l.arrived = t.base + t.arrived
	l.advance()
	l.pump()
}

func (s *segment) length(t *transfer) int64 {
	if t.r == nil {
		return 4
	}
	return s.req.Bytes
}

// advance hands over what may be handed over, reports what is done, and lets
// go what waited for it.
func (l *Link) advance() {
	for l.step() {
	}
	l.letReads()
	l.letReplies()
}

// step does one thing to the posted order; false when nothing can be done.
func (l *Link) step() bool {
	if l.order.Len() == 0 {
		return false
	}
	if front := *l.order.Front(); l.done(front) {
		l.leave(front)
		return true
	}
	if l.issued == l.order.Len() {
		return false
	}
	t := l.transfers.at(*l.order.At(l.issued))
	switch {
	case t.issued == t.segments && t.r != nil:
		l.issued++
		return true
	case t.issued == t.arrived:
		return false
	case t.r == nil:
		return l.issued == 0 && l.deliver(t)
	case l.inRoot.Len() > 0 && !l.ordered:
		return false
	}
	l.hand(t)
	return true
}

// done reports whether all of a transfer is visible (or has failed).
func (l *Link) done(i uint32) bool {
	t := l.transfers.at(i)
	return t.retired == t.segments
}

// takeArrived takes a segment off the list of those that arrived.
func (l *Link) takeArrived(t *transfer) (uint32, *segment) {
	i := t.first
	s := l.segments.at(i)
	t.first = s.next
	if t.first == none {
		t.last = none
	}
	t.issued++
	return i, s
}

// hand gives a write segment to the root complex.
func (l *Link) hand(t *transfer) {
	i, s := l.takeArrived(t)
	l.inRoot.Push(i)
	if !l.lost(s) {
		l.root.Submit(&s.req)
		return
	}
	s.req.Status, s.req.FaultAddr = hw.Unsupported, s.req.Addr
	l.retireWrite(s)
}

// deliver raises an interrupt at the host, when all before it is visible.
func (l *Link) deliver(t *transfer) bool {
	i, s := l.takeArrived(t)
	lost := l.lost(s)
	l.inRoot.Push(i)
	l.retireWrite(s)
	if !lost {
		l.stats.Interrupts++
		l.interruptHost(t.vector, t.message, t.data)
	}
	return true
}

// onWriteDone takes the root complex's word that a write is visible, or failed.
func (l *Link) onWriteDone(arg uint64) {
	l.retireWrite(l.segments.at(uint32(arg)))
	l.advance()
	l.pump()
}

// retireWrite ends a posted segment. A failed one may end before an earlier one
// is visible; it counts when that is.
func (l *Link) retireWrite(s *segment) {
	s.ended = true
	for l.inRoot.Len() > 0 {
		i := *l.inRoot.Front()
		s := l.segments.at(i)
		if !s.ended {
			return
		}
		l.inRoot.Pop()
		l.visible++
		l.giveBack(&l.posted, s.tlps, l.handlers.postedCredit)
		l.merge(l.transfers.at(s.transfer), s)
		l.segments.give(i)
	}
}

// leave ends the oldest of the posted transfers.
func (l *Link) leave(i uint32) {
	t := l.transfers.at(i)
	l.order.Pop()
	l.issued = max(0, l.issued-1)
	l.visible = max(l.visible, t.base+t.total)
	if t.r != nil {
		l.finish(i, t)
		return
	}
	l.trace.interrupt(l.e, t)
	l.transfers.give(i)
}

// onCredits follows credits of a class that somebody waited for.
func (l *Link) onCredits(s *supply) func(uint64) {
	return func(uint64) {
		s.awaited = false
		l.pump()
	}
}

// bind registers the link's handlers.
func (l *Link) bind(name string) {
	on := func(what string, fn func(uint64)) sim.Handler { return l.e.Register(name+" "+what, fn) }
	l.handlers = linkHandlers{
		writeArrived:    on("write arrives", l.onWriteArrived),
		writeDone:       on("write visible", l.onWriteDone),
		readArrived:     on("read arrives", l.onReadArrived),
		readServed:      on("read served", l.onReadServed),
		readBack:        on("completion arrives", l.onReadBack),
		postedCredit:    on("posted credits", l.onCredits(&l.posted)),
		nonPostedCredit: on("non-posted credits", l.onCredits(&l.nonPosted)),
		issue:           on("host access", l.onIssue),
		request:         on("host access arrives", l.onRequest),
		answered:        on("function answers", l.onAnswered),
		reply:           on("reply arrives", l.onReply),
		returned:        on("reply at CPU", l.onReturned),
		drop:            on("down", l.onDrop),
	}
	l.readers = l.e.NewArbiter(name+" arbiter", l.sendReads)
}

type linkHandlers struct {
	writeArrived, writeDone                         sim.Handler
	readArrived, readServed, readBack               sim.Handler
	postedCredit, nonPostedCredit                   sim.Handler
	issue, request, answered, reply, returned, drop sim.Handler
}
