package mem

// maxStreams bounds how many row runs a burst interleaves.
const (
	streamBits = 4
	maxStreams = 1 << streamBits
)

// ended is the next tick of a stream that has none.
const ended = never >> (streamBits + 1)

// stream is a row run that a burst takes column commands from.
type stream struct {
	at     int64 // earliest tick of its next command
	last   int64 // tick of its latest
	n      int32 // commands it has left
	count  int32 // commands issued in this burst
	bank   int32
	entry  int32
	active bool
}

// burst issues the column commands of the row runs that are open, from the
// planned one on, up to and including tick until, as one step: they depend on
// each other alone until something else can happen. It decides as decide
// would, and reports whether it issued any.
//
// What else can happen: a row command (from rowNext on), a refresh, an
// arrival, the admission of a new run, the end of a run others wait behind,
// and the change of the buffer in turn.
func (c *channel) burst(until int64) bool {
	until = min(until, c.rowNext-1, c.refresher.next-1, c.nextArrival(c.next)-1, ended-1)
	if c.plan.at >= until || c.policy.closeAfter > 0 || c.act2 != none || c.refresher.pending() {
		return false
	}
	b := &c.run
	b.kind = reads
	if c.writing {
		b.kind = writes
	}
	b.until, b.issued, b.waiting, b.flowed = until, 0, 0, 0
	if !c.admissible(b) || !c.gather(b) {
		return false
	}
	c.interleave(b)
	if b.issued > 0 {
		c.settle(b)
	}
	return b.issued > 0
}

// burstState is what a burst works on.
type burstState struct {
	kind    int
	until   int64
	tokens  int64    // commands of waiting runs that may go
	flow    int32    // piece that flows into the youngest run meanwhile, or none
	s       []stream // in the order in which equals go
	issued  int64
	waiting int64 // of them by waiting runs
	flowed  int64 // of them before the last
	last    int64
	leap    leap
}

// admissible finds how many commands of waiting runs may go before arrivals
// make a new run or the other buffer's turn comes.
func (c *channel) admissible(b *burstState) bool {
	b.flow = none
	h := c.queue[b.kind].head
	if h == none || c.pieces[h].tick > c.next {
		b.tokens = int64(c.used[b.kind])
		if b.kind == reads {
			b.tokens--
		} else if c.used[reads] > 0 {
			b.tokens -= int64(c.policy.low)
		}
		return b.tokens > 0 || c.active != 0
	}
	p, e := &c.pieces[h], c.last[b.kind]
	if e == none || c.used[b.kind] < c.limit[b.kind] || c.limit[b.kind] < 2 {
		return false
	}
	l := &c.entries[e]
	if l.piece != h || p.y&(1<<c.amap.runBits-1) == 0 {
		return false
	}
	if c.pending[writes] != 0 && c.amap.decode(p.y).col != l.col+l.n {
		return false // some of the run was merged or forwarded
	}
	if q := &c.banks[l.bank].queue[writes]; q.head != none && (b.kind == reads || q.head != q.tail) {
		return false // may have to be merged or forwarded
	}
	runEnd := (p.y>>c.amap.runBits + 1) << c.amap.runBits
	b.tokens, b.flow = min(p.left, int64(runEnd-p.y)), h
	return true
}

// gather lists the open runs: those whose row was opened for them, then by
// age. It fails when they are too many or of both kinds.
func (c *channel) gather(b *burstState) bool {
	b.s = b.s[:0]
	for set := c.active; set != 0; set &= set - 1 {
		i := lowest(set)
		e := c.banks[i].active
		if len(b.s) == maxStreams || c.entries[e].write != (b.kind == writes) {
			return false
		}
		c.addStream(b, 0, stream{bank: i, entry: e, n: 1, active: true})
	}
	first := len(b.s)
	for set := c.sum.hits[b.kind]; set != 0; set &= set - 1 {
		i := lowest(set)
		e := c.banks[i].queue[b.kind].hit
		if len(b.s) == maxStreams {
			return false
		}
		c.addStream(b, first, stream{bank: i, entry: e, n: c.entries[e].n})
	}
	return true
}

// addStream inserts a stream by age among those from index first on.
func (c *channel) addStream(b *burstState, first int, n stream) {
	e := &c.entries[n.entry]
	n.at = c.columnAt(&c.banks[n.bank], e.write)
	b.s = append(b.s, n)
	i := len(b.s) - 1
	for i > first {
		o := &c.entries[b.s[i-1].entry]
		if o.tick < e.tick || o.tick == e.tick && o.age < e.age {
			break
		}
		b.s[i] = b.s[i-1]
		i--
	}
	b.s[i] = n
}

// interleave issues commands until one of the bounds. The first stream of the
// earliest goes: tick and place are compared as one number.
func (c *channel) interleave(b *burstState) {
	gap, hold, align := &c.gaps[b.kind], c.clockHold, int64(0)
	if b.kind == writes {
		hold = c.clockHoldWrite
	}
	if c.rising {
		align = 1
	}
	s := b.s
	first := never
	for i := range s {
		first = min(first, s[i].at<<streamBits|int64(i))
	}
	b.leap.reset()
	for {
		x := &s[first&(1<<streamBits-1)]
		t := first >> streamBits
		if t > b.until || b.waiting >= b.tokens && (!x.active || b.flow != none) || c.split && t >= c.clockTo {
			return
		}
		b.flowed = b.waiting
		if !x.active {
			b.waiting++
		}
		b.issued++
		b.last, x.last = t, t
		x.count++
		c.clockTo = max(c.clockTo, t+hold)
		if x.n--; x.n == 0 {
			if c.ends(b, x) {
				return
			}
			x.at = ended
			b.leap.reset()
		}
		bank := x.bank
		first = never
		for i := range s {
			y := &s[i]
			y.at = max(y.at, (t+gap[(y.bank^bank)&63])|align)
			first = min(first, y.at<<streamBits|int64(i))
		}
		if x.n > 0 && (x == &s[0] || s[0].n == 0) {
			if moved := b.leap.periods(b, t); moved > 0 {
				c.clockTo += moved
				first += moved << streamBits
			}
		}
	}
}

// ends reports that the end of a run lets something else happen.
func (c *channel) ends(b *burstState, x *stream) bool {
	if x.active {
		return c.banks[x.bank].queue[b.kind].miss != none
	}
	e := &c.entries[x.entry]
	return e.prev != none || e.next != none || b.flow != none && x.entry == c.last[b.kind]
}

// settle brings the channel's state to where the burst ended.
func (c *channel) settle(b *burstState) {
	for i := range b.s {
		if x := &b.s[i]; x.count > 0 {
			k := &c.banks[x.bank]
			c.columnTiming(k, b.kind == writes, x.last)
			c.sum.rowReady[x.bank] = k.pre
		}
	}
	if n := b.flowed; b.flow != none && n > 0 { // what the last command freed is filled with the next tick
		p := &c.pieces[b.flow]
		p.y += uint64(n)
		p.left -= n
		c.entries[c.last[b.kind]].n += int32(n)
		c.used[b.kind] += int32(n)
		c.seq[b.kind] += n
	}
	for i := range b.s {
		if x := &b.s[i]; x.count > 0 {
			c.settleStream(b, x)
		}
	}
	c.stats.BusyPs += b.issued * c.burstPs
	if b.kind == writes {
		c.stats.WriteBytes += b.issued * c.tx
	} else {
		c.stats.ReadBytes += b.issued * c.tx
	}
	c.colFrom = b.last + c.colLen
	if !c.dual {
		c.rowFrom = c.colFrom
	}
	c.next = min(max(b.last+1, min(c.colFrom, c.rowFrom)), c.nextArrival(b.last))
}

func (c *channel) settleStream(b *burstState, x *stream) {
	e := &c.entries[x.entry]
	k := &c.banks[x.bank]
	k.columns += x.count
	c.stats.RowHits += int64(x.count)
	if e.seen {
		c.stats.RowHits--
		e.seen = false
	}
	piece := e.piece
	if x.active {
		k.active = none
		c.active &^= 1 << x.bank
		c.freeEntry(x.entry)
		c.summarise(x.bank)
	} else {
		c.used[b.kind] -= x.count
		e.n -= x.count
		e.age += int64(x.count)
		e.col += x.count
		if e.n == 0 {
			c.unlink(b.kind, x.entry)
			c.freeEntry(x.entry)
		}
	}
	if b.kind == reads {
		c.serve(piece, int64(x.count), x.last+c.readLatency)
	}
}
