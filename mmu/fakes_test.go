package mmu

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// ram is a memory with one latency for all: two of them, device memory and
// what lies behind the bus, as a router in front of them would show.
type ram struct {
	e        *sim.Engine
	latency  sim.Time
	device   []byte
	bus      []byte
	log      []hw.Request
	keep     bool
	inFlight []*hw.Request
	free     []int
	serve    sim.Handler
	fail     func(r *hw.Request) hw.Status
	late     func(r *hw.Request) sim.Time // extra latency
	zero     func(r *hw.Request) bool     // answered as all zeros, data untouched
	atIssue  bool                         // reads take their value when they are submitted
	awaits   bool                         // takes no requests ahead of time
	early    int                          // how many it has taken
}

func newRAM(e *sim.Engine, size int, latency sim.Time) *ram {
	m := &ram{e: e, latency: latency, device: make([]byte, size), bus: make([]byte, size)}
	m.serve = e.Register("ram", m.onServe)
	return m
}

func (m *ram) Submit(r *hw.Request) { m.take(r, 0) }

// SubmitIn implements hw.Ahead.
func (m *ram) SubmitIn(r *hw.Request, d sim.Time) bool {
	if m.awaits || m.atIssue {
		return false
	}
	m.early++
	m.take(r, d)
	return true
}

// take serves a request that arrives d from now.
func (m *ram) take(r *hw.Request, d sim.Time) {
	if m.keep {
		m.log = append(m.log, *r)
	}
	slot := len(m.inFlight)
	if n := len(m.free); n > 0 {
		slot = m.free[n-1]
		m.free = m.free[:n-1]
		m.inFlight[slot] = r
	} else {
		m.inFlight = append(m.inFlight, r)
	}
	if m.atIssue && r.Op == hw.Read {
		copy(r.Data, m.bytes(r.Space)[r.Addr:])
	}
	t := d + m.latency
	if m.late != nil {
		t += m.late(r)
	}
	m.e.After(t, sim.Call{H: m.serve, Arg: uint64(slot)})
}

// partly is a target that takes a part of the requests ahead of time, at random, and
// shows each to arrive when it arrives.
type partly struct {
	e      *sim.Engine
	random *sim.Stream
	arrive func(r *hw.Request)
	call   sim.Handler
	held   []*hw.Request
}

func newPartly(e *sim.Engine, random *sim.Stream, arrive func(r *hw.Request)) *partly {
	p := &partly{e: e, random: random, arrive: arrive}
	p.call = e.Register("arrival", func(i uint64) { p.arrive(p.held[i]) })
	return p
}

func (p *partly) Submit(r *hw.Request) { p.arrive(r) }

// SubmitIn implements hw.Ahead.
func (p *partly) SubmitIn(r *hw.Request, d sim.Time) bool {
	if p.random.Intn(3) == 0 {
		return false
	}
	p.held = append(p.held, r)
	p.e.After(d, sim.Call{H: p.call, Arg: uint64(len(p.held) - 1)})
	return true
}

func (m *ram) bytes(s hw.Space) []byte {
	if s == hw.Device {
		return m.device
	}
	return m.bus
}

func (m *ram) onServe(slot uint64) {
	r := m.inFlight[slot]
	m.inFlight[slot] = nil
	m.free = append(m.free, int(slot))
	mem := m.bytes(r.Space)
	r.Status, r.Zero = hw.OK, r.Zero && r.Op == hw.Write
	switch {
	case m.fail != nil && m.fail(r) != hw.OK:
		r.Status = m.fail(r)
	case r.Addr+uint64(r.Bytes) > uint64(len(mem)):
		r.Status, r.FaultAddr = hw.Unsupported, r.Addr
	case r.Op == hw.Write && r.Zero:
		clear(mem[r.Addr:][:r.Bytes])
	case r.Op == hw.Write && r.Data != nil:
		copy(mem[r.Addr:], r.Data)
	case r.Op == hw.Read && m.zero != nil && m.zero(r):
		r.Zero = true
	case r.Op == hw.Read && r.Data != nil && !m.atIssue:
		copy(r.Data, mem[r.Addr:])
	}
	r.Remote = r.Remote || r.Space == hw.BusAddr
	m.e.Fire(r.Done)
}

func (m *ram) put(inDevice bool, addr, v uint64) {
	mem := m.bus
	if inDevice {
		mem = m.device
	}
	binary.LittleEndian.PutUint64(mem[addr:], v)
}

func (m *ram) get(inDevice bool, addr uint64) uint64 {
	mem := m.bus
	if inDevice {
		mem = m.device
	}
	return binary.LittleEndian.Uint64(mem[addr:])
}

// mapper builds Sv48 page tables in a ram; tables come from next upwards.
type mapper struct {
	m      *ram
	next   uint64
	dev    bool // the tables lie in device memory
	levels int
}

func (b *mapper) page() uint64 {
	p := b.next
	b.next += 4096
	return p
}

func (b *mapper) phys(addr uint64) uint64 {
	if b.dev {
		return addr | abi.DeviceBit
	}
	return addr
}

// root returns a fresh root table's physical address.
func (b *mapper) root() uint64 { return b.phys(b.page()) }

// entry returns the address (in its memory) of va's entry at a level, making
// tables on the way.
func (b *mapper) entry(root, va uint64, level int) uint64 {
	table := root &^ abi.DeviceBit
	for l := b.levels - 1; ; l-- {
		at := table + index(va, l, levelBits)*8
		if l == level {
			return at
		}
		pte := b.m.get(b.dev, at)
		if pte&PTEValid == 0 {
			pte = abi.PTE(b.phys(b.page()), PTEValid)
			b.m.put(b.dev, at, pte)
		}
		table = ptePPN(pte) << pageShift &^ abi.DeviceBit
	}
}

const userRW = PTEValid | PTERead | PTEWrite | PTEUser | PTEAccessed | PTEDirty

// set maps one page of a level.
func (b *mapper) set(root, va, pa, flags uint64, level int) {
	b.m.put(b.dev, b.entry(root, va, level), abi.PTE(pa, flags))
}

// defaultConfig is a small MMU with the sizes of a GPU's: per-unit first-level
// TLBs and one shared level behind them (Pichai, Hsu, Bhattacharjee, ASPLOS
// 2014; Power, Hill, Wood, HPCA 2014).
func defaultConfig() Config {
	return Config{L1Entries: 32, L2Entries: 512, L2Ways: 8, WalkCacheEntries: 32,
		ContextEntries: 16, Walkers: 8, HitCycles: 1, L2HitCycles: 10, InvalidateCycles: 100}
}
