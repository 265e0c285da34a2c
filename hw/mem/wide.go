package mem

import "math/bits"

// maxWide bounds the stripes a wide channel looks at, of each kind.
const maxWide = 128

// stripe is what a request asks of the banks of one stripe: the same row of
// one bank in each bank group, in whose columns consecutive addresses
// alternate. It is served as one: the data bus goes at its full rate, and the
// row commands are hidden behind the stripe before.
type stripe struct {
	y     uint64 // its first transaction, and n of them
	ready int64  // its first column, as far as the rows go; once open
	tail  int64  // its last column, likewise
	mask  uint64 // banks
	row   int32
	n     int32
	most  int32 // transactions of the bank that has most
	piece int32
	open  bool // row commands are issued
}

// wide is the state of a channel that schedules stripes.
type wide struct {
	on        bool
	bits      uint   // of y within a stripe
	runBits   uint   // of y within one bank
	groupBits uint   // above those
	all       uint64 // banks of a whole stripe, from bank 0
	win       [2][]stripe
	moving    []moving // by rank
}

// moving is the part of a buffer that the stripe under way still takes, on
// average half of it until the end.
type moving struct {
	until int64
	n     int32
	kind  int
}

// init turns stripes on for HBM where the address map has them (column bits,
// then all of the bank group, lowest in a channel) and the buffers hold one.
// Per-bank refresh and rows that close themselves go by transactions.
func (w *wide) init(c *channel) {
	w.bits, w.runBits = c.amap.stripeBits, c.amap.runBits
	w.groupBits = uint(bits.TrailingZeros(uint(len(c.groups) / len(c.stacks))))
	fits := 1<<w.bits <= min(c.limit[reads], c.limit[writes])
	if w.bits == 0 || !fits || !c.dual || c.policy.closeAfter > 0 || c.refresher.mode == refreshBanks {
		return
	}
	w.on = true
	for g := range 1 << w.groupBits {
		w.all |= 1 << (g << c.amap.bankOf[fieldGroup])
	}
	w.moving = make([]moving, len(c.ranks))
	for k := range w.win {
		w.win[k] = make([]stripe, 0, maxWide)
	}
}

// empty reports that no stripe waits.
func (w *wide) empty() bool {
	for i := range w.moving {
		if w.moving[i].n > 0 {
			return false
		}
	}
	return len(w.win[reads])|len(w.win[writes]) == 0
}

// stepWide decides all from tick c.next up to and including until, as far as
// it is known to happen: stripes in the order in which they can begin, the
// older of equals.
func (c *channel) stepWide(until int64) {
	for t := c.next; ; t = c.next {
		c.refreshWide(t)
		moved := c.releaseWide(t)
		c.admitWide(t)
		c.turn()
		kind := reads
		if c.writing {
			kind = writes
		}
		i, at := c.pickWide(kind, t)
		if i >= 0 && at <= t {
			c.serveWide(kind, i, t)
			continue
		}
		if c.next = min(at, moved, c.arrivalWide(t)); c.next == never && c.idle() {
			return
		}
		if c.next = min(c.next, c.refresher.next); c.next > until {
			return
		}
	}
}

// releaseWide frees what stripes under way have left of the buffers by tick t,
// and returns when the next will.
func (c *channel) releaseWide(t int64) (next int64) {
	next = never
	for i := range c.wide.moving {
		m := &c.wide.moving[i]
		if m.n > 0 && m.until <= t {
			c.used[m.kind] -= m.n
			m.n = 0
		} else if m.n > 0 {
			next = min(next, m.until)
		}
	}
	return next
}

// arrivalWide returns the tick after t of the next piece to arrive. What waits
// for room enters when a stripe begins.
func (c *channel) arrivalWide(t int64) int64 {
	next := never
	for k := range c.queue {
		if h := c.queue[k].head; h != none && c.pieces[h].tick > t {
			next = min(next, c.pieces[h].tick)
		}
	}
	return next
}

// admitWide moves what has arrived by tick t into the buffers, by stripes: one
// enters as soon as its first transaction finds room.
func (c *channel) admitWide(t int64) {
	for kind := range c.queue {
		q := &c.queue[kind]
		for q.head != none && c.used[kind] < c.limit[kind] && len(c.wide.win[kind]) < maxWide {
			i := q.head
			p := &c.pieces[i]
			if p.tick > t {
				break
			}
			c.enterWide(kind, i, t)
			if p.left == 0 {
				if q.head = p.next; q.head == none {
					q.tail = none
				}
				if kind == writes || p.unserved == 0 {
					c.finish(i)
				}
			}
		}
	}
}

// enterWide puts the next stripe of piece i into its buffer, unless the write
// buffer holds the same transactions: those are merged or forwarded.
func (c *channel) enterWide(kind int, i int32, t int64) {
	p := &c.pieces[i]
	y := p.y
	n := min(p.left, int64((y>>c.wide.bits+1)<<c.wide.bits-y))
	held, m := c.wide.held(y, n)
	p.y += uint64(m)
	p.left -= m
	switch {
	case kind == writes:
		p.end = t + c.writeAck
	case held:
		c.stats.Forwarded += m
		p.unserved -= m
		p.end = max(p.end, t+c.readLatency)
	}
	if held {
		return
	}
	c.used[kind] += int32(m)
	k := len(c.wide.win[kind]) // admitWide has seen that there is room
	c.wide.win[kind] = c.wide.win[kind][:k+1]
	s := &c.wide.win[kind][k]
	s.y, s.n, s.piece, s.open, s.mask, s.most = y, int32(m), i, false, 0, 0
	c.spread(s)
}

// held reports whether a write waits for the first of n transactions from y,
// and for how many of them that goes on.
func (w *wide) held(y uint64, n int64) (bool, int64) {
	for k := range w.win[writes] {
		s := &w.win[writes][k]
		if d := int64(y - s.y); d >= 0 && d < int64(s.n) {
			return true, min(n, int64(s.n)-d)
		} else if d < 0 {
			n = min(n, -d)
		}
	}
	return false, n
}

// spread finds a stripe's row, its banks, and how many transactions fall to
// the bank that has most.
func (c *channel) spread(s *stripe) {
	at := c.amap.decode(s.y)
	s.row = at.row
	groups := int32(1) << c.wide.groupBits
	first := at.bank &^ ((groups - 1) << c.amap.bankOf[fieldGroup])
	if s.n == 1<<c.wide.bits {
		s.mask, s.most = c.wide.all<<first, s.n>>c.wide.groupBits
		return
	}
	for g := range groups {
		bank := first + g<<c.amap.bankOf[fieldGroup]
		if n := c.inBank(s, bank); n > 0 {
			s.mask |= 1 << bank
			s.most = max(s.most, n)
		}
	}
}

// inBank returns how many transactions of a stripe belong to one of its banks.
func (c *channel) inBank(s *stripe, bank int32) int32 {
	g := bank >> c.amap.bankOf[fieldGroup] & (1<<c.wide.groupBits - 1)
	from := int32(s.y & (1<<c.wide.bits - 1))
	return c.wide.ofGroup(g, from+s.n) - c.wide.ofGroup(g, from)
}

// ofGroup returns how many of the first n transactions of a stripe belong to a
// bank group.
func (w *wide) ofGroup(g, n int32) int32 {
	run, round := int32(1)<<w.runBits, w.runBits+w.groupBits
	return n>>round<<w.runBits + min(max(n&(1<<round-1)-g<<w.runBits, 0), run)
}

// pickWide returns the stripe of a kind that can begin first, and when; or the
// tick at which there is something else to do.
func (c *channel) pickWide(kind int, t int64) (best int, at int64) {
	best, at = -1, never
	win := c.wide.win[kind]
	var claimed uint64
	for i := range win {
		s := &win[i]
		if !s.open {
			if later := c.openWide(kind, s, claimed, t); !s.open {
				claimed |= s.mask
				at = min(at, later)
				continue
			}
		}
		claimed |= s.mask
		if from := max(s.ready, c.busFrom(kind, s), t); from < at || from == at && best < 0 {
			best, at = i, from
			if from == t {
				return best, at
			}
		}
	}
	return best, at
}

// busFrom returns when the buses let a stripe begin.
func (c *channel) busFrom(kind int, s *stripe) int64 {
	b := &c.banks[bits.TrailingZeros64(s.mask)&63]
	g, k, r := &c.groups[b.group], &c.stacks[b.stack], &c.ranks[b.rank]
	at := max(g.rd, k.rd, r.rd)
	if kind == writes {
		at = max(g.wr, k.wr, r.wr)
	}
	if c.rising {
		at = odd(at)
	}
	return at
}

// serveWide moves the data of a stripe from tick t on.
func (c *channel) serveWide(kind, i int, t int64) {
	s := &c.wide.win[kind][i]
	n := int64(s.n)
	gap := c.groupGap(kind)
	last := max(s.tail, t+(n-1)*c.burstLen, t+int64(s.most-1)*gap)
	bus := t + n*c.burstLen
	at := last
	for set := s.mask; set != 0; {
		k := 63 - bits.LeadingZeros64(set)
		set &^= 1 << k
		c.columnTiming(&c.banks[k], kind == writes, at)
		at = max(at-c.burstLen, t)
	}
	first := &c.banks[lowest(s.mask)]
	c.freeBus(kind, &c.ranks[first.rank], &c.stacks[first.stack], bus)
	m := &c.wide.moving[first.rank]
	c.used[m.kind] -= m.n
	*m = moving{t + n*c.burstLen/2, s.n, kind}
	piece := s.piece
	c.wide.remove(kind, i)
	c.stats.RowHits += n
	c.stats.BusyPs += n * c.burstPs
	if kind == writes {
		c.stats.WriteBytes += n * c.tx
		return
	}
	c.stats.ReadBytes += n * c.tx
	c.serve(piece, n, last+c.readLatency)
}

// remove takes a stripe out of its window, whose others keep their order.
func (w *wide) remove(kind, i int) {
	win := w.win[kind]
	copy(win[i:], win[i+1:])
	w.win[kind] = win[:len(win)-1]
}

// freeBus gives the data bus to the next stripe of a kind from tick bus on:
// what a stripe leaves of it while its rows open goes to others.
func (c *channel) freeBus(kind int, r *rankState, k *stackState, bus int64) {
	if kind == writes {
		r.wr, k.wr = bus, bus
	} else {
		r.rd, k.rd = bus, bus
	}
}
