package mmu

import "github.com/presi-sim/presi/sim"

// window counts accesses that have been translated and are not finished, by
// the epoch of their translation, so that an invalidation can wait for exactly
// those that may have used what it dropped.
type window struct {
	e     *sim.Engine
	epoch uint64
	count int64   // accesses of this epoch
	past  []int64 // of the epochs before it that are not over, and those between
	waits []wait
}

// wait is somebody who waits until every access of its epoch or earlier is done.
type wait struct {
	epoch uint64
	done  sim.Call
}

func newWindow(e *sim.Engine) window { return window{e: e} }

// enter counts an access in the current epoch, which it returns.
func (w *window) enter() uint64 {
	w.count++
	return w.epoch
}

// leave ends an access of an epoch.
func (w *window) leave(epoch uint64) {
	if epoch == w.epoch {
		w.count--
		return
	}
	w.past[epoch-w.first()]--
	w.settle()
}

// first returns the epoch of past[0].
func (w *window) first() uint64 { return w.epoch - uint64(len(w.past)) }

// advance begins a new epoch and fires done when everything before has ended.
// It returns true, and does not fire, if that is so already.
func (w *window) advance(done sim.Call) bool {
	if len(w.past) == 0 && w.count == 0 {
		return true
	}
	w.waits = append(w.waits, wait{w.epoch, done})
	w.past = append(w.past, w.count)
	w.epoch, w.count = w.epoch+1, 0
	return false
}

// settle forgets epochs that are over and fires who waited for them.
func (w *window) settle() {
	over := 0
	for over < len(w.past) && w.past[over] == 0 {
		over++
	}
	w.past = w.past[:copy(w.past, w.past[over:])]
	for len(w.waits) > 0 && w.waits[0].epoch < w.first() {
		done := w.waits[0].done
		w.waits = w.waits[:copy(w.waits, w.waits[1:])]
		w.e.Fire(done)
	}
}
