package pcie

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// testHost is a root complex over a small memory. Each request takes delay.
type testHost struct {
	e       *sim.Engine
	mem     []byte
	delay   func(r *hw.Request) sim.Time
	fault   func(addr uint64) bool
	ordered bool
	done    sim.Handler
	pending pool[*hw.Request]
	seen    []event // writes and interrupts in the order in which they became visible
	served  int
	finish  sim.Time // of the last write, for ordered
}

type event struct {
	at        sim.Time
	addr      uint64
	interrupt int // vector, or -1
}

func newTestHost(e *sim.Engine, size int) *testHost {
	h := &testHost{e: e, mem: make([]byte, size), delay: func(*hw.Request) sim.Time { return 100 * sim.Nanosecond }}
	h.done = e.Register("test host", func(arg uint64) {
		r := *h.pending.at(uint32(arg))
		h.pending.give(uint32(arg))
		h.end(r)
	})
	return h
}

func (h *testHost) WritesInOrder() bool { return h.ordered }

func (h *testHost) Submit(r *hw.Request) {
	i, p := h.pending.take()
	*p = r
	at := h.e.Now() + h.delay(r)
	if h.ordered && r.Op == hw.Write {
		at = max(at, h.finish)
		h.finish = at
	}
	h.served++
	h.e.At(at, sim.Call{H: h.done, Arg: uint64(i)})
}

func (h *testHost) end(r *hw.Request) {
	r.Status, r.FaultAddr = hw.OK, 0
	switch {
	case h.fault != nil && h.fault(r.Addr):
		r.Status, r.FaultAddr = hw.PageFault, r.Addr
	case r.Op == hw.Read && r.Data != nil:
		copy(r.Data, h.mem[r.Addr:])
	case r.Op == hw.Write:
		if r.Data != nil {
			copy(h.mem[r.Addr:], r.Data)
		}
		h.seen = append(h.seen, event{h.e.Now(), r.Addr, -1})
	}
	h.e.Fire(r.Done)
}

func (h *testHost) interrupt(vector int, _ uint64, _ uint32) {
	h.seen = append(h.seen, event{h.e.Now(), 0, vector})
}

// bench is a link between a test host and a function of 64 KiB of memory in BAR0.
type bench struct {
	e    *sim.Engine
	link *Link
	host *testHost
	fn   *testFunction
	done sim.Handler
	ends map[uint64]sim.Time
	log  []uint64 // tags of requests in the order of their end
}

type testFunction struct {
	e     *sim.Engine
	mem   []byte
	delay sim.Time
	log   []uint64 // offsets written, in order
}

func (f *testFunction) ConfigRead(off, size int) uint32 { return uint32(off)<<8 | uint32(size) }
func (f *testFunction) ConfigWrite(off, size int, v uint32) {
	f.log = append(f.log, uint64(off), uint64(v))
}
func (f *testFunction) ConventionalReset(_ bool, done sim.Call) { f.e.After(0, done) }
func (f *testFunction) MMIO(_ int, r *hw.Request) {
	r.Status = hw.OK
	if r.Op == hw.Read {
		copy(r.Data, f.mem[r.Addr:])
	} else {
		copy(f.mem[r.Addr:], r.Data)
		f.log = append(f.log, r.Addr)
	}
	f.e.After(f.delay, r.Done)
}

func newBench(c Config, memory int, weights ...int) *bench {
	if weights == nil {
		weights = []int{1, 1, 1, 1}
	}
	b := &bench{e: sim.New(1), ends: map[uint64]sim.Time{}}
	b.link = New(b.e, "pcie", c, weights)
	b.host = newTestHost(b.e, memory)
	b.fn = &testFunction{e: b.e, mem: make([]byte, 64<<10)}
	b.link.SetUpstream(b.host, b.host.interrupt)
	b.link.SetFunction(b.fn)
	b.done = b.e.Register("end", func(tag uint64) {
		b.ends[tag] = b.e.Now()
		b.log = append(b.log, tag)
	})
	return b
}

func (b *bench) request(tag uint64, op hw.Op, source hw.Source, addr uint64, n int64, data []byte) *hw.Request {
	return &hw.Request{Op: op, Space: hw.BusAddr, Source: source, Addr: addr, Bytes: n, Data: data,
		Done: sim.Call{H: b.done, Arg: tag}}
}

func (b *bench) run(t require.TestingT) {
	require.NoError(t, b.e.Run())
	require.NoError(t, b.link.Idle())
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func TestDMACarriesBytes(t *testing.T) {
	for _, n := range []int64{0, 1, 4, 64, 511, 4096, 5000, 70000} {
		for _, addr := range []uint64{0, 3, 4090, 8192} {
			b := newBench(DefaultConfig(), 128<<10)
			out := pattern(int(n))
			w := b.request(1, hw.Write, 0, addr, n, out)
			b.link.Submit(w)
			b.run(t)
			require.Equal(t, hw.OK, w.Status)
			require.True(t, bytes.Equal(out, b.host.mem[addr:addr+uint64(n)]))
			r := b.request(2, hw.Read, 1, addr, n, make([]byte, n))
			b.link.Submit(r)
			b.run(t)
			require.Equal(t, hw.OK, r.Status)
			require.True(t, bytes.Equal(out, r.Data))
			s := b.link.Stats()
			require.Equal(t, []int64{n, n, 1, 1}, []int64{s.ReadBytes, s.WriteBytes, s.Reads, s.Writes})
		}
	}
}

func TestReadLatencyIsItsParts(t *testing.T) {
	c := DefaultConfig()
	b := newBench(c, 8192)
	b.link.Submit(b.request(1, hw.Read, 0, 0, 64, nil))
	b.run(t)
	wire := func(n sim.Bytes) sim.Time { return c.TLPRate().TimeFor(n) }
	want := wire(24) + 2*c.Latency + 100*sim.Nanosecond + wire(64+20)
	assert.InDelta(t, float64(want), float64(b.ends[1]), 2)
}

// Writes and interrupts become visible in the order of Submit, whatever the
// host takes for each and by whichever source they came.
func TestPostedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.PostedCredits = rapid.SampledFrom([]Limit{Unlimited, 1, 7, 64}).Draw(t, "credits")
		b := newBench(c, 1<<20)
		b.host.ordered = rapid.Bool().Draw(t, "ordered")
		delays := rapid.SliceOfN(rapid.Int64Range(0, 3000), 1, 40).Draw(t, "delays")
		k := 0
		b.host.delay = func(*hw.Request) sim.Time { k++; return sim.Time(delays[k%len(delays)]) * sim.Nanosecond }
		n := rapid.IntRange(1, 30).Draw(t, "requests")
		var want []event
		for i := range n {
			addr := uint64(i) * 0x8000
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				b.link.Interrupt(i, 0xfee00000, 1)
				want = append(want, event{0, 0, i})
			case 1:
				b.link.Submit(b.request(uint64(i), hw.Read, hw.Source(i%4), addr, 300, nil))
			default:
				size := rapid.SampledFrom([]int64{4, 64, 256, 4096, 20000}).Draw(t, "size")
				b.link.Submit(b.request(uint64(i), hw.Write, hw.Source(rapid.IntRange(0, 3).Draw(t, "source")), addr, size, nil))
				want = append(want, event{0, addr, -1})
			}
		}
		b.run(t)
		var got []event
		for _, e := range b.host.seen {
			if e.interrupt >= 0 || e.addr%0x8000 == 0 {
				got = append(got, event{0, e.addr, e.interrupt})
			}
		}
		require.Equal(t, want, got)
		for i := 1; i < len(b.host.seen); i++ {
			require.LessOrEqual(t, b.host.seen[i-1].at, b.host.seen[i].at)
		}
	})
}

// A read of the device must see what its source wrote before.
func TestReadBehindWrite(t *testing.T) {
	b := newBench(DefaultConfig(), 8192)
	b.host.delay = func(r *hw.Request) sim.Time {
		if r.Op == hw.Write {
			return 5 * sim.Microsecond
		}
		return 0
	}
	data := pattern(64)
	r := b.request(2, hw.Read, 0, 64, 64, make([]byte, 64))
	b.link.Submit(b.request(1, hw.Write, 0, 64, 64, data))
	b.link.Submit(r)
	b.run(t)
	assert.Equal(t, data, r.Data)
}

// The answer to the host's read pushes what the device wrote before.
func TestReplyPushesWrites(t *testing.T) {
	b := newBench(DefaultConfig(), 1<<20)
	b.host.delay = func(*hw.Request) sim.Time { return 20 * sim.Microsecond }
	b.link.Submit(b.request(1, hw.Write, 0, 0, 64, nil))
	b.link.Interrupt(5, 0xfee00000, 0)
	read := b.request(2, hw.Read, 0, 8, 4, make([]byte, 4))
	copy(b.fn.mem[8:], "abcd")
	b.link.MMIO(0, read)
	b.run(t)
	assert.Equal(t, "abcd", string(read.Data))
	assert.GreaterOrEqual(t, b.ends[2], b.ends[1])
	require.Len(t, b.host.seen, 2)
	assert.GreaterOrEqual(t, b.ends[2], b.host.seen[1].at)
}

func TestMMIOWritesArriveInOrder(t *testing.T) {
	c := DefaultConfig()
	b := newBench(c, 4096)
	for i := range uint64(8) {
		b.link.MMIO(0, b.request(i, hw.Write, 0, i*8, 4, []byte{1, 2, 3, byte(i)}))
	}
	read := b.request(9, hw.Read, 0, 56, 4, make([]byte, 4))
	b.link.MMIO(0, read)
	b.run(t)
	assert.Equal(t, []uint64{0, 8, 16, 24, 32, 40, 48, 56}, b.fn.log)
	assert.Equal(t, []byte{1, 2, 3, 7}, read.Data)
	assert.Equal(t, b.link.WriteCost(4), b.ends[2]-b.ends[1], "the CPU spaces its stores")
}

func TestConfigAccess(t *testing.T) {
	b := newBench(DefaultConfig(), 4096)
	r := ConfigAccess{Off: 0x40, Size: 2, Done: sim.Call{H: b.done, Arg: 1}}
	w := ConfigAccess{Write: true, Off: 0x44, Size: 4, Value: 77, Done: sim.Call{H: b.done, Arg: 2}}
	b.link.AccessConfig(&r)
	b.link.AccessConfig(&w)
	b.run(t)
	assert.Equal(t, uint32(0x4002), r.Value)
	assert.Equal(t, []uint64{0x44, 77}, b.fn.log)
	assert.Greater(t, b.ends[1], 2*b.link.Config().Latency)
	assert.Equal(t, int64(2), b.link.Stats().ConfigAccesses)
}

// A fault reaches the request that caused it, with its address; the requests
// around it are untouched, and what had not been sent stays unsent.
func TestFaultReachesItsRequest(t *testing.T) {
	for _, op := range []hw.Op{hw.Read, hw.Write} {
		c := DefaultConfig()
		c.Tags, c.PostedCredits = 16, 64
		b := newBench(c, 4<<20)
		b.host.fault = func(addr uint64) bool { return addr>>20 == 1 && addr >= 1<<20+8192 }
		before := b.request(1, op, 0, 0, 4096, nil)
		bad := b.request(2, op, 0, 1<<20, 1<<20, nil)
		after := b.request(3, op, 1, 2<<20, 4096, nil)
		for _, r := range []*hw.Request{before, bad, after} {
			b.link.Submit(r)
		}
		b.run(t)
		assert.Equal(t, hw.OK, before.Status)
		assert.Equal(t, hw.PageFault, bad.Status)
		assert.Equal(t, uint64(1<<20+8192), bad.FaultAddr)
		assert.Equal(t, hw.OK, after.Status)
		assert.Less(t, b.host.served, 700, "the rest of the bad request is not sent")
	}
}

func TestLostCompletionTimesOut(t *testing.T) {
	c := DefaultConfig()
	b := newBench(c, 1<<20)
	b.link.LoseCompletions(1)
	lost := b.request(1, hw.Read, 0, 0, 64, nil)
	b.link.Submit(lost)
	b.link.Submit(b.request(2, hw.Read, 0, 64, 64, nil))
	b.run(t)
	assert.Equal(t, hw.TimedOut, lost.Status)
	assert.Equal(t, c.CompletionTimeout, b.ends[1])
	assert.Less(t, b.ends[2], sim.Microsecond)
}

// A host that never answers does not hang the device; its late answers are dropped.
func TestSilentHostTimesOut(t *testing.T) {
	c := DefaultConfig()
	c.Tags, c.NonPostedCredits = 4, 8
	b := newBench(c, 1<<20)
	b.host.delay = func(r *hw.Request) sim.Time {
		if r.Addr < 3<<12 {
			r.Addr += 1 << 18 // as an IOMMU puts its translation there
			return 3 * c.CompletionTimeout
		}
		return 0
	}
	slow := b.request(1, hw.Read, 0, 4096, 8192, pattern(8192))
	fast := b.request(2, hw.Read, 1, 1<<16, 64, nil)
	b.link.Submit(slow)
	b.link.Submit(fast)
	b.run(t)
	assert.Equal(t, hw.TimedOut, slow.Status)
	assert.EqualValues(t, 4096, slow.FaultAddr)
	assert.InDelta(t, float64(c.CompletionTimeout), float64(b.ends[1]), 1e6)
	assert.Equal(t, hw.OK, fast.Status)
	assert.Equal(t, pattern(8192), slow.Data, "a late answer leaves the requester's buffer alone")
}

func TestDownAndUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.Tags = rapid.SampledFrom([]Limit{Unlimited, 3}).Draw(t, "tags")
		c.PostedCredits = rapid.SampledFrom([]Limit{Unlimited, 5}).Draw(t, "credits")
		b := newBench(c, 1<<20)
		var all []*hw.Request
		for i := range 12 {
			r := b.request(uint64(i), hw.Op(i%2), hw.Source(i%3), uint64(i)<<16, 1<<15, nil)
			all = append(all, r)
			b.link.Submit(r)
		}
		b.link.Interrupt(0, 0, 0)
		mmio := b.request(20, hw.Read, 0, 0, 4, make([]byte, 4))
		config := ConfigAccess{Off: 0, Size: 2, Done: sim.Call{H: b.done, Arg: 21}}
		b.link.MMIO(0, mmio)
		b.link.AccessConfig(&config)
		at := sim.Time(rapid.Int64Range(1, 30_000).Draw(t, "at")) * sim.Nanosecond
		require.NoError(t, b.e.RunUntil(at))
		b.link.Down()
		late := b.request(30, hw.Read, 0, 0, 64, nil)
		b.link.Submit(late)
		ones := b.request(31, hw.Read, 0, 0, 4, make([]byte, 4))
		b.link.MMIO(0, ones)
		b.run(t)
		require.Len(t, b.log, 16, "everybody hears")
		for _, r := range all {
			require.Contains(t, []hw.Status{hw.OK, hw.Unsupported}, r.Status)
		}
		require.Equal(t, hw.Unsupported, late.Status)
		require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, ones.Data)
		b.link.Up()
		again := b.request(40, hw.Write, 0, 0, 4096, nil)
		b.link.Submit(again)
		b.run(t)
		require.Equal(t, hw.OK, again.Status)
	})
}
