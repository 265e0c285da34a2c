package npudrv

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// queue is a program's queue: an entity of the ring that its engine and
// priority lead to.
type queue struct {
	client    *client
	number    uint32
	ring      *ring
	entity    *fw.Entity
	cores     uint32
	submitted uint64
	completed uint64
	failed    uint64 // sequence number of the first failed job
	err       error  // of the first failed job
	guilty    bool
	closing   bool // its jobs get no more time than they have
}

// job is one submission.
type job struct {
	fw.Job
	client   *client
	queue    *queue
	seqno    uint64
	hwSeqno  uint64
	command  uint64
	length   uint32
	trusted  bool // the driver's own, in physical addresses
	views    []*view
	first    [2]*view // the memory of a short list
	fence    fw.Fence
	hardware *fw.Fence // &fence, once it is on hardware
	progress uint32    // of the ring, when a time-out looked
	looked   bool
}

// Limits of a submission.
const (
	maxBOs         = 1 << 16
	maxSyncs       = 1 << 10
	maxQueues      = 256  // of a file
	maxPending     = 1024 // jobs of a queue
	defaultTimeout = 2e9  // ns on silicon
	minTimeout     = 1e6
	maxTimeout     = 60e9
)

func queueCreate(f *fw.File, arg []byte) error {
	a := abi.Load[abi.QueueCreate](arg)
	c := f.Private.(*client)
	all := uint32(1)<<c.d.info.NumCores - 1
	if a.Engine >= abi.NumEngines || a.Priority >= fw.NumPriorities || a.Flags != 0 || a.Pad != 0 || a.CoreMask&^all != 0 {
		return fmt.Errorf("QUEUE_CREATE engine %d, priority %d, cores %#x of %#x, flags %#x: %w",
			a.Engine, a.Priority, a.CoreMask, all, a.Flags, unix.EINVAL)
	}
	if a.Priority == fw.PriorityRealtime && !f.Privileged {
		return fmt.Errorf("QUEUE_CREATE with realtime priority without CAP_SYS_NICE: %w", unix.EACCES)
	}
	q := &queue{client: c, cores: a.CoreMask, ring: c.d.ringFor(a.Engine, a.Priority)}
	slot := -1
	for i, other := range c.queues {
		if other == nil {
			slot = i
			break
		}
	}
	if slot < 0 {
		if len(c.queues) == maxQueues {
			return fmt.Errorf("%d queues: %w", maxQueues, unix.ENOSPC)
		}
		slot = len(c.queues)
		c.queues = append(c.queues, nil)
	}
	q.entity = q.ring.sched.NewEntity(int(a.Priority))
	q.number = uint32(slot + 1)
	c.queues[slot] = q
	a.Queue = q.number
	abi.Store(arg, &a)
	return nil
}

func queueDestroy(f *fw.File, arg []byte) error {
	a := abi.Load[abi.QueueDestroy](arg)
	if a.Pad != 0 {
		return fmt.Errorf("QUEUE_DESTROY pad %#x: %w", a.Pad, unix.EINVAL)
	}
	q, err := f.Private.(*client).queue(a.Queue)
	if err != nil {
		return err
	}
	q.close()
	return nil
}

// close ends the queue's jobs: those that wait are cancelled, those on hardware
// run to their end, or of their time.
func (q *queue) close() {
	q.closing = true
	q.client.queues[q.number-1] = nil
	q.entity.Kill(fw.ErrCanceled)
	q.entity.Flush()
	q.entity.Close()
}

func queueStatus(f *fw.File, arg []byte) error {
	a := abi.Load[abi.QueueStatus](arg)
	c := f.Private.(*client)
	q, err := c.queue(a.Queue)
	if err != nil {
		return err
	}
	a = abi.QueueStatus{Queue: a.Queue, Error: -int32(fw.Errno(q.err)), LastSubmitted: q.submitted,
		LastCompleted: q.completed, FailedSeqno: q.failed, ResetCount: c.d.resets.ResetCount}
	if q.guilty {
		a.Guilty = 1
	}
	abi.Store(arg, &a)
	return nil
}

// submit checks everything, and only then arms the job: from there on it ends.
func submit(f *fw.File, arg []byte) error {
	a := abi.Load[abi.Submit](arg)
	c := f.Private.(*client)
	c.d.bus.Charge(hw.CostSubmit)
	q, err := c.queue(a.Queue)
	if err != nil {
		return err
	}
	if a.Flags&^uint32(abi.SubmitNonblock) != 0 || a.Offset%16 != 0 || a.Length%16 != 0 || a.Length == 0 ||
		a.Length > abi.MaxCommandBytes || a.NumBOs > maxBOs || a.NumInSyncs > maxSyncs || a.NumOutSync > maxSyncs {
		return fmt.Errorf("SUBMIT flags %#x, offset %d, length %d, %d buffers, %d+%d syncs: %w",
			a.Flags, a.Offset, a.Length, a.NumBOs, a.NumInSyncs, a.NumOutSync, unix.EINVAL)
	}
	if q.entity.Pending() >= maxPending {
		if a.Flags&abi.SubmitNonblock != 0 {
			return unix.EAGAIN
		}
		if err := q.entity.AwaitRoom(f, maxPending); err != nil {
			return err
		}
	}
	return q.take(f, &a, arg)
}

// take is submit from where the device has to stay as it is.
func (q *queue) take(f *fw.File, a *abi.Submit, arg []byte) error {
	d := q.client.d
	d.residency.Lock()
	defer d.residency.Unlock()
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	if err := q.accepts(); err != nil {
		return err
	}
	return q.arm(f, a, arg)
}

// accepts reports why the queue takes no jobs.
func (q *queue) accepts() error {
	switch {
	case q.client.d.resets.State == resetWedged:
		return fmt.Errorf("SUBMIT on a wedged device: %w", unix.EIO)
	case q.client.killed || q.entity.Killed() != nil:
		return fmt.Errorf("queue %d: its context was killed: %w", q.number, unix.ECANCELED)
	}
	return nil
}

// arm makes the job, or nothing.
func (q *queue) arm(f *fw.File, a *abi.Submit, arg []byte) error {
	j := &job{client: q.client, queue: q, length: uint32(a.Length)}
	j.Init(q.entity).Private = j
	j.views = j.first[:0]
	j.TimeoutNS = q.client.d.timeout(a.TimeoutNS)
	if err := j.resolve(f, a); err != nil {
		j.drop()
		return err
	}
	d := q.client.d
	out, err := d.syncs(f, a.OutSyncs, a.NumOutSync)
	if err != nil {
		j.drop()
		return err
	}
	if err := d.reserve(j); err != nil {
		j.drop()
		return err
	}
	defer d.locked.Unlock()
	q.submitted++
	j.seqno = q.submitted
	j.Finished.Seqno = j.seqno
	a.Seqno = j.seqno
	abi.Store(arg, a)
	for _, s := range out {
		s.obj.Attach(s.point, j.Finished)
	}
	for _, o := range d.locked.Objects() {
		d.locked.Add(o, j.Finished, o.Private.(*bo).usage())
	}
	d.Trace("submit", f, uint64(q.number), j.seqno, a.Length)
	d.PowerGet() // until the job is freed
	j.Push()
	return nil
}

// reserve locks the reservations of a job's buffers and makes room for its fence.
// Programs synchronise by syncobjs: a job waits for what moves its buffers, not
// for other jobs on them, while its own fence is there for who cares.
func (d *Device) reserve(j *job) error {
	d.touched = d.touched[:0]
	for _, v := range j.views {
		d.touched = append(d.touched, v.o)
	}
	err := d.locked.Lock(1, d.touched...)
	clear(d.touched)
	if err != nil {
		return err
	}
	d.locked.Depend(&j.Job, fw.UsageKernel)
	return nil
}

// timeout is what a job gets: what it asks for, within bounds.
func (d *Device) timeout(ns uint64) int64 {
	if ns == 0 {
		ns = defaultTimeout
	}
	return int64(min(max(ns, minTimeout), maxTimeout)) * d.timeScale()
}

// resolve looks up everything the job names: buffers, commands, dependencies.
func (j *job) resolve(f *fw.File, a *abi.Submit) error {
	if err := j.use(f, a.CommandBO); err != nil {
		return err
	}
	cmd := j.views[0]
	b := cmd.o.Private.(*bo)
	if b.flags&abi.BOCommand == 0 || a.Offset > b.size || a.Length > b.size-a.Offset {
		return fmt.Errorf("commands at %d to %d of buffer %d (flags %#x, %d bytes): %w",
			a.Offset, a.Offset+a.Length, a.CommandBO, b.flags, b.size, unix.EINVAL)
	}
	j.command = cmd.va + a.Offset
	d := j.client.d
	raw, err := d.array(f, a.BOs, 4*int(a.NumBOs))
	if err != nil {
		return err
	}
	for ; len(raw) > 0; raw = raw[4:] {
		if err := j.use(f, binary.LittleEndian.Uint32(raw)); err != nil {
			return err
		}
	}
	in, err := d.syncs(f, a.InSyncs, a.NumInSyncs)
	if err != nil {
		return err
	}
	for _, s := range in {
		fence := s.obj.At(s.point)
		if fence == nil {
			return fmt.Errorf("nothing is submitted for point %d of an in-sync: %w", s.point, unix.EINVAL)
		}
		j.DependOn(fence)
	}
	return nil
}

// use pins one buffer for the job.
func (j *job) use(f *fw.File, handle uint32) error {
	o, err := f.Object(handle)
	if err != nil {
		return err
	}
	defer o.Put() // the view holds its own
	v, err := j.client.view(o)
	if err != nil {
		return err
	}
	v.use++
	j.client.d.jobs++
	o.Private.(*bo).used = j.client.d.jobs
	j.views = append(j.views, v)
	return nil
}

// drop ends the use of buffers.
func (j *job) drop() {
	for _, v := range j.views {
		j.client.release(v)
	}
	j.views = nil
}

// free is the end of an armed job.
func (j *job) free() {
	q := j.queue
	if err := j.Finished.Err(); err != nil && q.err == nil {
		q.err, q.failed = err, j.seqno
	}
	q.completed = max(q.completed, j.seqno)
	j.drop()
	q.client.d.PowerPut()
}

type syncPoint struct {
	obj   *fw.Syncobj
	point uint64
}

// array reads n bytes of a submission's array, into memory that the next one uses
// again.
func (d *Device) array(f *fw.File, addr uint64, n int) ([]byte, error) {
	if cap(d.raw) < n {
		d.raw = make([]byte, n)
	}
	d.raw = d.raw[:n]
	return d.raw, f.User().CopyIn(addr, d.raw)
}

// syncs reads an array of presi_sync, likewise.
func (d *Device) syncs(f *fw.File, addr uint64, n uint32) ([]syncPoint, error) {
	size := abi.SizeOf[abi.Sync]()
	raw, err := d.array(f, addr, size*int(n))
	if err != nil {
		return nil, err
	}
	d.points = d.points[:0]
	for ; len(raw) > 0; raw = raw[size:] {
		s := abi.Load[abi.Sync](raw)
		if s.Flags != 0 {
			return nil, fmt.Errorf("presi_sync flags %#x: %w", s.Flags, unix.EINVAL)
		}
		obj, err := f.Syncobj(s.Syncobj)
		if err != nil {
			return nil, err
		}
		d.points = append(d.points, syncPoint{obj, s.Point})
	}
	return d.points, nil
}
