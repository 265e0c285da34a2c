package dma

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// channel runs one copy at a time.
type channel struct {
	d        *Engine
	index    int
	start    sim.Handler
	slots    []slot
	free     []int
	job      *hw.Copy
	walk     walk
	began    sim.Time
	inFlight int
	failed   hw.Result // first error, by code ≠ 0
	aborted  bool
	bill     hw.Bill // of the slot that finished last
	track    sim.Track
	label    sim.Label
}

// slot is one request in flight: a read, then the write of its data.
type slot struct {
	read, write hw.Request
	issued      sim.Time
	data        []byte
	bill        hw.Bill // critical path of the chain of requests in this slot
}

func (ch *channel) init(d *Engine, index int, source hw.Source, start, read, write sim.Handler) {
	*ch = channel{d: d, index: index, start: start,
		slots: make([]slot, d.cfg.Outstanding), free: make([]int, 0, d.cfg.Outstanding)}
	data := make([]byte, int64(d.cfg.Chunk)*int64(d.cfg.Outstanding))
	for i := range ch.slots {
		s := &ch.slots[i]
		s.data = data[i*int(d.cfg.Chunk) : (i+1)*int(d.cfg.Chunk)]
		arg := uint64(index)<<32 | uint64(i)
		s.read = hw.Request{Op: hw.Read, Space: hw.Context, Source: source, Done: sim.Call{H: read, Arg: arg}}
		s.write = hw.Request{Op: hw.Write, Space: hw.Context, Source: source, Done: sim.Call{H: write, Arg: arg}}
	}
	if tr := d.e.Trace; tr != nil {
		ch.track = tr.NewTrack("dma" + string(rune('0'+index/10)) + string(rune('0'+index%10)))
		ch.label = tr.NewLabel("copy")
	}
}

// begin takes a copy and starts it after the start-up time. What the copy had to
// wait is owed to what the channel's copy before it was bound by.
func (ch *channel) begin(c *hw.Copy, since sim.Time) {
	ch.job = c
	ch.walk = newWalk(c)
	ch.began = ch.d.e.Now()
	lead := hw.Bill{hw.Queue: ch.d.cfg.Startup}
	blocker := hw.Queue
	if ch.bill.Total() > 0 {
		blocker = ch.bill.Bound()
	}
	lead[blocker] += ch.began - since
	ch.failed, ch.aborted, ch.bill = hw.Result{}, false, hw.Bill{}
	ch.free = ch.free[:0]
	for i := range ch.slots {
		ch.free = append(ch.free, i)
		ch.slots[i].bill = lead
	}
	ch.inFlight = 1 // the start itself
	ch.d.e.After(ch.d.cfg.Startup, sim.Call{H: ch.start, Arg: uint64(ch.index)})
}

// pump is the start event.
func (ch *channel) pump() {
	ch.inFlight--
	ch.issue()
	ch.settle()
}

// issue fills free slots while there is work.
func (ch *channel) issue() {
	for len(ch.free) > 0 && !ch.walk.done() && ch.failed.Code == 0 && !ch.aborted {
		i := ch.free[len(ch.free)-1]
		ch.free = ch.free[:len(ch.free)-1]
		ch.send(&ch.slots[i])
	}
}

func (ch *channel) send(s *slot) {
	src, dst, n := ch.walk.next(int64(ch.d.cfg.Chunk))
	s.issued = ch.d.e.Now()
	s.write.ASID, s.write.Addr, s.write.Bytes = ch.job.ASID, dst, n
	s.write.Data, s.write.Zero = s.data[:n], false
	ch.inFlight++
	if ch.job.Fill {
		if s.write.Zero = ch.job.Pattern == 0; !s.write.Zero {
			fillPattern(s.write.Data, ch.job.Pattern, src)
		}
		s.write.Send(ch.d.port)
		return
	}
	s.read.ASID, s.read.Addr, s.read.Bytes = ch.job.ASID, src, n
	s.read.Data, s.read.Zero = s.data[:n], false
	s.read.Send(ch.d.port)
}

// charge adds what a request took to its slot's critical path.
func (ch *channel) charge(s *slot, r *hw.Request) {
	now := ch.d.e.Now()
	took := now - s.issued
	s.issued = now
	stalled := min(r.Stalled, took)
	s.bill[hw.Translation] += stalled
	if r.Remote {
		s.bill[hw.Link] += took - stalled
	} else {
		s.bill[hw.Memory] += took - stalled
	}
}

func (ch *channel) readDone(i int) {
	s := &ch.slots[i]
	ch.charge(s, &s.read)
	if s.read.Status != hw.OK {
		ch.fail(&s.read)
		ch.release(i)
		return
	}
	ch.d.stats.ReadBytes += s.read.Bytes
	s.write.Zero = s.read.Zero
	s.write.Send(ch.d.port)
}

func (ch *channel) writeDone(i int) {
	s := &ch.slots[i]
	ch.charge(s, &s.write)
	if s.write.Status != hw.OK {
		ch.fail(&s.write)
	} else {
		ch.d.stats.WriteBytes += s.write.Bytes
	}
	ch.release(i)
}

// fail keeps the first error.
func (ch *channel) fail(r *hw.Request) {
	if ch.failed.Code == 0 {
		ch.failed = hw.Result{Code: r.Status.Code(), Addr: r.FaultAddr}
	}
}

// release returns a slot and goes on with the copy, or ends it.
func (ch *channel) release(i int) {
	ch.bill = ch.slots[i].bill
	if p := ch.job.Progress; p != nil {
		*p++
	}
	ch.free = append(ch.free, i)
	ch.inFlight--
	ch.issue()
	ch.settle()
}

// abort ends the copy as soon as nothing is in flight.
func (ch *channel) abort() {
	if ch.job != nil {
		ch.aborted = true
		ch.settle()
	}
}

// settle finishes the copy when nothing is in flight and nothing is left to do.
func (ch *channel) settle() {
	if ch.job == nil || ch.inFlight > 0 || !(ch.walk.done() || ch.failed.Code != 0 || ch.aborted) {
		return
	}
	job, result := ch.job, ch.failed
	if result.Code == 0 && ch.aborted && !ch.walk.done() {
		result.Code = abi.StatusAborted
	}
	result.Bill = ch.bill
	now := ch.d.e.Now()
	ch.d.stats.Busy += int64(now - ch.began)
	if tr := ch.d.e.Trace; tr != nil {
		tr.Add(sim.Span{Start: ch.began, End: now, Track: ch.track, Label: ch.label, Arg: uint64(ch.walk.total)})
	}
	ch.job = nil
	ch.d.finish(job, result)
	ch.d.arm()
	ch.d.checkIdle()
}
