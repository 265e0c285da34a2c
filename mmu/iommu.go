package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// IOMMU is the host's RISC-V IOMMU in simulated time: ports in the path of DMA
// from devices to host memory, registers, and queues in host memory.
//
// A request to a port is looked up in the IOTLB (hit_latency, pipelined); a
// miss walks directories and page tables in host memory. Requests leave in
// Space BusAddr with host physical addresses. One that faults ends with status
// Unsupported, as PCIe tells its device, and a record goes to the fault queue.
type IOMMU struct {
	*iommuCore
	e     *sim.Engine
	split *splitter
	walk  *walkers
	ports []*IOMMUPort

	cqAgent, fqAgent, pqAgent, msiAgent, debugAgent *agent

	stats iommuStats
}

type iommuStats struct{ faults int64 }

// NewIOMMU returns an IOMMU with the given capabilities (DefaultCapabilities),
// its directory off: nothing passes. memory is host memory, in Space BusAddr;
// the IOMMU's own accesses carry source.
func NewIOMMU(e *sim.Engine, cfg IOMMUConfig, capabilities uint64, memory hw.Target, source hw.Source) *IOMMU {
	m := &IOMMU{iommuCore: newIOMMUCore(cfg, capabilities), e: e}
	m.split = newSplitter(e, "iommu", m, cfg.HitLatency)
	m.walk = newWalkers(e, "iommu", m.split, m, cfg.Walkers, source, memory, busRoute)
	newAgent := func(name string, mc machine) *agent {
		return newAgent(e, "iommu "+name, source, memory, busRoute, mc, func() {})
	}
	m.cqAgent = newAgent("command queue", &m.cq)
	m.fqAgent = newAgent("fault queue", &m.fq)
	m.pqAgent = newAgent("page-request queue", &m.pq)
	m.msiAgent = newAgent("interrupt", &m.messages)
	m.debugAgent = newAgent("debug translation", &m.debug)
	m.kick = m.start
	drained := sim.Call{H: e.Register("iommu fence", func(uint64) { m.cq.afterDrain() })}
	m.drain = func() bool { return m.split.window.advance(drained) }
	m.register()
	return m
}

func busRoute(addr uint64) (hw.Space, uint64) { return hw.BusAddr, addr }

func (m *IOMMU) register() {
	w := m.walk
	m.e.Stats.Add("iommu",
		sim.Counter{Name: "iotlb_hits", Help: "translations found in the IOTLB", Value: &m.split.hits},
		sim.Counter{Name: "iotlb_misses", Help: "translations that need a walk", Value: &m.split.misses},
		sim.Counter{Name: "walks", Help: "walks of directories and page tables", Value: &w.walks},
		sim.Counter{Name: "walks_merged", Help: "misses that joined a walk of their page", Value: &w.merged},
		sim.Counter{Name: "walks_retried", Help: "walks repeated because of an invalidation", Value: &w.retries},
		sim.Counter{Name: "walk_reads", Help: "memory reads by walks", Value: &w.reads},
		sim.Counter{Name: "walk_time_ps", Help: "sum of the walks' lengths", Value: &w.walkTime},
		sim.Counter{Name: "faults", Help: "translations that faulted", Value: &m.stats.faults},
		sim.Counter{Name: "stall_time_ps", Help: "sum of the times requests waited for translation", Value: &m.split.stallTime},
	)
}

// start runs the agent of a machine that has work.
func (m *IOMMU) start(mc machine) {
	switch mc {
	case &m.cq:
		m.cqAgent.start()
	case &m.fq:
		m.fqAgent.start()
	case &m.pq:
		m.pqAgent.start()
	case &m.messages:
		m.msiAgent.start()
	case &m.debug:
		m.debugAgent.start()
	}
}

// IOMMUPort is the way of one device through the IOMMU.
type IOMMUPort struct {
	m    *IOMMU
	lane *lane
}

// NewPort adds a port for a device id (24 bits; for PCIe segment, bus, device,
// function). Translated pieces go to down, in PCIe's order: writes in the order
// in which they came, and reads behind the writes that came before them.
func (m *IOMMU) NewPort(deviceID uint32, down hw.Target) *IOMMUPort {
	p := &IOMMUPort{m: m, lane: m.split.newLane(down)}
	p.lane.device, p.lane.strict = deviceID&0xffffff, true
	m.ports = append(m.ports, p)
	return p
}

// Submit implements hw.Target: every request is translated, whatever its Space
// says. PASID is the process id.
func (p *IOMMUPort) Submit(r *hw.Request) {
	l := p.lane
	if m := &l.s.m; l.open(r) && p.m.lookup(l, r, r.Addr, m) && m.covers(r) {
		l.forward(r, m)
	} else {
		l.submit(r)
	}
}

// of makes t, which is zero, of a request. Exec requests are reads.
func (t *Transaction) of(l *lane, r *hw.Request, va uint64) {
	t.DID, t.IOVA = l.device, va
	t.PID, t.PV, t.Priv = r.PASID, r.HasPASID, r.Priv && r.HasPASID
	if r.Op == hw.Write {
		t.Kind = Store
	}
}

func transactionOf(l *lane, r *hw.Request, va uint64) (t Transaction) {
	t.of(l, r, va)
	return t
}

// lookup implements translator.
func (m *IOMMU) lookup(l *lane, r *hw.Request, va uint64, mp *mapping) bool {
	var t Transaction
	t.of(l, r, va)
	e, identity := m.iommuCore.lookup(&t)
	switch {
	case identity:
		hostMapping(va, 64, mp)
	case e != nil:
		hostMapping(e.PA|va&(1<<e.Shift-1), e.Shift, mp)
	default:
		return false
	}
	return true
}

// hostMapping is a mapping to a host physical address within a page of a size.
func hostMapping(pa uint64, shift uint8, mp *mapping) {
	mask := uint64(1)<<shift - 1
	*mp = mapping{pa: pa, left: mask - pa&mask + 1, space: hw.BusAddr}
	if shift >= 63 {
		mp.left = 1 << 62
	}
}

// miss implements translator.
func (m *IOMMU) miss(id int32) { m.walk.add(m.split.pieces[id]) }

// again implements walkUnit.
func (m *IOMMU) again(p *piece, mp *mapping) bool {
	return m.lookup(p.lane, &p.sub, p.va, mp)
}

// key implements walkUnit.
func (m *IOMMU) key(p *piece) walkKey {
	t := transactionOf(p.lane, &p.sub, p.va)
	return walkKey{space: uint64(t.DID)<<21 | uint64(t.PID&pidMask)<<1 | bit(t.PV, 0), page: p.va >> pageShift,
		kind: t.Kind, priv: t.Priv}
}

// iommuJob is one walker's machine.
type iommuJob struct {
	*translation
	m *IOMMU
}

// job implements walkUnit.
func (m *IOMMU) job() walkJob { return &iommuJob{newTranslation(m.iommuCore), m} }

func (j *iommuJob) begin(p *piece) {
	j.Begin(transactionOf(p.lane, &p.sub, p.va))
}

// stale asks by what the walk found; of one that failed nothing is known but
// its space.
func (j *iommuJob) stale() bool {
	shift := uint8(everyAddress)
	if j.Cause == 0 {
		shift = j.Shift
	}
	return j.c.stale.covers(j.since, j.space.tag, j.t.IOVA, shift)
}

func (j *iommuJob) fault() hw.Status { return j.Status }
func (j *iommuJob) install()         { j.fill() }

func (j *iommuJob) report() {
	j.m.stats.faults++
	j.fill() // the directories may be good
	j.c.report(j.record(), j.hidden())
}

func (j *iommuJob) serve(p *piece, mp *mapping) bool {
	switch {
	case j.identity:
		hostMapping(p.va, 64, mp)
	case j.walk.Perm.Allows(j.t.Kind, j.t.Priv, j.space.sum):
		hostMapping(j.PA&^pageMask|p.va&pageMask, j.Shift, mp)
	default:
		return false
	}
	return true
}

// Halt aborts what waits for a translation and calls done when nothing is
// outstanding.
func (m *IOMMU) Halt(done sim.Call) { m.walk.halt(done) }

// Reset returns registers and caches to their power-on state.
func (m *IOMMU) Reset() {
	m.iommuCore.reset()
	m.walk.restart()
}
