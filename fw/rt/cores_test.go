package rt_test

import (
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// cores is a compute complex on a memory of one bandwidth and latency: enough to
// hold descriptors, traffic, values and estimates against.
type cores struct {
	info    abi.DeviceInfo
	e       *sim.Engine
	x       *core.Complex
	pool    *kern.Pool
	mem     []byte // nil: timing alone
	perByte sim.Time
	free    sim.Time
	seen    core.Observation
}

func (m *cores) Launched(o *core.Observation) { m.seen = *o }

// Submit implements hw.Target.
func (m *cores) Submit(r *hw.Request) {
	r.Status, r.Zero = hw.OK, false
	if m.mem != nil && r.Data != nil {
		if r.Op == hw.Read {
			copy(r.Data, m.mem[r.Addr:])
		} else {
			copy(m.mem[r.Addr:], r.Data)
		}
	}
	m.free = max(m.free, m.e.Now()) + sim.Time(r.Bytes)*m.perByte
	m.e.At(m.free+150*sim.Nanosecond, r.Done)
}

// newCores builds the cores of a description at 1 GHz with the memory bandwidth
// that the mapper assumes; size is the memory's bytes, 0 for timing alone.
func newCores(t require.TestingT, info abi.DeviceInfo, size int) *cores {
	port := sim.Bytes(2 * info.ArrayCols)
	cfg := core.Config{
		Core:       core.CoreConfig{Count: int(info.NumCores), Clock: 1e9, PortBytes: port, Outstanding: 64, RequestBytes: 1024},
		Array:      core.ArrayConfig{Rows: int(info.ArrayRows), Cols: int(info.ArrayCols), F32Cycles: 6, SetupCycles: 20},
		Vector:     core.VectorConfig{Lanes: int(info.VectorLanes), SpecialCycles: 4, StartCycles: 8},
		Scratchpad: core.ScratchpadConfig{Size: sim.Bytes(info.ScratchpadSize), Banks: 16, BankBytes: max(port/2, 16)},
	}
	require.Empty(t, cfg.Validate())
	m := &cores{info: info, e: sim.New(1), mem: make([]byte, size)}
	m.perByte = sim.Time(1000 / (1.5 * float64(info.ArrayCols*info.NumCores)))
	if size > 0 {
		m.pool = kern.NewPool(1)
	} else {
		m.mem = nil
	}
	ports := make([]hw.Target, info.NumCores)
	for i := range ports {
		ports[i] = m
	}
	m.x = core.New(m.e, cfg, ports, m.pool)
	m.x.Observer = m
	return m
}

func (m *cores) close() {
	if m.pool != nil {
		m.pool.Close()
	}
}

// run runs kernels one after another and returns the cycles and what they did.
func (m *cores) run(t require.TestingT, ks []abi.Kernel) (cycles int64, loads, stores int64) {
	start := m.e.Now()
	for i := range ks {
		sound(t, &m.info, &ks[i])
		l := &hw.Launch{ASID: 1}
		ks[i].Encode(l.Desc[:])
		l.Done = sim.Call{H: m.e.Register("done", func(uint64) {})}
		m.x.Launch(l)
		require.NoError(t, m.e.Run())
		require.Equal(t, abi.StatusOK, abi.Status(l.Result.Code), "%+v", ks[i])
		loads, stores = loads+m.seen.Counts.LoadBytes, stores+m.seen.Counts.StoreBytes
	}
	return int64((m.e.Now() - start) / sim.Nanosecond), loads, stores
}
