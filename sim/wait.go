package sim

// WaitQueue is where processes wait, first in first out. The zero value is
// unusable; make one with NewWaitQueue.
type WaitQueue struct {
	e     *Engine
	owner *Proc // whom its waiters wait for, when it is a process
	first *Proc // linked through the processes: each waits in one queue at most
	last  *Proc
}

// NewWaitQueue returns an empty queue.
func (e *Engine) NewWaitQueue() *WaitQueue { return &WaitQueue{e: e} }

// Wait suspends the current process until it is woken. Test the condition
// again afterwards: waking is a hint.
func (q *WaitQueue) Wait(why string) { q.WaitUntil(why, Never) }

// WaitFor is Wait for at most d; it reports whether it was woken in time.
func (q *WaitQueue) WaitFor(why string, d Time) bool {
	if d >= Never-q.e.now {
		return q.WaitUntil(why, Never)
	}
	return q.WaitUntil(why, q.e.now+d)
}

// WaitUntil is Wait until the instant at, at the latest; it reports whether it
// was woken. An instant that is past is a wait that has failed.
func (q *WaitQueue) WaitUntil(why string, at Time) bool {
	p := q.e.procs.waiting("Wait")
	if at < q.e.now {
		return false
	}
	if at != Never {
		p.timer = q.e.queue.push(at, Call{q.e.procs.expire, p.key()})
	}
	q.add(p)
	return p.park(why)
}

// WakeAll wakes every waiter, in order, at the current instant.
func (q *WaitQueue) WakeAll() {
	for q.WakeOne() {
	}
}

// WakeOne wakes the first waiter; it reports whether there was one.
func (q *WaitQueue) WakeOne() bool { return q.wakeFirst() != nil }

// Empty reports whether nobody waits.
func (q *WaitQueue) Empty() bool { return q.first == nil }

func (q *WaitQueue) wakeFirst() *Proc {
	p := q.first
	if p != nil {
		q.remove(p)
		p.woken = true
		q.e.At(q.e.now, Call{q.e.procs.next, p.key()})
	}
	return p
}

func (q *WaitQueue) add(p *Proc) {
	p.queue, p.before = q, q.last
	if q.last == nil {
		q.first = p
	} else {
		q.last.behind = p
	}
	q.last = p
}

func (q *WaitQueue) remove(p *Proc) {
	if p.before == nil {
		q.first = p.behind
	} else {
		p.before.behind = p.behind
	}
	if p.behind == nil {
		q.last = p.before
	} else {
		p.behind.before = p.before
	}
	p.queue, p.before, p.behind = nil, nil, nil
}

// Mutex is a lock that yields simulated time to its holder. It is fair: Unlock
// hands it to the first who waits, so that nobody else can take it in between.
type Mutex struct{ q WaitQueue }

// NewMutex returns an unlocked mutex.
func (e *Engine) NewMutex() *Mutex { return &Mutex{WaitQueue{e: e}} }

// Lock waits until the mutex is free and takes it.
func (m *Mutex) Lock() {
	if m.TryLock() {
		return
	}
	p, locked := m.q.e.procs.current, false
	defer func() { // killed after it was handed the mutex
		if !locked && m.q.owner == p {
			m.Unlock()
		}
	}()
	m.q.Wait("the mutex held by")
	locked = true
}

// TryLock takes the mutex if it is free and reports whether it did.
func (m *Mutex) TryLock() bool {
	p := m.q.e.procs.waiting("Lock")
	if m.q.owner != nil {
		return false
	}
	m.q.owner = p
	return true
}

// Unlock frees the mutex. Any process may do it.
func (m *Mutex) Unlock() {
	if m.q.owner == nil {
		panic("sim: Unlock of an unlocked mutex")
	}
	m.q.owner = m.q.wakeFirst()
}
