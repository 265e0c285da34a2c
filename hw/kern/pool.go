package kern

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is a job that can be cut into parts which run in any order, in parallel.
// The kernels of this package are Tasks by pointer; their owner must leave the
// struct and its operands alone from Submit to Wait.
type Task interface {
	// Check reports operands that do not fit, wrapping ErrShape, ErrType or
	// ErrIndex. A task that fails it must not run.
	Check() error
	// Parts returns into how many parts the task is best cut for a number of
	// workers. The result must not depend on it.
	Parts(workers int) int
	// Run computes one of the parts, with a Scratch nobody else uses meanwhile.
	Run(part, parts int, s *Scratch)
}

// Pool runs tasks on a fixed number of workers. One of them is whoever calls
// Wait, so a pool of one worker starts no goroutine and runs a task in Wait.
// Idle workers spin for some tens of microseconds before they park, unless there
// are more of them than processors. All methods may be called concurrently.
type Pool struct {
	workers int
	spin    int
	queued  atomic.Int32 // jobs with unclaimed parts; what idle workers watch

	mu        sync.Mutex
	work      sync.Cond // a job was queued, or the pool was closed
	finished  sync.Cond // a job's last part ended
	head      *job      // jobs with unclaimed parts, oldest first
	tail      *job
	free      *job // recycled jobs, linked by next
	parked    int  // workers asleep on work
	joining   int  // waiters asleep on finished
	scratches []*Scratch
	closed    bool
	exited    sync.WaitGroup
}

// job is a submitted task. All but left is guarded by Pool.mu.
type job struct {
	task       Task
	parts      int
	claimed    int
	gen        uint64
	prev, next *job
	left       atomic.Int64 // parts that have not ended
}

// Ticket stands for a submitted task. The zero Ticket is of a task long done.
type Ticket struct {
	pool *Pool
	job  *job
	gen  uint64
}

// spinRounds bounds the spinning of an idle worker: rounds of 64 looks at the
// queue with one yield to the scheduler, together 20 to 60 µs.
const spinRounds = 300

// NewPool returns a pool of the given number of workers, at least one.
func NewPool(workers int) *Pool {
	p := &Pool{workers: max(workers, 1)}
	p.work.L, p.finished.L = &p.mu, &p.mu
	if p.workers <= runtime.GOMAXPROCS(0) {
		p.spin = spinRounds
	}
	p.exited.Add(p.workers - 1)
	for range p.workers - 1 {
		go p.serve()
	}
	return p
}

// Workers returns the number of workers, the waiter included.
func (p *Pool) Workers() int { return p.workers }

// Submit queues t and returns at once. It allocates nothing in the steady state.
// It panics when t fails Check: a caller whose shapes come from outside calls
// Check first.
func (p *Pool) Submit(t Task) Ticket {
	if err := t.Check(); err != nil {
		panic(err)
	}
	parts := t.Parts(p.workers)
	if parts == 0 {
		return Ticket{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		panic("kern: Submit on a closed Pool")
	}
	j := p.take()
	j.task, j.parts, j.claimed = t, parts, 0
	j.left.Store(int64(parts))
	p.push(j)
	for range min(parts, p.parked) {
		p.work.Signal()
	}
	return Ticket{p, j, j.gen}
}

// Run submits t and waits for it.
func (p *Pool) Run(t Task) { p.Submit(t).Wait() }

// Wait returns when the task is done; until then it works on the task's parts
// itself. Waiting for the same ticket again returns at once.
func (t Ticket) Wait() {
	if t.job == nil {
		return
	}
	p, j := t.pool, t.job
	p.mu.Lock()
	if j.gen == t.gen && j.claimed < j.parts {
		p.help(j)
	}
	if j.gen == t.gen {
		p.join(j, t.gen)
	}
	if j.gen == t.gen {
		p.recycle(j)
	}
	p.mu.Unlock()
}

// Close ends the workers when the queued parts are done. Tickets stay valid.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.work.Broadcast()
	p.mu.Unlock()
	p.exited.Wait()
}

// serve is the life of one worker.
func (p *Pool) serve() {
	defer p.exited.Done()
	s := new(Scratch)
	p.mu.Lock()
	for p.head != nil || !p.closed {
		if p.head != nil {
			p.runPart(p.head, s)
		} else {
			p.idle()
		}
	}
	p.mu.Unlock()
}

// idle spins until a job is queued, then parks. Called and left with mu held.
func (p *Pool) idle() {
	p.mu.Unlock()
	for range p.spin {
		for range 64 {
			if p.queued.Load() > 0 {
				p.mu.Lock()
				return
			}
		}
		runtime.Gosched()
	}
	p.mu.Lock()
	if p.head == nil && !p.closed {
		p.parked++
		p.work.Wait()
		p.parked--
	}
}

// help runs parts of j in the waiter's goroutine. Called and left with mu held.
func (p *Pool) help(j *job) {
	s := p.scratch()
	for j.claimed < j.parts {
		p.runPart(j, s)
	}
	p.scratches = append(p.scratches, s)
}

// runPart claims and runs the next part of j. Called and left with mu held.
func (p *Pool) runPart(j *job, s *Scratch) {
	task, part, parts := j.task, j.claimed, j.parts
	j.claimed++
	if j.claimed == parts {
		p.remove(j)
	}
	p.mu.Unlock()
	task.Run(part, parts, s)
	last := j.left.Add(-1) == 0
	p.mu.Lock()
	if last && p.joining > 0 {
		p.finished.Broadcast()
	}
}

// join waits, spinning first, for parts of j that others still run. Called and
// left with mu held.
func (p *Pool) join(j *job, gen uint64) {
	if j.left.Load() > 0 && p.spin > 0 {
		p.mu.Unlock()
		for i := 0; i < 64*p.spin && j.left.Load() > 0; i++ {
			if i%64 == 63 {
				runtime.Gosched()
			}
		}
		p.mu.Lock()
	}
	for j.gen == gen && j.left.Load() > 0 {
		p.joining++
		p.finished.Wait()
		p.joining--
	}
}

// take returns a job to fill.
func (p *Pool) take() *job {
	j := p.free
	if j == nil {
		return new(job)
	}
	p.free, j.next = j.next, nil
	return j
}

// recycle makes j's tickets stale and keeps it for the next Submit.
func (p *Pool) recycle(j *job) {
	j.task = nil
	j.gen++
	j.next, p.free = p.free, j
}

// push appends j to the queue.
func (p *Pool) push(j *job) {
	j.prev, j.next = p.tail, nil
	if p.tail == nil {
		p.head = j
	} else {
		p.tail.next = j
	}
	p.tail = j
	p.queued.Add(1)
}

// remove takes j, whose parts are all claimed, out of the queue.
func (p *Pool) remove(j *job) {
	if j.prev == nil {
		p.head = j.next
	} else {
		j.prev.next = j.next
	}
	if j.next == nil {
		p.tail = j.prev
	} else {
		j.next.prev = j.prev
	}
	j.prev, j.next = nil, nil
	p.queued.Add(-1)
}

// scratch returns working memory for a waiter.
func (p *Pool) scratch() *Scratch {
	n := len(p.scratches)
	if n == 0 {
		return new(Scratch)
	}
	s := p.scratches[n-1]
	p.scratches = p.scratches[:n-1]
	return s
}
