package pcie

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// transfer is a request of the device under way, or an interrupt.
type transfer struct {
	r       *hw.Request // nil: an interrupt
	vector  int
	message uint64 // an interrupt's address and data
	data    uint32
	addr    uint64 // what is not sent yet
	left    int64
	source  int
	asked   sim.Time

	total    int64 // segments
	segments int64 // of these that will be sent: all, unless one fails
	sent     int64
	arrived  int64 // writes: at the root complex
	issued   int64 // writes: handed over to it
	retired  int64
	base     int64  // writes: number of the first among all posted segments
	after    int64  // reads: posted segments up to the last write of the source before it
	first    uint32 // writes: list of segments arrived and not handed over
	last     uint32

	status   hw.Status // of the first segment that failed
	fault    uint64
	failedAt int64
	zeros    int64 // segments that read as zero
	stalled  sim.Time
}

// segment is a part of a transfer within a page.
type segment struct {
	req      hw.Request
	addr     uint64 // req's, whatever the root complex makes of it meanwhile
	transfer uint32
	next     uint32
	epoch    uint32
	index    int64
	asked    sim.Time
	ended    bool   // writes: done, though not in its turn; reads: given up
	dropped  bool   // reads: the completions are lost
	barrier  int64  // reads: posted segments that must be visible before
	tlps     int64  // requests on the wire
	replies  int64  // reads: completions that the device has room for
	headers  int64  // of these: what the wire carries of a read that ends well
	older    uint32 // reads outstanding, in the order of sending
	newer    uint32
}

// Submit implements hw.Host.
func (l *Link) Submit(r *hw.Request) {
	if r.Space != hw.BusAddr || r.Bytes < 0 {
		panic(fmt.Sprintf("pcie: request of %d bytes in space %d on the link", r.Bytes, r.Space))
	}
	if l.gone {
		r.Status, r.FaultAddr = hw.Unsupported, r.Addr
		l.e.After(0, r.Done)
		return
	}
	i, t := l.newTransfer(r.Bytes)
	t.r, t.addr, t.source = r, r.Addr, min(int(r.Source), len(l.sources)-1)
	q := &l.sources[t.source]
	if r.Op == hw.Write {
		t.total = pieces(r.Addr, r.Bytes, l.writeSize)
		l.enqueueWrite(i, t)
		q.written = l.submitted
	} else {
		t.total = pieces(r.Addr, r.Bytes, l.readSize)
		t.segments = t.total
		t.after = q.written
		q.reads.Push(i)
		l.reading++
	}
	l.pump()
}

// Interrupt implements hw.Host.
func (l *Link) Interrupt(vector int, addr uint64, data uint32) {
	if l.gone {
		return
	}
	i, t := l.newTransfer(4)
	t.vector, t.message, t.data, t.total = vector, addr, data, 1
	l.enqueueWrite(i, t)
	l.pump()
}

// newTransfer returns a transfer of bytes that begins at this instant. It is cleared in
// its place, which spares a copy.
func (l *Link) newTransfer(bytes int64) (uint32, *transfer) {
	i, t := l.transfers.take()
	*t = transfer{}
	t.left, t.asked, t.first, t.last = bytes, l.e.Now(), none, none
	return i, t
}

func (l *Link) enqueueWrite(i uint32, t *transfer) {
	t.segments = t.total
	t.base = l.submitted
	l.submitted += t.total
	l.order.Push(i)
	l.writes.Push(i)
}

// pump sends writes, in order, as far as credits and the window allow, and asks
// for reads.
func (l *Link) pump() {
	for l.writes.Len() > 0 && !l.gone && l.sendWrite() {
	}
	if l.reading > 0 {
		l.readers.Ask()
	}
}

// sendReads sends reads as far as tags and credits allow.
func (l *Link) sendReads() {
	for l.reading > 0 && !l.gone && l.sendRead(l.nextReader()) {
	}
}

// nextReader returns the source whose turn it is: the one that was served last
// until it has had weight × segment bytes, then the next that reads. A source
// that must wait for tags keeps its turn, or those that need fewer would starve it.
func (l *Link) nextReader() *source {
	if q := &l.sources[l.turn]; l.budget > 0 && q.reads.Len() > 0 {
		return q
	}
	for {
		if l.turn++; l.turn == len(l.sources) {
			l.turn = 0
		}
		if q := &l.sources[l.turn]; q.reads.Len() > 0 {
			l.budget = q.weight * l.readSize
			return q
		}
	}
}

// next returns the extent of the transfer's next segment, cut at multiples of size.
func (t *transfer) next(size int64) (addr uint64, n int64) {
	return t.addr, min(t.left, size-int64(t.addr&uint64(size-1)))
}

// sendWrite sends the next segment of the first write.
func (l *Link) sendWrite() bool {
	i := *l.writes.Front()
	t := l.transfers.at(i)
	addr, n := t.next(l.writeSize)
	tlps := pieces(addr, n, int64(l.c.MPS))
	if l.inWire >= l.window {
		return false
	}
	if !l.posted.has(l.e.Now(), tlps) {
		l.awaitCredits(&l.posted, l.handlers.postedCredit)
		return false
	}
	l.posted.take(tlps)
	l.inWire += n
	si, s := l.newSegment(i, t, addr, n, tlps)
	s.req.Done = sim.Call{H: l.handlers.writeDone, Arg: uint64(si)}
	l.stats.WriteTLPs += tlps
	l.up.Send(len(l.sources), sim.Bytes(n+tlps*(l.wire.write+l.prefix(t))), sim.Call{H: l.handlers.writeArrived, Arg: uint64(si)})
	if t.sent == t.segments {
		l.writes.Pop()
	}
	return true
}

// sendRead sends the next segment of a source's first read.
func (l *Link) sendRead(q *source) bool {
	i := *q.reads.Front()
	t := l.transfers.at(i)
	addr, n := t.next(l.readSize)
	tlps := pieces(addr, n, int64(l.c.MRRS))
	replies := pieces(addr, n, l.c.chunk())
	now := l.e.Now()
	if !l.tags.has(now, tlps) || !l.nonPosted.has(now, tlps) || !l.completions.has(now, replies) {
		l.awaitCredits(&l.nonPosted, l.handlers.nonPostedCredit)
		return false
	}
	l.tags.take(tlps)
	l.nonPosted.take(tlps)
	l.completions.take(replies)
	si, s := l.newSegment(i, t, addr, n, tlps)
	s.replies, s.headers = replies, replies
	if chunk := l.c.chunk(); addr&uint64(chunk-1) != 0 && addr != t.r.Addr {
		s.headers-- // in the completion that the read before it has begun
	}
	l.budget -= max(n, 1)
	s.req.Done = sim.Call{H: l.handlers.readServed, Arg: uint64(si)}
	l.watchRead(si, s)
	l.stats.ReadTLPs += tlps
	l.up.Send(t.source, sim.Bytes(tlps*(l.wire.read+l.prefix(t))), sim.Call{H: l.handlers.readArrived, Arg: uint64(si)})
	if t.sent == t.segments {
		q.reads.Pop()
		l.reading--
	}
	return true
}

func (l *Link) prefix(t *transfer) int64 {
	if t.r != nil && t.r.HasPASID {
		return l.wire.prefix
	}
	return 0
}

// newSegment cuts [addr, addr+n) off a transfer.
func (l *Link) newSegment(i uint32, t *transfer, addr uint64, n, tlps int64) (uint32, *segment) {
	si, s := l.segments.take()
	s.addr, s.transfer, s.next, s.epoch, s.index = addr, i, none, l.epoch, t.sent
	s.asked, s.tlps, s.ended, s.dropped = l.e.Now(), tlps, false, false
	if r := t.r; r != nil {
		q := &s.req // field by field, like newTransfer
		q.Op, q.Space, q.Source, q.Atomic, q.Exec, q.Priv = r.Op, r.Space, r.Source, r.Atomic, r.Exec, r.Priv
		q.ASID, q.PASID, q.HasPASID, q.Addr, q.Bytes = r.ASID, r.PASID, r.HasPASID, addr, n
		q.Zero, q.Data = r.Zero && r.Op == hw.Write, nil
		q.Status, q.FaultAddr, q.Remote, q.Stalled = hw.OK, 0, false, 0
		if r.Data != nil {
			from := addr - r.Addr
			s.req.Data = r.Data[from : from+uint64(n)]
		}
	}
	t.addr += uint64(n)
	t.left -= n
	t.sent++
	return si, s
}

// lost reports whether the link went down since the segment was sent.
func (l *Link) lost(s *segment) bool { return s.epoch != l.epoch }

// giveBack returns credits to the sender, one way later when they are counted at all.
// That is an event only when somebody waits for them.
func (l *Link) giveBack(s *supply, n int64, h sim.Handler) {
	if s.limit == 0 {
		s.give(n)
		return
	}
	s.giveAt(l.e.Now()+l.c.Latency, n)
	l.awaitCredits(s, h)
}

func (l *Link) awaitCredits(s *supply, h sim.Handler) {
	if at, ok := s.await(l.e.Now()); ok {
		l.e.At(at, sim.Call{H: h})
	}
}

// merge adds a segment's result to its transfer's.
func (l *Link) merge(t *transfer, s *segment) {
	t.retired++
	if t.r == nil {
		return
	}
	t.stalled = max(t.stalled, s.req.Stalled)
	if s.req.Status != hw.OK {
		l.fail(t, s.index, s.req.Status, s.req.FaultAddr)
	} else if s.req.Zero && t.r.Op == hw.Read {
		t.zeros++
		if t.total > 1 {
			clear(s.req.Data) // others may not be zero
		}
	}
	s.req.Data = nil
}

// fail notes an error at a segment; what is not sent yet never will be.
func (l *Link) fail(t *transfer, index int64, status hw.Status, fault uint64) {
	if t.status == hw.OK || index < t.failedAt {
		t.status, t.failedAt, t.fault = status, index, fault
	}
	if t.sent == t.segments {
		return
	}
	t.segments = t.sent
	if t.r.Op == hw.Write { // it is the first of its queue, as a part of it was sent
		l.writes.Pop()
	} else {
		l.sources[t.source].reads.Pop()
		l.reading--
	}
}

// abandon ends what is unsent of a transfer that has been taken off its queue.
func (l *Link) abandon(i uint32) {
	t := l.transfers.at(i)
	t.segments = t.sent
	if t.r == nil {
		return
	}
	if t.status == hw.OK {
		t.status, t.failedAt, t.fault = hw.Unsupported, t.sent, t.addr
	}
	if t.r.Op == hw.Read && t.retired == t.segments {
		l.finish(i, t)
	}
}

// finish reports a transfer to its requester.
func (l *Link) finish(i uint32, t *transfer) {
	r := t.r
	r.Status, r.FaultAddr = t.status, t.fault
	r.Remote, r.Stalled = true, t.stalled
	if r.Op == hw.Read {
		r.Zero = t.zeros == t.total
	}
	l.count(t)
	l.trace.transfer(l.e, t)
	t.r = nil
	l.transfers.give(i)
	l.e.Fire(r.Done)
}
