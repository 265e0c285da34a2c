package lab

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// JobError is a job of the workload that failed; errors.Is finds the errno.
type JobError struct {
	Layer string // of the report; empty for the upload of weights and caches
	Job   uint64 // its number in the queue, from 1
	Cause string // what the device said of it
	Errno unix.Errno
}

// Error is "layer conv1 (job 2): undefined opcode at command offset 0 (EINVAL)".
func (e *JobError) Error() string {
	where := "upload of weights and caches"
	if e.Layer != "" {
		where = "layer " + e.Layer
	}
	return fmt.Sprintf("%s (job %d): %s (%s)", where, e.Job, e.Cause, unix.ErrnoName(e.Errno))
}

// Unwrap returns the errno.
func (e *JobError) Unwrap() error { return e.Errno }

// failure is how a job ended on the device.
type failure struct {
	status abi.Status
	offset uint64 // of the command, in bytes
}

// traced keeps how the program's jobs fail, by the driver's tracepoints.
func (r *run) traced(t fw.Tracepoint) {
	if t.Name != "complete" || t.Client == 0 { // a driver's own
		return
	}
	if status := abi.Status(t.Args[2]); status != abi.StatusOK {
		if r.failed == nil {
			r.failed = map[uint64]failure{}
		}
		r.failed[t.Args[1]] = failure{status, t.Args[3]}
	}
}

// explain turns the error of a job into that of a layer. It runs in the program's
// process: a queue with a failed job refuses others, and says which it was.
func (r *run) explain(err error) error {
	var job *rt.JobError
	if err != nil && !errors.As(err, &job) && r.p.queue != nil {
		if s, fault := r.p.queue.Status(); fault == nil && s.Error != 0 {
			job = &rt.JobError{Seqno: s.FailedSeqno, Errno: unix.Errno(-s.Error)}
		}
	}
	if job == nil {
		return err
	}
	e := &JobError{Job: job.Seqno, Errno: job.Errno, Cause: r.cause(job)}
	if n := job.Seqno; n >= 1 && n <= uint64(len(r.jobs)) && r.jobs[n-1].row >= 0 {
		e.Layer = r.rows[r.jobs[n-1].row].Name
	}
	return e
}

// cause is what the device said of a job, or that it said nothing until the
// driver's patience ended; else the errno's text.
func (r *run) cause(job *rt.JobError) string {
	if f, ok := r.failed[job.Seqno]; ok {
		return fmt.Sprintf("%s at command offset %d", f.status.Text(), f.offset)
	}
	if job.Errno == unix.ETIME {
		return "hangs: the driver reset its engine"
	}
	return job.Errno.Error()
}
