package queue

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// halt is a reset that waits for its queues to become quiet.
type halt struct {
	index int // queue, or negative for all
	done  sim.Call
}

func (h *halt) covers(q *queue) bool { return h.index < 0 || h.index == q.index }

// Halt stops queue index (every queue if negative) from starting anything and
// fires done when nothing of it is outstanding; what it has given to the
// engines runs to its end, or is ended by their halt. One halt at a time.
func (u *Unit) Halt(index int, done sim.Call) {
	u.halt = halt{index, done}
	for _, q := range u.queues {
		if u.halt.covers(q) {
			q.halted = true
		}
	}
	u.checkHalt()
}

func (u *Unit) checkHalt() {
	if u.halt.done == (sim.Call{}) {
		return
	}
	for _, q := range u.queues {
		if u.halt.covers(q) && q.outstanding() {
			return
		}
	}
	done := u.halt.done
	u.halt.done = sim.Call{}
	u.e.After(0, done)
}

// Reset returns queue index (every queue if negative) to DISABLED with the
// next epoch, and reports the ASIDs below 64 whose work it ended, a bit each.
func (u *Unit) Reset(index int) (asids uint64) {
	for _, q := range u.queues {
		if index < 0 || q.index == index {
			asids |= q.reset()
		}
	}
	return asids
}

func (q *queue) reset() (asids uint64) {
	if q.phase != phaseNone {
		if a := q.job().sub.ASID; a < 64 {
			asids = 1 << a
		}
	}
	begun := q.regs.Get(q.r.seqno, 0)
	q.regs.Reset()
	q.regs.Set(q.r.seqno, 0, begun)
	q.restart()
	q.epoch++
	q.watch++
	q.moderation++
	q.halted = false
	q.regs.Set(q.r.epoch, 0, uint64(q.epoch))
	q.setState(abi.QueueDisabled)
	if q.linger() {
		q.setState(abi.QueueDraining)
	}
	return asids
}

// busy reports whether an entry runs or anything of the queue is outstanding.
func (q *queue) busy() bool { return q.phase != phaseNone || q.outstanding() }

// outstanding reports whether a request, an operation or the packet in the
// parser is on its way.
func (q *queue) outstanding() bool {
	return q.inFlight > 0 || q.postings() || q.fetching() ||
		q.phase == phaseWindow || q.phase == phaseSlot || q.phase == phaseParse
}

// fetching reports whether entries, commands or descriptors are being read ahead.
func (q *queue) fetching() bool {
	for i := range q.jobs {
		j := &q.jobs[i]
		if j.state == jobEntry || j.state == jobCommands {
			return true
		}
		for k := range j.kernels {
			if j.kernels[k].busy {
				return true
			}
		}
	}
	return false
}
