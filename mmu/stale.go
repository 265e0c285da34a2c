package mmu

// staleLog remembers the latest invalidations, so that a walk can tell at its
// end whether one of them covers what it read. What the log has forgotten
// counts as covering.
type staleLog struct {
	now uint64 // invalidations so far
	log [16]Filter
}

func (s *staleLog) add(f Filter) {
	s.log[s.now%uint64(len(s.log))] = f
	s.now++
}

// everyAddress is the page size of a walk that found no leaf: no saying what
// an entry it read would have covered.
const everyAddress = 63

// covers reports whether an invalidation after the first since of them
// concerns a page of a space.
func (s *staleLog) covers(since, tag, va uint64, shift uint8) bool {
	if s.now-since > uint64(len(s.log)) {
		return true
	}
	shift = min(shift, everyAddress)
	page := Entry{Tag: tag, VPN: va >> shift, Shift: shift}
	for i := since; i < s.now; i++ {
		if s.log[i%uint64(len(s.log))].matches(&page) {
			return true
		}
	}
	return false
}
