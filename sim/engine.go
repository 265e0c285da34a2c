package sim

import (
	"errors"
	"fmt"
)

// Handler names a registered function that events call. The zero Handler is
// no handler: a Call with it does nothing.
type Handler uint32

// Call is a handler with its payload: a completion that is a value. A block
// that asks another for something puts a Call in the request; it costs no
// allocation to make, keep or fire. The zero Call is "nobody waits".
type Call struct {
	H   Handler
	Arg uint64
}

// Engine is the event loop. It is not safe for concurrent use; other
// goroutines enter through Post.
type Engine struct {
	now      Time
	queue    queue
	late     []Call // to run when the instant has no event left
	handlers []func(arg uint64)
	names    []string
	err      error
	events   uint64
	stopped  bool

	procs procs
	inbox inbox

	// Trace is nil when tracing is off; models test it before they build an event.
	Trace *Trace
	// Stats holds every block's declared counters.
	Stats Registry
	seed  uint64
}

// New returns an engine at time 0 whose streams derive from seed.
func New(seed uint64) *Engine {
	e := &Engine{seed: seed, handlers: []func(uint64){func(uint64) {}}, names: []string{"none"}}
	e.procs.init(e)
	e.inbox.init()
	return e
}

// Now returns the current instant.
func (e *Engine) Now() Time { return e.now }

// Events returns how many events have run.
func (e *Engine) Events() uint64 { return e.events }

// Register binds fn and returns its handler. Names appear in errors and need
// not be unique. Register at construction, not per request.
func (e *Engine) Register(name string, fn func(arg uint64)) Handler {
	e.handlers = append(e.handlers, fn)
	e.names = append(e.names, name)
	return Handler(len(e.handlers) - 1)
}

// At schedules c at instant t, which must not lie in the past. Events of the
// same instant run in the order of scheduling.
func (e *Engine) At(t Time, c Call) {
	if t < e.now {
		panic(fmt.Sprintf("sim: %s scheduled at %d ps, before now (%d ps)", e.names[c.H], t, e.now))
	}
	e.queue.push(t, c)
}

// After schedules c in d.
func (e *Engine) After(d Time, c Call) { e.At(e.now+d, c) }

// AtInstantEnd runs c at the current instant when no event of it is left: how
// an arbiter sees all of an instant's requests, whatever their order. What c
// schedules at this instant still runs in it, and may ask for its end again.
func (e *Engine) AtInstantEnd(c Call) { e.late = append(e.late, c) }

// Fire calls c at once, within the current event.
func (e *Engine) Fire(c Call) { e.handlers[c.H](c.Arg) }

// Fail stops the loop: Run returns err (the first one) after the current event.
// A model calls it for what must not be ignored and has no status to answer with.
func (e *Engine) Fail(err error) {
	if e.err == nil {
		e.err = fmt.Errorf("at %d ps: %w", e.now, err)
	}
}

// Stop makes Run return after the current event, with what is pending kept.
func (e *Engine) Stop() { e.stopped = true }

// ErrDeadlock is wrapped by Run's error when no event is left and a process
// still waits; the text names each waiter and what it waits for.
var ErrDeadlock = errors.New("no event is left and somebody still waits")

// Run runs until no event is left, Stop, or Fail. It returns Fail's error, or
// ErrDeadlock when processes still wait (daemons apart).
func (e *Engine) Run() error { return e.RunUntil(Never) }

// RunUntil is Run that stops before the first event later than t.
func (e *Engine) RunUntil(t Time) error {
	e.stopped = false
	for e.err == nil && !e.stopped {
		if e.inbox.pending() {
			e.inbox.drain()
		}
		limit := t
		if len(e.late) > 0 {
			limit = e.now
		}
		at, c, ok := e.queue.pop(limit)
		if !ok && len(e.late) > 0 {
			e.endInstant()
			continue
		}
		if !ok {
			if e.inbox.pending() {
				continue
			}
			break
		}
		e.now = at
		e.events++
		e.handlers[c.H](c.Arg)
	}
	if e.err != nil {
		return e.err
	}
	if !e.stopped && e.queue.len() == 0 {
		return e.procs.deadlock()
	}
	return nil
}

// endInstant runs what waits for the instant's end. What is added meanwhile
// waits for the next end.
func (e *Engine) endInstant() {
	n := len(e.late)
	for _, c := range e.late[:n] {
		e.events++
		e.handlers[c.H](c.Arg)
	}
	e.late = e.late[:copy(e.late, e.late[n:])]
}
