package mem

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// DRAM is device memory: a hw.Target for Space Device. A request's address is
// a byte offset; it is cut into row runs over the channels, served as the
// controllers see fit, and done when its last run is.
type DRAM struct {
	e       *sim.Engine
	cfg     Config
	dev     *device
	t       timing
	amap    *addrMap
	store   *Store
	txShift uint
	chans   []channel
	open    int64 // requests not done yet

	free    []int32
	pending []*hw.Request
	finish  sim.Handler

	Stats Stats
}

// Stats counts what the channels did. Row counts are by transaction.
type Stats struct {
	ReadBytes, WriteBytes            int64
	RowHits, RowMisses, RowConflicts int64
	Activates, Refreshes, Forwarded  int64
	BusyPs                           int64 // data buses in use, summed over them
}

// channel serves runs in order.
type channel struct {
	free sim.Time
	rows []int32 // open row a bank, -1 when closed
	bus  int64
}

// New builds device memory over a store of at least cfg.Size bytes. The
// configuration must have passed Validate.
func New(e *sim.Engine, name string, cfg Config, store *Store) *DRAM {
	if faults := cfg.Validate(); len(faults) > 0 {
		panic(fmt.Sprintf("mem: New with a configuration that is not valid: %v", errors.Join(faults...)))
	}
	cfg = cfg.withDefaults()
	dev := deviceNamed(cfg.Device)
	if store.Size() < cfg.Size {
		panic(fmt.Sprintf("mem: a store of %v cannot hold %v", store.Size(), cfg.Size))
	}
	t, _ := cfg.timing(dev)
	n := dev.channels * cfg.Channels
	amap, _ := parseMap(cfg.Map, dev, n)
	m := &DRAM{e: e, cfg: cfg, dev: dev, t: t, amap: amap, store: store, chans: make([]channel, n)}
	for 1<<m.txShift < dev.tx {
		m.txShift++
	}
	banks := 1 << (dev.rank[0] + dev.rank[1] + dev.bits[0] + dev.bits[1])
	for i := range m.chans {
		m.chans[i].rows = make([]int32, banks)
		for b := range m.chans[i].rows {
			m.chans[i].rows[b] = -1
		}
	}
	m.finish = e.Register(name+" done", m.done)
	s := &m.Stats
	e.Stats.Add(name,
		sim.Counter{Name: "read_bytes", Help: "bytes read from DRAM", Value: &s.ReadBytes},
		sim.Counter{Name: "write_bytes", Help: "bytes written to DRAM", Value: &s.WriteBytes},
		sim.Counter{Name: "row_hits", Help: "transactions that found their row open", Value: &s.RowHits},
		sim.Counter{Name: "row_misses", Help: "transactions that found their bank closed", Value: &s.RowMisses},
		sim.Counter{Name: "row_conflicts", Help: "transactions that found another row open", Value: &s.RowConflicts},
		sim.Counter{Name: "activates", Help: "rows opened", Value: &s.Activates},
		sim.Counter{Name: "refreshes", Help: "refresh commands", Value: &s.Refreshes},
		sim.Counter{Name: "forwarded", Help: "reads answered by the write buffer", Value: &s.Forwarded},
		sim.Counter{Name: "busy_ps", Help: "time of data on the buses, summed over them", Value: &s.BusyPs},
	)
	return m
}

// PeakRate returns the data rate of all channels together.
func (m *DRAM) PeakRate() sim.Rate { return m.dev.peak(m.cfg.Channels) }

// Size returns how many bytes the memory has.
func (m *DRAM) Size() sim.Bytes { return m.cfg.Size }

// Idle returns nil when nothing is outstanding.
func (m *DRAM) Idle() error {
	if m.open != 0 {
		return fmt.Errorf("dram: %d requests are outstanding", m.open)
	}
	return nil
}

// Submit implements hw.Target.
func (m *DRAM) Submit(r *hw.Request) {
	m.open++
	end := m.e.Now() + sim.Time(m.dev.tCK)
	if r.Bytes > 0 && r.Addr < uint64(m.cfg.Size) && uint64(r.Bytes) <= uint64(m.cfg.Size)-r.Addr {
		end = m.serve(r)
	}
	m.e.At(end, sim.Call{H: m.finish, Arg: uint64(m.hold(r))})
}

// hold keeps a request by number until it is done.
func (m *DRAM) hold(r *hw.Request) int32 {
	if n := len(m.free); n > 0 {
		id := m.free[n-1]
		m.free = m.free[:n-1]
		m.pending[id] = r
		return id
	}
	m.pending = append(m.pending, r)
	return int32(len(m.pending) - 1)
}

func (m *DRAM) done(arg uint64) {
	r := m.pending[arg]
	m.pending[arg] = nil
	m.free = append(m.free, int32(arg))
	m.open--
	Serve(r, m.store)
	m.e.Fire(r.Done)
}

// serve books a request's runs on their channels and returns its end.
func (m *DRAM) serve(r *hw.Request) (end sim.Time) {
	x0 := r.Addr >> m.txShift
	x1 := (r.Addr + uint64(r.Bytes) - 1) >> m.txShift
	for c := range m.chans {
		from, to := m.amap.span(c, x0, x1)
		if from < to {
			end = max(end, m.book(&m.chans[c], from, to))
		}
	}
	if r.Op == hw.Write {
		m.Stats.WriteBytes += r.Bytes
		return end
	}
	m.Stats.ReadBytes += r.Bytes
	return end + sim.Time((m.t.CL+m.t.BL)*m.dev.tCK)
}

// book takes a channel for the runs of [from, to) and returns their end.
func (m *DRAM) book(ch *channel, from, to uint64) sim.Time {
	now := max(m.e.Now(), ch.free)
	for from < to {
		next := min(to, (from>>m.amap.runBits+1)<<m.amap.runBits)
		c, n := m.amap.decode(from), int64(next-from)
		clocks := n * m.t.BL
		switch row := ch.rows[c.bank]; {
		case row == c.row:
			m.Stats.RowHits += n
		case row < 0:
			clocks += m.t.RCDRD
			m.Stats.RowMisses++
			m.Stats.RowHits += n - 1
		default:
			clocks += m.t.RP + m.t.RCDRD
			m.Stats.RowConflicts++
			m.Stats.RowHits += n - 1
		}
		ch.rows[c.bank] = c.row
		now += sim.Time(clocks * m.dev.tCK)
		from = next
	}
	now += (now - max(m.e.Now(), ch.free)) * sim.Time(m.t.RFC) / sim.Time(m.t.REFI-m.t.RFC)
	ch.free = now
	return now
}
