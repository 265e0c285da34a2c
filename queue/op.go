package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// op is a copy or kernel in flight.
type op struct {
	busy   bool
	kernel bool
	copy   hw.Copy
	launch hw.Launch
	at     uint32 // offset of its packet
	start  sim.Time
	base   hw.Bill // the queue's critical path when it was issued
	watch  uint32  // entry it belongs to
}

func (q *queue) initOps() {
	for i := range q.ops {
		done := sim.Call{H: q.calls.opDone, Arg: uint64(q.index)<<8 | uint64(i)}
		q.ops[i].copy.Done, q.ops[i].launch.Done = done, done
		q.ops[i].copy.Progress, q.ops[i].launch.Progress = &q.progress, &q.progress
	}
}

// take returns a free op, nil when the window is full.
func (q *queue) take() *op {
	for i := range q.ops {
		if o := &q.ops[i]; !o.busy {
			q.charge()
			o.busy, o.at, o.start, o.base, o.watch = true, q.at, q.u.e.Now(), q.bill, q.watch
			q.inFlight++
			return o
		}
	}
	return nil
}

func (q *queue) issueCopy() bool {
	o := q.take()
	if o == nil {
		return false
	}
	p, c := &q.packet, &o.copy
	o.kernel = false
	c.Queue, c.Priority, c.ASID = uint8(q.index), q.priority, q.job().sub.ASID
	c.Fill, c.Pattern = p.Op == abi.OpFill, p.Value
	c.Src, c.Dst, c.RowBytes = p.Src, p.Dst, int64(p.RowBytes)
	for d := range 2 {
		c.Counts[d] = int64(p.Counts[d])
		c.SrcStride[d], c.DstStride[d] = int64(p.SrcStride[d]), int64(p.DstStride[d])
	}
	q.copies++
	q.u.parts.Copier.Copy(c)
	return q.issued()
}

func (q *queue) issueKernel() bool {
	d := q.descriptor()
	if d.busy {
		if q.phase != phaseKernel {
			q.phase, q.blocked = phaseKernel, q.u.e.Now()
		}
		return false
	}
	if d.req.Status != hw.OK {
		q.fail(d.req.Status.Code(), d.req.FaultAddr)
		return q.issued()
	}
	mask, ok := q.cores()
	if !ok {
		q.fail(abi.StatusBadPacket, 0)
		return q.issued()
	}
	o := q.take()
	if o == nil {
		return false
	}
	l := &o.launch
	o.kernel = true
	l.Queue, l.Priority, l.ASID = uint8(q.index), q.priority, q.job().sub.ASID
	l.Desc = d.buf
	l.Cores = mask
	d.valid = false
	q.kernels++
	q.u.parts.Computer.Launch(l)
	return q.issued()
}

// cores is the packet's mask within the entry's; 0 is all. Masks that have no
// core in common are an error.
func (q *queue) cores() (mask uint32, ok bool) {
	entry, packet := q.job().sub.CoreMask, q.packet.Cores
	switch {
	case entry == 0:
		return packet, true
	case packet == 0:
		return entry, true
	}
	return entry & packet, entry&packet != 0
}

// descriptor returns the packet's descriptor, whose fetch it starts if nobody has.
func (q *queue) descriptor() *descriptor {
	j := q.job()
	for k := range j.kernels {
		if d := &j.kernels[k]; d.valid && d.addr == q.packet.Addr {
			return d
		}
	}
	for k := range j.kernels {
		if d := &j.kernels[k]; !d.busy {
			d.fetch(j.sub.ASID, q.packet.Addr)
			return d
		}
	}
	return &j.kernels[0] // both are being fetched: wait for one
}

// opDone is the end of a copy or kernel.
func (q *queue) opDone(i int) {
	o := &q.ops[i]
	r := &o.copy.Result
	if o.kernel {
		r = &o.launch.Result
		q.kernels--
	} else {
		q.copies--
	}
	o.busy = false
	q.inFlight--
	q.progress++
	if o.watch == q.watch && q.phase != phaseNone {
		if s := r.Code; s != abi.StatusOK {
			q.failAt(s, r.Addr, o.at)
		}
		if q.phase == phaseIssue || q.phase == phaseDrain {
			q.follow(o, r)
		}
	}
	q.advance()
}

// charge accounts the time since the last event on the critical path to the queue.
func (q *queue) charge() {
	now := q.u.e.Now()
	q.bill[hw.Queue] += now - q.billed
	q.billed = now
}

// chargeFetch accounts the same when the running entry has waited for a fetch:
// what that waited for translation is translation's.
func (q *queue) chargeFetch(r *hw.Request) {
	since := max(q.blocked, q.billed)
	stalled := min(r.Stalled, q.u.e.Now()-since)
	q.charge()
	q.bill[hw.Queue] -= stalled
	q.bill[hw.Translation] += stalled
}

// follow makes an operation that the queue waited for the critical path.
func (q *queue) follow(o *op, r *hw.Result) {
	now := q.u.e.Now()
	bill := o.base
	for k, t := range r.Bill {
		bill[k] += t
	}
	bill[hw.Queue] += now - o.start - r.Bill.Total()
	q.bill, q.billed = bill, now
}
