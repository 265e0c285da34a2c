package core

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// programAt puts micro-operations into memory at an address and returns the
// descriptor that runs them.
func programAt(m *machine, at uint64, ops []abi.MicroOp) *abi.Kernel {
	for i := range ops {
		ops[i].Encode(m.mem.bytes[at+uint64(i)*abi.MicroOpSize:])
	}
	k := &abi.Kernel{Kind: abi.KernelProgram, Operands: [4]abi.Operand{{Addr: at}}}
	k.Dims[abi.DimMicroOps] = uint32(len(ops))
	return k
}

// bit is a semaphore's mask.
func bit(s int) uint16 { return 1 << s }

// squares multiplies n pairs of 16×16 int8 matrices, pair by pair from memory at
// 0 to memory at out, with two slots of each operand.
func squares(n int, out uint64) (ops []abi.MicroOp) {
	const side, in = 16, 256
	const loaded, freed, product, free, result = 0, 1, 2, 3, 4
	for range 2 { // two free slots each
		ops = append(ops, abi.MicroOp{Unit: abi.UnitArray, Post: bit(freed)}, abi.MicroOp{Unit: abi.UnitStore, Post: bit(free)})
	}
	for i := range n {
		slot := uint32(i % 2)
		a, b, c := slot*2*in, slot*2*in+in, 2048+slot*1024
		load := abi.MicroOp{Unit: abi.UnitLoad, InType: abi.I8, Mem: uint64(i * 2 * in), Spad: [4]uint32{a}, Rows: 2 * side, Cols: side, MemStride: side}
		load.Wait, load.Post = bit(freed), bit(loaded)
		ops = append(ops, load,
			abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Wait: bit(loaded) | bit(free), Post: bit(product) | bit(freed),
				Spad: [4]uint32{a, b, c}, Rows: side, Cols: side, Depth: side},
			abi.MicroOp{Unit: abi.UnitVector, Op: abi.VecMap, InType: abi.I32, OutType: abi.F32, Wait: bit(product), Post: bit(result),
				Spad: [4]uint32{c, 0, c}, Rows: side, Cols: side, Param: 0.5, Act: abi.ActReLU},
			abi.MicroOp{Unit: abi.UnitStore, OutType: abi.F32, Wait: bit(result), Post: bit(free), Mem: out + uint64(i*side*side*4),
				Spad: [4]uint32{c}, Rows: side, Cols: side, MemStride: side * 4})
	}
	return ops
}

func TestProgram(t *testing.T) {
	const n, out, code = 100, 1 << 17, 1 << 19
	m := newMachine(t, testConfig(), 2, 1<<20)
	defer m.close()
	fill(rand.New(rand.NewPCG(9, 9)), m.mem.bytes, abi.I8, n*512)
	k := programAt(m, code, squares(n, out))
	took, o := m.mustRun(t, k)
	for i := range n {
		a, b, c := m.mem.bytes[i*512:], m.mem.bytes[i*512+256:], m.mem.bytes[out+i*1024:]
		for y := range 16 {
			for x := range 16 {
				sum := 0
				for d := range 16 {
					sum += int(int8(a[y*16+d])) * int(int8(b[d*16+x]))
				}
				require.Equal(t, max(float32(sum)/2, 0), f32at(c, y*16+x), "%d: %d, %d", i, y, x)
			}
		}
	}
	assert.EqualValues(t, n*512+(4*n+4)*abi.MicroOpSize, o.LoadBytes, "operands and micro-operations")
	assert.EqualValues(t, n*1024, o.StoreBytes)
	assert.EqualValues(t, 4*n+4, o.Ops)
	assert.Greater(t, m.mem.execs, 0, "micro-operations are fetched as commands")

	timing := newMachine(t, testConfig(), 0, 1<<20)
	alone, _ := timing.mustRun(t, programAt(timing, code, squares(n, out)))
	assert.Equal(t, took, alone, "micro-operations are control: they run without values too")
}

// Each core of the mask has its own program, BatchStride apart.
func TestProgramPerCore(t *testing.T) {
	cfg := testConfig()
	cfg.Core.Count = 2
	m := newMachine(t, cfg, 1, 1<<20)
	defer m.close()
	move := func(from, to uint64) []abi.MicroOp {
		return []abi.MicroOp{
			{Unit: abi.UnitLoad, InType: abi.I8, Mem: from, Rows: 1, Cols: 8, Post: 1},
			{Unit: abi.UnitStore, OutType: abi.I8, Mem: to, Rows: 1, Cols: 8, Wait: 1}}
	}
	copy(m.mem.bytes, "on core0on core1")
	programAt(m, 4096, move(0, 256))
	k := programAt(m, 8192, move(8, 264))
	k.Operands[0] = abi.Operand{Addr: 4096, BatchStride: 4096}
	m.mustRun(t, k)
	assert.Equal(t, "on core0on core1", string(m.mem.bytes[256:272]))
}

func TestProgramFaults(t *testing.T) {
	array := abi.MicroOp{Unit: abi.UnitArray, InType: abi.I8, Rows: 8, Cols: 8, Depth: 8, Spad: [4]uint32{0, 64, 128}}
	vector := abi.MicroOp{Unit: abi.UnitVector, Rows: 8, Cols: 8, Spad: [4]uint32{0, 0, 1024}}
	load := abi.MicroOp{Unit: abi.UnitLoad, Rows: 1, Cols: 8}
	with := func(m abi.MicroOp, f func(*abi.MicroOp)) []abi.MicroOp { f(&m); return []abi.MicroOp{m} }
	for name, ops := range map[string][]abi.MicroOp{
		"waits for ever":            with(load, func(m *abi.MicroOp) { m.Wait = 4 }),
		"cycle of two":              {{Unit: abi.UnitLoad, Wait: 1, Post: 2}, {Unit: abi.UnitStore, Wait: 2, Post: 1}},
		"queue holds up the answer": append(many(40, abi.MicroOp{Unit: abi.UnitLoad, Wait: 1}), many(40, abi.MicroOp{Unit: abi.UnitStore, Post: 1})...),
		"load outside":              with(load, func(m *abi.MicroOp) { m.Spad[0] = 1 << 31 }),
		"load of no columns":        with(load, func(m *abi.MicroOp) { m.Cols = 0 }),
		"load rows outside":         with(load, func(m *abi.MicroOp) { m.Rows, m.SpadStride = 1<<32-1, 1<<32-1 }),
		"load overlapping rows":     with(load, func(m *abi.MicroOp) { m.SpadStride = 4 }),
		"load wraps":                with(load, func(m *abi.MicroOp) { m.Mem = 1<<64 - 8 }),
		"store overlapping rows":    with(load, func(m *abi.MicroOp) { m.Unit, m.Rows = abi.UnitStore, 2 }),
		"array of f64":              with(array, func(m *abi.MicroOp) { m.InType = abi.F64 }),
		"array without depth":       with(array, func(m *abi.MicroOp) { m.Depth = 0 }),
		"array onto its input":      with(array, func(m *abi.MicroOp) { m.Spad[2] = 63 }),
		"array outside":             with(array, func(m *abi.MicroOp) { m.Spad[1] = 256<<10 - 63 }),
		"array too large":           with(array, func(m *abi.MicroOp) { m.Rows, m.Cols, m.Depth = 1<<32-1, 1<<32-1, 1<<32-1 }),
		"vector onto its input":     with(vector, func(m *abi.MicroOp) { m.Spad[2] = 8 }),
		"vector widens in place":    with(vector, func(m *abi.MicroOp) { m.InType, m.Spad[2] = abi.BF16, 0 }),
		"vector outside":            with(vector, func(m *abi.MicroOp) { m.Cols = 1<<32 - 1 }),
		"vector of f64":             with(vector, func(m *abi.MicroOp) { m.InType = abi.F64 }),
		"gather":                    with(vector, func(m *abi.MicroOp) { m.Op = abi.VecGather }),
		"pool":                      with(vector, func(m *abi.MicroOp) { m.Op = abi.VecMaxPool }),
		"flag on a load":            with(load, func(m *abi.MicroOp) { m.Flags = abi.MicroAccumulate }),
	} {
		t.Run(name, func(t *testing.T) {
			for _, workers := range []int{0, 1} {
				m := newMachine(t, testConfig(), workers, 1<<16)
				l := m.launch(t, programAt(m, 4096, ops))
				assert.Equal(t, abi.StatusBadDescriptor, l.Result.Code, "%v", l.Result.Code)
				assert.GreaterOrEqual(t, l.Result.Addr, uint64(4096), "the address of the operation")
				m.close()
			}
		})
	}
	m := newMachine(t, testConfig(), 0, 1<<16)
	k := programAt(m, 4096, many(2000, abi.MicroOp{Unit: abi.UnitLoad})[:900])
	k.Dims[abi.DimMicroOps] = 2000 // runs out of memory on the way
	l := m.launch(t, k)
	assert.Equal(t, abi.StatusPageFault, l.Result.Code)
	assert.EqualValues(t, 1<<16, l.Result.Addr)
}

func many(n int, m abi.MicroOp) []abi.MicroOp {
	ops := make([]abi.MicroOp, n)
	for i := range ops {
		ops[i] = m
	}
	return ops
}

// A program that races with itself is its author's mistake, but results still
// depend on simulated time alone.
func TestRacyProgramIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	var ops []abi.MicroOp
	for range 300 {
		at := func() uint32 { return uint32(r.IntN(32)) * 64 }
		m := abi.MicroOp{Unit: uint8(r.IntN(4)), Rows: 8, Cols: 16, Depth: 16, Mem: uint64(r.IntN(1<<15)) &^ 3,
			Spad: [4]uint32{at(), at(), 3072 + at()}, MemStride: 64}
		switch m.Unit {
		case abi.UnitLoad, abi.UnitStore:
			m.Spad[0] = uint32(r.IntN(80)) * 64
		case abi.UnitVector:
			m.Spad[0], m.Spad[2] = m.Spad[2], m.Spad[0]
		}
		ops = append(ops, m)
	}
	var want []byte
	for _, workers := range []int{1, 2, 7} {
		m := newMachine(t, testConfig(), workers, 1<<17)
		for i := range int64(1 << 13) {
			put(m.mem.bytes, abi.F32, i, float64(i%97))
		}
		m.mustRun(t, programAt(m, 1<<16, ops))
		m.close()
		if want == nil {
			want = m.mem.bytes
		}
		require.Equal(t, want, m.mem.bytes, "%d workers", workers)
	}
}

// Descriptors and micro-operations come from user memory: whatever they hold,
// the launch ends with a status and leaves nothing behind.
func FuzzDescriptor(f *testing.F) {
	seed := func(k *abi.Kernel) {
		p := make([]byte, abi.KernelSize)
		k.Encode(p)
		f.Add(p, []byte{})
	}
	seed(gemm(f, 37, 29, 53, 16, 16, 16, abi.I8, abi.F32))
	seed(&abi.Kernel{Kind: abi.KernelConv, Dims: [16]uint32{1, 9, 9, 4, 8, 3, 3, 1, 1, 1, 1, 1, 1, 2, 9, 9},
		Tile: [6]uint32{4, 4, 2, 5}, Buffers: [4]uint8{1, 1, 1, 1}, Spad: [4]uint32{0, 16384, 32768, 65536}, Operands: [4]abi.Operand{{RowStride: 144}, {}, {RowStride: 288}}})
	for op := range uint8(abi.NumVecOps) {
		seed(&abi.Kernel{Kind: abi.KernelVector, Op: op, Dims: [16]uint32{9, 9, 4, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 9, 9},
			Tile: [6]uint32{4}, Buffers: [4]uint8{1, 1, 1, 1}, Spad: [4]uint32{0, 16384, 32768}, Operands: [4]abi.Operand{{RowStride: 144}, {}, {RowStride: 288}}})
	}
	ops := squares(3, 8192)
	code := make([]byte, len(ops)*abi.MicroOpSize)
	for i := range ops {
		ops[i].Encode(code[i*abi.MicroOpSize:])
	}
	p := make([]byte, abi.KernelSize)
	(&abi.Kernel{Kind: abi.KernelProgram, Dims: [16]uint32{uint32(len(ops))}, Operands: [4]abi.Operand{{Addr: 4096}}}).Encode(p)
	f.Add(p, code)
	f.Fuzz(func(t *testing.T, desc, code []byte) {
		if len(desc) < abi.KernelSize {
			return
		}
		m := newMachine(t, testConfig(), 1, 1<<16)
		defer m.close()
		for i := range 512 {
			binary.LittleEndian.PutUint32(m.mem.bytes[4*i:], uint32(i%7))
		}
		copy(m.mem.bytes[4096:], code)
		fuzzLaunch(t, m, desc)
	})
}

// fuzzLaunch runs a descriptor for at most a simulated 10 ms; what runs on is
// stopped.
func fuzzLaunch(t require.TestingT, m *machine, desc []byte) {
	l := &hw.Launch{ASID: 1}
	copy(l.Desc[:], desc)
	fired := 0
	l.Done.H = m.e.Register("done", func(uint64) { fired++ })
	m.x.Launch(l)
	require.NoError(t, m.e.RunUntil(10*sim.Millisecond))
	m.x.Halt(sim.Call{})
	require.NoError(t, m.e.Run())
	m.x.Reset()
	require.Equal(t, 1, fired)
	require.NoError(t, m.x.Idle())
	require.Zero(t, m.mem.open)
	var again hw.Launch
	gemm(t, 20, 20, 20, 16, 16, 16, abi.I8, abi.F32).Encode(again.Desc[:])
	again.Done.H = l.Done.H
	m.x.Launch(&again)
	require.NoError(t, m.e.Run())
	require.Equal(t, abi.StatusOK, again.Result.Code, "the cores work on")
}

// What a task reads is what was there at its start: a load that lands while a
// product runs does not change it, however late a worker takes it up.
func TestLoadDuringProduct(t *testing.T) {
	for _, workers := range []int{1, 2} {
		m := newMachine(t, testConfig(), workers, 1<<14)
		for i := range 2048 {
			m.mem.bytes[i] = 1
		}
		load := abi.MicroOp{Unit: abi.UnitLoad, InType: abi.I8, Rows: 1, Cols: 1536, Post: 1}
		late := load
		late.Mem, late.Cols, late.Post = 2048, 1024, 0 // zeros, 4 requests behind the first
		m.mustRun(t, programAt(m, 8192, []abi.MicroOp{load, late,
			{Unit: abi.UnitArray, InType: abi.I8, Wait: 1, Post: 2, Rows: 128, Cols: 8, Depth: 8, Spad: [4]uint32{0, 1024, 4096}},
			{Unit: abi.UnitStore, OutType: abi.I32, Wait: 2, Mem: 4096, Rows: 1, Cols: 1024, Spad: [4]uint32{4096}}}))
		m.close()
		for i := range 1024 {
			require.EqualValues(t, 8, le.Uint32(m.mem.bytes[4096+4*i:]), "%d workers, element %d", workers, i)
		}
	}
}

// Semaphores that a program leaves raised are down for the next.
func TestSemaphoresAreReset(t *testing.T) {
	m := newMachine(t, testConfig(), 0, 1<<14)
	m.mustRun(t, programAt(m, 8192, []abi.MicroOp{{Unit: abi.UnitLoad, Post: 1}}))
	l := m.launch(t, programAt(m, 8192, []abi.MicroOp{{Unit: abi.UnitLoad, Wait: 1}}))
	assert.Equal(t, abi.StatusBadDescriptor, l.Result.Code)
}
