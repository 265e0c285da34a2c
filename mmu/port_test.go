package mmu

import (
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

func TestPiecesDoNotSpanMemories(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x10_1000, userRW, 0) // the next address, on the bus
	r.m.device[0x10_0fff], r.m.bus[0x10_1000] = 'd', 'b'
	q := r.read(1, 0x4fff, 2)
	for range 2 { // cold, then both pages hit
		r.do(q)
		require.Equal(t, "db", string(q.Data))
	}
}

func TestErrorBelowNamesTheContextAddress(t *testing.T) {
	for _, n := range []int64{64, 0x1800} { // one page, and several pieces
		r := newRig(t, defaultConfig())
		root := r.newContext(1)
		r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
		r.b.set(root, 0x5000, 0x30_0000|abi.DeviceBit, userRW, 0)
		q := r.read(1, 0x4010, n)
		r.do(q)
		r.u.NewPort(nil) // a port that is not used changes nothing
		down := hw.TargetFunc(func(q *hw.Request) {
			r.After(latency, sim.Call{H: r.Register("fails", func(uint64) {
				q.Status = hw.OK
				if q.Addr < 0x20_0000 {
					q.Status, q.FaultAddr = hw.MemoryError, q.Addr+0x20
				}
				r.Fire(q.Done)
			})})
		})
		r.p = r.u.NewPort(down)
		for range 2 {
			r.do(q)
			require.Equal(t, hw.MemoryError, q.Status)
			require.EqualValues(t, 0x4030, q.FaultAddr)
		}
	}
}

// TestFirstErrorIsTheLowest has the second piece fail before the first does.
func TestFirstErrorIsTheLowest(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x30_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x10_0000|abi.DeviceBit, userRW, 0)
	q := r.read(1, 0x4ff8, 16)
	r.do(q)
	r.m.fail = func(q *hw.Request) hw.Status {
		if q.Addr < 0x20_0000 {
			return hw.Unsupported
		}
		return hw.MemoryError
	}
	for _, slow := range []uint64{1, 3} {
		r.m.late = func(q *hw.Request) sim.Time { return sim.Time(b2i(q.Addr>>20 == slow)) * sim.Microsecond }
		r.do(q)
		require.Equal(t, hw.MemoryError, q.Status)
		require.EqualValues(t, 0x4ff8, q.FaultAddr)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestZeroPieces reads pages of which some are known to be zero: the data of
// those is cleared, and a whole request of zeros says so without touching it.
func TestZeroPieces(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x30_0000|abi.DeviceBit, userRW, 0)
	r.m.zero = func(q *hw.Request) bool { return q.Addr>>20 == 3 }
	r.m.device[0x10_0ffe], r.m.device[0x10_0fff] = 'x', 'y'
	q := r.read(1, 0x4ffe, 4)
	copy(q.Data, "????")
	keep := q.Data
	r.do(q)
	require.Equal(t, []byte{'x', 'y', 0, 0}, keep)
	require.False(t, q.Zero)

	q = r.read(1, 0x5000, 4)
	copy(q.Data, "????")
	r.do(q)
	require.True(t, q.Zero)
	require.Equal(t, "????", string(q.Data))
}

// TestZeroTableEntry has a memory that answers a table read with "all zeros",
// the data left alone: the entry counts as zero, not as the one read before.
func TestZeroTableEntry(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	middle := r.b.entry(root, 0x4000, 2)
	r.m.zero = func(q *hw.Request) bool { return q.Addr == middle }
	q := r.read(1, 0x4000, 8)
	r.do(q)
	require.Equal(t, hw.PageFault, q.Status)
	require.EqualValues(t, 3, r.u.walk.reads, "the context and two levels")
}

func TestMissesOfAnInstantGoBySource(t *testing.T) {
	cfg := defaultConfig()
	cfg.Walkers = 1
	r := newRig(t, cfg)
	root := r.newContext(1)
	var order []hw.Source
	port := r.u.NewPort(hw.TargetFunc(func(q *hw.Request) {
		order = append(order, q.Source)
		r.m.Submit(q)
	}))
	for _, src := range []hw.Source{3, 1, 2} {
		r.b.set(root, uint64(src)<<12, uint64(src)<<12|0x10_0000|abi.DeviceBit, userRW, 0)
		q := r.read(1, uint64(src)<<12, 8)
		q.Source = src
		port.Submit(q)
	}
	require.NoError(t, r.Run())
	require.Equal(t, []hw.Source{1, 2, 3}, order)
}

// TestWalkReads counts the memory reads of a walk as the caches fill.
func TestWalkReads(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	for _, va := range []uint64{0x4000, 0x5000, 0x40_0000, 0x8000_0000_00} {
		r.b.set(root, va, 0x10_0000|abi.DeviceBit, userRW, 0)
	}
	reads := func(va uint64) int64 {
		before := r.u.walk.reads
		r.do(r.read(1, va, 8))
		return r.u.walk.reads - before
	}
	require.EqualValues(t, 5, reads(0x4000), "the context and four levels")
	require.Equal(t, 3, r.u.tables.Len(), "a pointer to each table below the root")
	require.EqualValues(t, 1, reads(0x5000), "the leaf of a cached table")
	require.EqualValues(t, 2, reads(0x40_0000), "another table under a cached one")
	require.EqualValues(t, 4, reads(0x8000_0000_00), "another subtree, from the root")
	require.EqualValues(t, 0, reads(0x5008))

	// A table is replaced: it shows when the context's pointers are dropped.
	fresh := r.b.page()
	r.m.put(true, fresh+5*8, abi.PTE(0x20_0000|abi.DeviceBit, userRW))
	r.m.put(true, r.b.entry(root, 0x5000, 1), abi.PTE(fresh|abi.DeviceBit, PTEValid))
	r.m.device[0x20_0000] = 'n'
	r.u.Invalidate(1, 0x5000, 4096, false, sim.Call{})
	q := r.read(1, 0x5000, 1)
	r.do(q)
	require.Equal(t, "n", string(q.Data))
}

func TestContextChangesWithInvalidation(t *testing.T) {
	r := newRig(t, defaultConfig())
	one, two := r.newContext(1), r.b.root()
	r.b.set(one, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(two, 0x5000, 0x20_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(1, 0x4000, 1))
	r.context(1, abi.Context{Valid: true, Mode: ModeSv48, Root: two})
	q := r.read(1, 0x5000, 1)
	r.do(q)
	require.Equal(t, hw.PageFault, q.Status, "the old context shows")
	r.u.Invalidate(1, 0, 0, false, sim.Call{})
	r.do(q)
	require.Equal(t, hw.OK, q.Status)
}

// TestStaleWalkOfASuperpage splits a 2 MiB page while a walk that has read its
// entry is under way, and invalidates one small page of it, another one than
// the walk is for: the old page must not come back.
func TestStaleWalkOfASuperpage(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x40_0000, 0x40_0000|abi.DeviceBit, userRW, 1)
	table := r.b.page()
	for i := range uint64(512) {
		r.m.put(true, table+i*8, abi.PTE(0x20_0000+i<<12|abi.DeviceBit, userRW))
	}
	r.m.atIssue = true
	r.At(450*sim.Nanosecond, sim.Call{H: r.Register("split", func(uint64) {
		r.m.put(true, r.b.entry(root, 0x40_0000, 1), abi.PTE(table|abi.DeviceBit, PTEValid))
		r.u.Invalidate(1, 0x40_7000, 4096, false, sim.Call{})
	})})
	r.m.late = func(q *hw.Request) sim.Time {
		if q.Addr == r.b.entry(root, 0x40_0000, 1) {
			return latency // the entry is read at 300 ns and arrives at 500
		}
		return 0
	}
	r.do(r.read(1, 0x40_0000, 8))
	require.EqualValues(t, 1, r.u.walk.retries)
	r.m.keep = true
	r.do(r.read(1, 0x40_7000, 8))
	require.EqualValues(t, 0x20_7000, r.m.log[len(r.m.log)-1].Addr)
}

// TestManyInvalidationsDuringAWalk makes more than are remembered: the walk
// starts again although none of them is known to cover it.
func TestManyInvalidationsDuringAWalk(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	for n, want := range map[int]int64{16: 0, 17: 1} {
		before := r.u.walk.retries
		r.u.Invalidate(0, 0, 0, true, sim.Call{})
		r.At(r.Now()+50*sim.Nanosecond, sim.Call{H: r.Register("others", func(uint64) {
			for range n {
				r.u.Invalidate(2, 0, 0, false, sim.Call{})
			}
		})})
		r.do(r.read(1, 0x4000, 8))
		require.Equal(t, want, r.u.walk.retries-before, "%d invalidations", n)
	}
}

// TestWriteToDeviceHoldsNoOther has a write to the bus follow one over two pages of
// device memory: it does not wait for that to be done.
func TestWriteToDeviceHoldsNoOther(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x3000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x4000, 0x30_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x20_0000, userRW, 0)
	first, second := r.read(1, 0x3800, 0x1000), r.read(1, 0x5000, 8)
	first.Op, second.Op = hw.Write, hw.Write
	r.do(first)
	r.do(second)
	start := r.Now()
	r.do(first, second)
	require.Equal(t, latency+sim.Nanosecond, r.Now()-start, "both at once, a lookup and the memory's latency")
}

func TestPortDoesNotAllocate(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	for i := range uint64(8) {
		r.b.set(root, i<<12, 0x10_0000+i<<13|abi.DeviceBit, userRW, 0)
	}
	hit, split := r.read(1, 0x10, 64), r.read(1, 0x800, 0x4000)
	r.do(hit, split)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.p.Submit(hit)
		r.p.Submit(split)
		require.NoError(t, r.Run())
	}))
}

func TestHaltEndsWhatIsQueued(t *testing.T) {
	cfg := defaultConfig()
	cfg.Walkers = 1
	r := newRig(t, cfg)
	r.newContext(1)
	var reqs []*hw.Request
	for i := range uint64(5) {
		q := r.read(1, i<<12, 8)
		reqs = append(reqs, q)
		r.p.Submit(q)
	}
	halted := 0
	h := r.Register("halted", func(uint64) {
		halted++
		require.Equal(t, 5, r.done, "nothing is outstanding")
	})
	r.At(150*sim.Nanosecond, sim.Call{H: r.Register("halt", func(uint64) { r.u.Halt(sim.Call{H: h}) })})
	require.NoError(t, r.Run())
	require.Equal(t, 1, halted)
	for _, q := range reqs {
		require.Equal(t, hw.Aborted, q.Status)
	}
	require.Zero(t, r.u.walk.queued)

	r.u.Halt(sim.Call{H: h}) // an idle unit halts too
	require.NoError(t, r.Run())
	require.Equal(t, 2, halted)
}

func TestWalksAreTraced(t *testing.T) {
	r := &rig{Engine: sim.New(1), t: t}
	r.Trace = &sim.Trace{}
	r.init(defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(1, 0x4000, 8), r.read(1, 0x4008, 8))
	spans := r.Trace.Spans()
	require.Len(t, spans, 1)
	require.Equal(t, 5*latency, spans[0].End-spans[0].Start)
	require.EqualValues(t, 0x4000, spans[0].Arg)
}

func TestCountersAreDeclared(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(1, 0x4000, 8), r.read(1, 0x4000, 8))
	r.do(r.read(1, 0x4000, 8))
	r.do(r.read(1, 0x9000, 8))
	got := map[string]int64{}
	for _, s := range r.Stats.Snapshot() {
		got[s.Block+"."+s.Name] = s.Value
	}
	for name, want := range map[string]int64{
		"mmu.l1_hits": 1, "mmu.l1_misses": 3, "mmu.l2_hits": 0, "mmu.l2_misses": 3, "mmu.walks": 2,
		"mmu.walks_merged": 1, "mmu.walk_reads": 6, "mmu.faults": 1, "mmu.fault_records_dropped": 1,
		"mmu.walk_time_ps": int64(6 * latency), "mmu.stall_time_ps": int64(11 * latency),
	} {
		require.Equal(t, want, got[name], name)
	}
}
