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
	slots []arrival
	free  []uint32
	// coming are the accesses that have not arrived, in order; plan is the port with
	// them, when nothing comes between.
	coming sim.FIFO[uint32]
	plan   sim.Calendar
	reads  int64
	wrote  int64
	// written, unless nil, is told of each write that has become visible.
	written func(addr uint64, n int64)
}

// arrival is a request under way: when it arrives and, once it has, when it is done.
type arrival struct {
	r           *hw.Request
	arrives, at sim.Time
}

var _ hw.Ahead = (*memory)(nil)

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
	m.settle()
	i, a := m.hold(r, m.e.Now())
	m.reserve(a)
	m.e.At(a.at, sim.Call{H: m.done, Arg: uint64(i)})
}

// SubmitIn implements hw.Ahead. Others may come before the request, so the port is
// not taken for it until it has arrived; it is looked at when it would be done if none
// did.
func (m *memory) SubmitIn(r *hw.Request, d sim.Time) bool {
	m.settle()
	at := m.e.Now() + d
	if n := m.coming.Len(); n == 0 {
		m.plan = m.port
	} else if m.slots[*m.coming.At(n - 1)].arrives > at {
		return false
	}
	i, _ := m.hold(r, at)
	m.coming.Push(i)
	_, end := m.plan.Reserve(at, m.time(r))
	m.e.At(end+m.delay, sim.Call{H: m.done, Arg: uint64(i)})
	return true
}

func (m *memory) hold(r *hw.Request, arrives sim.Time) (i uint32, a *arrival) {
	if n := len(m.free); n > 0 {
		i, m.free = m.free[n-1], m.free[:n-1]
	} else {
		i = uint32(len(m.slots))
		m.slots = append(m.slots, arrival{})
	}
	a = &m.slots[i]
	a.r, a.arrives = r, arrives
	return i, a
}

// time returns how long a request takes the port.
func (m *memory) time(r *hw.Request) sim.Time { return m.rate.TimeFor(sim.Bytes(r.Bytes)) }

// reserve takes the port for an access that arrives now or has arrived last.
func (m *memory) reserve(a *arrival) {
	_, end := m.port.Reserve(a.arrives, m.time(a.r))
	a.at = end + m.delay
}

// settle takes the port for what has arrived.
func (m *memory) settle() {
	for m.coming.Len() > 0 {
		a := &m.slots[*m.coming.Front()]
		if a.arrives > m.e.Now() {
			return
		}
		m.reserve(a)
		m.coming.Drop()
	}
}

// serve moves the bytes when the access's time has come.
func (m *memory) serve(i uint64) {
	m.settle()
	if at := m.slots[i].at; at > m.e.Now() {
		m.e.At(at, sim.Call{H: m.done, Arg: i})
		return
	}
	r := m.slots[i].r
	m.slots[i].r = nil
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
