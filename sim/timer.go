package sim

// Timer is one event that can be moved and called off: a watchdog, interrupt
// moderation, a completion time-out. What is called off leaves no trace: it
// neither runs nor keeps the clock going.
//
// Among events of one instant a timer has the place of the event that the queue has
// of it, which may be older than its last Set, or younger.
//
// A watchdog is set again and again and hardly ever runs out. So the queue has one
// event of a timer that is set for later or called off, which stays where it is;
// when it is popped the timer says what has become of it.
type Timer struct {
	e    *Engine
	h    Handler
	id   uint64 // in Engine.timers
	at   Time   // when it runs; Never when it is not set
	arg  uint64
	node uint32 // its event in the queue, 0 when there is none,
	due  Time   // and when that is popped
}

// timerHandler marks an event of the queue as a timer's, by its id.
const timerHandler Handler = 1

// NewTimer returns a timer that calls fn. Make it at construction.
func (e *Engine) NewTimer(name string, fn func(arg uint64)) *Timer {
	t := &Timer{e: e, h: e.Register(name, fn), id: uint64(len(e.timers)), at: Never}
	e.timers = append(e.timers, t)
	return t
}

// Set lets the timer run at instant at, instead of when it was set for before.
func (t *Timer) Set(at Time, arg uint64) {
	if at < t.e.now || at == Never {
		t.e.badTime(at, Call{t.h, arg})
	}
	t.at, t.arg = at, arg
	if t.node != 0 && at < t.due {
		t.e.queue.cancel(t.node)
		t.node = 0
	}
	if t.node == 0 {
		t.enqueue()
	}
}

func (t *Timer) enqueue() {
	t.node, t.due = t.e.queue.push(t.at, Call{timerHandler, t.id}), t.at
}

// popped returns what is to be called now that the timer's event has been popped:
// nothing when it was called off, or set for later, for which it gets another.
func (t *Timer) popped(now Time) Call {
	t.node = 0
	switch {
	case t.at == Never:
		return Call{}
	case t.at > now:
		t.enqueue()
		return Call{}
	}
	t.at = Never
	return Call{t.h, t.arg}
}

// Stop calls the timer off; it reports whether it was pending.
func (t *Timer) Stop() bool {
	was := t.Pending()
	t.at = Never
	return was
}

// Pending reports whether the timer is set.
func (t *Timer) Pending() bool { return t.at != Never }
