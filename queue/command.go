package queue

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

func (q *queue) job() *job { return q.place(q.running) }

// window returns the command bytes being walked.
func (q *queue) window() *window {
	if j := q.job(); j.nested {
		return &j.inner
	}
	return &q.job().main
}

// next takes up the next packet.
func (q *queue) next() bool {
	j, w := q.job(), q.window()
	if q.status != abi.StatusOK {
		q.phase = phaseDrain
		return true
	}
	if w.off == w.bytes {
		if j.nested {
			j.nested = false
			return true
		}
		q.phase = phaseDrain
		return true
	}
	if !w.whole() {
		q.phase, q.blocked = phaseWindow, q.u.e.Now()
		w.fetch(w.off)
		return false
	}
	if !j.nested {
		q.at = w.off
		q.regs.Set(q.r.offset, 0, uint64(q.at))
	}
	q.phase = phaseParse
	_, end := q.u.parser.Reserve(q.u.e.Now(), q.u.cfg.PacketTime)
	q.u.e.At(end, sim.Call{H: q.calls.parsed, Arg: uint64(q.index)})
	return false
}

// parsed decodes the packet that the parser has finished.
func (q *queue) parsed() {
	w := q.window()
	n, s := q.packet.Decode(w.rest())
	if s == abi.StatusOK && !q.allowed() {
		s = abi.StatusBadOpcode
	}
	if s != abi.StatusOK {
		q.fail(s, 0)
		q.phase = phaseDrain
		q.advance()
		return
	}
	w.off += uint32(n)
	q.job().rec.Packets++
	q.u.stats.Packets++
	q.progress++
	q.phase = phaseIssue
	q.advance()
}

// allowed: a copy queue runs no kernels, and INDIRECT has depth 1.
func (q *queue) allowed() bool {
	switch q.packet.Op {
	case abi.OpKernel:
		return q.engine == abi.EngineCompute
	case abi.OpIndirect:
		return !q.job().nested
	}
	return true
}

// issue executes the packet if what it waits for has happened.
func (q *queue) issue() bool {
	if q.status != abi.StatusOK {
		q.phase = phaseDrain
		return true
	}
	if q.packet.Flags&abi.FlagBarrier != 0 && q.inFlight > 0 {
		return false
	}
	return issuers[q.packet.Op](q)
}

// issuers executes a packet by opcode; false when it must wait. Each leaves
// the phase that follows.
var issuers [abi.NumOps]func(*queue) bool

func init() {
	issuers = [abi.NumOps]func(*queue) bool{
		abi.OpNop:       (*queue).issued,
		abi.OpCopy:      (*queue).issueCopy,
		abi.OpFill:      (*queue).issueCopy,
		abi.OpKernel:    (*queue).issueKernel,
		abi.OpWait:      (*queue).issueWait,
		abi.OpSignal:    (*queue).issueSignal,
		abi.OpTimestamp: (*queue).issueTimestamp,
		abi.OpBarrier:   (*queue).issueBarrier,
		abi.OpIndirect:  (*queue).issueIndirect,
	}
}

// issued goes on to the next packet.
func (q *queue) issued() bool {
	q.phase = phaseFetch
	return true
}

func (q *queue) issueBarrier() bool {
	k := q.packet.Value
	if k&abi.BarrierCopy != 0 && q.copies > 0 || k&abi.BarrierCompute != 0 && q.kernels > 0 ||
		k&abi.BarrierVisible != 0 && q.inFlight > 0 {
		return false
	}
	return q.issued()
}

func (q *queue) issueIndirect() bool {
	j := q.job()
	j.nested = true
	j.inner.open(j.sub.ASID, q.packet.Addr, uint32(q.packet.Value))
	return q.issued()
}

// issueSignal releases: everything issued before is visible first.
func (q *queue) issueSignal() bool {
	if q.inFlight > 0 {
		return false
	}
	q.charge()
	q.access(hw.Write, q.packet.Value)
	return false
}

func (q *queue) issueTimestamp() bool {
	q.charge()
	q.access(hw.Write, uint64(q.u.e.Now().Nanoseconds()))
	return false
}

func (q *queue) issueWait() bool {
	q.again = false
	q.access(hw.Read, 0)
	return false
}

// access reads or writes the packet's slot.
func (q *queue) access(op hw.Op, v uint64) {
	binary.LittleEndian.PutUint64(q.slotBuf[:], v)
	r := &q.slot
	r.Op, r.Space, r.ASID, r.Addr = op, hw.Context, q.job().sub.ASID, q.packet.Addr
	r.Data, r.Zero = q.slotBuf[:], false
	q.phase = phaseSlot
	r.Send(q.u.parts.Port)
}

// slotDone is the end of a slot's access.
func (q *queue) slotDone() {
	r := &q.slot
	switch {
	case r.Status != hw.OK:
		q.fail(r.Status.Code(), r.FaultAddr)
		q.phase = phaseFetch
	case r.Op == hw.Read:
		q.waitRead()
	default:
		q.phase = phaseFetch
		q.u.look()
	}
	q.advance()
}

// waitRead compares the slot, unsigned; a WAIT that passes has what was
// prefetched fetched again.
func (q *queue) waitRead() {
	v := binary.LittleEndian.Uint64(q.slotBuf[:])
	if q.slot.Zero {
		v = 0
	}
	switch {
	case q.status != abi.StatusOK:
		q.phase = phaseFetch
	case v >= q.packet.Value:
		q.acquire()
		q.setState(abi.QueueRunning)
		q.phase = phaseFetch
	default:
		if q.state != abi.QueueWaiting {
			q.u.stats.Waits++
			q.setState(abi.QueueWaiting)
		}
		q.phase = phaseWait
	}
}

// acquire forgets what was fetched ahead of a WAIT.
func (q *queue) acquire() {
	w := q.window()
	w.first, w.have = w.off, 0
	if j := q.job(); j.nested {
		j.main.first, j.main.have = j.main.off, 0
	}
	for k := range q.job().kernels {
		q.job().kernels[k].valid = false
	}
}

// waitAgain reads the slot again if it may have changed.
func (q *queue) waitAgain() bool {
	if q.status != abi.StatusOK {
		q.phase = phaseFetch
		return true
	}
	if q.again {
		q.issueWait()
	}
	return false
}

// look has a WAIT read its slot again.
func (q *queue) look() {
	if q.phase == phaseWait || q.phase == phaseSlot && q.slot.Op == hw.Read {
		q.again = true
		q.advance()
	}
}

// look has every waiting queue look at its slot: the device has written one.
func (u *Unit) look() {
	for _, q := range u.queues {
		q.look()
	}
}
