package sim

import (
	"sync"
	"sync/atomic"
)

// inbox is where ordinary goroutines hand work to the loop.
type inbox struct {
	mu    sync.Mutex
	work  []func()
	count atomic.Int32
	bell  chan struct{}
}

func (b *inbox) init()         { b.bell = make(chan struct{}, 1) }
func (b *inbox) pending() bool { return b.count.Load() != 0 }

// drain runs what has arrived, in order of arrival.
func (b *inbox) drain() {
	b.mu.Lock()
	work := b.work
	b.work = nil
	b.count.Store(0)
	b.mu.Unlock()
	for _, fn := range work {
		fn()
	}
}

// Post hands fn to the loop, which runs it at its current instant. It is the
// one entry for other goroutines; when their calls land is not reproducible.
func (e *Engine) Post(fn func()) {
	b := &e.inbox
	b.mu.Lock()
	b.work = append(b.work, fn)
	b.count.Add(1)
	b.mu.Unlock()
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

// Serve runs the loop for other goroutines until stop is closed: it sleeps
// while there is neither an event nor a posted call. Waiting processes are no
// deadlock here.
func (e *Engine) Serve(stop <-chan struct{}) error {
	for {
		if err := e.Run(); err != nil && e.err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-e.inbox.bell:
		}
	}
}
