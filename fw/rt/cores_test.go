package rt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw/rt"
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
	bank := sim.Bytes(16)
	for bank < port/2 {
		bank *= 2
	}
	cfg := core.Config{
		Core:       core.CoreConfig{Count: int(info.NumCores), Clock: 1e9, PortBytes: port, Outstanding: 64, RequestBytes: 1024},
		Array:      core.ArrayConfig{Rows: int(info.ArrayRows), Cols: int(info.ArrayCols), F32Cycles: 6, SetupCycles: 20},
		Vector:     core.VectorConfig{Lanes: int(info.VectorLanes), SpecialCycles: 4, StartCycles: 8},
		Scratchpad: core.ScratchpadConfig{Size: sim.Bytes(info.ScratchpadSize), Banks: 16, BankBytes: bank},
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
	m.x = core.New(m.e, cfg, core.Parts{Ports: ports, Pool: m.pool})
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
		require.Equal(t, abi.StatusOK, l.Result.Code, "%+v", ks[i])
		loads, stores = loads+m.seen.Counts.LoadBytes, stores+m.seen.Counts.StoreBytes
	}
	return int64((m.e.Now() - start) / sim.Nanosecond), loads, stores
}

// The mapper counts cycles of the vector unit as the cores do.
func TestPassing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := core.VectorSpec{Op: uint8(rapid.IntRange(0, abi.NumVecOps-1).Draw(t, "op")), Act: uint8(rapid.IntRange(0, abi.NumActs-1).Draw(t, "act")),
			Rows: rapid.Int64Range(1, 3000).Draw(t, "rows"), Cols: rapid.Int64Range(1, 3000).Draw(t, "cols"), Taps: 1}
		out := drawType(t, "out")
		s.Quantise = out == abi.I8
		if s.Op >= abi.VecMaxPool {
			s.Taps = rapid.Int64Range(1, 50).Draw(t, "taps")
		}
		lanes, special := rapid.IntRange(1, 300).Draw(t, "lanes"), rapid.IntRange(1, 20).Draw(t, "special")
		unit := core.VectorConfig{Lanes: lanes, SpecialCycles: special}
		l := rt.NewLibrary(&abi.DeviceInfo{NumCores: 1, ArrayRows: 1, ArrayCols: 1, VectorLanes: uint32(lanes)}, rt.Options{SpecialCycles: special})
		require.Equal(t, unit.Cycles(s), rt.Passing(l, s.Op, s.Act, s.Rows, s.Cols, s.Taps, int64(out.Size())))
	})
}

// A layer takes no longer when more cores may share it: those which it cannot use
// are left out.
func TestMoreCoresNoSlower(t *testing.T) {
	info := abi.DeviceInfo{NumCores: 16, ArrayRows: 16, ArrayCols: 16, VectorLanes: 16, ScratchpadSize: 512 << 10}
	const perByte = 10 * sim.Picosecond // 100 bytes a cycle
	sum := map[int]int64{}
	for _, v := range known() {
		least := int64(0)
		for cores := 1; cores <= 16; cores *= 2 {
			l := rt.NewLibrary(&info, rt.Options{Cores: cores, BytesPerCycle: 100 / float64(cores), PortBytesPerCycle: 32, LoadCycles: 150})
			ks, err := v.make(l)
			require.NoError(t, err)
			m := newCores(t, info, 0)
			m.perByte = perByte
			cycles, _, _ := m.run(t, ks)
			if sum[cores] += cycles; cores > 1 {
				assert.LessOrEqual(t, float64(cycles), 1.1*float64(least), "%s on %d cores: %s", v.name, cores, describe(&ks[0]))
			}
			if least == 0 || cycles < least {
				least = cycles
			}
			t.Logf("%-24s of %2d cores: %7d cycles, %s", v.name, cores, cycles, describe(&ks[0]))
		}
	}
	for cores := 2; cores <= 16; cores *= 2 {
		assert.LessOrEqual(t, sum[cores], sum[cores/2], "all layers, on %d cores", cores)
	}
}

// Whatever is mapped for a small shape, cores accept and finish it, on as many
// cores as it was mapped for and on one.
func TestLaunchProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info, o := machineGen(t)
		l := rt.NewLibrary(info, o)
		size := rapid.IntRange(1, 70)
		in, out := drawType(t, "in"), drawType(t, "out")
		g := dense(size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k"), in)
		g.C = rt.Matrix(1<<31, out, g.N)
		g.Outer, g.Batch = rapid.IntRange(1, 3).Draw(t, "outer"), rapid.IntRange(1, 3).Draw(t, "batch")
		g.A.Batch, g.C.Batch = [2]uint64{1 << 18, 1 << 16}, [2]uint64{1 << 18, 1 << 16}
		g.Act = abi.ActGELU
		groups := rapid.IntRange(1, 6).Draw(t, "groups")
		c := &rt.Conv{Groups: groups, Dilation: [2]int{1, 2}, X: rt.Tensor{Addr: 1 << 20, Type: in}, F: rt.Tensor{Addr: 1 << 30, Type: in},
			Y: rt.Tensor{Addr: 1 << 31, Type: out}, Epilogue: rt.Epilogue{Bias: 1 << 33}}
		c.Image = rt.Image{N: 2, C: groups * rapid.IntRange(1, 20).Draw(t, "c"), K: groups * rapid.IntRange(1, 20).Draw(t, "filters"),
			P: rapid.IntRange(1, 20).Draw(t, "p"), Q: rapid.IntRange(1, 20).Draw(t, "q"), R: 3, S: 2, Stride: [2]int{2, 1}, Pad: [2]int{1, 0}}
		c.H, c.W = 2*c.P, c.Q+2
		v := &rt.Vector{Op: rapid.SampledFrom([]uint8{abi.VecMap, abi.VecSoftmax, abi.VecTranspose, abi.VecReduceMax}).Draw(t, "op"),
			Rows: g.M, Cols: g.N, X: rt.Matrix(1<<20, in, g.N), Out: rt.Matrix(1<<31, in, max(g.M, g.N))}
		for _, make := range []func() ([]abi.Kernel, error){
			func() ([]abi.Kernel, error) { return l.Gemm(g) },
			func() ([]abi.Kernel, error) { return l.Conv(c) },
			func() ([]abi.Kernel, error) { return l.Vector(v) },
		} {
			ks, err := make()
			if err != nil {
				require.ErrorIs(t, err, rt.ErrUnsupported)
				continue
			}
			newCores(t, *info, 0).run(t, ks)
			one := *info
			one.NumCores = 1
			newCores(t, one, 0).run(t, ks)
		}
	})
}
