package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// Unit is the device MMU: what its ports share. Contexts are the entries of a
// table in memory (abi.Context); each has its own page table.
//
// Translations are cached per port (L1) and for all ports (L2), page-table
// pointers in a walk cache, context entries in a context cache. All keep their
// entries until they are replaced or invalidated.
type Unit struct {
	e      *sim.Engine
	cfg    Config
	split  *splitter
	walk   *walkers
	l2     *TLB
	ports  []*Port
	tables *TLB // page-table pointers; nil if there are none
	ctx    *dirCache[abi.Context]
	faults *FaultRing

	l2Hit      sim.Time
	invalidate sim.Time
	l2Answer   sim.Handler
	invDone    sim.Handler

	contextBase uint64
	contexts    uint32
	stale       staleLog
	keen        bool // walks that fault leave their pointers, too
	jobs        []invalidation
	injector    *fault.Injector
	stats       Stats
}

// Stats counts the unit's translations and what they met.
type Stats struct {
	L1Hits, L1Misses int64 // at the ports
	L2Hits, L2Misses int64 // of the ports' misses, in the shared TLB
	Faults           int64
	Invalidations    int64
}

// Stats returns the counters.
func (u *Unit) Stats() Stats {
	s := u.stats
	s.L1Hits, s.L1Misses = u.split.hits, u.split.misses
	return s
}

// Parts is what the unit works with.
type Parts struct {
	Clock  sim.Clock
	Tables hw.Target       // serves the walks: requests in Space Device and Space BusAddr
	Source hw.Source       // that these requests carry
	Faults *fault.Injector // asked at walks, invalidations and fault records. Nil: none
}

// NewUnit returns a device MMU without ports.
func NewUnit(e *sim.Engine, cfg Config, parts Parts) *Unit {
	u := &Unit{e: e, cfg: cfg, injector: parts.Faults}
	clock := parts.Clock
	u.l2 = NewTLB(cfg.L2Entries, cfg.L2Ways)
	u.ctx = newDirCache[abi.Context](cfg.ContextEntries)
	if n := cfg.WalkCacheEntries; n > 0 {
		u.tables = NewTLB(n, n)
	}
	u.l2Hit = clock.Duration(int64(cfg.L2HitCycles))
	u.invalidate = clock.Duration(int64(cfg.InvalidateCycles))
	u.split = newSplitter(e, "mmu", u, clock.Duration(int64(cfg.HitCycles)))
	u.walk = newWalkers(e, "mmu", u.split, u, cfg.Walkers, parts.Source, parts.Tables, deviceRoute)
	u.faults = newFaultRing(e, "mmu fault ring", parts.Source, parts.Tables)
	u.l2Answer = e.Register("mmu l2", u.onL2)
	u.invDone = e.Register("mmu invalidation", u.onInvalidated)
	u.faults.idle = u.walk.settle
	u.walk.quiet = func() bool { return !u.faults.busy() }
	u.register()
	return u
}

func (u *Unit) register() {
	st, w := &u.stats, u.walk
	u.e.Stats.Add("mmu",
		sim.Counter{Name: "l1_hits", Help: "translations found at the port", Value: &u.split.hits},
		sim.Counter{Name: "l1_misses", Help: "translations not found at the port", Value: &u.split.misses},
		sim.Counter{Name: "l2_hits", Help: "misses found in the shared TLB", Value: &st.L2Hits},
		sim.Counter{Name: "l2_misses", Help: "misses that need a walk", Value: &st.L2Misses},
		sim.Counter{Name: "walks", Help: "page-table walks", Value: &w.walks},
		sim.Counter{Name: "walks_merged", Help: "misses that joined a walk of their page", Value: &w.merged},
		sim.Counter{Name: "walks_retried", Help: "walks repeated because of an invalidation", Value: &w.retries},
		sim.Counter{Name: "walk_reads", Help: "memory reads by walks", Value: &w.reads},
		sim.Counter{Name: "walk_time_ps", Help: "sum of the walks' lengths", Value: &w.walkTime},
		sim.Counter{Name: "faults", Help: "translations that faulted", Value: &st.Faults},
		sim.Counter{Name: "fault_records_dropped", Help: "fault records that found the ring full", Value: &u.faults.dropped},
		sim.Counter{Name: "invalidations", Help: "invalidations asked for", Value: &st.Invalidations},
		sim.Counter{Name: "stall_time_ps", Help: "sum of the times requests waited for translation", Value: &u.split.stallTime},
	)
}

// deviceRoute splits a device physical address.
func deviceRoute(pa uint64) (hw.Space, uint64) {
	if in, addr := placeOf(pa); in {
		return hw.Device, addr
	}
	return hw.BusAddr, pa
}

// SetContextTable sets the physical base (see context.go) and the number of
// entries of the context table. It drops nothing: invalidate all afterwards.
func (u *Unit) SetContextTable(base uint64, entries uint32) {
	u.contextBase, u.contexts = base, entries
}

// Faults returns the fault ring.
func (u *Unit) Faults() *FaultRing { return u.faults }

// Port is one requester's way through the device MMU, with its own L1 TLB. It
// translates requests in Space Context and passes others untouched.
type Port struct {
	u    *Unit
	lane *lane
}

// NewPort adds a port. Translated pieces go to down in Space Device or BusAddr.
func (u *Unit) NewPort(down hw.Target) *Port {
	p := &Port{u: u, lane: u.split.newLane(down)}
	p.lane.l1 = NewTLB(u.cfg.L1Entries, u.cfg.L1Entries)
	u.ports = append(u.ports, p)
	return p
}

// Submit implements hw.Target.
func (p *Port) Submit(r *hw.Request) {
	l := p.lane
	switch m := &l.s.m; {
	case r.Space != hw.Context:
		l.pass(r)
	case l.open(r) && p.u.lookup(l, r, r.Addr, m) && m.covers(r):
		l.forward(r, m)
	default:
		l.submit(r)
	}
}

// accessOf returns what a request does to its pages.
func accessOf(r *hw.Request) Access {
	switch {
	case r.Op == hw.Write:
		return Store
	case r.Exec:
		return Command
	}
	return Load
}

// lookup implements translator.
func (u *Unit) lookup(l *lane, r *hw.Request, va uint64, m *mapping) bool {
	e := l.l1.Lookup(uint64(r.ASID), va)
	if e == nil || !e.Perm.Allows(accessOf(r), r.Priv, true) {
		return false
	}
	deviceMapping(e, va, m)
	return true
}

// sharedShift is the page size of a shared context's one entry.
const sharedShift = 63

// deviceMapping turns a TLB entry into a mapping. Aux is PASID | 1<<32 for a
// shared context.
func deviceMapping(e *Entry, va uint64, m *mapping) {
	mask := uint64(1)<<(e.Shift&63) - 1
	m.left = ^va&mask + 1
	m.hasPASID, m.pasid = e.Aux != 0, uint32(e.Aux)
	m.space, m.pa = hw.BusAddr, e.PA|va&mask
	if in, addr := placeOf(m.pa); in && !m.hasPASID {
		m.space, m.pa = hw.Device, addr
	}
}

// miss implements translator: the shared TLB first, then a walk.
func (u *Unit) miss(id int32) {
	p := u.split.pieces[id]
	if e := u.findL2(p); e != nil {
		u.stats.L2Hits++
		u.e.After(u.l2Hit, sim.Call{H: u.l2Answer, Arg: uint64(id)})
		return
	}
	u.stats.L2Misses++
	u.walk.add(p)
}

func (u *Unit) findL2(p *piece) *Entry {
	e := u.l2.Lookup(uint64(p.sub.ASID), p.va)
	if e == nil || !e.Perm.Allows(accessOf(&p.sub), p.sub.Priv, true) {
		return nil
	}
	return e
}

// onL2 answers from the shared TLB after its latency; an invalidation may have
// come between, and then the piece walks.
func (u *Unit) onL2(arg uint64) {
	p := u.split.pieces[arg]
	m := &u.split.m
	if !u.again(p, m) {
		u.walk.add(p)
		return
	}
	u.split.resolve(p.id, m)
}

// again implements walkUnit.
func (u *Unit) again(p *piece, m *mapping) bool {
	e := u.findL2(p)
	if e == nil {
		return false
	}
	p.lane.l1.Insert(*e)
	deviceMapping(e, p.va, m)
	return true
}

// key implements walkUnit.
func (u *Unit) key(p *piece) walkKey {
	return walkKey{space: uint64(p.sub.ASID), page: p.va >> pageShift, kind: accessOf(&p.sub), priv: p.sub.Priv}
}

// Keen has the unit remember the pointers to page tables that walks have followed
// to no end, as an implementation may (RISC-V privileged 1.13, 12.2.1): a table
// whose entries are all clear needs an invalidation, too, before it goes.
func (u *Unit) Keen() { u.keen = true }

// Invalidate drops cached translations and calls done when they are dropped,
// walks under way that read the old tables are discarded, and every access
// translated before has completed. bytes 0 means the whole context; all means
// every context, whatever asid is.
func (u *Unit) Invalidate(asid uint16, addr, bytes uint64, all bool, done sim.Call) {
	u.stats.Invalidations++
	f := Filter{Tag: uint64(asid), TagMask: ^uint64(0), Addr: addr, Bytes: bytes}
	if all {
		f = Filter{}
	}
	if u.injector.Hit(fault.StaleTLB, int(asid), addr) == nil {
		u.dropCaches(f)
		u.stale.add(f)
	}
	part := sim.Call{H: u.invDone, Arg: u.newInvalidation(done)}
	u.e.After(u.invalidate, part)
	if u.split.window.advance(part) {
		u.e.Fire(part)
	}
}

// invalidation is one that is not done: both its latency and the accesses
// before it are awaited.
type invalidation struct {
	left int
	done sim.Call
}

func (u *Unit) newInvalidation(done sim.Call) uint64 {
	for i := range u.jobs {
		if u.jobs[i].left == 0 {
			u.jobs[i] = invalidation{2, done}
			return uint64(i)
		}
	}
	u.jobs = append(u.jobs, invalidation{2, done})
	return uint64(len(u.jobs) - 1)
}

// onInvalidated is one part of an invalidation done.
func (u *Unit) onInvalidated(arg uint64) {
	j := &u.jobs[arg]
	if j.left--; j.left == 0 {
		u.e.Fire(j.done)
	}
}

func (u *Unit) dropCaches(f Filter) {
	for _, p := range u.ports {
		p.lane.l1.Drop(f)
	}
	u.l2.Drop(f)
	if u.tables != nil {
		u.tables.Drop(f)
	}
	u.ctx.drop(f.Tag, f.TagMask)
}

// Halt implements hw.Resetter: what waits for a translation is aborted, new
// requests are too, and done fires when nothing is outstanding.
func (u *Unit) Halt(done sim.Call) { u.walk.halt(done) }

// Reset implements hw.Resetter: caches empty, no context table, the fault ring
// off. Call it when a Halt is done.
func (u *Unit) Reset() {
	u.dropCaches(Filter{})
	u.stale.add(Filter{})
	u.contextBase, u.contexts = 0, 0
	u.faults.reset()
	u.walk.restart()
}
