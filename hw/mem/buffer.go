package mem

// newPiece returns a piece from the pool, of n transactions from y on that have
// not been done.
func (c *channel) newPiece(tag int64, y uint64, n, tick int64) int32 {
	i := c.freePcs
	if i != none {
		c.freePcs = c.pieces[i].next
	} else {
		i = int32(len(c.pieces))
		c.pieces = append(c.pieces, piece{})
	}
	p := &c.pieces[i]
	p.tag, p.y, p.left, p.unserved, p.tick, p.end, p.next, p.at = tag, y, n, n, tick, 0, none, 0
	return i
}

// accept queues transactions [y, y+n) that arrive at a tick for which the channel
// is awake, behind those that arrive no later.
func (c *channel) accept(kind int, tag int64, y uint64, n, tick int64) int32 {
	i := c.newPiece(tag, y, n, tick)
	if kind == reads {
		c.pieces[i].at = int32(len(c.reading))
		c.reading = append(c.reading, i)
	}
	q := &c.queue[kind]
	switch {
	case q.tail == none:
		q.head, q.tail = i, i
	case c.pieces[q.tail].tick <= tick:
		c.pieces[q.tail].next = i
		q.tail = i
	default:
		at := &q.head
		for c.pieces[*at].tick <= tick {
			at = &c.pieces[*at].next
		}
		c.pieces[i].next = *at
		*at = i
	}
	return i
}

// admit moves what has arrived by tick t into the buffers, as far as they have room.
func (c *channel) admit(t int64) {
	if c.admitted == t {
		return
	}
	c.admitted = t
	for kind := range c.queue {
		q := &c.queue[kind]
		for q.head != none && c.used[kind] < c.limit[kind] {
			i := q.head
			p := &c.pieces[i]
			if p.tick > t {
				break
			}
			c.admitRun(kind, i, t)
			p = &c.pieces[i]
			if p.left == 0 {
				q.head = p.next
				if q.head == none {
					q.tail = none
				}
				if kind == writes || p.unserved == 0 {
					c.finish(i)
				}
			}
		}
	}
}

// admitRun moves one row run of piece i, or what fits of it, into its buffer.
func (c *channel) admitRun(kind int, i int32, t int64) {
	p := &c.pieces[i]
	runEnd := (p.y>>c.amap.runBits + 1) << c.amap.runBits
	n := int32(min(p.left, int64(runEnd-p.y), int64(c.limit[kind]-c.used[kind])))
	at := c.amap.decode(p.y)
	p.y += uint64(n)
	p.left -= int64(n)
	if kind == writes {
		p.end = t + c.writeAck
	}
	c.insert(kind, i, at, n, t)
}

// insert puts n transactions of piece i into a buffer. Those that the write
// buffer holds already are merged into it or answered by it.
func (c *channel) insert(kind int, i int32, at coord, n int32, t int64) {
	for n > 0 {
		held, m := c.heldWrites(at, n)
		if !held {
			c.enter(kind, i, at, m, t)
		} else if kind == reads {
			c.stats.Forwarded += int64(m)
			p := &c.pieces[i]
			p.unserved -= int64(m)
			p.end = max(p.end, t+c.readLatency)
		}
		at.col += m
		n -= m
	}
}

// heldWrites reports whether the write buffer holds the first of n
// transactions, and for how many of them that goes on.
func (c *channel) heldWrites(at coord, n int32) (held bool, m int32) {
	if c.pending[writes]>>at.bank&1 == 0 {
		return false, n
	}
	for e := c.banks[at.bank].queue[writes].head; e != none; e = c.entries[e].next {
		w := &c.entries[e]
		if w.row != at.row {
			continue
		}
		if w.col <= at.col && at.col < w.col+w.n {
			return true, min(n, w.col+w.n-at.col)
		}
		if w.col > at.col {
			n = min(n, w.col-at.col)
		}
	}
	return false, n
}

// enter puts n transactions of piece i into a buffer, as part of the run that
// entered last where they continue it.
func (c *channel) enter(kind int, i int32, at coord, n int32, t int64) {
	c.used[kind] += n
	if c.used[kind] == n || c.used[writes] > c.policy.high {
		c.planned = false // the other buffer's turn may have come
	}
	age := c.seq[kind]
	c.seq[kind] += int64(n)
	if e := c.last[kind]; e != none {
		l := &c.entries[e]
		if l.piece == i && l.bank == at.bank && l.row == at.row && l.col+l.n == at.col {
			l.n += n
			return
		}
	}
	k := c.newEntry()
	e := &c.entries[k]
	e.age, e.tick, e.row, e.col, e.n = age, t, at.row, at.col, n
	e.piece, e.bank, e.seen, e.write = i, at.bank, false, kind == writes
	c.last[kind] = k
	c.link(kind, k)
}

// newEntry returns an entry from the pool, whose fields are the caller's to set.
func (c *channel) newEntry() int32 {
	if i := c.freeList; i != none {
		c.freeList = c.entries[i].next
		return i
	}
	c.entries = append(c.entries, entry{})
	return int32(len(c.entries) - 1)
}

func (c *channel) freeEntry(i int32) {
	c.entries[i].next = c.freeList
	c.freeList = i
}

// link appends an entry to its bank's queue. Behind others it changes no plan,
// unless it is the first to use the open row.
func (c *channel) link(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	e.prev, e.next = q.tail, none
	if q.head == none || e.row == b.row && q.hit == none {
		c.planned = false
	}
	if q.tail == none {
		q.head = i
		c.pending[kind] |= 1 << e.bank
	} else {
		c.entries[q.tail].next = i
	}
	q.tail = i
	if e.row == b.row {
		if q.hit == none {
			q.hit = i
		}
	} else if q.miss == none {
		q.miss = i
	}
	c.summarise(e.bank)
}

// unlink takes an entry out of its bank's queue.
func (c *channel) unlink(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	if e.prev == none {
		q.head = e.next
	} else {
		c.entries[e.prev].next = e.next
	}
	if e.next == none {
		q.tail = e.prev
	} else {
		c.entries[e.next].prev = e.prev
	}
	if q.head == none {
		c.pending[kind] &^= 1 << e.bank
	}
	switch i {
	case q.hit:
		q.hit = c.firstFrom(e.next, b.row, true)
	case q.miss:
		q.miss = c.firstFrom(e.next, b.row, false)
	}
	if c.last[kind] == i {
		c.last[kind] = none
	}
	c.summarise(e.bank)
}

// firstFrom returns the first entry from i on whose row is (or is not) row.
func (c *channel) firstFrom(i, row int32, hit bool) int32 {
	for i != none && (c.entries[i].row == row) != hit {
		i = c.entries[i].next
	}
	return i
}

// serve notes that n transactions of read piece i have been read, the last
// with its data at tick end.
func (c *channel) serve(i int32, n, end int64) {
	p := &c.pieces[i]
	p.unserved -= n
	p.end = max(p.end, end)
	if p.unserved == 0 && p.left == 0 {
		c.finish(i)
	}
}

// finish tells the owner that piece i is done.
func (c *channel) finish(i int32) {
	c.owner.finished(c, i, c.pieces[i].end)
	p := &c.pieces[i]
	if at := p.at; int(at) < len(c.reading) && c.reading[at] == i {
		n := len(c.reading) - 1
		c.reading[at] = c.reading[n]
		c.pieces[c.reading[at]].at = at
		c.reading = c.reading[:n]
	}
	p.next = c.freePcs
	c.freePcs = i
}
