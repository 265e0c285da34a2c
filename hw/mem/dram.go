package mem

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// DRAM is device memory: a hw.Target for Space Device. A request's address is
// a byte offset; the request is cut into row runs over the channels, served as
// the controllers see fit, and done when its last run is.
//
// A channel decides lazily: it is brought up to date by one wake-up that comes
// before the first effect that anybody could see, which is a read latency
// after its next command. Requests that arrive until then are stamped and take
// part from their own tick on, so nothing is ever decided ahead of time.
type DRAM struct {
	e       *sim.Engine
	cfg     Config
	dev     *device
	rules   *rules
	amap    *addrMap
	store   *Store
	txShift uint
	chans   []*channel
	wakeAt  []sim.Time // of each channel's wake-up, Never when none is needed

	flights []flight
	free    []int32
	open    int
	wake    sim.Handler
	finish  sim.Handler
	track   sim.Track
	labels  [2]sim.Label // by hw.Op

	Stats Stats
}

// flight is a request under way.
type flight struct {
	r     *hw.Request
	start sim.Time
	parts int32
	bad   bool // outside the memory
	end   int64
}

// Stats counts what the channels did. Row counts are by transaction.
type Stats struct {
	ReadBytes, WriteBytes            int64 // moved on the data buses
	RowHits, RowMisses, RowConflicts int64
	Activates, Refreshes             int64
	Forwarded                        int64 // reads answered by the write buffer
	BusyPs                           int64 // data buses in use, summed over them
}

func (s *Stats) counters() []sim.Counter {
	return []sim.Counter{
		{Name: "read_bytes", Help: "bytes read from DRAM", Value: &s.ReadBytes},
		{Name: "write_bytes", Help: "bytes written to DRAM", Value: &s.WriteBytes},
		{Name: "row_hits", Help: "transactions that found their row open", Value: &s.RowHits},
		{Name: "row_misses", Help: "transactions that found their bank closed", Value: &s.RowMisses},
		{Name: "row_conflicts", Help: "transactions that found another row open", Value: &s.RowConflicts},
		{Name: "activates", Help: "rows opened", Value: &s.Activates},
		{Name: "refreshes", Help: "refresh commands", Value: &s.Refreshes},
		{Name: "forwarded", Help: "read transactions answered by the write buffer", Value: &s.Forwarded},
		{Name: "busy_ps", Help: "time of data on the buses, summed over them", Value: &s.BusyPs},
	}
}

// New builds device memory over a store of at least cfg.Size bytes. A
// configuration that does not pass Validate panics.
func New(e *sim.Engine, name string, cfg Config, store *Store) *DRAM {
	if faults := cfg.Validate(); len(faults) > 0 {
		panic(fmt.Sprintf("mem: New with a configuration that is not valid: %v", errors.Join(faults...)))
	}
	cfg = cfg.withDefaults()
	if store.Size() < cfg.Size {
		panic(fmt.Sprintf("mem: a store of %v cannot hold %v", store.Size(), cfg.Size))
	}
	m := &DRAM{e: e, cfg: cfg, store: store}
	m.track, m.labels = e.Track(name), [2]sim.Label{e.Label("read"), e.Label("write")}
	m.dev, m.rules, m.amap = cfg.parts()
	for 1<<m.txShift < m.dev.tx {
		m.txShift++
	}
	for i := range m.dev.channels * cfg.Channels {
		m.chans = append(m.chans, newChannel(m.dev, m.rules, m.amap, cfg, i, m, &m.Stats))
		m.wakeAt = append(m.wakeAt, sim.Never)
	}
	m.wake = e.Register(name+" channel", m.onWake)
	m.finish = e.Register(name+" done", m.onFinish)
	e.Stats.Add(name, m.Stats.counters()...)
	return m
}

// parts returns what a valid configuration with defaults stands for.
func (c Config) parts() (*device, *rules, *addrMap) {
	dev := deviceNamed(c.Device)
	t, _ := c.timing(dev)
	amap, _ := parseMap(c.Map, dev, dev.channels*c.Channels)
	return dev, t.compile(dev.std), amap
}

// PeakRate returns the data rate of all channels together.
func (m *DRAM) PeakRate() sim.Rate { return m.dev.peak(m.cfg.Channels) }

// ReadLatency returns how long a read takes that finds its bank closed and nothing
// in its way.
func (m *DRAM) ReadLatency() sim.Time {
	t, _ := m.cfg.timing(m.dev)
	return sim.Time((t.RCDRD + t.CL + t.BL) * m.dev.tCK)
}

// Size returns how many bytes the memory has.
func (m *DRAM) Size() sim.Bytes { return m.cfg.Size }

// Idle returns nil when nothing is outstanding.
func (m *DRAM) Idle() error {
	if m.open != 0 {
		return fmt.Errorf("dram: %d requests are outstanding", m.open)
	}
	for i, c := range m.chans {
		if !c.idle() {
			return fmt.Errorf("dram: channel %d still holds transactions", i)
		}
	}
	return nil
}

// timeOf returns the instant of a tick.
func (m *DRAM) timeOf(tick int64) sim.Time { return sim.Time(tick * m.dev.tCK / m.rules.tickDiv) }

// tickAt returns the first tick at or after an instant.
func (m *DRAM) tickAt(t sim.Time) int64 {
	return (int64(t)*m.rules.tickDiv + m.dev.tCK - 1) / m.dev.tCK
}

var _ hw.Ahead = (*DRAM)(nil)

// Submit implements hw.Target. A request outside the memory ends as
// Unsupported.
func (m *DRAM) Submit(r *hw.Request) { m.SubmitIn(r, 0) }

// SubmitIn implements hw.Ahead: it takes any request. Of two that arrive in the same
// tick the one that was submitted first is first.
func (m *DRAM) SubmitIn(r *hw.Request, d sim.Time) bool {
	at := m.e.Now() + d
	id := m.hold(r, at)
	if r.Bytes <= 0 || r.Addr >= uint64(m.cfg.Size) || uint64(r.Bytes) > uint64(m.cfg.Size)-r.Addr {
		m.flights[id].bad = true
		m.e.At(at+sim.Time(m.dev.tCK), sim.Call{H: m.finish, Arg: uint64(id)})
		return true
	}
	kind := reads
	if r.Op == hw.Write {
		kind = writes
	}
	now, tick := m.tickAt(m.e.Now()), m.tickAt(at)
	x0, x1 := r.Addr>>m.txShift, (r.Addr+uint64(r.Bytes)-1)>>m.txShift
	left := int64(x1-x0) + 1
	for x := x0; left > 0; x = m.amap.nextBlock(x) {
		c, y := m.amap.split(x)
		from, to := m.amap.span(c, x0, x1)
		if from != y {
			continue // the channel had its part at an earlier block
		}
		left -= int64(to - from)
		m.flights[id].parts++
		m.chans[c].wake(now, tick)
		m.chans[c].accept(kind, int64(id), from, int64(to-from), tick)
		m.arm(c, now)
	}
	return true
}

// hold keeps a request that arrives at an instant by number until it is done.
func (m *DRAM) hold(r *hw.Request, at sim.Time) int32 {
	m.open++
	id := int32(len(m.flights))
	if n := len(m.free); n > 0 {
		id = m.free[n-1]
		m.free = m.free[:n-1]
	} else {
		m.flights = append(m.flights, flight{})
	}
	f := &m.flights[id]
	f.r, f.start, f.parts, f.bad, f.end = r, at, 0, false, 0
	return id
}

// arm sees to it that channel i is woken in time, given that tick is now.
func (m *DRAM) arm(i int, tick int64) {
	at := m.chans[i].visible(tick)
	if at == never {
		return
	}
	if t := m.timeOf(at); t < m.wakeAt[i] {
		m.wakeAt[i] = t
		m.e.At(t, sim.Call{H: m.wake, Arg: uint64(i)})
	}
}

// onWake brings a channel up to date. A wake-up that an earlier one has
// replaced does nothing.
func (m *DRAM) onWake(arg uint64) {
	now := m.e.Now()
	if m.wakeAt[arg] != now {
		return
	}
	m.wakeAt[arg] = sim.Never
	tick := m.tickAt(now)
	m.chans[arg].advance(tick)
	m.arm(int(arg), tick)
}

// finished implements owner.
func (m *DRAM) finished(c *channel, p int32, end int64) {
	id := c.pieces[p].tag
	f := &m.flights[id]
	f.end = max(f.end, end)
	if f.parts--; f.parts == 0 {
		m.e.At(m.timeOf(f.end), sim.Call{H: m.finish, Arg: uint64(id)})
	}
}

// onFinish moves a request's bytes and tells its requester.
func (m *DRAM) onFinish(arg uint64) {
	f := &m.flights[arg]
	r, start := f.r, f.start
	f.r = nil
	m.free = append(m.free, int32(arg))
	m.open--
	if f.bad {
		r.Status, r.FaultAddr = hw.Unsupported, r.Addr
	} else {
		Serve(r, m.store)
	}
	if m.e.Trace != nil {
		m.e.Trace.Add(sim.Span{Start: start, End: m.e.Now(), Track: m.track, Label: m.labels[r.Op], Arg: uint64(r.Bytes)})
	}
	m.e.Fire(r.Done)
}
