package core

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// pendingLaunch is a launch whose end a test records.
type pendingLaunch struct {
	hw.Launch
	ended sim.Time
	fired int
}

func (m *machine) async(k *abi.Kernel, cores uint32, asid uint16) *pendingLaunch {
	p := &pendingLaunch{Launch: hw.Launch{Cores: cores, ASID: asid}}
	k.Encode(p.Desc[:])
	p.Done.H = m.e.Register("done", func(uint64) { p.fired++; p.ended = m.e.Now() })
	m.x.Launch(&p.Launch)
	return p
}

func TestLaunchesShareCores(t *testing.T) {
	cfg := testConfig()
	cfg.Core.Count = 2
	k := gemm(t, 64, 64, 64, 32, 32, 32, abi.I8, abi.I8)
	m := newMachine(t, cfg, 0, 1<<20)
	one, _ := m.mustRun(t, k)
	both := m.e.Now()
	first, second := m.async(k, 1, 1), m.async(k, 2, 1) // disjoint: side by side
	third := m.async(k, 3, 1)                           // behind both
	fourth := m.async(k, 1, 1)                          // behind the third, although core 0 is free before
	require.NoError(t, m.e.Run())
	require.NoError(t, m.x.Idle())
	assert.Equal(t, first.ended, second.ended)
	assert.Equal(t, one, third.ended-first.ended, "both cores take as long as before")
	assert.Equal(t, first.ended-both, fourth.ended-third.ended)
	assert.Equal(t, first.ended-both, third.Result.Bill[hw.Queue], "waiting for cores")
	for _, l := range []*pendingLaunch{first, second, third, fourth} {
		assert.Equal(t, l.ended-both, l.Result.Bill.Total())
		assert.Equal(t, 1, l.fired)
	}
	assert.Greater(t, m.x.Progress(), int64(0))
	assert.Len(t, m.seen, 5)
}

// A kernel that says how many cores share it takes the first that are free, and
// leaves the others to launches behind it.
func TestKernelOnSomeCores(t *testing.T) {
	cfg := testConfig()
	cfg.Core.Count = 4
	k := gemm(t, 64, 64, 64, 32, 32, 32, abi.I8, abi.I8)
	some := func(cores uint8) *abi.Kernel { c := *k; c.Cores = cores; return &c }
	m := newMachine(t, cfg, 0, 1<<20)
	one := m.async(some(1), 0, 1)
	two := m.async(some(2), 0, 1)  // beside it
	both := m.async(some(2), 9, 1) // of cores 0 and 3: waits for core 0, and keeps core 3
	last := m.async(some(1), 0, 1) // finds no core that nobody waits for before one of the first has ended
	require.NoError(t, m.e.Run())
	require.NoError(t, m.x.Idle())
	assert.Zero(t, one.Result.Bill[hw.Queue])
	assert.Zero(t, two.Result.Bill[hw.Queue])
	assert.Equal(t, one.ended, both.Result.Bill[hw.Queue])
	assert.Equal(t, two.ended, last.Result.Bill[hw.Queue])
	assert.Less(t, two.ended, one.ended)
	assert.Equal(t, 2, m.seen[0].Cores)
	assert.Equal(t, 1, m.seen[1].Cores)
}

func TestCoresSpeedUp(t *testing.T) {
	k := gemm(t, 256, 64, 64, 32, 32, 64, abi.I8, abi.I8)
	var times []sim.Time
	for _, cores := range []int{1, 2, 4} {
		cfg := testConfig()
		cfg.Core.Count = cores
		cfg.Core.Outstanding = 64
		took, _ := newMachine(t, cfg, 0, 1<<20).mustRun(t, k)
		times = append(times, took)
	}
	assert.Less(t, 1.5, float64(times[0])/float64(times[1]))
	assert.Less(t, 1.5, float64(times[1])/float64(times[2]))
}

// What bounds a kernel dominates its bill.
func TestBillNamesTheBottleneck(t *testing.T) {
	deep := gemm(t, 256, 64, 256, 64, 64, 256, abi.F32, abi.F32)
	wide := &abi.Kernel{Kind: abi.KernelVector, Op: abi.VecMap, Act: abi.ActGELU, Dims: [16]uint32{64, 256},
		Operands: [4]abi.Operand{{Addr: 0, RowStride: 1024}, {}, {Addr: 1 << 17, RowStride: 1024}},
		Tile:     [6]uint32{16}, Buffers: [4]uint8{2, 0, 2, 0}}
	place(t, wide)
	copyOnly := *wide
	copyOnly.Act = abi.ActNone
	for _, test := range []struct {
		name  string
		k     *abi.Kernel
		tune  func(*Config, *memory)
		bound hw.Resource
	}{
		{"array", deep, func(c *Config, _ *memory) { c.Core.Outstanding = 64; c.Core.PortBytes = 128 }, hw.Array},
		{"vector", wide, func(c *Config, _ *memory) { c.Core.Outstanding = 64; c.Core.PortBytes = 128; c.Vector.Lanes = 2 }, hw.Vector},
		{"port", &copyOnly, func(c *Config, m *memory) { c.Core.PortBytes = 2; m.latency = sim.Nanosecond; c.Vector.Lanes = 64 }, hw.Scratchpad},
		{"memory", &copyOnly, func(_ *Config, m *memory) { m.perByte = 500 }, hw.Memory},
		{"link", &copyOnly, func(_ *Config, m *memory) { m.perByte = 500; m.remote = true }, hw.Link},
		{"translation", &copyOnly, func(_ *Config, m *memory) { m.latency, m.stall = sim.Microsecond, 900*sim.Nanosecond }, hw.Translation},
		{"banks", deep, func(c *Config, _ *memory) {
			c.Core.Outstanding, c.Array.F32Cycles, c.Core.PortBytes = 64, 1, 8
			c.Scratchpad.Banks, c.Scratchpad.BankBytes = 1, 16
		}, hw.Scratchpad},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Scratchpad.Size = 1 * sim.MiB
			var knobs memory
			test.tune(&cfg, &knobs)
			m := newMachine(t, cfg, 0, 1<<20)
			m.mem.perByte, m.mem.remote, m.mem.stall = knobs.perByte, knobs.remote, knobs.stall
			if knobs.latency > 0 {
				m.mem.latency = knobs.latency
			}
			l := m.launch(t, test.k)
			require.Equal(t, abi.StatusOK, l.Result.Code)
			assert.Equal(t, test.bound, l.Result.Bill.Bound(), "%v", l.Result.Bill)
		})
	}
}

func TestFaultEndsTheLaunch(t *testing.T) {
	k := gemm(t, 64, 64, 64, 16, 16, 16, abi.I8, abi.I8)
	for name, test := range map[string]struct {
		break_ func(*abi.Kernel)
		addr   uint64
	}{
		"input":   {func(k *abi.Kernel) { k.Operands[0].Addr = 1 << 30 }, 1 << 30},
		"weights": {func(k *abi.Kernel) { k.Operands[1].Addr = 1 << 31 }, 1 << 31},
		"output":  {func(k *abi.Kernel) { k.Operands[2].Addr = 1 << 32 }, 1 << 32},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Core.Count = 2
			m := newMachine(t, cfg, 1, 1<<16)
			defer m.close()
			bad := *k
			test.break_(&bad)
			l := m.launch(t, &bad)
			assert.Equal(t, abi.StatusPageFault, l.Result.Code)
			assert.Equal(t, test.addr, l.Result.Addr&^0xfff)
			m.mustRun(t, k) // and the cores work on
		})
	}
}

func TestHaltAndReset(t *testing.T) {
	k := gemm(t, 64, 64, 64, 16, 16, 16, abi.I8, abi.I8)
	m := newMachine(t, testConfig(), 1, 1<<16)
	defer m.close()
	running, waiting := m.async(k, 0, 1), m.async(k, 0, 1)
	require.NoError(t, m.e.RunUntil(2*sim.Microsecond))
	require.ErrorIs(t, m.x.Idle(), ErrBusy)
	halted := 0
	h := m.e.Register("halted", func(uint64) { halted++; assert.Zero(t, m.mem.open) })
	m.x.Halt(sim.Call{H: h})
	refused := m.async(k, 0, 1)
	require.NoError(t, m.e.Run())
	assert.Equal(t, 1, halted)
	for _, l := range []*pendingLaunch{running, waiting, refused} {
		assert.Equal(t, abi.StatusAborted, l.Result.Code)
		assert.Equal(t, 1, l.fired)
	}
	m.x.Reset()
	m.mustRun(t, k)

	m.x.Halt(sim.Call{H: h}) // nothing to wait for
	require.NoError(t, m.e.Run())
	assert.Equal(t, 2, halted)
}

// A stop awaits requests but no product, however long.
func TestHaltCutsProductsShort(t *testing.T) {
	cfg := testConfig()
	m := newMachine(t, cfg, 1, 1<<14)
	defer m.close()
	op := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: 16384, Cols: 1, Depth: 8, Spad: [4]uint32{0, 200000, 131072}}
	k := programAt(m, 8192, many(3, op))
	l := m.async(k, 0, 1)
	require.NoError(t, m.e.RunUntil(1500*sim.Nanosecond))
	m.x.Halt(sim.Call{})
	require.NoError(t, m.e.RunUntil(m.e.Now()))
	assert.Equal(t, abi.StatusAborted, l.Result.Code)
	assert.Equal(t, 1500*sim.Nanosecond, l.Result.Bill.Total())
	require.NoError(t, m.x.Idle())
	m.x.Reset()
	took, _ := m.mustRun(t, gemm(t, 8, 8, 8, 8, 8, 8, abi.I8, abi.I8)) // what was cut short does not come back
	assert.Equal(t, 246*sim.Nanosecond, took)
}

// Another context finds no bytes of the one before, and pays for the wiping.
func TestScratchpadIsWiped(t *testing.T) {
	k := gemm(t, 16, 16, 16, 16, 16, 16, abi.I8, abi.F32)
	m := newMachine(t, testConfig(), 1, 1<<16)
	defer m.close()
	fill(rand.New(rand.NewPCG(1, 1)), m.mem.bytes, abi.I8, 512)
	first, _ := m.mustRun(t, k)
	again, _ := m.mustRun(t, k)
	assert.Equal(t, first, again)
	pad := m.x.cores[0].spad.bytes
	pad[len(pad)-1] = 77
	var leak byte
	l := &hw.Launch{ASID: 2}
	k.Encode(l.Desc[:])
	start := m.e.Now()
	l.Done.H = m.e.Register("done", func(uint64) { leak = pad[len(pad)-1] })
	m.x.Launch(l)
	require.NoError(t, m.e.Run())
	assert.Zero(t, leak)
	wipe := sim.Time(256*1024/256) * sim.Nanosecond
	assert.Equal(t, first+wipe, m.seen[2].End-start)
	assert.GreaterOrEqual(t, l.Result.Bill[hw.Scratchpad], wipe)
}

// A read may say that all bytes are zero instead of bringing them.
func TestZeroReads(t *testing.T) {
	m := newMachine(t, testConfig(), 1, 1<<16)
	defer m.close()
	fill(rand.New(rand.NewPCG(1, 1)), m.mem.bytes, abi.I8, 512)
	product := gemm(t, 16, 16, 16, 16, 16, 16, abi.I8, abi.F32)
	gather := &abi.Kernel{Kind: abi.KernelVector, Op: abi.VecGather, Tile: [6]uint32{4}, Buffers: [4]uint8{1, 1, 1, 1},
		Dims: [16]uint32{10, 8, 0, 50}, Operands: [4]abi.Operand{{RowStride: 32}, {Addr: 8192}, {Addr: 4096, RowStride: 32}}}
	place(t, gather)
	for i := range int64(10) {
		put(m.mem.bytes[8192:], abi.I32, i, float64(4+i))
	}
	m.mustRun(t, product)
	m.mustRun(t, gather)
	nonzero := func(at int) bool {
		for _, b := range m.mem.bytes[at : at+256] {
			if b != 0 {
				return true
			}
		}
		return false
	}
	require.True(t, nonzero(512) && nonzero(4096))
	m.mem.zero = true
	m.mustRun(t, product)
	assert.False(t, nonzero(512), "the product of zeros")
	index := m.x.cores[0].indices[:4]
	m.mustRun(t, gather)
	assert.Equal(t, []byte{0, 0, 0, 0}, index, "row numbers of zero")
}

// Same cycles, same bytes, same trace for any number of workers.
func TestDeterminism(t *testing.T) {
	k := gemm(t, 200, 130, 150, 64, 64, 48, abi.F32, abi.BF16)
	k.Flags, k.Act = abi.KernelResidual, abi.ActGELU
	k.Buffers = [4]uint8{1, 1, 1, 1}
	place(t, k)
	type outcome struct {
		spans []sim.Span
		bytes []byte
	}
	var want *outcome
	for _, workers := range []int{0, 1, 2, 7, 64} {
		cfg := testConfig()
		cfg.Core.Count = 3
		e := sim.New(1)
		e.Trace = new(sim.Trace)
		m := &machine{e: e, mem: newMemory(e, 1<<20)}
		if workers > 0 {
			m.pool = kern.NewPool(workers)
			defer m.pool.Close()
		}
		m.x = New(e, cfg, Parts{Ports: []hw.Target{m.mem, m.mem, m.mem}, Pool: m.pool})
		m.x.Observer = m
		r := rand.New(rand.NewPCG(4, 4))
		for i := range int64(1 << 17) {
			put(m.mem.bytes, abi.F32, i, r.Float64()*2-1)
		}
		m.mustRun(t, k)
		got := &outcome{e.Trace.Spans(), m.mem.bytes}
		if want == nil {
			want = &outcome{spans: got.spans}
			assert.NotEmpty(t, want.spans)
			continue
		}
		if want.bytes == nil {
			want.bytes = got.bytes
		}
		require.Equal(t, want.spans, got.spans, "%d workers: trace", workers)
		require.Equal(t, want.bytes, got.bytes, "%d workers: bytes", workers)
	}
}

// A launch's steady state allocates nothing, whatever its number of tiles.
func TestNoAllocationPerTile(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<20)
	m.x.Observer = nil
	k := gemm(t, 128, 128, 128, 16, 16, 16, abi.I8, abi.I8)
	l := &hw.Launch{ASID: 1}
	k.Encode(l.Desc[:])
	run := func() {
		m.x.Launch(l)
		if err := m.e.Run(); err != nil {
			t.Fatal(err)
		}
	}
	run()
	assert.Less(t, testing.AllocsPerRun(5, run), 3.0)
}

func TestConfigFaults(t *testing.T) {
	good := testConfig()
	require.Empty(t, good.Validate())
	bad := Config{}
	keys := map[string]bool{}
	for _, err := range bad.Validate() {
		var f *hw.ConfigFault
		require.True(t, errors.As(err, &f))
		keys[f.Key] = true
	}
	for _, key := range []string{"core.count", "core.clock", "core.port_bytes", "core.outstanding", "core.request_bytes",
		"array.rows", "array.cols", "array.f32_cycles", "vector.lanes", "vector.special_cycles",
		"scratchpad.size", "scratchpad.banks", "scratchpad.bank_bytes"} {
		assert.True(t, keys[key], key)
	}
	slow := testConfig()
	slow.Core.PortBytes = 4096
	require.Len(t, slow.Validate(), 1)
	assert.ErrorContains(t, slow.Validate()[0], "scratchpad.bank_bytes")
	var d Dataflow
	var o Overlap
	require.NoError(t, d.UnmarshalText([]byte("os")))
	require.NoError(t, o.UnmarshalText([]byte("scalesim")))
	assert.Equal(t, "os scalesim", d.String()+" "+o.String())
	assert.ErrorContains(t, d.UnmarshalText([]byte("rs")), "want ws, os or is")
}
