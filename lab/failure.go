package lab

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw/rt"
)

// JobError is a job of the workload that failed; errors.Is finds the errno.
type JobError struct {
	Layer string // of the report; empty for the upload of weights and caches
	Job   uint64 // its number in the queue, from 1
	Cause string // what the driver said of it
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

// heard passes the driver's messages on and keeps those of jobs.
func (r *run) heard(format string, args ...any) {
	if r.o.Log != nil {
		r.o.Log(format, args...)
	}
	if line := fmt.Sprintf(format, args...); strings.Contains(line, ": job ") {
		r.messages = append(r.messages, line)
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
	e := &JobError{Job: job.Seqno, Errno: job.Errno, Cause: cause(r.messages, job)}
	if n := job.Seqno; n >= 1 && n <= uint64(len(r.jobs)) && r.jobs[n-1].row >= 0 {
		e.Layer = r.rows[r.jobs[n-1].row].Name
	}
	return e
}

// cause is what the driver said first of a job, the errno's text if nothing.
func cause(messages []string, job *rt.JobError) string {
	for _, line := range messages {
		if _, said, ok := strings.Cut(line, fmt.Sprintf(": job %d: ", job.Seqno)); ok {
			return strings.TrimSuffix(said, ": "+job.Errno.Error())
		}
		if _, said, ok := strings.Cut(line, fmt.Sprintf(": job %d of ", job.Seqno)); ok && strings.Contains(said, " hangs") {
			return "hangs: the driver reset its engine"
		}
	}
	return job.Errno.Error()
}
