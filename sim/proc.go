package sim

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
)

// Proc is a process: driver or test code that runs as a coroutine on simulated
// time. Exactly one process or handler runs at any moment.
type Proc struct {
	e      *Engine
	name   string
	slot   int
	next   func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	daemon bool
	done   bool
	parked bool
	exited WaitQueue

	resumer *Proc // who ran when it was resumed, nil for a handler

	// Of the wait that is on, or comes next:
	ticket uint64 // unique in the engine, so that what is late does not end a later wait
	why    string
	timer  uint32 // the time-out's event; 0 when none is pending
	woken  bool   // the wake-up is on its way, the time-out came too late
	queue  *WaitQueue
	before *Proc // in queue
	behind *Proc
}

type procs struct {
	e       *Engine
	all     []*Proc // by slot; nil when free
	free    []int
	tickets uint64
	current *Proc
	looped  *Proc // that the loop itself has resumed, as the whole of an event
	wake    Handler
	next    Handler // wake, of the loop alone
	expire  Handler
}

// An event for a process carries its slot and the ticket of the wait it ends:
// a million processes, 17 × 10¹² waits.
const slotBits = 20

func (p *Proc) key() uint64 { return p.ticket<<slotBits | uint64(p.slot) }

func (ps *procs) init(e *Engine) {
	ps.e = e
	ps.wake = e.Register("process", func(key uint64) {
		if p := ps.waiter(key); p != nil {
			p.woken = true
			ps.step(p)
		}
	})
	ps.next = e.Register("process", func(key uint64) {
		if p := ps.waiter(key); p != nil {
			p.woken = true
			ps.looped = p
			ps.step(p)
			ps.looped = nil
		}
	})
	ps.expire = e.Register("process time-out", func(key uint64) {
		if p := ps.waiter(key); p != nil {
			p.timer = 0
			if !p.woken {
				ps.step(p)
			}
		}
	})
}

// waiter returns the process that a key means, nil when that wait is over.
func (ps *procs) waiter(key uint64) *Proc {
	p := ps.all[key&(1<<slotBits-1)]
	if p == nil || p.ticket != key>>slotBits {
		return nil
	}
	return p
}

// step resumes a process until it waits again or ends.
func (ps *procs) step(p *Proc) {
	if !p.parked { // it fired its own completion, or that of who resumed it
		ps.e.At(ps.e.now, Call{ps.wake, p.key()})
		return
	}
	p.endWait()
	p.parked = false
	p.resumer, ps.current = ps.current, p
	p.next()
	ps.current = p.resumer
}

// endWait makes everything that still refers to this wait stale.
func (p *Proc) endWait() {
	ps := &p.e.procs
	ps.tickets++
	p.ticket = ps.tickets
	if p.queue != nil {
		p.queue.remove(p)
	}
	if p.timer != 0 {
		p.e.queue.cancel(p.timer)
		p.timer = 0
	}
}

// Go starts fn as a process at the current instant, after the current event.
func (e *Engine) Go(name string, fn func(p *Proc)) *Proc {
	p := &Proc{e: e, name: name, why: "its start", parked: true}
	p.exited = WaitQueue{e: e, owner: p}
	e.procs.enter(p)
	p.next, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer p.exit()
		p.yield = yield
		fn(p)
	})
	e.At(e.now, Call{e.procs.next, p.key()})
	return p
}

// enter gives a process its slot and its first ticket.
func (ps *procs) enter(p *Proc) {
	if n := len(ps.free); n > 0 {
		p.slot = ps.free[n-1]
		ps.free = ps.free[:n-1]
	} else {
		p.slot = len(ps.all)
		ps.all = append(ps.all, nil)
	}
	if p.slot >= 1<<slotBits {
		panic("sim: more than a million processes at once")
	}
	ps.all[p.slot] = p
	ps.tickets++
	p.ticket = ps.tickets
}

// ProcessPanic is what Run panics with when a process panics.
type ProcessPanic struct {
	Process string
	Value   any
	Stack   []byte // of the process
}

func (p *ProcessPanic) Error() string {
	return fmt.Sprintf("process %s panicked: %v\n\n%s", p.Process, p.Value, p.Stack)
}

// errKilled unwinds a process that Kill ends.
var errKilled = errors.New("sim: the process was killed")

// exit ends a process whose function has returned, panicked, was killed or
// called runtime.Goexit, as a test does that fails. It names the process in the
// panic; being killed is none.
func (p *Proc) exit() {
	r := recover()
	p.retire()
	if r != nil && r != errKilled {
		panic(&ProcessPanic{p.name, r, debug.Stack()})
	}
}

func (p *Proc) retire() {
	ps := &p.e.procs
	p.endWait() // a wait in a deferred call of a killed process
	p.done, p.parked = true, false
	ps.current = p.resumer
	ps.all[p.slot] = nil
	ps.free = append(ps.free, p.slot)
	p.exited.WakeAll()
}

// Daemon marks a process that may wait for ever (an interrupt thread): it does
// not count as a deadlock.
func (p *Proc) Daemon() *Proc { p.daemon = true; return p }

// Name returns the process's name.
func (p *Proc) Name() string { return p.name }

// Current returns the running process, nil within a plain handler.
func (e *Engine) Current() *Proc { return e.procs.current }

// waiting returns the current process, about to wait.
func (ps *procs) waiting(what string) *Proc {
	p := ps.current
	if p == nil {
		panic("sim: " + what + " outside a process")
	}
	p.woken = false
	return p
}

// park gives up the processor until somebody ends the wait; why is for reports.
// It reports whether a wake-up ended it, rather than the time.
func (p *Proc) park(why string) bool {
	p.why = why
	p.parked = true
	if !p.yield(struct{}{}) {
		panic(errKilled)
	}
	return p.woken
}

// Sleep suspends the current process for d. One that would be resumed next goes on
// at once.
func (e *Engine) Sleep(d Time) {
	p := e.procs.waiting("Sleep")
	if p == e.procs.looped && e.skip(d) {
		return
	}
	e.After(d, Call{e.procs.next, p.key()})
	p.park("time")
}

// Await suspends the current process until the Call it hands to start fires:
// how a process waits for a block's completion.
func (e *Engine) Await(why string, start func(done Call)) {
	p := e.procs.waiting("Await")
	start(Call{e.procs.wake, p.key()})
	p.park(why)
}

// Join suspends the current process until p has ended.
func (p *Proc) Join() {
	for !p.done {
		p.exited.Wait("the end of")
	}
}

// Done reports whether p has ended.
func (p *Proc) Done() bool { return p.done }

// ErrDeadlock is wrapped by Run's error when no event is left and a process
// still waits; the text names each waiter and what it waits for.
var ErrDeadlock = errors.New("no event is left and somebody still waits")

// deadlock names each process that still waits.
func (ps *procs) deadlock() error {
	var who []string
	for _, p := range ps.all {
		if p != nil && !p.daemon {
			who = append(who, p.name+" waits for "+p.reason())
		}
	}
	if who == nil {
		return nil
	}
	return fmt.Errorf("at %d ps: %w: %s", int64(ps.e.now), ErrDeadlock, strings.Join(who, "; "))
}

func (p *Proc) reason() string {
	if p.queue != nil && p.queue.owner != nil {
		return p.why + " " + p.queue.owner.name
	}
	return p.why
}

// Shutdown kills every process that still waits. The engine runs no more after it.
func (e *Engine) Shutdown() {
	for _, p := range e.procs.all {
		if p != nil {
			p.Kill()
		}
	}
}

// Kill ends a process that waits, by unwinding it: its deferred calls run, and
// a wait in one of them ends that call too. Whoever joins it goes on. A process
// cannot kill itself: it returns.
func (p *Proc) Kill() {
	ps := &p.e.procs
	if p.done {
		return
	}
	if !p.parked {
		panic("sim: Kill of process " + p.name + ", which is running")
	}
	p.endWait()
	p.parked = false
	p.resumer, ps.current = ps.current, p
	p.stop()
	if !p.done { // it had not begun
		p.retire()
	}
}
