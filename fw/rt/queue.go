package rt

import (
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// Engines of a queue.
const (
	Compute = abi.EngineCompute
	Copy    = abi.EngineCopy
)

// Priorities of a queue.
const (
	PriorityLow      = 0
	PriorityNormal   = 1
	PriorityHigh     = 2
	PriorityRealtime = 3 // needs CAP_SYS_NICE
)

// Queue runs jobs one after another.
type Queue struct {
	Handle uint32
	Cores  uint32 // mask of the cores it may use; 0 is all

	dev      *Device
	timeline *Syncobj
	last     uint64 // point of the latest job
	reached  uint64 // points known to be signalled
	buffers  commandPool
}

// NewQueue creates a queue of an engine, a priority and a mask of cores (0: all).
func (d *Device) NewQueue(engine, priority, cores uint32) (*Queue, error) {
	timeline, err := d.NewSyncobj(false)
	if err != nil {
		return nil, err
	}
	a := abi.QueueCreate{Engine: engine, Priority: priority, CoreMask: cores}
	if err := call(d.node, "QUEUE_CREATE", abi.NrQueueCreate, &a); err != nil {
		_ = timeline.Close()
		return nil, err
	}
	q := &Queue{Handle: a.Queue, Cores: cores, dev: d, timeline: timeline}
	q.buffers.queue = q
	return q, nil
}

// NumCores is how many cores the queue's kernels may use.
func (q *Queue) NumCores() int {
	all := uint32(1)<<q.dev.Info.NumCores - 1
	if q.Cores == 0 {
		return bits.OnesCount32(all)
	}
	return bits.OnesCount32(q.Cores & all)
}

// Job is a command buffer with everything it touches.
type Job struct {
	Commands  *Commands
	Buffers   []*Buffer // every buffer the commands reach
	Wait      []Point   // before it starts
	Signal    []Point   // when it is done
	TimeoutNS uint64    // of its run; 0: the queue's default
	NonBlock  bool      // EAGAIN instead of waiting for a place in the queue
}

// Ticket names a submitted job.
type Ticket struct {
	Point Point  // of the queue's timeline, signalled when the job is done
	Seqno uint64 // in the queue, from 1
}

// Submit hands a job in. Its Commands may be used again at once.
func (q *Queue) Submit(j *Job) (Ticket, error) {
	buf, err := q.buffers.load(j.Commands)
	if err != nil {
		return Ticket{}, err
	}
	handles := make([]uint32, len(j.Buffers))
	for i, b := range j.Buffers {
		handles[i] = b.Handle
	}
	done := Point{q.timeline, q.last + 1}
	out := append(append(make([]Point, 0, len(j.Signal)+1), j.Signal...), done)
	a := abi.Submit{Queue: q.Handle, CommandBO: buf.bo.Handle, NumBOs: uint32(len(handles)), Length: uint64(j.Commands.Len()),
		NumInSyncs: uint32(len(j.Wait)), NumOutSync: uint32(len(out)), TimeoutNS: j.TimeoutNS}
	if j.NonBlock {
		a.Flags = abi.SubmitNonblock
	}
	err = call(q.dev.node, "SUBMIT", abi.NrSubmit, &a, Ref{32, words(handles)}, Ref{40, syncs(j.Wait)}, Ref{48, syncs(out)})
	if err != nil {
		q.buffers.put(buf)
		return Ticket{}, err
	}
	q.last++
	q.buffers.sent(buf, q.last)
	return Ticket{done, a.Seqno}, nil
}

// JobError is a job that failed; errors.Is finds the errno.
type JobError struct {
	Seqno uint64 // the queue's first job that failed
	Errno unix.Errno
}

func (e *JobError) Error() string { return fmt.Sprintf("rt: job %d: %v", e.Seqno, e.Errno) }

// Unwrap returns the errno.
func (e *JobError) Unwrap() error { return e.Errno }

// Wait waits for a job until an absolute time in ns (ETIME) and returns a
// *JobError if it, or one before it in the queue, failed. The answer costs an
// ioctl more than Device.Wait on the ticket's point.
func (q *Queue) Wait(t Ticket, until int64) error {
	if err := q.dev.Wait(until, t.Point); err != nil {
		return err
	}
	q.reached = max(q.reached, t.Point.Value)
	s, err := q.Status()
	if err != nil {
		return err
	}
	if s.Error != 0 && s.FailedSeqno <= t.Seqno {
		return &JobError{s.FailedSeqno, unix.Errno(-s.Error)}
	}
	return nil
}

// Status reads the queue's state and its first failed job.
func (q *Queue) Status() (abi.QueueStatus, error) {
	a := abi.QueueStatus{Queue: q.Handle}
	err := call(q.dev.node, "QUEUE_STATUS", abi.NrQueueStatus, &a)
	return a, err
}

// Close destroys the queue and its command buffers.
func (q *Queue) Close() error {
	a := abi.QueueDestroy{Queue: q.Handle}
	err := call(q.dev.node, "QUEUE_DESTROY", abi.NrQueueDestroy, &a)
	for _, e := range []error{q.buffers.close(), q.timeline.Close()} {
		if err == nil {
			err = e
		}
	}
	return err
}
