package mem

// leap finds that a burst repeats itself, by Brent's method, and skips whole
// periods: what comes next depends only on how far each stream is from ready.
type leap struct {
	rel     [maxStreams]int64
	count   [maxStreams]int32
	t       int64
	waiting int64
	issued  int64
	steps   int
	renew   int // take a new reference when steps gets here; 0: take one now
	spent   bool
}

func (l *leap) reset() { l.renew, l.steps, l.spent = 0, 0, false }

// periods is called after a command of the first stream, at tick t. It skips
// as many periods as fit and returns by how much that moved time.
func (l *leap) periods(b *burstState, t int64) int64 {
	if l.spent {
		return 0
	}
	l.steps++
	if l.renew > 0 && l.same(b, t) {
		l.spent = true
		return l.skip(b, t)
	}
	if l.steps > l.renew {
		l.renew = 2*l.renew + 1
		l.steps = 0
		l.t, l.waiting, l.issued = t, b.waiting, b.issued
		for i := range b.s {
			l.rel[i] = max(b.s[i].at-t, 0)
			l.count[i] = b.s[i].count
		}
	}
	return 0
}

// same reports that every stream is as far from ready as at the reference.
func (l *leap) same(b *burstState, t int64) bool {
	for i := range b.s {
		if x := &b.s[i]; x.n > 0 && max(x.at-t, 0) != l.rel[i] {
			return false
		}
	}
	return true
}

func (l *leap) skip(b *burstState, t int64) int64 {
	period := t - l.t
	k := (b.until - t) / period
	if w := b.waiting - l.waiting; w > 0 {
		k = min(k, (b.tokens-b.waiting)/w)
	}
	for i := range b.s {
		if n := b.s[i].count - l.count[i]; n > 0 {
			k = min(k, int64((b.s[i].n-1)/n))
		}
	}
	if k <= 0 {
		return 0
	}
	for i := range b.s {
		x := &b.s[i]
		if x.n == 0 {
			continue
		}
		if n := (x.count - l.count[i]) * int32(k); n > 0 {
			x.n -= n
			x.count += n
			x.last += k * period
		}
		x.at += k * period
	}
	b.issued += k * (b.issued - l.issued)
	b.waiting += k * (b.waiting - l.waiting)
	b.flowed = b.waiting - 1
	b.last += k * period
	return k * period
}
