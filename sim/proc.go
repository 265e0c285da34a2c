package sim

import (
	"fmt"
	"iter"
	"strings"
)

// Proc is a process: driver or test code that runs as a coroutine on simulated
// time. Exactly one process or handler runs at any moment.
type Proc struct {
	e       *Engine
	name    string
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waiting string // what it waits for, for the deadlock report
	daemon  bool
	done    bool
	exited  WaitQueue
	slot    int
	gen     uint32 // grows at each park, so that a late timer does not wake a later wait
	woken   bool   // of the last park: true by Wake, false by time-out
}

type procs struct {
	e       *Engine
	all     []*Proc // by slot; nil when free
	free    []int
	born    uint32
	current *Proc
	resume  Handler
	timeout Handler
}

func (ps *procs) init(e *Engine) {
	ps.e = e
	ps.resume = e.Register("process", func(arg uint64) { ps.step(arg, true) })
	ps.timeout = e.Register("process timer", func(arg uint64) { ps.step(arg, false) })
}

// key packs a slot and a generation into an event's payload.
func (p *Proc) key() uint64 { return uint64(p.slot) | uint64(p.gen)<<32 }

// step resumes the process of a key, unless it has moved on since.
func (ps *procs) step(key uint64, woken bool) {
	p := ps.all[uint32(key)]
	if p == nil || p.gen != uint32(key>>32) {
		return
	}
	p.gen++
	p.woken = woken
	prev := ps.current
	ps.current = p
	_, alive := p.next()
	ps.current = prev
	if !alive {
		ps.retire(p)
	}
}

func (ps *procs) retire(p *Proc) {
	p.done = true
	ps.all[p.slot] = nil
	ps.free = append(ps.free, p.slot)
	p.exited.WakeAll()
}

// Go starts fn as a process at the current instant, after the current event.
func (e *Engine) Go(name string, fn func(p *Proc)) *Proc {
	p := &Proc{e: e, name: name, waiting: "its start"}
	p.exited.e = e
	ps := &e.procs
	if n := len(ps.free); n > 0 {
		p.slot = ps.free[n-1]
		ps.free = ps.free[:n-1]
		ps.all[p.slot] = p
	} else {
		p.slot = len(ps.all)
		ps.all = append(ps.all, p)
	}
	ps.born++
	p.gen = ps.born << 16
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		fn(p)
	})
	e.At(e.now, Call{ps.resume, p.key()})
	return p
}

// Daemon marks a process that may wait for ever (an interrupt thread): it does
// not count as a deadlock.
func (p *Proc) Daemon() *Proc { p.daemon = true; return p }

// Name returns the process's name.
func (p *Proc) Name() string { return p.name }

// Current returns the running process, nil within a plain handler.
func (e *Engine) Current() *Proc { return e.procs.current }

func (ps *procs) mustCurrent(what string) *Proc {
	if ps.current == nil {
		panic("sim: " + what + " outside a process")
	}
	return ps.current
}

// errKilled unwinds a process that Shutdown ends.
type errKilled struct{}

// park gives up the processor until somebody resumes p; why is for reports.
func (p *Proc) park(why string) bool {
	p.waiting = why
	if !p.yield(struct{}{}) {
		panic(errKilled{})
	}
	p.waiting = ""
	return p.woken
}

// Sleep suspends the current process for d.
func (e *Engine) Sleep(d Time) {
	p := e.procs.mustCurrent("Sleep")
	e.After(d, Call{e.procs.timeout, p.key()})
	p.park("time")
}

// Await suspends the current process until the Call it hands to start fires:
// how a process waits for a block's completion.
func (e *Engine) Await(why string, start func(done Call)) {
	p := e.procs.mustCurrent("Await")
	start(Call{e.procs.resume, p.key()})
	p.park(why)
}

// Join suspends the current process until p has ended.
func (p *Proc) Join() {
	for !p.done {
		p.exited.Wait("process " + p.name)
	}
}

// Done reports whether p has ended.
func (p *Proc) Done() bool { return p.done }

// deadlock names each process that still waits.
func (ps *procs) deadlock() error {
	var who []string
	for _, p := range ps.all {
		if p != nil && !p.daemon {
			who = append(who, fmt.Sprintf("%s waits for %s", p.name, p.waiting))
		}
	}
	if who == nil {
		return nil
	}
	return fmt.Errorf("at %d ps: %w: %s", ps.e.now, ErrDeadlock, strings.Join(who, "; "))
}

// Shutdown ends every process that still waits, by unwinding it; deferred
// calls in it run and must not wait again. The engine runs no more after it.
func (e *Engine) Shutdown() {
	for _, p := range e.procs.all {
		if p != nil && !p.done {
			p.kill()
		}
	}
}

func (p *Proc) kill() {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(errKilled); !ok {
				panic(r)
			}
		}
	}()
	p.done = true
	p.stop()
}

// WaitQueue is where processes wait, first in first out. The zero value is
// unusable; make one with NewWaitQueue.
type WaitQueue struct {
	e       *Engine
	waiters []waiter
}

type waiter struct {
	p   *Proc
	gen uint32
}

// NewWaitQueue returns an empty queue.
func (e *Engine) NewWaitQueue() *WaitQueue { return &WaitQueue{e: e} }

// Wait suspends the current process until it is woken. Test the condition
// again afterwards: waking is a hint.
func (q *WaitQueue) Wait(why string) { q.WaitFor(why, Never) }

// WaitFor is Wait for at most d; it reports whether it was woken in time.
func (q *WaitQueue) WaitFor(why string, d Time) bool {
	p := q.e.procs.mustCurrent("Wait")
	q.waiters = append(q.waiters, waiter{p, p.gen})
	if d != Never {
		q.e.After(d, Call{q.e.procs.timeout, p.key()})
	}
	return p.park(why)
}

// WakeAll wakes every waiter, in order, at the current instant.
func (q *WaitQueue) WakeAll() {
	waiters := q.waiters
	q.waiters = q.waiters[:0]
	for _, w := range waiters {
		q.wake(w)
	}
}

// WakeOne wakes the first waiter that still waits.
func (q *WaitQueue) WakeOne() {
	for len(q.waiters) > 0 {
		w := q.waiters[0]
		q.waiters = append(q.waiters[:0], q.waiters[1:]...)
		if q.wake(w) {
			return
		}
	}
}

func (q *WaitQueue) wake(w waiter) bool {
	if w.p.done || w.p.gen != w.gen {
		return false
	}
	q.e.At(q.e.now, Call{q.e.procs.resume, w.p.key()})
	return true
}

// Mutex is a lock that yields simulated time to its holder; first come, first
// served.
type Mutex struct {
	q      WaitQueue
	locked bool
}

// NewMutex returns an unlocked mutex.
func (e *Engine) NewMutex() *Mutex { return &Mutex{q: WaitQueue{e: e}} }

// Lock waits until the mutex is free and takes it.
func (m *Mutex) Lock() {
	for m.locked {
		m.q.Wait("a mutex")
	}
	m.locked = true
}

// Unlock frees the mutex.
func (m *Mutex) Unlock() {
	if !m.locked {
		panic("sim: Unlock of an unlocked mutex")
	}
	m.locked = false
	m.q.WakeOne()
}
