package mem

// step does what happens at tick c.next and sets the next. Where column
// commands alone follow each other it goes on up to tick until.
func (c *channel) step(until int64) {
	if c.wide.on {
		c.stepWide(until)
		return
	}
	t := c.next
	c.refresher.due(c, t)
	c.admit(t)
	if !c.planned {
		c.plan, c.planned = c.decide(t), true
	}
	if c.plan.act.cmd() == cmdColumn && c.burst(until) {
		c.planned = false
		return
	}
	if c.plan.at <= t {
		c.issue(&c.plan, t)
		c.planned = false
		c.next = min(c.after(t), c.nextArrival(t))
		return
	}
	c.next = min(c.plan.at, c.nextArrival(t))
	if c.next == never && c.idle() && !c.refresher.pending() {
		return
	}
	c.next = min(c.next, c.refresher.next)
}

// after returns the tick to look at after the planned command at tick t. The
// column bus has its turn before the row bus; each sees whose buffer's turn it is.
func (c *channel) after(t int64) int64 {
	column := c.plan.act.cmd() == cmdColumn
	next := max(t, min(c.colFrom, c.rowFrom))
	switch {
	case !c.dual || !column:
		if next = max(next, t+1); c.turns() {
			next = t + 1
		}
	case c.turns():
		next = t
	}
	return next
}

// nextArrival returns the next tick after t at which something enters a buffer.
func (c *channel) nextArrival(t int64) int64 {
	next := never
	for k := range c.queue {
		if h := c.queue[k].head; h != none {
			if at := c.pieces[h].tick; at > t {
				next = min(next, at)
			} else if c.used[k] < c.limit[k] {
				next = t + 1
			}
		}
	}
	return next
}

// advance decides everything up to and including tick t.
func (c *channel) advance(t int64) {
	for c.next <= t {
		c.step(t)
	}
}

// wake prepares a channel for an arrival at tick t, now or later.
func (c *channel) wake(now, t int64) {
	if c.next == never {
		c.wakeForRefresh(now)
	}
	c.next = min(c.next, t)
}

// wakeForRefresh makes an idle channel catch up with the refreshes of its
// idle time, up to tick t.
func (c *channel) wakeForRefresh(t int64) {
	c.refresher.skip(c, t)
	c.next = c.refresher.next
}

// issue sends a command at tick t.
func (c *channel) issue(p *choice, t int64) {
	switch p.act.cmd() {
	case cmdColumn:
		c.column(p, t)
	case cmdActivate:
		c.activate(p, t)
	case cmdActivate2:
		c.active |= 1 << p.bank
		c.setRow(p.bank, c.entries[c.banks[p.bank].active].row)
		c.act2 = none
		c.takeRow(t, 1)
	case cmdPrecharge:
		c.precharge(p, t)
	case cmdPrechargeAll:
		c.prechargeAll(p.bank, t)
	case cmdRefresh:
		c.refresh(p.bank, t)
	}
}

// takeRow occupies the row bus; where there is but one bus, that.
func (c *channel) takeRow(t, n int64) {
	c.rowFrom = t + n
	if !c.dual {
		c.colFrom = t + n
	}
}

// column reads or writes one transaction.
func (c *channel) column(p *choice, t int64) {
	if c.needsClock(t) {
		t++ // the slot before synchronises the clock
	}
	b := &c.banks[p.bank]
	i := b.active
	if !p.act.active() {
		i = b.queue[p.act.kind()].hit
	}
	e := &c.entries[i]
	c.columnTiming(b, e.write, t)
	c.sum.rowReady[p.bank] = b.pre
	b.columns++
	if !e.seen {
		c.stats.RowHits++
	}
	if c.colFrom = t + c.colLen; !c.dual {
		c.rowFrom = c.colFrom
	}
	c.stats.BusyPs += c.burstPs
	if e.write {
		c.stats.WriteBytes += c.tx
	} else {
		c.stats.ReadBytes += c.tx
		c.serve(e.piece, 1, t+c.readLatency)
	}
	if p.act.active() {
		b.active = none
		c.active &^= 1 << p.bank
		c.freeEntry(i)
		c.summarise(p.bank)
	} else {
		c.take(p.act.kind(), i)
	}
	if c.policy.closeAfter > 0 && b.columns >= c.policy.closeAfter && b.active == none {
		c.autoPrecharge(p, b, t)
	}
}

// take removes the first transaction of a waiting entry.
func (c *channel) take(kind int, i int32) {
	e := &c.entries[i]
	c.used[kind]--
	e.n--
	e.age++
	e.col++
	e.seen = false
	if e.n == 0 {
		c.unlink(kind, i)
		c.freeEntry(i)
	}
}

// detach makes the first transaction of a waiting entry an entry of its own, in
// no queue.
func (c *channel) detach(kind int, i int32) int32 {
	if c.entries[i].n == 1 {
		c.used[kind]--
		c.unlink(kind, i)
		return i
	}
	k := c.newEntry()
	e, of := &c.entries[k], &c.entries[i]
	e.tick, e.row, e.col, e.n, e.piece, e.bank, e.write = of.tick, of.row, of.col, 1, of.piece, of.bank, of.write
	c.take(kind, i)
	return k
}

// columnTiming notes what a column command of bank b at tick t holds up.
func (c *channel) columnTiming(b *bankState, write bool, t int64) {
	g, s, r := &c.groups[b.group], &c.stacks[b.stack], &c.ranks[b.rank]
	if write {
		r.wr = max(r.wr, t+c.burstLen)
		s.wr = max(s.wr, t+c.writeS)
		g.wr = max(g.wr, t+c.writeL)
		r.rd = max(r.rd, t+c.writeToReadS)
		g.rd = max(g.rd, t+c.writeToReadL)
		b.pre = max(b.pre, t+c.writeToPre)
		r.preAll = max(r.preAll, t+c.writeToPre)
		c.clockTo = max(c.clockTo, t+c.clockHoldWrite)
		return
	}
	r.rd = max(r.rd, t+c.burstLen)
	r.wr = max(r.wr, t+c.readToWrite)
	if c.readR > 0 {
		for k := range r.stacks {
			if o := &r.stacks[k]; o != s {
				o.rd = max(o.rd, t+c.readR)
			}
		}
	}
	s.rd = max(s.rd, t+c.readS)
	g.rd = max(g.rd, t+c.readL)
	b.pre = max(b.pre, t+c.readToPre)
	r.preAll = max(r.preAll, t+c.readToPre)
	c.clockTo = max(c.clockTo, t+c.clockHold)
}

// activateTiming notes what an activate of bank b at tick t holds up.
func (c *channel) activateTiming(b *bankState, t int64) {
	g, r := &c.groups[b.group], &c.ranks[b.rank]
	b.act = t + c.rc
	b.rd = max(b.rd, t+c.rcdRD)
	b.wr = max(b.wr, t+c.rcdWR)
	b.pre = max(b.pre, t+c.ras)
	g.act = max(g.act, t+c.rrdL)
	r.faw[r.fawAt&3] = t
	r.fawAt++
	r.act = max(r.act, t+c.rrdS, r.faw[r.fawAt&3]+c.faw)
	r.preAll = max(r.preAll, t+c.ras)
	r.refresh = max(r.refresh, t+c.actToRefresh)
}

// activate opens a row for the oldest entry of a bank, which leaves its buffer.
func (c *channel) activate(p *choice, t int64) {
	b := &c.banks[p.bank]
	g := &c.groups[b.group]
	c.activateTiming(b, t)
	c.takeRow(t, c.actLen)
	perGroup := int32(len(c.banks) / len(c.groups))
	for i := b.group * perGroup; i < (b.group+1)*perGroup; i++ {
		if c.banks[i].row == none {
			c.sum.rowReady[i] = max(c.sum.rowReady[i], g.act)
		}
	}

	kind := p.act.kind()
	i := b.queue[kind].head
	if !c.entries[i].seen {
		c.stats.RowMisses++
	}
	c.stats.Activates++
	b.active = c.detach(kind, i)
	first := &c.entries[b.active]
	first.seen = true
	first.age = t // of active entries that arrived together the one activated first goes first
	c.opened |= 1 << p.bank
	if c.split {
		c.act2, c.act2By = p.bank, t+c.act2Within
		return
	}
	c.active |= 1 << p.bank
	c.setRow(p.bank, first.row)
}

// precharge closes a row for an entry that needs another, or for a refresh.
func (c *channel) precharge(p *choice, t int64) {
	b := &c.banks[p.bank]
	r := &c.ranks[b.rank]
	b.act = max(b.act, t+c.rp)
	r.pre = max(r.pre, t+c.ppd)
	r.refresh = max(r.refresh, t+c.preToRefresh)
	c.takeRow(t, 1)
	if p.act.kind() != refreshing {
		if e := &c.entries[b.queue[p.act.kind()].miss]; !e.seen {
			e.seen = true
			c.stats.RowConflicts++
		}
	}
	c.setRow(p.bank, none)
}

// autoPrecharge closes the row with its last column command.
func (c *channel) autoPrecharge(p *choice, b *bankState, t int64) {
	d := c.readToAct
	if p.act.kind() == writes {
		d = c.writeToAct
	}
	b.act = max(b.act, t+d)
	r := &c.ranks[b.rank]
	r.refresh = max(r.refresh, t+d+c.actLen-1)
	c.setRow(p.bank, none)
}

// prechargeAll closes all rows of a rank.
func (c *channel) prechargeAll(rank int32, t int64) {
	r := &c.ranks[rank]
	r.act = max(r.act, t+c.rpAll)
	r.pre = max(r.pre, t+c.ppd)
	r.refresh = max(r.refresh, t+c.preToRefresh)
	c.takeRow(t, 1)
	for set := c.opened & c.inRank[rank]; set != 0; set &= set - 1 {
		c.setRow(lowest(set), none)
	}
}

// refresh refreshes a rank, or a bank.
func (c *channel) refresh(id int32, t int64) {
	c.stats.Refreshes++
	c.takeRow(t, 1)
	c.refresher.pop()
	if c.refresher.mode == refreshRanks {
		r := &c.ranks[id]
		r.act = max(r.act, t+c.rfcToAct)
		r.preAll = max(r.preAll, t+c.rfc)
		r.refresh = max(r.refresh, t+c.rfc)
		return
	}
	b := &c.banks[id]
	r := &c.ranks[b.rank]
	b.act = max(b.act, t+c.rfcPBToAct)
	c.summarise(id)
	r.act = max(r.act, t+c.refToAct)
	r.refresh = max(r.refresh, t+c.refToRef)
}
