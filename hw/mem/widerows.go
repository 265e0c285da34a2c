package mem

// openWide issues the row commands of a stripe at tick t, if one of them is
// due; otherwise it returns when one is. Banks that older stripes have claimed
// must have the row open already.
func (c *channel) openWide(kind int, s *stripe, claimed uint64, t int64) (later int64) {
	var shut uint64
	later = never
	for set := s.mask; set != 0; set &= set - 1 {
		i := lowest(set)
		b := &c.banks[i]
		if b.row == s.row {
			continue
		}
		if claimed>>i&1 != 0 {
			return never
		}
		shut |= 1 << i
		r := &c.ranks[b.rank]
		if b.row != none {
			later = min(later, max(b.pre, r.pre))
		} else {
			later = min(later, max(b.act, r.act, c.groups[b.group].act))
		}
	}
	if shut != 0 && later > t {
		return later
	}
	if c.wanted(kind, shut&c.opened) {
		return never
	}
	for set := shut; set != 0; set &= set - 1 {
		c.openBank(lowest(set), s.row, t)
	}
	s.open = true
	c.plot(kind, s)
	return t
}

// wanted reports that a stripe waits for the open row of one of some banks: its
// columns follow so closely that the row is not closed before. One whose other
// rows have to wait for older stripes does not count: they might wait for it.
func (c *channel) wanted(kind int, banks uint64) bool {
	if banks == 0 {
		return false
	}
	var older uint64
	for i := range c.wide.win[kind] {
		s := &c.wide.win[kind][i]
		if both := s.mask & banks; both != 0 && c.banks[lowest(both)].row == s.row && !c.lacks(s, older) {
			return true
		}
		older |= s.mask
	}
	return false
}

// lacks reports that a stripe does not have its row open in one of some banks.
func (c *channel) lacks(s *stripe, banks uint64) bool {
	for set := s.mask & banks; set != 0; set &= set - 1 {
		if c.banks[lowest(set)].row != s.row {
			return true
		}
	}
	return false
}

// plot finds when the rows of a stripe let its first and last columns go: each
// bank can go on from when it is open, and the bus is full from the second.
func (c *channel) plot(kind int, s *stripe) {
	gap := c.groupGap(kind)
	first, second := never, never
	s.tail = 0
	for set := s.mask; set != 0; set &= set - 1 {
		from := c.banks[lowest(set)].rd
		if kind == writes {
			from = c.banks[lowest(set)].wr
		}
		if c.rising {
			from = odd(from)
		}
		if from < first {
			first, second = from, first
		} else {
			second = min(second, from)
		}
		n := s.most
		if s.n < 1<<c.wide.bits {
			n = c.inBank(s, lowest(set))
		}
		s.tail = max(s.tail, from+int64(n-1)*gap)
	}
	s.ready = first
	if second != never && second > first {
		before := min((second-first+gap-1)/gap, int64(s.most))
		s.tail = max(s.tail, second+(int64(s.n)-before-1)*c.burstLen)
	}
}

// groupGap returns the distance of columns of one bank group.
func (c *channel) groupGap(kind int) int64 {
	if kind == writes {
		return c.writeL
	}
	return c.readL
}

// openBank closes the row of a bank, if one is open, and opens another.
func (c *channel) openBank(i, row int32, t int64) {
	b := &c.banks[i]
	g, r := &c.groups[b.group], &c.ranks[b.rank]
	c.stats.RowHits--
	if b.row != none {
		pre := max(b.pre, r.pre, t)
		b.act = max(b.act, pre+c.rp)
		r.pre = max(r.pre, pre+c.ppd)
		c.stats.RowConflicts++
		c.shut(1 << i)
	} else {
		c.stats.RowMisses++
	}
	at := max(b.act, g.act, r.act, t)
	if c.rising {
		at = odd(at)
	}
	c.activateTiming(b, at)
	b.row = row
	c.opened |= 1 << i
	c.stats.Activates++
}

// shut notes that stripes of some banks have their rows open no longer.
func (c *channel) shut(banks uint64) {
	for k := range c.wide.win {
		for i := range c.wide.win[k] {
			if s := &c.wide.win[k][i]; s.mask&banks != 0 {
				s.open = false
			}
		}
	}
}

// refreshWide refreshes all ranks when that is due at tick t.
func (c *channel) refreshWide(t int64) {
	for t >= c.refresher.next {
		c.refresher.next += c.refresher.interval
		for i := range c.ranks {
			r := &c.ranks[i]
			at := max(t, r.refresh)
			if c.opened&c.inRank[i] != 0 {
				pre := max(t, r.pre, r.preAll)
				r.act = max(r.act, pre+c.rpAll)
				at = max(at, pre+c.preToRefresh)
			}
			if c.rising {
				at = odd(at)
			}
			r.act = max(r.act, at+c.rfcToAct)
			r.preAll = max(r.preAll, at+c.rfc)
			r.refresh = max(r.refresh, at+c.rfc)
			c.stats.Refreshes++
		}
		c.shut(c.opened)
		for set := c.opened; set != 0; set &= set - 1 {
			c.banks[lowest(set)].row = none
		}
		c.opened = 0
	}
}
