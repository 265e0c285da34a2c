package mmu

// iommuCore is the IOMMU without time: registers, caches, queues. A face runs
// its machines: IOMMU in simulated time, Replay at once.
type iommuCore struct {
	caps   uint64
	fctl   uint32
	ddtp   uint64
	cqb    uint64
	fqb    uint64
	pqb    uint64
	ipsr   uint32
	icvec  uint64
	fie    bool
	pie    bool
	msi    [msiCount]msiEntry
	trIOVA uint64
	trCtl  uint64

	trResponse uint64

	cq       commandQueue
	fq, pq   recordRing
	messages msiWriter
	debug    debugWalk

	iotlb   *TLB
	tables  *TLB // first-stage page-table pointers; nil if there are none
	gtables *TLB // second-stage ones
	ddt     *dirCache[knownDevice]
	pdt     *dirCache[knownProcess]
	recent  recent

	ignored uint32 // device id bits not checked under a one-level directory
	stale   staleLog

	// kick asks the face to run a machine that has work.
	kick func(m machine)
	// wire signals a wired interrupt.
	wire func(vector int)
	// send takes a message to a device: ATS invalidations, page responses.
	send func(m Message)
	// drain reports whether every access translated before has completed; if
	// not, the face calls cq.afterDrain when that is so.
	drain func() bool
}

func newIOMMUCore(cfg IOMMUConfig, caps uint64) *iommuCore {
	c := &iommuCore{caps: caps}
	ways := cfg.IOTLBWays
	if ways == 0 {
		ways = cfg.IOTLBEntries
	}
	c.iotlb = NewTLB(cfg.IOTLBEntries, ways)
	if n := cfg.WalkCacheEntries; n > 0 {
		c.tables, c.gtables = NewTLB(n, n), NewTLB(n, n)
	}
	c.ddt = newDirCache[knownDevice](cfg.DDTEntries)
	c.pdt = newDirCache[knownProcess](cfg.PDTEntries)
	c.kick = func(machine) {}
	c.wire = func(int) {}
	c.send = func(Message) {}
	c.drain = func() bool { return true }
	c.cq.c = c
	c.debug.x, c.messages.c = newTranslation(c), c
	c.fq.bytes, c.pq.bytes = FaultBytes, pageRequestBytes
	c.fq.stored = func() { c.stored(&c.fq, c.fie, IPFault) }
	c.pq.stored = func() { c.stored(&c.pq, c.pie, IPPage) }
	c.reset()
	return c
}

// reset returns the registers and caches to their power-on state: directory
// off, queues off, interrupts as the one method the capabilities name.
func (c *iommuCore) reset() {
	c.fctl = 0
	if c.igs() == igsWSI {
		c.fctl = fctlWSI
	}
	c.ddtp, c.cqb, c.fqb, c.pqb, c.ipsr, c.icvec = 0, 0, 0, 0, 0, 0
	c.fie, c.pie, c.msi = false, false, [msiCount]msiEntry{}
	c.trIOVA, c.trCtl, c.trResponse = 0, 0, 0
	c.cq.reset()
	for _, q := range []*recordRing{&c.fq, &c.pq} {
		q.base, q.log2 = queueBase(0)
		q.enable()
		q.on, q.head, q.waiting = false, 0, q.waiting[:0]
	}
	c.flush()
}

// flush drops everything cached.
func (c *iommuCore) flush() {
	c.iotlb.Flush()
	c.dropTables(Filter{})
	if c.gtables != nil {
		c.gtables.Flush()
	}
	c.ddt.drop(0, 0)
	c.pdt.drop(0, 0)
	c.forgetWalks()
}

// forgetWalks makes walks under way stale: they neither install nor fault, but
// begin again.
func (c *iommuCore) forgetWalks() { c.stale.add(Filter{}) }

func (c *iommuCore) dropTables(f Filter) {
	if c.tables != nil {
		c.tables.Drop(f)
	}
}

// stored follows a record into a queue: its interrupt.
func (c *iommuCore) stored(q *recordRing, ie bool, event uint32) {
	if ie {
		c.raise(event)
	}
}

func (c *iommuCore) mode() uint64 { return c.ddtp & ddtpMode }

// lookup answers an untranslated transaction from the caches alone. identity
// means that the address is not translated.
func (c *iommuCore) lookup(t *Transaction) (e *Entry, identity bool) {
	if c.mode() == DDTBare {
		return nil, true
	}
	k := &c.recent
	if !k.is(t) || k.ddt != c.ddt.clock || k.pdt != c.pdt.clock {
		s := c.spaceOf(t)
		*k = recent{t.DID, t.PID, t.PV, t.Priv, c.ddt.clock, c.pdt.clock, s}
	}
	s := k.space
	switch {
	case s == nil:
		return nil, false
	case s.tag == 0:
		return nil, true
	}
	e = c.iotlb.Lookup(s.tag, t.IOVA)
	if e == nil || !e.Perm.Allows(t.Kind, t.Priv, s.sum) {
		return nil, false
	}
	return e, false
}

// recent is where the caches of the directories have led the latest transaction: that
// is where they lead its like, until they are asked for another or change.
type recent struct {
	did, pid uint32
	pv, priv bool
	ddt, pdt uint64 // clocks of the caches
	space    *space // nil: nowhere
}

func (k *recent) is(t *Transaction) bool {
	return k.did == t.DID && k.pid == t.PID && k.pv == t.PV && k.priv == t.Priv
}

// spaceOf returns the address space of an untranslated transaction as the caches of
// the directories have it, nil if they do not or it is refused.
func (c *iommuCore) spaceOf(t *Transaction) *space {
	if c.mode() == DDTOff || c.tooWide(t.DID) {
		return nil
	}
	d := c.ddt.lookup(uint64(t.DID))
	if d == nil || t.refused(&d.deviceContext) {
		return nil
	}
	pid, needs := t.needsProcess(&d.deviceContext)
	if !needs {
		return &d.space
	}
	p := c.pdt.lookup(pdtKey(t.DID, pid))
	if p == nil || t.Priv && p.ta&PCENS == 0 {
		return nil
	}
	return &p.space
}

// report queues a fault record unless the context hides it.
func (c *iommuCore) report(f FaultRecord, hidden bool) {
	if hidden && hideable(f.Cause) {
		return
	}
	if !f.PV {
		f.PID, f.Priv = 0, false
	}
	if c.fq.put(f.Encode()) {
		c.kick(&c.fq)
	}
}

// hideable says which causes DTF keeps out of the fault queue.
func hideable(cause Cause) bool {
	switch cause {
	case AllDisallowed, DDTAccessFault, DDTNotValid, DDTMisconfigured, DDTCorrupted, MSIAccessFault:
		return false
	}
	return true
}
