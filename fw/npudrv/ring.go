package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// ring is a hardware queue: its submission and completion rings, and the
// scheduler that feeds it.
type ring struct {
	d        *Device
	index    uint32
	engine   uint32
	priority uint32
	vector   int
	sq, cq   *hw.DMA
	log2     uint32
	produced uint32 // entries written since ENABLE
	consumed uint32 // completions read since ENABLE
	seqno    uint64 // last one given out
	flying   []*job // by order of submission
	sched    *fw.Scheduler
	live     bool // from ENABLE to the next reset
}

// ringCredits bounds the jobs that sit in a ring: one runs, one is fetched
// ahead, the rest keep the ring from running dry between interrupts.
const ringCredits = 16

func (r *ring) reg(off uint64) uint64  { return off + uint64(r.index)*abi.QueueStride }
func (r *ring) bell(off uint64) uint64 { return off + uint64(r.index)*abi.DoorbellStride }

// initRings gives each engine a ring a priority, or fewer where the device has
// fewer queues.
func (d *Device) initRings() error {
	levels := min(int(d.info.NumQueues)/abi.NumEngines, fw.NumPriorities)
	if levels == 0 {
		return fmt.Errorf("%d queues: at least %d are needed: %w", d.info.NumQueues, abi.NumEngines, unix.ENODEV)
	}
	for engine := range uint32(abi.NumEngines) {
		for level := range levels {
			r := &ring{d: d, index: uint32(len(d.rings)), engine: engine, log2: d.ringLog2,
				priority: uint32(level * fw.NumPriorities / levels)}
			if err := r.init(); err != nil {
				return err
			}
			d.rings = append(d.rings, r)
		}
	}
	return nil
}

func (r *ring) init() (err error) {
	d := r.d
	if r.sq, err = d.bus.AllocDMA(abi.SubmissionSize << r.log2); err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	d.ManageBound(func() { d.bus.FreeDMA(r.sq) })
	if r.cq, err = d.bus.AllocDMA(abi.CompletionSize << r.log2); err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	d.ManageBound(func() { d.bus.FreeDMA(r.cq) })
	r.vector = 1 + int(r.index)
	if r.vector >= d.vectors {
		r.vector = max(0, d.vectors-1)
	}
	r.sched = fw.NewScheduler(d.bus, fmt.Sprintf("presi-ring%d", r.index), min(ringCredits, 1<<r.log2), r)
	r.start()
	d.ManageBound(r.stop)
	return nil
}

// stop ends the ring's jobs and the device's use of its memory. A device that does
// not let go of it may do no DMA any more.
func (r *ring) stop() {
	r.sched.End(unix.ENODEV)
	r.flying = nil
	r.d.write(r.reg(regQCtrl), 0)
	err := r.d.poll("queue to stop", resetTimeout*r.d.timeScale(), 1000, func() (bool, error) {
		s := r.d.read(r.reg(regQState))
		return s == abi.QueueDisabled || s == ^uint32(0), nil
	})
	if err != nil {
		r.d.log("presi %s: ring %d: %v", r.d.Address, r.index, err)
		r.d.bus.ConfigWrite(pciCommand, 2, commandMemory)
	}
}

// start programs and enables the queue on fresh rings.
func (r *ring) start() {
	clear(r.cq.Bytes)
	r.produced, r.consumed = 0, 0
	d := r.d
	d.writePair(r.reg(regSQLo), r.reg(regSQHi), r.sq.Addr)
	d.writePair(r.reg(regCQLo), r.reg(regCQHi), r.cq.Addr)
	d.write(r.reg(regSQLog2), r.log2)
	d.write(r.reg(regCQLog2), r.log2)
	d.write(r.reg(regQVector), uint32(r.vector))
	d.write(r.reg(regQEngine), r.engine)
	d.write(r.reg(regQPriority), r.priority)
	r.live = true
	d.write(r.reg(regQCtrl), ctrlEnable)
}

// ringFor chooses the ring of an engine and priority: the highest level not
// above it.
func (d *Device) ringFor(engine, priority uint32) *ring {
	var best *ring
	for _, r := range d.rings {
		if r.engine == engine && (best == nil || r.priority <= priority) {
			best = r
		}
	}
	return best
}

// Run implements fw.Backend: it writes the ring entry and rings the doorbell.
func (r *ring) Run(fj *fw.Job) (*fw.Fence, error) {
	d := r.d
	if !d.Enter() {
		return nil, unix.ENODEV
	}
	defer d.Exit()
	if d.resets.State == resetWedged {
		return nil, unix.EIO
	}
	j := fj.Private.(*job)
	r.seqno++
	j.hwSeqno = r.seqno
	j.hardware = j.fence.Init(d.bus)
	r.flying = append(r.flying, j)
	r.push(j)
	return j.hardware, nil
}

// push writes a job's entry: first the entry, then the doorbell. The barrier
// between them covers whatever the CPU has stored for the device before: commands,
// and the completion ring that start has cleared.
func (r *ring) push(j *job) {
	s := abi.Submission{Op: abi.RingRun, Flags: abi.SubmitIRQ, ASID: uint16(j.client.space.asid), Index: r.produced,
		Seqno: j.hwSeqno, Command: j.command, Bytes: j.length, CoreMask: j.queue.cores, Cookie: j.seqno}
	if j.trusted {
		s.Flags |= abi.SubmitTrusted
	}
	slot := r.produced & (1<<r.log2 - 1)
	s.Encode(r.sq.Bytes[slot*abi.SubmissionSize:])
	r.produced++
	r.d.bus.WriteBarrier()
	r.d.write(r.bell(bellSQTail), r.produced)
}

// completions serves the rings of a vector.
func (d *Device) completions(vector int) {
	if !d.EnterActive() {
		return
	}
	defer d.Exit()
	for _, r := range d.rings {
		if r.vector == vector {
			r.complete()
		}
	}
}

// complete ends the jobs that are completed, tells the queue, and says whether
// there were any.
func (r *ring) complete() (some bool) {
	some, failed := r.reap()
	if some && r.heard() {
		r.d.write(r.bell(bellCQHead), r.consumed)
	}
	if failed && r.heard() {
		r.d.write(r.reg(regQCtrl), ctrlEnable|ctrlResume)
	}
	return some
}

// heard reports whether the queue is as the driver has programmed it. One that a
// reset has taken must not be told to resume: that would enable it on rings at
// address 0.
func (r *ring) heard() bool {
	return r.live && !r.d.frozen && !r.d.dark && r.d.resets.State != resetWedged
}

// reap reads completions by their phase bit and ends their jobs. The rest of an
// entry is read behind the barrier: what was read before may be older than its
// phase.
func (r *ring) reap() (some, failed bool) {
	for {
		slot := r.consumed & (1<<r.log2 - 1)
		entry := r.cq.Bytes[slot*abi.CompletionSize:]
		var c abi.Completion
		c.Decode(entry)
		if phase := r.consumed>>r.log2&1 == 0; c.Phase != phase {
			return some, failed
		}
		r.d.bus.ReadBarrier()
		c.Decode(entry)
		r.consumed++
		some = true
		failed = failed || c.Status != abi.StatusOK
		r.end(&c)
	}
}

// end signals the hardware fence of the job that a completion names.
func (r *ring) end(c *abi.Completion) {
	for i, j := range r.flying {
		if j.hwSeqno != c.Seqno {
			continue
		}
		r.flying = append(r.flying[:i], r.flying[i+1:]...)
		j.client.busy[r.engine] += c.BusyNS
		r.d.Trace("complete", j.client.file, uint64(j.queue.number), j.seqno, uint64(c.Status), uint64(c.Offset)*16)
		if c.Status == abi.StatusOK {
			j.hardware.Signal(nil)
			return
		}
		err := fmt.Errorf("job %d: %s at command offset %d: %w", j.seqno, c.Status.Text(), c.Offset*16, c.Status.Errno())
		r.d.log("presi %s: %v", r.d.Address, err)
		j.hardware.Signal(err)
		return
	}
	r.d.log("presi %s: ring %d completes unknown sequence number %d", r.d.Address, r.index, c.Seqno)
}

// Free implements fw.Backend.
func (r *ring) Free(fj *fw.Job) { fj.Private.(*job).free() }
