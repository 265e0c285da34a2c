package mmu

// window counts accesses that have been translated and are not finished, by
// the epoch of their translation, so that an invalidation can wait for exactly
// those that may have used what it dropped.
type window struct {
	first  uint64  // epoch of counts[0]
	counts []int64 // the last is the current epoch
	waits  []wait
}

// wait is somebody who waits until every access of its epoch or earlier is done.
type wait struct {
	epoch uint64
	then  func()
}

// enter counts an access in the current epoch, which it returns.
func (w *window) enter() uint64 {
	if len(w.counts) == 0 {
		w.counts = append(w.counts, 0)
	}
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

// advance begins a new epoch and calls then when everything before has ended,
// at once if it has.
func (w *window) advance(then func()) {
	if len(w.counts) == 0 {
		w.counts = append(w.counts, 0)
	}
	w.waits = append(w.waits, wait{w.first + uint64(len(w.counts)) - 1, then})
	w.counts = append(w.counts, 0)
	w.settle()
}

func (w *window) settle() {
	done := 0
	for done < len(w.counts)-1 && w.counts[done] == 0 {
		done++
	}
	if done > 0 {
		w.first += uint64(done)
		w.counts = w.counts[:copy(w.counts, w.counts[done:])]
	}
	for len(w.waits) > 0 && w.waits[0].epoch < w.first {
		then := w.waits[0].then
		w.waits = w.waits[:copy(w.waits, w.waits[1:])]
		then()
	}
}
