package sim

// Timer is one event that can be moved and called off: a watchdog, interrupt
// moderation, a completion time-out. What is called off leaves no trace: it
// neither runs nor keeps the clock going.
type Timer struct {
	e    *Engine
	h    Handler
	fn   func(arg uint64)
	node uint32 // the pending event, 0 when there is none
}

// NewTimer returns a timer that calls fn. Make it at construction.
func (e *Engine) NewTimer(name string, fn func(arg uint64)) *Timer {
	t := &Timer{e: e, fn: fn}
	t.h = e.Register(name, func(arg uint64) {
		t.node = 0
		t.fn(arg)
	})
	return t
}

// Set lets the timer run at instant at, instead of when it was set for before.
func (t *Timer) Set(at Time, arg uint64) {
	t.Stop()
	if at < t.e.now || at == Never {
		t.e.badTime(at, Call{t.h, arg})
	}
	t.node = t.e.queue.push(at, Call{t.h, arg})
}

// Stop calls the timer off; it reports whether it was pending.
func (t *Timer) Stop() bool {
	if t.node == 0 {
		return false
	}
	t.e.queue.cancel(t.node)
	t.node = 0
	return true
}

// Pending reports whether the timer is set.
func (t *Timer) Pending() bool { return t.node != 0 }
