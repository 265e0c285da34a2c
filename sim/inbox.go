package sim

import (
	"errors"
	"sync"
	"sync/atomic"
)

// inbox is where ordinary goroutines hand work to the loop.
type inbox struct {
	mu    sync.Mutex
	work  []func()
	spare []func() // the list that was drained last, to be filled again
	count atomic.Int32
	bell  chan struct{}
	over  chan struct{} // closed when Serve has returned
}

func (b *inbox) init() {
	b.bell = make(chan struct{}, 1)
	b.over = make(chan struct{})
}

func (b *inbox) pending() bool { return b.count.Load() != 0 }

// drain runs what has arrived, in order of arrival.
func (b *inbox) drain() {
	b.mu.Lock()
	work := b.work
	b.work, b.spare = b.spare[:0], nil
	b.count.Store(0)
	b.mu.Unlock()
	for i, fn := range work {
		work[i] = nil
		fn()
	}
	b.mu.Lock()
	b.spare = work
	b.mu.Unlock()
}

// put adds fn and returns the channel that is closed when nobody serves any
// more; ok is false when that is so already and must not be.
func (b *inbox) put(fn func(), served bool) (over chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if served && isClosed(b.over) {
		return b.over, false
	}
	b.work = append(b.work, fn)
	b.count.Add(1)
	select {
	case b.bell <- struct{}{}:
	default:
	}
	return b.over, true
}

// open marks the start of a Serve and returns what marks its end.
func (b *inbox) open() (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isClosed(b.over) {
		b.over = make(chan struct{})
	}
	over := b.over
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		close(over)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Post hands fn to the loop, which runs it at its current instant. It is the
// one entry for other goroutines; when their calls land is not reproducible.
func (e *Engine) Post(fn func()) { e.inbox.put(fn, false) }

// Serve runs the loop for other goroutines until stop is closed or a model
// calls Stop or Fail: it sleeps while there is neither an event nor a posted
// call. Waiting processes are no deadlock here.
func (e *Engine) Serve(stop <-chan struct{}) error {
	end := e.inbox.open()
	served := make(chan struct{})
	defer func() {
		close(served)
		end()
	}()
	go func() {
		select {
		case <-stop:
			e.Post(e.Stop)
		case <-served:
		}
	}()
	for {
		if err := e.Run(); err != nil && !errors.Is(err, ErrDeadlock) {
			return err
		}
		if e.halted {
			return nil
		}
		<-e.inbox.bell
	}
}

// ErrNotServed is what Do returns when Serve has returned and fn has not ended.
var ErrNotServed = errors.New("sim: Serve has returned, no process can run")

// Do runs fn as a process and returns when it has ended. It is for ordinary
// goroutines, while another one is in Serve or about to call it; between the
// end of a Serve and the next it returns ErrNotServed at once.
func (e *Engine) Do(name string, fn func(p *Proc)) error {
	ended := make(chan struct{})
	over, ok := e.inbox.put(func() {
		e.Go(name, func(p *Proc) {
			fn(p)
			close(ended)
		})
	}, true)
	if !ok {
		return ErrNotServed
	}
	select {
	case <-ended:
		return nil
	case <-over:
	}
	if isClosed(ended) { // both, at the same moment
		return nil
	}
	return ErrNotServed
}
