package queue

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// Arguments of the call that has a queue go on: the queue, and why.
const (
	goOnUnstick = 1 << 32
	goOnIdle    = 2 << 32
	goOnEpoch   = 40 // bits from here: of the queue that was not idle
)

// goOn ends a fault's duration, or a delay of chaos mode.
func (q *queue) goOn(arg uint64) {
	switch {
	case arg&goOnUnstick != 0:
		q.stuck = false
	case arg&goOnIdle != 0:
		if !q.lingers || uint16(arg>>goOnEpoch) != q.epoch {
			return
		}
		q.lingers = false
		q.setState(abi.QueueDisabled)
		return
	}
	q.advance()
}

func (q *queue) goOnAfter(d sim.Time, why uint64) {
	q.u.e.After(d, sim.Call{H: q.calls.goOn, Arg: uint64(q.index) | why})
}

// sticks gives the next fetch its chance to find the queue stuck.
func (q *queue) sticks() bool {
	s := q.u.parts.Faults.Hit(fault.QueueStuck, q.index, 0)
	if s == nil {
		return false
	}
	q.stuck = true
	if s.Duration > 0 {
		q.goOnAfter(s.Duration, goOnUnstick)
	}
	return true
}

// spoil gives an entry its chances to be wrong when it arrives.
func (q *queue) spoil(j *job) {
	x := q.u.parts.Faults
	if x.Hit(fault.BadOpcode, q.index, 0) != nil {
		j.entryBuf[0] = 0xff
	}
	if x.Hit(fault.StaleEntry, q.index, 0) != nil {
		binary.LittleEndian.PutUint32(j.entryBuf[4:], j.index-q.sqDepth)
	}
}

// hurries reports whether the entry ends before its operations do.
func (q *queue) hurries() bool {
	return q.u.parts.Faults.Hit(fault.CompletionEarly, q.index, 0) != nil
}

// complete writes a completion to the next slot of the ring, which has room.
func (q *queue) complete(p *posting, c *abi.Completion) {
	x := q.u.parts.Faults
	if s := x.Hit(fault.CompletionUnknown, q.index, 0); s != nil {
		c.Seqno += s.Value
	}
	if x.Hit(fault.CompletionOverflow, q.index, 0) != nil {
		q.report(abi.StatusRingOverrun, c.Seqno, 0, 0, 0)
		return
	}
	if q.room(2) && x.Hit(fault.CompletionMissing, q.index, 0) != nil {
		q.produced++
	}
	q.store(p, c)
	if !q.room(1) || !x.Live(fault.CompletionTwice) {
		return
	}
	if second := q.freePost(); second != nil && x.Hit(fault.CompletionTwice, q.index, 0) != nil {
		q.store(second, c)
	}
}

// room reports whether the ring has room for n completions more.
func (q *queue) room(n uint32) bool { return q.produced-q.consumed+n <= q.cqDepth }

// linger gives a reset its chance to leave the queue busy.
func (q *queue) linger() bool {
	s := q.u.parts.Faults.Hit(fault.NotIdle, q.index, 0)
	q.lingers = s != nil
	if q.lingers && s.Duration > 0 {
		q.goOnAfter(s.Duration, goOnIdle|uint64(q.epoch)<<goOnEpoch)
	}
	return q.lingers
}
