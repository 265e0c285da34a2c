package sim

// at returns when the busy period's first n bytes are through.
func (l *Link) at(n Bytes) Time {
	return l.base + Time(MulDiv(int64(n), int64(Second), int64(l.c.Rate)))
}

// reached returns the least number of bytes of the current grant that are
// through at now or later.
func (l *Link) reached() Bytes {
	n := Bytes(MulDivCeil(int64(l.e.now-l.base), int64(l.c.Rate), int64(Second)))
	return max(0, n-l.sent)
}

// cut shortens the grant for a source that has just begun to wait: a lone
// source's at the next quantum, rounds at the end of the turn.
func (l *Link) cut(source int) {
	g := &l.grant
	end := g.bytes
	switch {
	case l.at(l.sent+g.bytes) == l.e.now: // it ends now anyway
	case g.round > 0:
		end = l.turnEnd(l.reached())
	case g.alone && g.order[0] != source:
		end = (l.reached() + l.c.Quantum - 1) / l.c.Quantum * l.c.Quantum
	}
	if end < g.bytes {
		g.bytes = end
		l.schedule()
	}
}

// turnEnd returns the first end of a turn at or after byte n of a round grant.
func (l *Link) turnEnd(n Bytes) Bytes {
	end := n / l.grant.round * l.grant.round
	for i := 0; end < n; i++ {
		end += l.sources[l.grant.order[i]].weight
	}
	return end
}

// schedule sets the event at the grant's end; an earlier one becomes stale.
func (l *Link) schedule() {
	l.gen++
	l.e.At(l.at(l.sent+l.grant.bytes), Call{l.tick, l.gen})
}

// onTick books what the grant carried and asks for the next decision.
func (l *Link) onTick(gen uint64) {
	if gen != l.gen {
		return
	}
	g := &l.grant
	l.busy = false
	l.free = l.e.now
	l.sent += g.bytes
	l.stats.Busy += int64(l.e.now - g.start)
	l.trace.add(l.e, g)
	if g.round > 0 {
		l.bookRounds()
	} else {
		l.book(g.order[0], g.bytes)
	}
	if g.alone {
		l.credit = 0 // it had more than its turn
	}
	if !l.ready.empty() {
		l.choose.Ask()
	}
}

// bookRounds spreads a grant of rounds, whose last one may be cut between
// turns, over its sources.
func (l *Link) bookRounds() {
	g := &l.grant
	whole, rest := g.bytes/g.round, g.bytes%g.round
	for _, i := range g.order {
		n := whole * l.sources[i].weight
		if rest > 0 {
			n += l.sources[i].weight
			rest -= l.sources[i].weight
			l.turn = i
		}
		l.book(i, n)
	}
	if g.bytes%g.round == 0 {
		l.turn = g.order[len(g.order)-1]
	}
	l.credit = 0
}

// book takes n bytes off a source's first message and ends it when they are the last.
func (l *Link) book(source int, n Bytes) {
	l.stats.Bytes += int64(n)
	l.stats.BySource[source] += int64(n)
	l.credit = max(0, l.credit-n)
	q := &l.sources[source].queue
	m := q.Front()
	m.left -= n
	if m.left > 0 {
		return
	}
	l.stats.Messages++
	l.stats.Queued += int64(l.e.now - m.asked)
	l.notify(m.onSent, l.e.now)
	l.notify(m.done, l.e.now+l.c.Latency)
	q.Drop()
	if q.Len() == 0 {
		l.ready.remove(source)
	}
}

func (l *Link) notify(c Call, at Time) {
	if c.H != 0 {
		l.e.At(at, c)
	}
}

// onChoose gives the link to whoever comes next.
func (l *Link) onChoose() {
	if l.busy || !l.waiting() {
		return
	}
	if l.free != l.e.now {
		l.base, l.sent = l.e.now, 0
	}
	g := &l.grant
	g.start = l.e.now
	g.alone = len(g.order) == 1
	first := &l.sources[g.order[0]]
	if l.credit == 0 {
		l.turn, l.credit = g.order[0], first.weight
	}
	if rounds := l.wholeRounds(); rounds > 0 {
		g.bytes = rounds * g.round
	} else {
		g.round = 0
		g.bytes = first.queue.Front().left
		if !g.alone {
			g.bytes = min(g.bytes, l.credit)
		}
	}
	l.busy = true
	l.schedule()
}

// waiting lists the sources with messages in the order of their turns, the
// running turn first when it has credit left.
func (l *Link) waiting() bool {
	g := &l.grant
	if i, ok := l.ready.only(); ok {
		g.order, g.round = append(g.order[:0], i), l.sources[i].weight
		if i != l.turn {
			l.credit = 0
		}
		return true
	}
	g.order, g.round = g.order[:0], 0
	from := l.turn
	if l.credit == 0 || l.sources[from].queue.Len() == 0 {
		from, l.credit = from+1, 0
	}
	g.order = l.ready.appendFrom(g.order, from)
	for _, i := range g.order {
		g.round += l.sources[i].weight
	}
	return len(g.order) > 0
}

// wholeRounds returns how many rounds from here run without a message ending.
func (l *Link) wholeRounds() Bytes {
	g := &l.grant
	if g.alone || l.credit != l.sources[l.turn].weight {
		return 0
	}
	rounds := Bytes(Never)
	for _, i := range g.order {
		s := &l.sources[i]
		rounds = min(rounds, (s.queue.Front().left-1)/s.weight)
	}
	return rounds
}
