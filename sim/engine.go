package sim

import "fmt"

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
	timers   []*Timer
	err      error
	events   uint64
	running  bool
	halted   bool // Stop or Fail: the loop ends after the current event
	until    Time // of RunUntil

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
	nothing := func(uint64) {}
	e := &Engine{seed: seed, handlers: []func(uint64){nothing, timerHandler: nothing}, names: []string{"none", timerHandler: "timer"}}
	e.queue.init()
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

// At schedules c at instant t, which must not lie in the past, nor be Never.
// Events of the same instant run in the order of scheduling; see Timer for those of
// timers.
func (e *Engine) At(t Time, c Call) {
	if t < e.now || t == Never {
		e.badTime(t, c)
	}
	e.queue.push(t, c)
}

// badTime is apart so that At stays small enough to be inlined.
//
//go:noinline
func (e *Engine) badTime(t Time, c Call) {
	panic(fmt.Sprintf("sim: %s scheduled at %d ps, but it is %d ps now", e.names[c.H], int64(t), int64(e.now)))
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
		e.halted = true
	}
}

// Stop makes Run return after the current event, with what is pending kept.
func (e *Engine) Stop() { e.halted = true }

// Run runs until no event is left, Stop, or Fail. It returns Fail's error, or
// ErrDeadlock when processes still wait (daemons apart).
func (e *Engine) Run() error { return e.RunUntil(Never) }

// RunUntil is Run that stops before the first event later than t and leaves
// the clock at t, unless t is Never or the run was halted.
func (e *Engine) RunUntil(t Time) error {
	if e.running {
		panic("sim: Run within Run")
	}
	e.running, e.halted, e.until = true, e.err != nil, t
	defer func() { e.running = false }()
	for !e.halted {
		if e.inbox.pending() {
			e.inbox.drain()
		}
		if !e.step(t) && !e.inbox.pending() {
			break
		}
	}
	if !e.halted && e.queue.empty() {
		return e.procs.deadlock()
	}
	return e.err
}

// step runs the next event up to limit, or what waits for the end of this
// instant; when there is neither, it moves the clock to limit and reports false.
func (e *Engine) step(limit Time) bool {
	until := limit
	if len(e.late) > 0 {
		until = e.now
	}
	t, c, ok := e.queue.pop(until)
	for ok && c.H <= timerHandler {
		if c.H == timerHandler {
			c = e.timers[c.Arg].popped(t)
		}
		if c.H != 0 {
			break
		}
		t, c, ok = e.queue.pop(until) // called off, or nobody waits: it does not move the clock
	}
	switch {
	case ok:
		e.now = t
		e.events++
		e.handlers[c.H](c.Arg)
	case len(e.late) > 0:
		e.endInstant()
	case limit == Never:
		e.queue.rewind(e.now)
		return false
	default:
		e.now = max(e.now, limit)
		return false
	}
	return true
}

// skip moves the clock on by d when nothing happens until then, and reports whether
// it did. It is for what the loop would do next, and only its last act: who runs
// at this instant must not go on at it.
func (e *Engine) skip(d Time) bool {
	if d < 0 || d > e.until-e.now || d >= e.queue.next()-e.now || len(e.late) > 0 || e.halted || e.inbox.pending() {
		return false
	}
	e.now += d
	e.events++
	return true
}

// endInstant runs what waits for the instant's end. What is added meanwhile
// waits for the next end.
func (e *Engine) endInstant() {
	n, ran := len(e.late), 0
	for ; ran < n && !e.halted; ran++ {
		e.events++
		e.Fire(e.late[ran])
	}
	e.late = e.late[:copy(e.late, e.late[ran:])]
}
