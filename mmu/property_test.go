package mmu

import (
	"bytes"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// smallConfig draws an MMU whose caches overflow.
func smallConfig(t *rapid.T) Config {
	c := defaultConfig()
	c.L1Entries = rapid.IntRange(1, 4).Draw(t, "l1")
	c.L2Ways = rapid.IntRange(1, 2).Draw(t, "ways")
	c.L2Entries = c.L2Ways * 4
	c.WalkCacheEntries = rapid.IntRange(0, 3).Draw(t, "walk cache")
	c.ContextEntries = rapid.IntRange(1, 2).Draw(t, "contexts")
	c.Walkers = rapid.IntRange(1, 3).Draw(t, "walkers")
	c.HitCycles = rapid.SampledFrom([]int{0, 1, 2, 150}).Draw(t, "hit")
	return c
}

// flat is the reference: each context's pages, as one look-up table.
type flat struct {
	pages map[uint16]map[uint64]flatPage // by ASID and page number
	owner map[uint64]uint16              // physical page, with abi.DeviceBit
}

type flatPage struct {
	pa       uint64
	writable bool
}

// bytes is the page in a ram.
func (p flatPage) bytes(m *ram) []byte {
	if p.pa&abi.DeviceBit != 0 {
		return m.device[p.pa&^abi.DeviceBit:][:4096]
	}
	return m.bus[p.pa:][:4096]
}

// access does what a request should do, in prefix order; it returns the first
// address that faults.
func (f *flat) access(m *ram, q *hw.Request, data []byte) (hw.Status, uint64) {
	for i := range data {
		va := q.Addr + uint64(i)
		page, ok := f.pages[q.ASID][va>>12]
		switch {
		case !ok:
			return hw.PageFault, va
		case q.Op == hw.Write && !page.writable:
			return hw.PermFault, va
		case q.Op == hw.Write:
			page.bytes(m)[va&0xfff] = data[i]
		default:
			data[i] = page.bytes(m)[va&0xfff]
		}
	}
	return hw.OK, 0
}

// Frames of a random address space: from 64 KiB, below the tables.
const (
	firstFrame = 0x10
	endFrame   = 0x210
	fillFrom   = firstFrame << 12
	fillTo     = endFrame << 12
)

// build maps a MiB of two contexts at random, in pages of 4 and 64 KiB with
// holes, to device memory and to the bus, and fills the memory.
func build(r *rig, random *sim.Stream) *flat {
	f := &flat{pages: map[uint16]map[uint64]flatPage{}, owner: map[uint64]uint16{}}
	for asid := uint16(1); asid <= 2; asid++ {
		root := r.newContext(asid)
		f.pages[asid] = map[uint64]flatPage{}
		for va := uint64(0); va < 1<<20; {
			shift, n := uint8(12), uint64(1)
			if va&0xffff == 0 && random.Intn(3) == 0 {
				shift, n = 16, 16
			}
			f.place(r, random, asid, root, va, shift, n)
			va += n << 12
		}
	}
	for i := fillFrom; i < fillTo; i++ {
		r.m.device[i], r.m.bus[i] = byte(i*31>>4), byte(i*17>>3)
	}
	return f
}

// place maps one page at a random free frame, or leaves a hole.
func (f *flat) place(r *rig, random *sim.Stream, asid uint16, root, va uint64, shift uint8, n uint64) {
	pa := (firstFrame + uint64(random.Intn(endFrame-firstFrame))) / n * n << 12
	if random.Intn(2) == 0 {
		pa |= abi.DeviceBit
	}
	flags := uint64(userRW)
	if random.Intn(5) == 0 {
		flags &^= PTEWrite
	}
	for i := range n {
		if f.owner[pa>>12+i] != 0 {
			return
		}
	}
	for i := range n {
		r.mapOne(root, va, pa, flags, shift, i)
		f.pages[asid][va>>12+i] = flatPage{pa + i<<12, flags&PTEWrite != 0}
		f.owner[pa>>12+i] = asid
	}
}

// mapOne writes the i-th entry of a page: Svnapot repeats its entry 16 times.
func (r *rig) mapOne(root, va, pa, flags uint64, shift uint8, i uint64) {
	if shift == 16 {
		r.m.put(true, r.b.entry(root, va+i<<12, 0), abi.PTE(pa|0x8000, flags|PTENapot))
		return
	}
	r.b.set(root, va, pa, flags, 0)
}

// drawRequest draws a read or write of up to bytes at a place where something
// is mapped or nearly so.
func drawRequest(t *rapid.T, r *rig, bytes int64, write bool) *hw.Request {
	q := r.read(uint16(rapid.IntRange(1, 2).Draw(t, "asid")), rapid.Uint64Range(0, 1<<20).Draw(t, "addr"),
		rapid.Int64Range(1, bytes).Draw(t, "bytes"))
	if write && rapid.Bool().Draw(t, "write") {
		q.Op = hw.Write
		for i := range q.Data {
			q.Data[i] = byte(i*13 + int(q.Addr))
		}
	}
	return q
}

func TestPortEqualsFlatTranslation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRigT(t, smallConfig(t))
		f := build(r, sim.NewStream(rapid.Uint64().Draw(t, "seed"), "build"))
		mirror := &ram{device: append([]byte(nil), r.m.device[:fillTo]...), bus: append([]byte(nil), r.m.bus[:fillTo]...)}
		r.m.fail = f.guard(t)
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			q := drawRequest(t, r, 20000, true)
			want := append([]byte(nil), q.Data...)
			status, at := f.access(mirror, q, want)
			r.do(q)
			require.Equal(t, status, q.Status)
			require.Equal(t, at, q.FaultAddr)
			require.True(t, bytes.Equal(want, q.Data))
		}
		require.True(t, bytes.Equal(mirror.device[fillFrom:], r.m.device[fillFrom:fillTo]))
		require.True(t, bytes.Equal(mirror.bus[fillFrom:], r.m.bus[fillFrom:fillTo]))
	})
}

// guard fails the test when a context's access arrives at a page that is not
// its own; the walker's reads are the device's.
func (f *flat) guard(t require.TestingT) func(r *hw.Request) hw.Status {
	return func(q *hw.Request) hw.Status {
		if q.Source == 7 {
			return hw.OK
		}
		pa := q.Addr
		if q.Space == hw.Device {
			pa |= abi.DeviceBit
		}
		for page := pa >> 12; page <= (pa+uint64(q.Bytes)-1)>>12; page++ {
			require.Equal(t, q.ASID, f.owner[page], "page %#x", page)
		}
		return hw.OK
	}
}

// newRigT is newRig for a property.
func newRigT(t require.TestingT, cfg Config) *rig {
	r := &rig{Engine: sim.New(1), t: t}
	r.init(cfg)
	return r
}

// TestConcurrentReadsEqualFlatTranslation has many requests under way at once,
// with memory latencies that reorder them.
func TestConcurrentReadsEqualFlatTranslation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRigT(t, smallConfig(t))
		random := sim.NewStream(rapid.Uint64().Draw(t, "seed"), "test")
		f := build(r, random)
		r.m.late = func(*hw.Request) sim.Time { return sim.Time(random.Intn(int64(sim.Microsecond))) }
		r.m.fail = f.guard(t)
		var reqs []*hw.Request
		var want [][]byte
		var status []hw.Status
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			q := drawRequest(t, r, 9000, false)
			w := make([]byte, q.Bytes)
			s, _ := f.access(r.m, q, w)
			reqs, want, status = append(reqs, q), append(want, w), append(status, s)
		}
		r.do(reqs...)
		for i, q := range reqs {
			require.Equal(t, status[i], q.Status)
			require.Equal(t, want[i], q.Data)
		}
	})
}

// TestAheadIsInTime holds a memory that takes requests ahead of time against one that
// has them submitted when they arrive: each read ends at the same time. A write to the
// bus may end sooner, by a lookup, when one to device memory is before it in the lane.
func TestAheadIsInTime(t *testing.T) {
	early := 0
	rapid.Check(t, func(t *rapid.T) {
		cfg, seed, n := smallConfig(t), rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 40).Draw(t, "requests")
		run := func(awaits bool) (ends []sim.Time) {
			r := newRigT(t, cfg)
			random := sim.NewStream(seed, "test")
			build(r, random)
			r.m.awaits = awaits
			ends = make([]sim.Time, n)
			ended := r.Register("ended", func(i uint64) { ends[i] = r.Now() })
			written := r.Register("written", func(uint64) {})
			r.Go("requester", func(*sim.Proc) {
				for i := range uint64(n) {
					q := r.read(uint16(1+random.Intn(2)), uint64(random.Intn(4<<12)), 1+random.Intn(9000))
					if q.Done = (sim.Call{H: ended, Arg: i}); random.Intn(2) == 0 {
						q.Op, q.Done.H = hw.Write, written
					}
					r.p.Submit(q)
					r.Sleep(sim.Time(random.Intn(int64(100 * sim.Nanosecond))))
				}
			})
			require.NoError(t, r.Run())
			require.Equal(t, none, r.p.lane.head, "no write is left in the lane")
			early += r.m.early
			return ends
		}
		require.Equal(t, run(true), run(false))
	})
	require.NotZero(t, early, "some requests are taken ahead of time")
}

// TestLaterWriteLeavesAReadAlone has a read wait for its walk while a write that came
// after it goes through the lookup: PCIe asks nothing of the two.
func TestLaterWriteLeavesAReadAlone(t *testing.T) {
	cfg := DefaultIOMMUConfig()
	cfg.HitLatency = 100 * sim.Nanosecond
	end := func(write bool, after sim.Time) (end sim.Time) {
		r := newHostRig(t, cfg)
		r.b.set(r.root, 0x4000, 0x10_0000, userRW, 0)
		r.b.set(r.root, 0x5000, 0x20_0000, userRW, 0)
		r.do(r.access(hw.Write, 0x4000, 8))
		start, q, w := r.Now(), r.access(hw.Read, 0x5000, 8), r.access(hw.Write, 0x4000, 8)
		q.Done = sim.Call{H: r.Register("end", func(uint64) { end = r.Now() - start })}
		q.Send(r.p)
		if write {
			r.After(after, sim.Call{H: r.Register("write", func(uint64) { w.Send(r.p) })})
		}
		require.NoError(t, r.Run())
		return end
	}
	for after := sim.Time(0); after < 400*sim.Nanosecond; after += 20 * sim.Nanosecond {
		require.Equal(t, end(false, 0), end(true, after), "a write %v after the read", after)
	}
}

// TestInvalidationSendsMore has who waits for an invalidation send more requests than
// there are places, while one that it waited for ends.
func TestInvalidationSendsMore(t *testing.T) {
	r := newRig(t, defaultConfig())
	r.b.set(r.newContext(3), 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(3, 0x4000, 64))
	sent := 0
	send := func(n int) {
		for range n {
			r.p.Submit(r.read(3, 0x4000, 64))
		}
		sent += n
	}
	send(1)
	more := r.Register("more", func(uint64) { send(3 * len(r.u.split.directs)) })
	require.False(t, r.u.split.window.advance(sim.Call{H: more}))
	send(len(r.u.split.directs) - 1)
	before := r.done
	require.NoError(t, r.Run())
	require.Equal(t, before+sent, r.done)
	free := 0
	for i := r.u.split.freeD; i != none && free <= len(r.u.split.directs); i = r.u.split.directs[i].next {
		free++
	}
	require.Equal(t, len(r.u.split.directs), free, "every place is free, once")
}

// TestInvalidationIsAFence unmaps pages while requests run: once an
// invalidation is done, nothing arrives at the old page any more, and nothing
// that arrived before is still outstanding.
func TestInvalidationIsAFence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRigT(t, smallConfig(t))
		root := r.newContext(1)
		frame := uint64(0x20_0000) // of the page at va 0x4000; moves with each round
		r.b.set(root, 0x4000, frame|abi.DeviceBit, userRW, 0)
		r.b.set(root, 0x5000, 0x50_0000|abi.DeviceBit, userRW, 0)
		random := sim.NewStream(rapid.Uint64().Draw(t, "seed"), "test")
		r.m.late = func(*hw.Request) sim.Time { return sim.Time(random.Intn(int64(sim.Microsecond))) }
		dead := map[uint64]bool{}
		open := map[uint64]int{}
		watch := hw.TargetFunc(func(q *hw.Request) {
			require.False(t, dead[q.Addr>>12], "an access to %#x after its invalidation was done", q.Addr)
			open[q.Addr>>12]++
			r.m.Submit(q)
		})
		r.m.fail = func(q *hw.Request) hw.Status {
			if q.Source != 7 {
				open[q.Addr>>12]--
			}
			return hw.OK
		}
		port := r.u.NewPort(watch)
		rounds := rapid.IntRange(1, 6).Draw(t, "rounds")
		r.Go("driver", func(*sim.Proc) {
			for range rounds {
				old := frame >> 12
				frame += 4096
				r.b.set(root, 0x4000, frame|abi.DeviceBit, userRW, 0)
				r.Await("the invalidation", func(done sim.Call) { r.u.Invalidate(1, 0x4000, 4096, false, done) })
				require.Zero(t, open[old], "an access to the old page is outstanding")
				dead[old] = true
				r.Sleep(sim.Time(random.Intn(int64(3 * sim.Microsecond))))
			}
		})
		n := rapid.IntRange(1, 60).Draw(t, "requests")
		r.Go("requester", func(*sim.Proc) {
			for range n {
				q := r.read(1, 0x4ff0+uint64(random.Intn(32)), 8)
				q.Done.Arg = 1
				port.Submit(q)
				r.Sleep(sim.Time(random.Intn(int64(300 * sim.Nanosecond))))
			}
		})
		require.NoError(t, r.Run())
		require.Equal(t, n, r.done)
	})
}

// TestBusWritesArriveInOrder submits writes that hit and miss at random; those
// that go to the bus arrive in the order of their submission.
func TestBusWritesArriveInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := smallConfig(t)
		r := newRigT(t, cfg)
		root := r.newContext(1)
		for i := range uint64(8) {
			pa := 0x10_0000 + i<<12
			if i%3 == 2 {
				pa |= abi.DeviceBit
			}
			r.b.set(root, i<<12, pa, userRW, 0)
		}
		random := sim.NewStream(rapid.Uint64().Draw(t, "seed"), "test")
		r.m.late = func(*hw.Request) sim.Time { return sim.Time(random.Intn(int64(200 * sim.Nanosecond))) }
		var want, got []uint64
		port := r.u.NewPort(newPartly(r.Engine, random, func(q *hw.Request) {
			if q.Space == hw.BusAddr && q.Op == hw.Write {
				got = append(got, uint64(q.Data[0])|uint64(q.Data[1])<<8)
			}
			r.m.Submit(q)
		}))
		n := rapid.IntRange(1, 40).Draw(t, "writes")
		r.Go("requester", func(*sim.Proc) {
			for i := range uint64(n) {
				page := uint64(random.Intn(8))
				q := r.read(1, page<<12+8*(i%64), 8)
				q.Op = hw.Write
				if random.Intn(4) == 0 {
					q.Space = hw.BusAddr
				}
				q.Data[0], q.Data[1] = byte(i), byte(i>>8)
				if q.Space == hw.BusAddr || page%3 != 2 {
					want = append(want, i)
				}
				port.Submit(q)
				switch random.Intn(8) {
				case 0, 1, 2:
					r.Sleep(sim.Time(random.Intn(int64(100 * sim.Nanosecond))))
				case 3, 4:
					r.Sleep(5 * sim.Microsecond) // the port is quiet: the next may hit
				}
			}
		})
		require.NoError(t, r.Run())
		require.Equal(t, n, r.done)
		require.Equal(t, want, got)
	})
}

// TestHostAccessesKeepPCIeOrder submits reads and writes to two IOMMU ports: each one's
// writes arrive in order, and no read before a write that came before it.
func TestHostAccessesKeepPCIeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultIOMMUConfig()
		cfg.IOTLBEntries = rapid.IntRange(1, 4).Draw(t, "iotlb")
		cfg.IOTLBWays = cfg.IOTLBEntries
		cfg.Walkers = rapid.IntRange(1, 3).Draw(t, "walkers")
		cfg.HitLatency = rapid.SampledFrom([]sim.Time{0, 10 * sim.Nanosecond, 100 * sim.Nanosecond, 3 * sim.Microsecond}).Draw(t, "latency")
		r := &hostRig{Engine: sim.New(1), t: t}
		r.init(cfg)
		for i := range uint64(8) {
			r.b.set(r.root, i<<12, 0x10_0000+i<<13, userRW, 0)
		}
		random := sim.NewStream(rapid.Uint64().Draw(t, "seed"), "test")
		r.m.late = func(*hw.Request) sim.Time { return sim.Time(random.Intn(int64(200 * sim.Nanosecond))) }
		var ports [2]struct {
			*IOMMUPort
			writes, arrived, bytes int // bytes: of the next write to arrive, that have
		}
		for i := range ports {
			p := &ports[i]
			p.IOMMUPort = r.u.NewPort(testDevice, newPartly(r.Engine, random, func(q *hw.Request) {
				n := int(q.Source)
				if q.Op == hw.Write {
					require.Equal(t, p.arrived, n, "writes in order")
					if p.bytes += int(q.Bytes); p.bytes == 8 {
						p.arrived, p.bytes = p.arrived+1, 0
					}
				} else {
					require.GreaterOrEqual(t, p.arrived, n, "a read behind the writes before it")
				}
				r.m.Submit(q)
			}))
		}
		n := rapid.IntRange(1, 60).Draw(t, "accesses")
		r.Go("device", func(*sim.Proc) {
			for range n {
				p := &ports[random.Intn(2)]
				q := r.access(hw.Read, uint64(random.Intn(7))<<12+uint64(random.Intn(2))*0xffc, 8)
				q.Source = hw.Source(p.writes)
				if random.Intn(2) == 0 {
					q.Op = hw.Write
					p.writes++
				}
				p.Submit(q)
				switch random.Intn(8) {
				case 0, 1, 2:
					r.Sleep(sim.Time(random.Intn(int64(100 * sim.Nanosecond))))
				case 3, 4:
					r.Sleep(5 * sim.Microsecond)
				}
			}
		})
		require.NoError(t, r.Run())
		require.Equal(t, n, r.done)
		for _, p := range ports {
			require.Equal(t, p.writes, p.arrived)
		}
		require.Zero(t, r.u.split.live)
	})
}
