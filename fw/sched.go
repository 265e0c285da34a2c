package fw

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// Priorities of an entity.
const (
	PriorityLow = iota
	PriorityNormal
	PriorityHigh
	PriorityRealtime
	NumPriorities
)

// Backend is the driver's side of a scheduler: it starts a job on hardware and
// recovers from one that hangs.
type Backend interface {
	// Run starts the job and returns the fence its hardware signals. An error
	// ends the job with it.
	Run(j *Job) (*Fence, error)
	// TimedOut is called, in a thread, for a job that runs beyond its time-out.
	// It returns true when the job deserves more time, else it has recovered:
	// the job's hardware fence is signalled, with its error.
	TimedOut(j *Job) (more bool)
	// Free releases the job's resources; its Finished fence is signalled.
	Free(j *Job)
}

// Scheduler hands jobs of entities to a backend: first in, first out within an
// entity, by priority between entities and in turn among equals, when a job's
// dependencies are signalled and a credit is free.
type Scheduler struct {
	kernel   hw.Kernel
	backend  Backend
	credits  int
	entities []*Entity
	turn     int
	work     hw.WaitQueue
	stopped  bool   // between Stop and Start
	ended    error  // End was called: every job ends with it
	running  []*Job // on hardware, oldest first
	dogs     []*watchdog
}

// NewScheduler starts a scheduler's thread. credits bounds the jobs on hardware.
func NewScheduler(k hw.Kernel, name string, credits int, backend Backend) *Scheduler {
	s := &Scheduler{kernel: k, backend: backend, credits: credits, work: k.NewWaitQueue()}
	k.Spawn(name, true, s.loop)
	return s
}

// Entity is one stream of jobs.
type Entity struct {
	sched    *Scheduler
	priority int
	queue    []*Job
	killed   error        // jobs end with it
	changed  hw.WaitQueue // a job has ended
	pending  int          // pushed and not finished
}

// NewEntity adds a stream.
func (s *Scheduler) NewEntity(priority int) *Entity {
	e := &Entity{sched: s, priority: priority, changed: s.kernel.NewWaitQueue()}
	s.entities = append(s.entities, e)
	return e
}

// Job is one unit of work. The driver embeds it or keeps its own in Private.
type Job struct {
	// Finished is signalled when the job has ended, whichever way.
	Finished *Fence
	Private  any
	// TimeoutNS on hardware; 0 waits for ever.
	TimeoutNS int64

	finished Fence
	entity   *Entity
	deps     []*Fence
	hardware *Fence
	watchdog *watchdog
}

// NewJob returns a job that is not armed.
func (e *Entity) NewJob() *Job { return new(Job).Init(e) }

// Init makes a job that is part of something else as NewJob makes one.
func (j *Job) Init(e *Entity) *Job {
	*j = Job{entity: e}
	j.Finished = j.finished.Init(e.sched.kernel)
	return j
}

// DependOn makes the job wait for a fence.
func (j *Job) DependOn(f *Fence) {
	if f != nil && !f.Done() {
		j.deps = append(j.deps, f)
	}
}

// Push arms the job: from here on it ends, whatever happens.
func (j *Job) Push() {
	e := j.entity
	e.pending++
	if e.sched.ended != nil {
		e.Kill(e.sched.ended)
	}
	if e.killed != nil {
		j.finish(e.killed)
		return
	}
	e.queue = append(e.queue, j)
	for _, f := range j.deps {
		f.OnSignal(e.sched.work.WakeAll)
	}
	e.sched.work.WakeAll()
}

// Pending returns how many jobs of the entity have not ended.
func (e *Entity) Pending() int { return e.pending }

// Kill ends all queued jobs with err, and every later one; jobs on hardware go
// on.
func (e *Entity) Kill(err error) {
	if e.killed == nil {
		e.killed = err
	}
	queue := e.queue
	e.queue = nil
	for _, j := range queue {
		j.finish(e.killed)
	}
}

// Killed returns the error the entity was killed with.
func (e *Entity) Killed() error { return e.killed }

// Flush waits until nothing of the entity is pending.
func (e *Entity) Flush() {
	for e.pending > 0 {
		e.changed.Wait("jobs to end")
	}
}

// AwaitRoom waits, in an ioctl of a file, until fewer than n jobs are pending.
func (e *Entity) AwaitRoom(f *File, n int) error {
	for e.pending >= n {
		if err := f.Wait(e.changed, "room for another job", math.MaxInt64); err != nil && e.pending >= n {
			return err
		}
	}
	return nil
}

// Close removes an entity that has nothing pending.
func (e *Entity) Close() {
	s := e.sched
	for i, x := range s.entities {
		if x == e {
			s.entities = append(s.entities[:i], s.entities[i+1:]...)
			break
		}
	}
}

// loop is the scheduler's thread.
func (s *Scheduler) loop() {
	for s.ended == nil {
		j := s.next()
		if j == nil {
			s.work.Wait("a job")
			continue
		}
		s.run(j)
	}
}

// next takes the first ready job of the highest priority, in turn among equals.
func (s *Scheduler) next() *Job {
	if s.stopped || len(s.running) >= s.credits {
		return nil
	}
	best := -1
	for i := range s.entities {
		k := (s.turn + i) % len(s.entities)
		if e := s.entities[k]; e.ready() && (best < 0 || e.priority > s.entities[best].priority) {
			best = k
		}
	}
	if best < 0 {
		return nil
	}
	e := s.entities[best]
	s.turn = (best + 1) % len(s.entities)
	j := e.queue[0]
	e.queue = append(e.queue[:0], e.queue[1:]...)
	return j
}

func (e *Entity) ready() bool {
	if len(e.queue) == 0 {
		return false
	}
	for _, f := range e.queue[0].deps {
		if !f.Done() {
			return false
		}
	}
	return true
}

func (s *Scheduler) run(j *Job) {
	s.running = append(s.running, j)
	hardware, err := s.backend.Run(j)
	if err != nil {
		s.end(j, err)
		return
	}
	j.hardware = hardware
	if s.ended != nil { // while the backend was at it
		hardware.Signal(s.ended)
	}
	if j.TimeoutNS > 0 && !hardware.Done() {
		s.watch(j)
	}
	if hardware.done {
		s.end(j, hardware.err)
		return
	}
	hardware.job = j
}

// watchdog is the timer of a job on hardware. Jobs use it in turn.
type watchdog struct {
	timer hw.Timer
	job   *Job
	until int64
}

// watch gives the job its time, and more as long as the backend says so.
func (s *Scheduler) watch(j *Job) {
	w := j.watchdog
	if w == nil {
		if n := len(s.dogs); n > 0 {
			w, s.dogs = s.dogs[n-1], s.dogs[:n-1]
		} else {
			w = new(watchdog)
			w.timer = s.kernel.NewTimer("job timeout", func() { s.expire(w) })
		}
		w.job, j.watchdog = j, w
	}
	w.until = s.kernel.Now() + j.TimeoutNS
	w.timer.Start(j.TimeoutNS)
}

// expire asks the backend about a job whose time is over. The job may have ended
// since the timer ran out, and another be watched.
func (s *Scheduler) expire(w *watchdog) {
	j := w.job
	if j == nil || s.kernel.Now() < w.until {
		return
	}
	if s.backend.TimedOut(j) && !j.Finished.Done() {
		s.watch(j)
	}
}

// end takes a job off the hardware.
func (s *Scheduler) end(j *Job, err error) {
	if w := j.watchdog; w != nil {
		w.timer.Stop()
		w.job, j.watchdog = nil, nil
		s.dogs = append(s.dogs, w)
	}
	for i, x := range s.running {
		if x == j {
			s.running = append(s.running[:i], s.running[i+1:]...)
			break
		}
	}
	j.finish(err)
	s.look()
}

// look has the thread look for a job, if one is queued.
func (s *Scheduler) look() {
	for _, e := range s.entities {
		if len(e.queue) > 0 {
			s.work.WakeAll()
			return
		}
	}
}

func (j *Job) finish(err error) {
	e := j.entity
	j.Finished.Signal(err)
	e.sched.backend.Free(j)
	e.pending--
	e.changed.WakeAll()
}

// Stop keeps new jobs from hardware, for a reset.
func (s *Scheduler) Stop() { s.stopped = true }

// Start lets jobs through again.
func (s *Scheduler) Start() {
	s.stopped = false
	s.work.WakeAll()
}

// Running returns the jobs on hardware, oldest first.
func (s *Scheduler) Running() []*Job { return append([]*Job(nil), s.running...) }

// End ends the thread and every job, those on hardware too: it no longer runs
// them.
func (s *Scheduler) End(err error) {
	if s.ended != nil {
		return
	}
	s.ended = err
	for _, e := range append([]*Entity(nil), s.entities...) {
		e.Kill(err)
	}
	for _, j := range s.Running() {
		if j.hardware != nil {
			j.hardware.Signal(err)
		}
	}
	s.work.WakeAll()
}

// Idle returns an error when a job has not ended.
func (s *Scheduler) Idle() error {
	for _, e := range s.entities {
		if e.pending > 0 {
			return fmt.Errorf("an entity has %d jobs, %d of them queued", e.pending, len(e.queue))
		}
	}
	if n := len(s.running); n > 0 {
		return fmt.Errorf("%d credits are out", n)
	}
	return nil
}

// ErrCanceled ends jobs whose context was killed before they ran.
const ErrCanceled = unix.ECANCELED
