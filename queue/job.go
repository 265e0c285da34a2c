package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Stages of a ring entry's fetch.
const (
	jobEmpty    = iota
	jobEntry    // the entry is being read
	jobCommands // the first command bytes are being read
	jobReady
)

// job is a ring entry, fetched ahead or running.
type job struct {
	state  int
	index  uint32 // of the entry
	sub    abi.Submission
	status abi.Status // of the fetch: the entry runs only to fail
	addr   uint64     // with an address error
	rec    Record

	entry    hw.Request
	entryBuf [abi.SubmissionSize]byte
	main     window // the command buffer
	inner    window // an INDIRECT buffer
	nested   bool   // inner is being walked
	kernels  [prefetchKernels]descriptor
}

// prefetchKernels is how many descriptors of an entry are fetched ahead.
const prefetchKernels = 2

// A callback's argument names queue (from bit 8), job, and in between which
// window or descriptor of the job.
const (
	jobBits     = 4
	jobMask     = 1<<jobBits - 1
	innerWindow = 1 << jobBits
)

func (q *queue) initJobs() {
	u := q.u
	for i := range q.jobs {
		j := &q.jobs[i]
		arg := uint64(q.index)<<8 | uint64(i)
		j.entry = hw.Request{Op: hw.Read, Space: hw.BusAddr, Source: u.parts.Source, Bytes: abi.SubmissionSize,
			Data: j.entryBuf[:], Done: sim.Call{H: q.calls.entry, Arg: arg}}
		j.main.init(u, sim.Call{H: q.calls.window, Arg: arg})
		j.inner.init(u, sim.Call{H: q.calls.window, Arg: arg | innerWindow})
		for k := range j.kernels {
			j.kernels[k].init(u, sim.Call{H: q.calls.kernel, Arg: arg | uint64(k)<<jobBits})
		}
	}
}

// place returns where an entry is kept.
func (q *queue) place(index uint32) *job { return &q.jobs[index%uint32(len(q.jobs))] }

// prefetch reads entries until every job is taken.
func (q *queue) prefetch() {
	for q.enabled() && q.fetched != q.tail && q.fetched-q.running < uint32(len(q.jobs)) {
		j := q.place(q.fetched)
		if j.state != jobEmpty || q.stuck || q.sticks() {
			return
		}
		j.state, j.index = jobEntry, q.fetched
		j.rec = Record{Queue: q.index, Doorbell: q.rung}
		j.entry.Addr = q.sqBase + uint64(q.fetched%q.sqDepth)*abi.SubmissionSize
		q.fetched++
		j.entry.Send(q.u.parts.Port)
	}
}

// entryFetched checks the entry and goes on to its commands.
func (q *queue) entryFetched(i int) {
	j := &q.jobs[i]
	j.status, j.addr, j.nested = abi.StatusOK, 0, false
	if j.entry.Status != hw.OK {
		j.fail(j.entry.Status.Code(), j.entry.FaultAddr)
		j.sub = abi.Submission{}
	} else {
		if j.entry.Zero {
			clear(j.entryBuf[:])
		}
		q.spoil(j)
		j.status = j.sub.Decode(j.entryBuf[:])
		j.checkEntry()
	}
	j.state = jobCommands
	q.moveHead()
	now := q.u.e.Now()
	j.rec.Seqno, j.rec.Cookie, j.rec.ASID = j.sub.Seqno, j.sub.Cookie, j.sub.ASID
	j.rec.Fetched = now
	j.rec.Stalled.Entry = j.entry.Stalled
	if j.status != abi.StatusOK || j.sub.Op == abi.RingNop || j.sub.Bytes == 0 {
		j.rec.Ready = now
		j.state = jobReady
		j.main.open(0, 0, 0)
		q.advance()
		return
	}
	asid := j.sub.ASID
	j.main.open(asid, j.sub.Command, j.sub.Bytes)
	for k := range j.kernels {
		j.kernels[k].valid = false
	}
	j.main.fetch(0)
}

// moveHead gives software the places of entries that have been read.
func (q *queue) moveHead() {
	for q.head != q.fetched && q.place(q.head).state != jobEntry {
		q.head++
	}
}

// checkEntry holds the entry against its place in the ring and the rules of contexts.
func (j *job) checkEntry() {
	trusted := j.sub.Flags&abi.SubmitTrusted != 0
	switch {
	case j.status != abi.StatusOK:
	case j.sub.Index != j.index:
		j.fail(abi.StatusStaleEntry, 0)
	case trusted:
		j.sub.ASID = 0
	case j.sub.ASID == 0 || j.sub.ASID >= abi.MaxContexts:
		j.fail(abi.StatusBadEntry, 0)
	}
}

func (j *job) fail(s abi.Status, addr uint64) {
	if j.status == abi.StatusOK {
		j.status, j.addr = s, addr
	}
}

// windowFetched is the arrival of command bytes, ahead (state jobCommands) or
// for the entry that runs.
func (q *queue) windowFetched(arg int) {
	j := &q.jobs[arg&jobMask]
	w := &j.main
	if arg&innerWindow != 0 {
		w = &j.inner
	}
	w.arrived()
	if j.state == jobCommands {
		j.rec.Ready = q.u.e.Now()
		j.rec.Stalled.Commands = w.req.Stalled
		j.state = jobReady
		if w.req.Status != hw.OK {
			j.fail(w.req.Status.Code(), w.req.FaultAddr)
		} else {
			j.fetchKernels()
		}
		q.advance()
		return
	}
	q.chargeFetch(&w.req)
	if w.req.Status != hw.OK {
		q.fail(w.req.Status.Code(), w.req.FaultAddr)
	}
	q.phase = phaseFetch
	q.advance()
}

// fetchKernels reads the descriptors of the first KERNEL packets ahead.
func (j *job) fetchKernels() {
	var p abi.Packet
	k := 0
	for off := uint32(0); off < j.main.have && k < len(j.kernels); {
		n, s := p.Decode(j.main.buf[off:j.main.have])
		if s != abi.StatusOK || p.Op == abi.OpWait || p.Op == abi.OpIndirect {
			return
		}
		if p.Op == abi.OpKernel {
			j.kernels[k].fetch(j.sub.ASID, p.Addr)
			k++
		}
		off += uint32(n)
	}
}

// begin starts the next entry if it is there.
func (q *queue) begin() bool {
	if q.stopped || q.state == abi.QueueDisabled {
		return false
	}
	if q.state == abi.QueueDraining {
		if !q.outstanding() && !q.lingers {
			q.setState(abi.QueueDisabled)
		}
		return false
	}
	j := q.place(q.running)
	if q.running == q.fetched || j.state != jobReady {
		return q.beginOverrun()
	}
	now := q.u.e.Now()
	q.began, q.billed, q.bill = now, now, hw.Bill{}
	q.status, q.errAddr, q.errAt, q.at = abi.StatusOK, 0, 0, 0
	j.rec.Started = now
	q.setState(abi.QueueRunning)
	q.regs.Set(q.r.seqno, 0, j.sub.Seqno)
	q.watch++
	if j.sub.WatchdogUS != 0 {
		q.u.e.After(sim.Time(j.sub.WatchdogUS)*sim.Microsecond,
			sim.Call{H: q.calls.watchdog, Arg: uint64(q.index) | uint64(q.watch)<<32})
	}
	q.phase = phaseFetch
	if j.status != abi.StatusOK {
		q.fail(j.status, j.addr)
	}
	return true
}

// beginOverrun stops a queue whose doorbell went beyond its ring, once
// everything before it is done.
func (q *queue) beginOverrun() bool {
	if q.overrun && q.running == q.fetched && q.fetched == q.tail {
		q.overrun = false
		q.report(abi.StatusRingOverrun, 0, 0, 0, 0)
	} else if q.state == abi.QueueRunning || q.state == abi.QueueWaiting {
		q.setState(abi.QueueIdle)
	}
	return false
}

// fail keeps the first error of the running entry.
func (q *queue) fail(s abi.Status, addr uint64) { q.failAt(s, addr, q.at) }

func (q *queue) failAt(s abi.Status, addr uint64, at uint32) {
	if q.status == abi.StatusOK {
		q.status, q.errAddr, q.errAt = s, addr, at
	}
}

// watchdog ends an entry that runs too long. What is in flight stays in flight;
// a reset of its engine ends it.
func (q *queue) watchdog(watch uint32) {
	if watch == q.watch && q.phase != phaseNone && q.phase != phasePost {
		q.fail(abi.StatusWatchdog, 0)
		q.advance()
	}
}
