package pcie

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

func TestPieces(t *testing.T) {
	for _, w := range []struct {
		addr       uint64
		n, size    int64
		wantPieces int64
	}{
		{0, 0, 256, 1}, {0, 1, 256, 1}, {0, 256, 256, 1}, {0, 257, 256, 2}, {255, 1, 256, 1}, {255, 2, 256, 2},
		{64, 512, 512, 2}, {4095, 2, 4096, 2}, {^uint64(0) - 255, 256, 256, 1},
	} {
		assert.Equal(t, w.wantPieces, pieces(w.addr, w.n, w.size), "%+v", w)
	}
}

// A transfer is cut exactly: the segments are pieces(…), touch and cover it.
func TestSegmentsCoverTheRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := int64(1) << rapid.IntRange(7, 12).Draw(t, "log size")
		x := transfer{addr: rapid.Uint64Range(0, 1<<40).Draw(t, "addr"), left: rapid.Int64Range(1, 100_000).Draw(t, "bytes")}
		start, total := x.addr, x.left
		want := pieces(x.addr, x.left, size)
		var n int64
		for x.left > 0 {
			addr, bytes := x.next(size)
			require.Equal(t, x.addr, addr)
			require.Positive(t, bytes)
			require.Equal(t, addr/uint64(size), (addr+uint64(bytes)-1)/uint64(size), "within a boundary")
			x.addr += uint64(bytes)
			x.left -= bytes
			n++
		}
		require.Equal(t, want, n)
		require.Equal(t, start+uint64(total), x.addr)
	})
}

// Whatever is sent, the wire carries payload and headers and nothing else.
func TestWireBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.MPS = sim.Bytes(128 << rapid.IntRange(0, 2).Draw(t, "mps"))
		c.MRRS = max(c.MPS, sim.Bytes(128<<rapid.IntRange(0, 5).Draw(t, "mrrs")))
		c.RCBChunks = rapid.Bool().Draw(t, "rcb chunks")
		c.Tags = rapid.SampledFrom([]Limit{Unlimited, 4, 300}).Draw(t, "tags")
		b := newBench(c, 1<<20)
		var up, down int64
		n := rapid.IntRange(1, 20).Draw(t, "requests")
		for i := range n {
			op := hw.Op(rapid.IntRange(0, 1).Draw(t, "op"))
			r := b.request(uint64(i), op, hw.Source(i), rapid.Uint64Range(0, 1<<19).Draw(t, "addr"), rapid.Int64Range(0, 20_000).Draw(t, "bytes"), nil)
			r.HasPASID = rapid.Bool().Draw(t, "pasid")
			prefix := int64(0)
			if r.HasPASID {
				prefix = 4
			}
			b.link.Submit(r)
			if op == hw.Write {
				up += r.Bytes + (24+prefix)*pieces(r.Addr, r.Bytes, int64(c.MPS))
			} else {
				up += (24 + prefix) * pieces(r.Addr, r.Bytes, int64(c.MRRS))
				down += r.Bytes + 20*pieces(r.Addr, r.Bytes, c.chunk())
			}
		}
		b.link.Interrupt(1, 0, 0)
		up += 28
		b.link.MMIO(0, b.request(90, hw.Write, 0, 0, 4, []byte{0, 0, 0, 0}))
		down += 28
		b.link.MMIO(0, b.request(91, hw.Read, 0, 0, 4, make([]byte, 4)))
		down, up = down+24, up+24
		b.run(t)
		require.Equal(t, up, b.link.up.Stats().Bytes)
		require.Equal(t, down, b.link.down.Stats().Bytes)
	})
}

// A read that fails is answered by a completion of its own, also where its data
// would have come in one that the read before it has begun.
func TestErrorsTakeWire(t *testing.T) {
	c := DefaultConfig()
	c.MPS, c.MRRS, c.RCBChunks, c.Tags = 512, 128, false, 1
	b := newBench(c, 1<<20)
	b.host.fault = func(addr uint64) bool { return addr == 128 }
	r := b.request(1, hw.Read, 0, 0, 512, nil)
	b.link.Submit(r)
	b.run(t)
	require.Equal(t, hw.PageFault, r.Status)
	require.EqualValues(t, 20+128+20, b.link.down.Stats().Bytes)
	require.EqualValues(t, 2, b.link.Stats().CompletionTLPs)
}

// A read that is zero all over says so and leaves the data alone; one that is
// zero in part has its zeros filled in.
func TestZeroReads(t *testing.T) {
	for _, w := range []struct {
		zeroBelow uint64
		want      bool
	}{{1 << 20, true}, {4096, false}, {0, false}} {
		c := DefaultConfig()
		b := newBench(c, 1<<20)
		for i := range b.host.mem {
			b.host.mem[i] = 0x55
		}
		root := hw.TargetFunc(func(r *hw.Request) {
			if r.Addr < w.zeroBelow {
				r.Status, r.Zero = hw.OK, true
				b.e.After(sim.Nanosecond, r.Done)
				return
			}
			b.host.Submit(r)
		})
		b.link.SetUpstream(root, nil)
		r := b.request(1, hw.Read, 0, 0, 8192, pattern(8192))
		b.link.Submit(r)
		b.run(t)
		require.Equal(t, w.want, r.Zero)
		if !r.Zero {
			for i, v := range r.Data {
				want := byte(0x55)
				if uint64(i) < w.zeroBelow {
					want = 0
				}
				require.Equal(t, want, v, "%d", i)
			}
		}
	}
}

// Who asks first within an instant makes no difference to reads.
func TestReadsDoNotDependOnInsertion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.Tags = Limit(rapid.IntRange(1, 16).Draw(t, "tags"))
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 9000), 4, 4).Draw(t, "sizes")
		run := func(order []int) map[uint64]sim.Time {
			b := newBench(c, 1<<20)
			for _, s := range order {
				b.link.Submit(b.request(uint64(s), hw.Read, hw.Source(s), uint64(s)<<16, sizes[s], nil))
			}
			b.run(t)
			return b.ends
		}
		require.Equal(t, run([]int{0, 1, 2, 3}), run(rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "order")))
	})
}

// A write that fails early makes nothing visible that came before it.
func TestEarlyFaultIsNotVisibility(t *testing.T) {
	b := newBench(DefaultConfig(), 1<<20)
	var late *hw.Request
	root := hw.TargetFunc(func(r *hw.Request) {
		if r.Addr == 0 {
			late = r // a long translation
			b.e.After(50*sim.Microsecond, r.Done)
			return
		}
		r.Status, r.FaultAddr = hw.PageFault, r.Addr
		b.e.After(0, r.Done)
	})
	b.link.SetUpstream(Ordered(root), b.host.interrupt)
	b.link.Submit(b.request(1, hw.Write, 0, 0, 64, nil))
	bad := b.request(2, hw.Write, 1, 8192, 64, nil)
	b.link.Submit(bad)
	b.link.Interrupt(3, 0, 0)
	b.link.MMIO(0, b.request(3, hw.Read, 0, 0, 4, make([]byte, 4)))
	b.run(t)
	require.NotNil(t, late)
	assert.Equal(t, hw.PageFault, bad.Status)
	assert.Greater(t, b.ends[1], 50*sim.Microsecond)
	assert.GreaterOrEqual(t, b.ends[2], b.ends[1], "its own result comes in order too")
	assert.GreaterOrEqual(t, b.ends[3], b.ends[1])
	require.Len(t, b.host.seen, 1)
	assert.GreaterOrEqual(t, b.host.seen[0].at, b.ends[1])
}

func TestTimeOutIsReported(t *testing.T) {
	b := newBench(DefaultConfig(), 4096)
	fn := NewFunction(b.e, "fn", DefaultFunction(b.link.Config(), 4), FunctionParts{Host: b.link})
	b.link.SetFunction(fn)
	fn.ConfigWrite(regCommand, 2, commandMaster)
	b.link.LoseCompletions(1)
	r := b.request(1, hw.Read, 0, 0, 64, nil)
	fn.Submit(r)
	b.run(t)
	assert.Equal(t, hw.TimedOut, r.Status)
	assert.Equal(t, uint32(1<<14), fn.ConfigRead(regUEStatus, 4))
}

// What a function's DMA finds when its link is gone, and its host's config reads.
func TestRemovedFunction(t *testing.T) {
	b := newBench(DefaultConfig(), 4096)
	b.link.Down()
	require.True(t, b.link.IsDown())
	c := ConfigAccess{Off: 0, Size: 2, Done: sim.Call{H: b.done}}
	b.link.AccessConfig(&c)
	b.link.Interrupt(1, 0, 0)
	b.run(t)
	assert.Equal(t, uint32(0xffff), c.Value)
	assert.Equal(t, hw.Unsupported, c.Status)
	assert.Empty(t, b.host.seen)
}

func TestTraceAndCounters(t *testing.T) {
	e := sim.New(0)
	e.Trace = &sim.Trace{}
	link := New(e, "pcie", DefaultConfig(), []int{1})
	host := newTestHost(e, 4096)
	link.SetUpstream(host, host.interrupt)
	link.SetFunction(&testFunction{e: e, mem: make([]byte, 4096)})
	link.Submit(&hw.Request{Op: hw.Read, Space: hw.BusAddr, Bytes: 64})
	link.Submit(&hw.Request{Op: hw.Write, Space: hw.BusAddr, Bytes: 64})
	link.Interrupt(2, 0, 0)
	link.MMIO(0, &hw.Request{Op: hw.Read, Bytes: 4, Data: make([]byte, 4)})
	link.MMIO(0, &hw.Request{Op: hw.Write, Bytes: 4, Data: make([]byte, 4)})
	link.AccessConfig(&ConfigAccess{Size: 4})
	require.NoError(t, e.Run())
	track := 0
	for _, s := range e.Trace.Spans() {
		if s.Track == link.trace.track {
			track++
			require.Less(t, s.Start, s.End)
		}
	}
	assert.Equal(t, 6, track)
	want := map[string]int64{"dma_reads": 1, "dma_writes": 1, "interrupts": 1, "mmio_reads": 1, "mmio_writes": 1,
		"config_accesses": 1, "dma_read_bytes": 64, "dma_write_bytes": 64, "write_tlps": 2, "read_tlps": 1, "completion_tlps": 1}
	for _, s := range e.Stats.Snapshot() {
		if v, ok := want[s.Name]; ok && s.Block == "pcie" {
			assert.Equal(t, v, s.Value, s.Name)
			delete(want, s.Name)
		}
	}
	assert.Empty(t, want)
}

func TestGenerations(t *testing.T) {
	want := []float64{2, 4, 7.877, 15.754, 31.508, 59} // GB/s of x8, of x8, …
	for i, w := range want {
		c := DefaultConfig()
		c.Generation = i + 1
		assert.InDelta(t, w, float64(c.RawRate())*1e-9, 0.01*w, "gen %d", i+1)
		assert.Less(t, c.TLPRate(), c.RawRate())
	}
}
