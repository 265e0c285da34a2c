package mmu

// staleLog remembers the latest invalidations, so that a walk can tell at its
// end whether one of them covers it. What it has forgotten counts as covering.
type staleLog struct {
	log [16]struct {
		generation uint64
		f          Filter
	}
	next int
}

func (s *staleLog) add(generation uint64, asid uint16, addr, bytes uint64, all bool) {
	f := Filter{Tag: uint64(asid), TagMask: ^uint64(0), Addr: addr, Bytes: bytes}
	if all {
		f = Filter{}
	}
	s.log[s.next%len(s.log)].generation = generation
	s.log[s.next%len(s.log)].f = f
	s.next++
}

// covers reports whether an invalidation after generation since may concern a
// page of a context.
func (s *staleLog) covers(since, now uint64, asid uint16, va uint64) bool {
	if now-since > uint64(len(s.log)) {
		return true
	}
	page := Entry{Tag: uint64(asid), VPN: va >> pageShift, Shift: pageShift}
	for i := range s.log {
		if l := &s.log[i]; l.generation > since && l.f.matches(&page) {
			return true
		}
	}
	return false
}
