package host

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/sim"
)

// memory is the host's memory as the root complex sees it: a latency and a
// bandwidth. Requests carry physical addresses.
type memory struct {
	e     *sim.Engine
	store *mem.Store
	rate  sim.Rate
	delay sim.Time
	port  sim.Calendar
	done  sim.Handler
	slots []*hw.Request
	free  []uint32
	reads int64
	wrote int64
	// written, unless nil, is told of each write that has become visible.
	written func(addr uint64, n int64)
}

func newMemory(e *sim.Engine, cfg Config) *memory {
	m := &memory{e: e, store: mem.NewStore(cfg.Memory), rate: cfg.MemoryRate, delay: cfg.MemoryTime}
	m.done = e.Register("host memory", m.serve)
	e.Stats.Add("host_memory",
		sim.Counter{Name: "read_bytes", Help: "bytes read by the device and its IOMMU", Value: &m.reads},
		sim.Counter{Name: "write_bytes", Help: "bytes written by the device and its IOMMU", Value: &m.wrote})
	return m
}

// Submit implements hw.Target.
func (m *memory) Submit(r *hw.Request) {
	_, end := m.port.Reserve(m.e.Now(), m.rate.TimeFor(sim.Bytes(r.Bytes)))
	var i uint32
	if n := len(m.free); n > 0 {
		i, m.free = m.free[n-1], m.free[:n-1]
		m.slots[i] = r
	} else {
		i = uint32(len(m.slots))
		m.slots = append(m.slots, r)
	}
	m.e.At(end+m.delay, sim.Call{H: m.done, Arg: uint64(i)})
}

// serve moves the bytes when the access's time has come.
func (m *memory) serve(i uint64) {
	r := m.slots[i]
	m.slots[i] = nil
	m.free = append(m.free, uint32(i))
	mem.Serve(r, m.store)
	r.Remote = true
	if r.Op == hw.Read {
		m.reads += r.Bytes
	} else {
		m.wrote += r.Bytes
		if m.written != nil {
			m.written(r.Addr, r.Bytes)
		}
	}
	m.e.Fire(r.Done)
}
