package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

const ns = sim.Nanosecond // a cycle of the test machine

// One tile, step by step.
func TestOneTile(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<12)
	l := m.launch(t, gemm(t, 8, 8, 8, 8, 8, 8, abi.I8, abi.I8))
	want := hw.Bill{
		hw.Array:  (8 + 8 + 14) * ns, // weights, rows, drain
		hw.Vector: (8 + 4*2) * ns,    // start; four words, scaled and quantised
		hw.Memory: 200 * ns,          // both operands at once; the result
	}
	assert.Equal(t, want, l.Result.Bill)
}

// A load of 1 KiB through a port of 32 B a cycle, 8 requests of 256 B at most in
// flight, on a memory that answers within 1 ns: 32 cycles, all of them the port's
// but the one.
func TestPortBound(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<14)
	m.mem.latency = ns
	k := programAt(m, 8192, []abi.MicroOp{{Unit: abi.UnitLoad, InType: abi.I8, Rows: 16, Cols: 64, MemStride: 64}})
	l := m.launch(t, k)
	assert.Equal(t, (1+32)*ns, l.Result.Bill.Total(), "the fetch, the load")
	assert.EqualValues(t, 1+4, m.seen[0].LoadRequests, "neighbouring rows are one")
}

// Rows apart are requests of their own; 8 in flight make two rounds of 16.
func TestLatencyBound(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<14)
	k := programAt(m, 8192, []abi.MicroOp{{Unit: abi.UnitLoad, InType: abi.I8, Rows: 16, Cols: 32, MemStride: 64}})
	l := m.launch(t, k)
	assert.Equal(t, (100+2*100)*ns, l.Result.Bill.Total())
	assert.EqualValues(t, 1+16, m.seen[0].LoadRequests)
}

// Requests end at multiples of their largest size.
func TestRequestsDoNotCrossBoundaries(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<14)
	k := programAt(m, 8192, []abi.MicroOp{{Unit: abi.UnitLoad, InType: abi.I8, Mem: 200, Rows: 1, Cols: 400}})
	m.mustRun(t, k)
	assert.EqualValues(t, 1+3, m.seen[0].LoadRequests, "56, 256 and 88 bytes")
}

// Products in a row: with overlap weights load behind rows, without it each
// stands alone.
func TestProductsInARow(t *testing.T) {
	for _, test := range []struct {
		overlap Overlap
		rows    uint32
		want    sim.Time
	}{
		{DoubleBuffered, 20, (8 + 5*20 + 14) * ns},
		{DoubleBuffered, 3, (8 + 3 + 4*8 + 14) * ns}, // bound by loading weights
		{ScaleSim, 20, 5 * (2*8 + 8 + 20 - 2 - 1) * ns},
	} {
		cfg := testConfig()
		cfg.Array.Overlap, cfg.Core.RequestBytes = test.overlap, 1024
		m := newMachine(t, cfg, 0, 1<<14)
		op := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: test.rows, Cols: 8, Depth: 8, Spad: [4]uint32{0, 1024, 2048}}
		l := m.launch(t, programAt(m, 8192, many(5, op)))
		require.Equal(t, abi.StatusOK, l.Result.Code)
		assert.Equal(t, hw.Bill{hw.Array: test.want, hw.Memory: 100 * ns}, l.Result.Bill, "%v, %d rows", test.overlap, test.rows)
	}
}

// Products on banks that cannot keep up take as long as their bytes do; what that is
// more is the scratchpad's, each product's once.
func TestScratchpadStall(t *testing.T) {
	for banks, stretched := range map[int]int64{16: 0, 2: 82 - 64} { // 256 or 32 bytes a cycle; a product has 2,624
		cfg := testConfig()
		cfg.Scratchpad.Banks, cfg.Core.RequestBytes, cfg.Core.PortBytes = banks, 1024, 16
		m := newMachine(t, cfg, 0, 1<<14)
		op := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: 64, Cols: 8, Depth: 8, Spad: [4]uint32{0, 1024, 2048}}
		l := m.launch(t, programAt(m, 8192, many(5, op)))
		require.Equal(t, abi.StatusOK, l.Result.Code)
		stall := 5 * sim.Time(stretched) * ns
		assert.Equal(t, hw.Bill{hw.Array: (8 + 5*64 + 14) * ns, hw.Scratchpad: stall, hw.Memory: 100 * ns}, l.Result.Bill, "%d banks", banks)
		assert.Equal(t, int64(stall), m.seen[0].ScratchStall, "%d banks", banks)
	}
}

// A product that wants little and one that wants more than the banks have, in either
// order, beside a vector operation that wants twice as much: each gets what the others
// leave, as long as it is under way itself.
func TestUnitsShareTheBanks(t *testing.T) {
	cfg := testConfig()
	cfg.Core.PortBytes, cfg.Scratchpad = 16, ScratchpadConfig{Size: 4 * sim.MiB, Banks: 8, BankBytes: 8} // 64 bytes a cycle
	const rows = 4096
	heavy := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: rows, Cols: 8, Depth: 8, Flags: abi.MicroAccumulate, Spad: [4]uint32{0, 200000, 1 << 20}}
	light := abi.MicroOp{Unit: abi.UnitArray, InType: abi.F32, Rows: rows, Cols: 8, Depth: 1, Spad: heavy.Spad}
	vector := abi.MicroOp{Unit: abi.UnitVector, Op: abi.VecMap, InType: abi.F32, OutType: abi.F32, Rows: 1024, Cols: 64, Spad: [4]uint32{2 << 20, 0, 2 << 20}}
	const (
		heavyBytes  = rows * (8 + 2*4*8) // operands, and sums read and written
		vectorBytes = 1024 * 64 * 8
		lightCycles = rows * 4 // of f32
	)
	for _, test := range []struct {
		name string
		ops  []abi.MicroOp
		want int64
	}{
		{"heavy", []abi.MicroOp{heavy}, heavyBytes / 64},
		{"light", []abi.MicroOp{light}, lightCycles},
		{"vector", []abi.MicroOp{vector}, vectorBytes / 64},
		{"heavy beside vector", []abi.MicroOp{heavy, vector}, (heavyBytes + vectorBytes) / 64},
		{"light beside vector", []abi.MicroOp{light, vector}, lightCycles},
		{"heavy and light", []abi.MicroOp{heavy, light}, heavyBytes/64 + lightCycles},
		{"heavy, then light, beside vector", []abi.MicroOp{heavy, light, vector}, 2*heavyBytes/64 + lightCycles},
		{"light, then heavy, beside vector", []abi.MicroOp{light, heavy, vector}, lightCycles + heavyBytes/64},
	} {
		m := newMachine(t, cfg, 0, 1<<16)
		took, o := m.mustRun(t, programAt(m, 8192, test.ops))
		assert.InDelta(t, test.want, int64(took/ns), 200, test.name)
		assert.Equal(t, took, o.Launch.Result.Bill.Total(), test.name)
	}
}

// Loads or stores that the port bounds leave a product the rest of the banks, but for
// the first, of which nothing is known yet; and all again when they are over. The next
// launch knows nothing of them.
func TestPortTakesItsPartOfTheBanks(t *testing.T) {
	cfg := testConfig()
	cfg.Core.PortBytes, cfg.Scratchpad = 16, ScratchpadConfig{Size: 4 * sim.MiB, Banks: 8, BankBytes: 8} // 64 bytes a cycle
	const rows, bytes = 4096, 4096 * (8 + 2*4*8)
	product := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: rows, Cols: 8, Depth: 8, Flags: abi.MicroAccumulate, Spad: [4]uint32{0, 200000, 1 << 20}}
	for name, unit := range map[string]uint8{"loads": abi.UnitLoad, "stores": abi.UnitStore} {
		move := abi.MicroOp{Unit: unit, InType: abi.I8, OutType: abi.I8, Mem: 1 << 14, Rows: 16, Cols: 256, MemStride: 256, SpadStride: 256, Spad: [4]uint32{2 << 20}}
		m := newMachine(t, cfg, 0, 1<<16)
		m.mem.latency = ns
		k := programAt(m, 8192, append(many(10, move), product))
		first, _ := m.mustRun(t, k)
		const one, all = 4096 / 16, 10 * 4096 / 16
		want := all + (bytes-one*64-(all-one)*48)/64
		assert.InDelta(t, want, int64(first/ns), 150, name)
		again, _ := m.mustRun(t, k)
		assert.Equal(t, first, again, name)
	}
}
