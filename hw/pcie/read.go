package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// onReadArrived takes a read at the root complex. It must not pass a write that
// arrived before it, nor one that its source submitted before it.
func (l *Link) onReadArrived(arg uint64) {
	s := l.segments.at(uint32(arg))
	if s.ended {
		l.bury(uint32(arg), s)
		return
	}
	s.barrier = max(l.arrived, l.transfers.at(s.transfer).after)
	if s.barrier > l.visible {
		l.held.push(s.barrier, uint32(arg))
		return
	}
	l.serveRead(uint32(arg), s)
}

// letReads lets reads go whose earlier writes are visible.
func (l *Link) letReads() {
	for {
		i, ok := l.held.pop(l.visible)
		if !ok {
			return
		}
		l.serveRead(i, l.segments.at(i))
	}
}

func (l *Link) serveRead(i uint32, s *segment) {
	switch {
	case s.ended:
		l.bury(i, s)
	case l.lost(s):
		s.req.Status, s.req.FaultAddr = hw.Unsupported, s.req.Addr
		l.e.After(0, sim.Call{H: l.handlers.readServed, Arg: uint64(i)})
	default:
		l.root.Submit(&s.req)
	}
}

// onReadServed sends the completions of a read.
func (l *Link) onReadServed(arg uint64) {
	i := uint32(arg)
	s := l.segments.at(i)
	l.giveBack(&l.nonPosted, s.tlps, l.handlers.nonPostedCredit)
	back := sim.Call{H: l.handlers.readBack, Arg: arg}
	switch {
	case s.ended:
		l.segments.give(i)
	case l.lost(s):
		l.e.After(0, back)
	case l.lose > 0:
		l.lose--
		s.dropped = true
	default:
		headers, data := s.headers, s.req.Bytes
		if s.req.Status != hw.OK { // an error has a completion of its own
			headers, data = max(headers, 1), 0
		}
		n := l.wire.completion*headers + data
		l.stats.CompletionTLPs += headers
		l.down.Send(l.transfers.at(s.transfer).source, sim.Bytes(n), back)
	}
}

// onReadBack takes the completions at the device.
func (l *Link) onReadBack(arg uint64) {
	i := uint32(arg)
	s := l.segments.at(i)
	if s.ended {
		l.segments.give(i)
		return
	}
	if l.lost(s) {
		s.req.Status, s.req.FaultAddr = hw.Unsupported, s.req.Addr
	}
	l.segments.give(i)
	l.endRead(s)
	l.pump()
}

// endRead gives a read's result to its transfer, and its tags back.
func (l *Link) endRead(s *segment) {
	l.unwatch(s)
	l.tags.give(s.tlps)
	l.completions.give(s.replies)
	ti := s.transfer
	t := l.transfers.at(ti)
	l.merge(t, s)
	if t.retired == t.segments {
		l.finish(ti, t)
	}
}

// bury ends a read at the root complex that the device has given up.
func (l *Link) bury(i uint32, s *segment) {
	l.giveBack(&l.nonPosted, s.tlps, l.handlers.nonPostedCredit)
	l.segments.give(i)
}
