package mmu

import "github.com/presi-sim/presi/sim"

// window counts accesses that have been translated and are not finished, by
// the epoch of their translation, so that an invalidation can wait for exactly
// those that may have used what it dropped.
type window struct {
	e      *sim.Engine
	first  uint64  // epoch of counts[0]
	counts []int64 // the last is the current epoch
	waits  []wait
}

// wait is somebody who waits until every access of its epoch or earlier is done.
type wait struct {
	epoch uint64
	done  sim.Call
}

func newWindow(e *sim.Engine) window { return window{e: e, counts: []int64{0}} }

// enter counts an access in the current epoch, which it returns.
func (w *window) enter() uint64 {
	n := len(w.counts) - 1
	w.counts[n]++
	return w.first + uint64(n)
}

// leave ends an access of an epoch.
func (w *window) leave(epoch uint64) {
	w.counts[epoch-w.first]--
	if len(w.waits) != 0 {
		w.settle()
	}
}

// advance begins a new epoch and fires done when everything before has ended.
// It returns true, and does not fire, if that is so already.
func (w *window) advance(done sim.Call) bool {
	w.settle()
	if len(w.counts) == 1 && w.counts[0] == 0 {
		return true
	}
	w.waits = append(w.waits, wait{w.first + uint64(len(w.counts)) - 1, done})
	w.counts = append(w.counts, 0)
	return false
}

// settle forgets epochs that are over and fires who waited for them.
func (w *window) settle() {
	over := 0
	for over < len(w.counts)-1 && w.counts[over] == 0 {
		over++
	}
	w.first += uint64(over)
	w.counts = w.counts[:copy(w.counts, w.counts[over:])]
	for len(w.waits) > 0 && w.waits[0].epoch < w.first {
		done := w.waits[0].done
		w.waits = w.waits[:copy(w.waits, w.waits[1:])]
		w.e.Fire(done)
	}
}
