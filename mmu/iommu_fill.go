package mmu

// fill puts what the walk found into the caches.
func (x *translation) fill() {
	c := x.c
	plain := Transaction{}
	if x.haveDC {
		c.ddt.insert(uint64(x.t.DID), knownDevice{x.dc, spaceOf(&plain, &x.dc, nil)})
	}
	if x.havePC {
		c.pdt.insert(pdtKey(x.t.DID, x.pid), knownProcess{x.pc, spaceOf(&plain, &x.dc, &x.pc)})
	}
	if x.Cause != 0 || x.identity || x.contextOnly || x.t.AT != Untranslated {
		return
	}
	c.iotlb.Insert(x.entry())
	if c.tables == nil {
		return
	}
	x.fillTables()
}

// entry is the translation as the IOTLB holds it.
func (x *translation) entry() Entry {
	w := &x.walk
	return Entry{Tag: x.space.tag, VPN: x.t.IOVA >> w.Shift, Shift: w.Shift, Aux: w.GPA,
		PA: w.PA &^ (1<<w.Shift - 1), Perm: w.Perm}
}

// fillTables caches the page-table pointers below each stage's root.
func (x *translation) fillTables() {
	w := &x.walk
	for level, t := range w.Tables {
		if t.Addr == 0 || level >= w.First.Levels-1 {
			continue
		}
		e := Entry{Tag: x.space.tag, Shift: uint8(pageShift + (level+1)*levelBits), PA: t.Addr, Aux: t.GPA}
		e.VPN = x.t.IOVA >> e.Shift
		if t.Writable {
			e.Perm = CanWrite
		}
		if t.Global {
			e.Perm |= GlobalPage
		}
		x.c.tables.Insert(e)
	}
	for level, t := range w.GuestTables {
		if t.Addr == 0 || level >= w.Second.Levels-1 {
			continue
		}
		e := Entry{Tag: x.space.tag & (tagGSCID | tagSecond), Shift: uint8(pageShift + (level+1)*levelBits), PA: t.Addr}
		e.VPN = w.GPA >> e.Shift
		x.c.gtables.Insert(e)
	}
}

// guestTable returns the deepest cached second-stage table on a guest physical
// address's way.
func (x *translation) guestTable(gpa uint64) (t TableAt) {
	if e := x.c.gtables.Lookup(x.space.tag&(tagGSCID|tagSecond), gpa); e != nil {
		t = TableAt{Addr: e.PA, Level: levelOf(e.Shift) - 1}
	}
	return t
}

// tableFor returns the deepest cached first-stage table on an address's way.
func (c *iommuCore) tableFor(tag, va uint64, s *space) (t TableAt) {
	if c.tables == nil || s.first.Levels == 0 || !canonical(va, s.first.Levels) {
		return t
	}
	if e := c.tables.Lookup(tag, va); e != nil {
		return TableAt{Addr: e.PA, GPA: e.Aux, Level: levelOf(e.Shift) - 1,
			Writable: e.Perm&CanWrite != 0, Global: e.Perm&GlobalPage != 0}
	}
	return t
}

// levelOf returns the level whose leaves have a size.
func levelOf(shift uint8) int { return int(shift-pageShift) / levelBits }
