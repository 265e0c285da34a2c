package queue

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// maxPosts is how many completions of a queue may be on their way to memory.
const maxPosts = 8

// posting is an entry's fence and completion on their way to memory.
type posting struct {
	flying        int // writes not yet visible
	fence         hw.Request
	completion    hw.Request
	fenceBuf      [8]byte
	completionBuf [abi.CompletionSize]byte
}

func (q *queue) initPosts() {
	for i := range q.posts {
		p := &q.posts[i]
		arg := uint64(q.index)<<8 | uint64(i)
		p.fence = hw.Request{Op: hw.Write, Space: hw.BusAddr, Source: q.u.parts.Source, Atomic: true, Bytes: 8,
			Data: p.fenceBuf[:], Done: sim.Call{H: q.calls.fence, Arg: arg}}
		p.completion = hw.Request{Op: hw.Write, Space: hw.BusAddr, Source: q.u.parts.Source, Bytes: abi.CompletionSize,
			Data: p.completionBuf[:], Done: sim.Call{H: q.calls.posted, Arg: arg}}
	}
}

func (q *queue) freePost() *posting {
	for i := range q.posts {
		if q.posts[i].flying == 0 {
			return &q.posts[i]
		}
	}
	return nil
}

func (q *queue) postings() bool {
	for i := range q.posts {
		if q.posts[i].flying > 0 {
			return true
		}
	}
	return false
}

// drained ends the entry when nothing of it is in flight. Behind a watchdog it
// does not wait: a reset of the engine ends what hangs.
func (q *queue) drained() bool {
	if q.inFlight > 0 && q.status != abi.StatusWatchdog && !q.hurries() {
		return false
	}
	q.charge()
	q.job().rec.Ended = q.u.e.Now()
	q.phase = phasePost
	return true
}

// post writes fence and completion and raises the interrupt behind them. A
// failed entry signals no fence. A full ring stalls: nothing is overwritten.
func (q *queue) post() bool {
	p := q.freePost()
	if q.produced-q.consumed >= q.cqDepth || p == nil {
		return false
	}
	j := q.job()
	if q.status == abi.StatusOK && j.sub.Fence != 0 {
		binary.LittleEndian.PutUint64(p.fenceBuf[:], j.sub.FenceValue)
		p.fence.Addr = j.sub.Fence
		p.flying++
		p.fence.Send(q.u.parts.Port)
	}
	c := abi.Completion{Seqno: j.sub.Seqno, EndNS: uint64(j.rec.Ended.Nanoseconds()),
		BusyNS: uint64((j.rec.Ended - q.began).Nanoseconds()), Status: q.status, Epoch: q.epoch,
		Offset: q.errAt / 16}
	q.complete(p, &c)
	q.interrupt(j.sub.Flags&abi.SubmitIRQ != 0 || q.status != abi.StatusOK)
	q.record(j, q.u.e.Now())
	q.finish(j)
	return true
}

// store writes a completion into the ring, behind what the posting has written.
func (q *queue) store(p *posting, c *abi.Completion) {
	c.Phase = q.produced/q.cqDepth%2 == 0
	c.Encode(p.completionBuf[:])
	p.completion.Addr = q.cqBase + uint64(q.produced%q.cqDepth)*abi.CompletionSize
	q.produced++
	p.flying++
	p.completion.Send(q.u.parts.Port)
}

// fenceDone is the entry's fence in memory: somebody may wait for it.
func (q *queue) fenceDone(i int) {
	p := &q.posts[i]
	p.flying--
	if p.fence.Status != hw.OK {
		q.report(p.fence.Status.Code(), 0, 0, p.fence.FaultAddr, 0)
	}
	q.u.look()
	q.advance()
}

// completionDone is the completion in memory.
func (q *queue) completionDone(i int) {
	p := &q.posts[i]
	p.flying--
	if p.completion.Status != hw.OK {
		q.report(p.completion.Status.Code(), 0, 0, p.completion.FaultAddr, 0)
	}
	q.advance()
}

// record tells stats, trace and observer.
func (q *queue) record(j *job, now sim.Time) {
	u := q.u
	j.rec.Status, j.rec.Posted, j.rec.Bill = q.status, now, q.bill
	u.stats.Running += int64(j.rec.Ended - q.began)
	if q.status == abi.StatusOK {
		u.stats.Completed++
	} else {
		u.stats.Failed++
	}
	if tr := u.e.Trace; tr != nil {
		tr.Add(sim.Span{Start: q.began, End: j.rec.Ended, Track: q.track, Label: q.label, Arg: j.sub.Seqno})
	}
	if u.Observe != nil {
		u.Observe(&j.rec)
	}
}

// finish leaves the entry behind.
func (q *queue) finish(j *job) {
	status := q.status
	j.state = jobEmpty
	q.running++
	q.phase = phaseNone
	if status != abi.StatusOK {
		q.report(status, j.sub.Seqno, q.errAt, q.errAddr, j.sub.ASID)
	}
}

// consume is the CQ_HEAD doorbell.
func (q *queue) consume(head uint32) {
	if head-q.consumed <= q.produced-q.consumed {
		q.consumed = head
		q.advance()
	}
}

// arm is the CQ_ARM doorbell: fire when more than index completions exist.
func (q *queue) arm(index uint32) {
	q.armed, q.armIndex = true, index
	q.checkArmed()
}

func (q *queue) checkArmed() {
	if q.armed && int32(q.produced-q.armIndex) > 0 {
		q.armed = false
		q.raise()
	}
}

// interrupt decides whether the completion just written is announced now.
func (q *queue) interrupt(wanted bool) {
	if wanted {
		q.unraised++
		switch {
		case q.unraised >= q.u.moderateCount || q.u.moderateTime == 0:
			q.raise()
		case q.unraised == 1:
			q.u.e.After(q.u.moderateTime, sim.Call{H: q.calls.moderate, Arg: uint64(q.index) | uint64(q.moderation)<<32})
			fallthrough
		default:
			q.u.stats.Moderated++
		}
	}
	q.checkArmed()
}

// moderated is the end of the longest delay.
func (q *queue) moderated(generation uint32) {
	if generation == q.moderation && q.unraised > 0 {
		q.raise()
	}
}

func (q *queue) raise() {
	q.unraised = 0
	q.moderation++
	q.u.stats.Interrupts++
	q.u.parts.Raise(q.vector)
}
