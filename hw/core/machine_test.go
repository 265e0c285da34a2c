package core

import (
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// testConfig is a small machine whose limits tests can reach.
func testConfig() Config {
	return Config{
		Core:       CoreConfig{Count: 1, Clock: 1e9, PortBytes: 32, Outstanding: 8, RequestBytes: 256},
		Array:      ArrayConfig{Rows: 8, Cols: 8, F32Cycles: 4},
		Vector:     VectorConfig{Lanes: 16, SpecialCycles: 4, StartCycles: 8},
		Scratchpad: ScratchpadConfig{Size: 256 * sim.KiB, Banks: 16, BankBytes: 16},
	}
}

// memory is a flat target with a fixed latency and one shared bandwidth. Bytes
// are served when a request completes. A request that leaves it gets a page fault.
type memory struct {
	e       *sim.Engine
	bytes   []byte
	latency sim.Time
	perByte sim.Time
	free    sim.Time
	remote  bool
	stall   sim.Time
	zero    bool // reads bring zeros, by Request.Zero alone

	reads, writes int64
	execs         int
	open          int
	done          sim.Handler
	flying        []*hw.Request
	slots         []uint64
}

func newMemory(e *sim.Engine, size int) *memory {
	m := &memory{e: e, bytes: make([]byte, size), latency: 100 * sim.Nanosecond}
	m.done = e.Register("memory", m.finish)
	return m
}

func (m *memory) finish(slot uint64) {
	r := m.flying[slot]
	m.slots = append(m.slots, slot)
	m.open--
	r.Status, r.Remote, r.Stalled, r.Zero = hw.OK, m.remote, m.stall, false
	if r.Addr > uint64(len(m.bytes)) || uint64(r.Bytes) > uint64(len(m.bytes))-r.Addr {
		r.Status, r.FaultAddr = hw.PageFault, r.Addr
	} else {
		m.serve(r)
	}
	m.e.Fire(r.Done)
}

func (m *memory) Submit(r *hw.Request) {
	m.free = max(m.free, m.e.Now()) + sim.Time(r.Bytes)*m.perByte
	n := len(m.slots)
	if n == 0 {
		m.flying = append(m.flying, nil)
		m.slots, n = append(m.slots, uint64(len(m.flying)-1)), 1
	}
	slot := m.slots[n-1]
	m.slots = m.slots[:n-1]
	m.flying[slot] = r
	m.open++
	m.e.At(m.free+m.latency, sim.Call{H: m.done, Arg: slot})
}

func (m *memory) serve(r *hw.Request) {
	if r.Exec {
		m.execs++
	}
	if r.Op == hw.Read {
		m.reads += r.Bytes
		r.Zero = m.zero
		if r.Data != nil && !r.Zero {
			copy(r.Data, m.bytes[r.Addr:])
		}
		return
	}
	m.writes += r.Bytes
	if r.Data != nil {
		copy(m.bytes[r.Addr:], r.Data)
	}
}

// machine is a complex on a memory.
type machine struct {
	e    *sim.Engine
	mem  *memory
	x    *Complex
	pool *kern.Pool
	seen []Observation
}

func (m *machine) Launched(o *Observation) { m.seen = append(m.seen, *o) }

// newMachine builds a complex; workers 0 means timing alone.
func newMachine(t require.TestingT, cfg Config, workers, size int) *machine {
	require.Empty(t, cfg.Validate())
	m := &machine{e: sim.New(1)}
	m.mem = newMemory(m.e, size)
	if workers > 0 {
		m.pool = kern.NewPool(workers)
	}
	ports := make([]hw.Target, cfg.Core.Count)
	for i := range ports {
		ports[i] = m.mem
	}
	m.x = New(m.e, cfg, Parts{Ports: ports, Pool: m.pool})
	m.x.Observer = m
	return m
}

func (m *machine) close() {
	if m.pool != nil {
		m.pool.Close()
	}
}

// launch runs one kernel to its end and checks what must hold after any launch.
func (m *machine) launch(t require.TestingT, k *abi.Kernel) *hw.Launch {
	return m.launchOn(t, k, 0)
}

func (m *machine) launchOn(t require.TestingT, k *abi.Kernel, cores uint32) *hw.Launch {
	l := &hw.Launch{ASID: 1, Cores: cores}
	k.Encode(l.Desc[:])
	m.submit(t, l)
	return l
}

func (m *machine) submit(t require.TestingT, l *hw.Launch) {
	start, end := m.e.Now(), sim.Time(-1)
	fired := 0
	done := m.e.Register("done", func(uint64) { fired++; end = m.e.Now() })
	l.Done = sim.Call{H: done}
	m.x.Launch(l)
	require.Zero(t, fired, "Done within Launch")
	require.NoError(t, m.e.Run())
	require.Equal(t, 1, fired, "Done fires once")
	require.NoError(t, m.x.Idle())
	require.Zero(t, m.mem.open, "requests in flight after Done")
	require.Equal(t, end-start, l.Result.Bill.Total(), "the bill is the time")
}

// mustRun is launch that expects success and returns the time and what was seen.
func (m *machine) mustRun(t require.TestingT, k *abi.Kernel) (sim.Time, *Observation) {
	start := m.e.Now()
	l := m.launch(t, k)
	require.Equal(t, abi.StatusOK, l.Result.Code, "status %v", l.Result.Code)
	o := &m.seen[len(m.seen)-1]
	return o.End - start, o
}

// place lays the slots of k out one after another from 0 on.
func place(t require.TestingT, k *abi.Kernel) {
	slot, status := Footprint(k)
	require.Equal(t, abi.StatusOK, status)
	at := int64(0)
	for i, n := range slot {
		if n > 0 {
			k.Spad[i] = uint32(at)
			at += n * int64(k.Buffers[i])
		}
	}
}

// gemm is a packed M×K by K×N product with A, B and C one after another.
func gemm(t require.TestingT, m, n, k uint32, tm, tn, tk uint32, in, out abi.DType) *abi.Kernel {
	d := &abi.Kernel{Kind: abi.KernelGEMM, InType: in, OutType: out, Scale: 1, OutScale: 1, ResScale: 1, Buffers: [4]uint8{2, 2, 2, 2}}
	d.Dims = [16]uint32{1, m, n, k, 1}
	size, osize := uint64(in.Size()), uint64(out.Size())
	a := uint64(0)
	b := a + uint64(m)*uint64(k)*size
	c := b + uint64(k)*uint64(n)*size
	d.Operands = [4]abi.Operand{{Addr: a, RowStride: uint64(k) * size}, {Addr: b, RowStride: uint64(n) * size},
		{Addr: c, RowStride: uint64(n) * osize}, {Addr: c + uint64(m)*uint64(n)*osize, RowStride: uint64(n) * osize}}
	d.Tile = [6]uint32{tm, tn, tk}
	place(t, d)
	return d
}
