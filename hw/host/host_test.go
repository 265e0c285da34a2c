package host_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// card is a device of a test: it does DMA and interrupts and has a BAR of bytes.
type card struct {
	*pcie.Function
	memory  [8192]byte
	link    *pcie.Link
	forgets bool // its bytes at a reset, which then takes a microsecond
}

// withHost runs fn as a process on a host with a card.
func withHost(t testing.TB, fn func(e *sim.Engine, h *host.Host, c *card)) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	withMemory(t, cfg.Host.Memory, fn)
}

// withMemory is withHost with that much memory.
func withMemory(t testing.TB, bytes sim.Bytes, fn func(e *sim.Engine, h *host.Host, c *card)) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	cfg.Host.Memory = bytes
	e := sim.New(1)
	link := pcie.New(e, "pcie", cfg.PCIe, []int{1})
	h := host.New(e, cfg.Host, cfg.IOMMU, link)
	c := &card{link: link}
	c.Function = pcie.NewFunction(e, "card", pcie.DefaultFunction(cfg.PCIe, 5), pcie.FunctionParts{Host: link, Reset: func(done sim.Call) {
		if !c.forgets {
			e.After(0, done)
			return
		}
		clear(c.memory[:])
		e.After(sim.Microsecond, done)
	}})
	c.BAR(0, 8192, false, func(r *hw.Request) {
		if r.Op == hw.Write {
			copy(c.memory[r.Addr:], r.Data)
		} else {
			copy(r.Data, c.memory[r.Addr:])
		}
		e.After(0, r.Done)
	})
	link.SetFunction(c)
	ended := false
	e.Go("test", func(*sim.Proc) {
		h.Bus().ConfigWrite(4, 2, 6)
		fn(e, h, c)
		ended = true
	})
	require.NoError(t, e.Run())
	require.True(t, ended)
	require.NoError(t, link.Idle())
	require.NoError(t, h.Leaks())
	e.Shutdown()
}

// dma runs a request of the card to its end.
func (c *card) dma(e *sim.Engine, op hw.Op, addr uint64, p []byte) hw.Status {
	r := hw.Request{Op: op, Space: hw.BusAddr, Addr: addr, Bytes: int64(len(p)), Data: p}
	e.Await("dma", func(done sim.Call) {
		r.Done = done
		c.Submit(&r)
	})
	if r.Zero {
		clear(p)
	}
	return r.Status
}

func TestConfigValidate(t *testing.T) {
	good := host.Config{Memory: 256 * sim.MiB, MemoryRate: 1e9}
	assert.Empty(t, good.Validate())
	bad := host.Config{Memory: 1000, DMAPage: 8192, Ioctl: -1, Submit: 2 * sim.Second, IRQ: -1, Wake: -1, MemoryTime: -1}
	var keys []string
	for _, err := range bad.Validate() {
		var f *hw.ConfigFault
		require.True(t, errors.As(err, &f))
		keys = append(keys, f.Key)
	}
	assert.Equal(t, []string{"host.memory", "host.memory_rate", "host.dma_page", "host.memory_latency", "host.ioctl", "host.submit", "host.irq", "host.wake"}, keys)
}

// Both sides see coherent memory; what is not mapped, or not for that direction,
// is refused and recorded.
func TestDMA(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		d, err := h.AllocDMA(5000)
		require.NoError(t, err)
		require.Len(t, d.Bytes, 5000)
		assert.GreaterOrEqual(t, d.Addr, uint64(4<<30), "above 32 bits")
		copy(d.Bytes[100:], "from the host")
		p := make([]byte, 13)
		require.Equal(t, hw.OK, c.dma(e, hw.Read, d.Addr+100, p))
		assert.Equal(t, "from the host", string(p))
		require.Equal(t, hw.OK, c.dma(e, hw.Write, d.Addr+4090, []byte("over a page border")))
		assert.Equal(t, "over a page border", string(d.Bytes[4090:4108]))

		ro, err := h.AllocPages(4096)
		require.NoError(t, err)
		_, err = h.MapDMA(ro, hw.DeviceReads)
		require.NoError(t, err)
		assert.Equal(t, hw.OK, c.dma(e, hw.Read, ro.Bus, p))
		assert.Empty(t, h.Faults())
		assert.Equal(t, hw.Unsupported, c.dma(e, hw.Write, ro.Bus, p))
		assert.Equal(t, hw.Unsupported, c.dma(e, hw.Read, ro.Bus+8192, p))
		faults := h.Faults()
		require.Len(t, faults, 2)
		assert.Equal(t, host.Fault{Cause: 15, IOVA: ro.Bus, Write: true}, faults[0])
		assert.Equal(t, host.Fault{Cause: 13, IOVA: ro.Bus + 8192}, faults[1])
		assert.Contains(t, faults[0].String(), "write")
		bus := ro.Bus
		h.UnmapDMA(ro)
		assert.Equal(t, hw.Unsupported, c.dma(e, hw.Read, bus, p), "the IOTLB has forgotten it")
		h.FreePages(ro)
		h.FreeDMA(d)
	})
}

// Maps and unmaps of odd sizes against a flat model: the card reaches exactly
// what is mapped, where it is mapped.
func TestIOMMUPageTables(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
			var held []*hw.Pages
			var freed []uint64
			check := func(p *hw.Pages, off int64) {
				want := byte(off/4096 + int64(p.Phys>>12))
				p.Touch()[off] = want
				b := []byte{0}
				require.Equal(r, hw.OK, c.dma(e, hw.Read, p.Bus+uint64(off), b))
				require.Equal(r, want, b[0])
			}
			for range rapid.IntRange(1, 12).Draw(r, "steps") {
				if len(held) > 0 && rapid.IntRange(0, 2).Draw(r, "unmap") == 0 {
					i := rapid.IntRange(0, len(held)-1).Draw(r, "which")
					p := held[i]
					held = append(held[:i], held[i+1:]...)
					freed = append(freed, p.Bus, p.Bus+uint64(p.Size)-1)
					h.UnmapDMA(p)
					h.FreePages(p)
				} else {
					n := rapid.SampledFrom([]int64{1, 4096, 4097, 60 << 10, 64 << 10, 1<<20 + 1, 2 << 20, 5<<20 - 4096}).Draw(r, "bytes")
					p, err := h.AllocPages(n)
					require.NoError(r, err)
					_, err = h.MapDMA(p, hw.Bidirectional)
					require.NoError(r, err)
					held = append(held, p)
				}
				for _, p := range held {
					check(p, 0)
					check(p, p.Size-1)
					check(p, rapid.Int64Range(0, p.Size-1).Draw(r, "offset"))
				}
				for _, at := range freed {
					mapped := false
					for _, p := range held {
						mapped = mapped || at >= p.Bus && at < p.Bus+uint64(p.Size)
					}
					if !mapped {
						require.Equal(r, hw.Unsupported, c.dma(e, hw.Read, at, []byte{0}))
					}
				}
				h.Faults()
			}
			for _, p := range held {
				h.UnmapDMA(p)
				h.FreePages(p)
			}
		})
	})
}

// Several processes unmap at the same time: the IOMMU's command queue serves
// them one after another and never overflows.
func TestConcurrentUnmaps(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		var all []*sim.Proc
		for i := range 20 {
			all = append(all, e.Go("unmapper", func(*sim.Proc) {
				for range 5 {
					p, err := h.AllocPages(int64(i+1) * 16384)
					require.NoError(t, err)
					_, err = h.MapDMA(p, hw.Bidirectional)
					require.NoError(t, err)
					require.Equal(t, hw.OK, c.dma(e, hw.Write, p.Bus+8, []byte{1}))
					h.UnmapDMA(p)
					h.FreePages(p)
				}
			}))
		}
		for _, p := range all {
			p.Join()
		}
		assert.Empty(t, h.Faults())
	})
}

func TestMemoryRunsOut(t *testing.T) {
	withHost(t, func(_ *sim.Engine, h *host.Host, _ *card) {
		for _, n := range []int64{0, -1, 1 << 40} {
			_, err := h.AllocPages(n)
			assert.ErrorIs(t, err, hw.ErrNoMemory)
		}
		free := h.FreeMemory()
		a, err := h.AllocPages(200 << 20)
		require.NoError(t, err)
		_, err = h.AllocPages(100 << 20)
		assert.ErrorIs(t, err, hw.ErrNoMemory)
		a.Touch()[5] = 9
		h.FreePages(a)
		assert.Equal(t, free, h.FreeMemory())
		b, err := h.AllocPages(200 << 20)
		require.NoError(t, err)
		assert.Zero(t, b.Touch()[5], "fresh memory is zeroed")
		h.FreePages(b)
	})
}

// fill takes all memory by pages of 4 KiB.
func fill(h *host.Host) (all []*hw.Pages) {
	for {
		p, err := h.AllocPages(4096)
		if err != nil {
			return all
		}
		all = append(all, p)
	}
}

// A mapping that needs a table when there is no memory for one is refused as a
// whole: nothing of it can be reached, and it succeeds when there is memory.
func TestPageTablesRunOut(t *testing.T) {
	withMemory(t, 64*sim.MiB, func(e *sim.Engine, h *host.Host, c *card) {
		big, err := h.AllocPages(5<<20 - 4096) // two large pages and a table of small ones
		require.NoError(t, err)
		pages := fill(h)
		for range 2 {
			_, err = h.MapDMA(big, hw.Bidirectional)
			assert.ErrorIs(t, err, hw.ErrNoMemory)
			assert.Zero(t, big.Bus)
			assert.Equal(t, hw.Unsupported, c.dma(e, hw.Read, 4<<30, []byte{0}))
			h.FreePages(pages[0]) // for the table of level 1: large pages are set, and undone
			pages = pages[1:]
		}
		require.Len(t, h.Faults(), 2)
		_, err = h.MapDMA(big, hw.Bidirectional)
		require.NoError(t, err)
		require.EqualValues(t, 4<<30, big.Bus)
		for _, off := range []int64{0, big.Size - 1} {
			big.Touch()[off] = 7
			b := []byte{0}
			assert.Equal(t, hw.OK, c.dma(e, hw.Read, big.Bus+uint64(off), b))
			assert.EqualValues(t, 7, b[0])
		}
		h.UnmapDMA(big)
		h.FreePages(big)
		for _, p := range pages {
			h.FreePages(p)
		}
	})
}

// Handlers run in a thread a vector, once for what came while they ran; vectors
// that nobody asked for are dropped; freeing waits for the handler.
func TestInterrupts(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		b := h.Bus()
		assert.ErrorIs(t, b.RequestIRQ(0, "x", nil), hw.ErrNoVector, "none are enabled")
		n, err := b.AllocVectors(1, 3)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		runs, others := 0, 0
		require.NoError(t, b.RequestIRQ(1, "slow", func() { b.Sleep(50_000); runs++ }))
		require.NoError(t, b.RequestIRQ(2, "quick", func() { others++ }))
		assert.ErrorIs(t, b.RequestIRQ(1, "again", nil), hw.ErrNoVector)
		assert.ErrorIs(t, b.RequestIRQ(3, "beyond", nil), hw.ErrNoVector)
		c.Raise(1)
		b.Sleep(10_000)
		for range 5 {
			c.Raise(1)
			c.Raise(2)
			c.Raise(0)
			b.Sleep(3_000)
		}
		b.Sleep(200_000)
		assert.Equal(t, 2, runs, "what came during the first run makes one more")
		assert.Equal(t, 5, others, "vectors do not wait for each other")

		c.Raise(1)
		b.Sleep(10_000)
		b.FreeIRQ(1)
		assert.Equal(t, 3, runs, "the handler has ended when FreeIRQ returns")
		c.Raise(1)
		b.Sleep(100_000)
		assert.Equal(t, 3, runs)
		require.NoError(t, b.RequestIRQ(1, "self", func() { runs++; b.FreeIRQ(1) }))
		c.Raise(1)
		b.Sleep(100_000)
		assert.Equal(t, 4, runs, "a handler may free its own vector")
		b.FreeVectors()
		c.Raise(2)
		b.Sleep(100_000)
		assert.Equal(t, 5, others)
	})
}

func TestVectorsAreLimited(t *testing.T) {
	withHost(t, func(_ *sim.Engine, h *host.Host, _ *card) {
		b := h.Bus()
		n, err := b.AllocVectors(1, 100)
		require.NoError(t, err)
		assert.Equal(t, 5, n, "what the function has")
		h.LimitVectors(2)
		n, err = b.AllocVectors(1, 100)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		_, err = b.AllocVectors(3, 100)
		assert.ErrorIs(t, err, hw.ErrNoVector)
		b.FreeVectors()
	})
}

func TestMMIO(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		b := h.Bus()
		assert.Equal(t, "0000:01:00.0", b.Address())
		assert.EqualValues(t, 8192, b.BARSize(0))
		assert.Zero(t, b.BARSize(2))
		assert.EqualValues(t, 6, b.ConfigRead(4, 2), "sizing restored the command register")
		start := e.Now()
		b.Write32(0, 16, 0x01020304)
		b.Write64(0, 24, 0x1122334455667788)
		posted := e.Now() - start
		assert.EqualValues(t, 0x01020304, b.Read32(0, 16), "reads push writes")
		assert.EqualValues(t, uint64(0x1122334455667788), b.Read64(0, 24))
		assert.Greater(t, (e.Now()-start-posted)/2, 3*posted/2, "a read stalls for the round trip, a write does not")
		long := make([]byte, 6000)
		for i := range long {
			long[i] = byte(i * 3)
		}
		b.WriteBAR(0, 100, long)
		long[0]++ // the caller may use its buffer again at once
		got := make([]byte, 6000)
		b.ReadBAR(0, 100, got)
		long[0]--
		assert.Equal(t, long, got)
		b.ConfigWrite(4, 2, 0)
		assert.Equal(t, ^uint32(0), b.Read32(0, 16), "decoding is off")
	})
}

func TestFunctionResetRestores(t *testing.T) {
	withHost(t, func(_ *sim.Engine, h *host.Host, c *card) {
		b := h.Bus()
		_, err := b.AllocVectors(2, 2)
		require.NoError(t, err)
		runs := 0
		require.NoError(t, b.RequestIRQ(1, "x", func() { runs++ }))
		start := b.Now()
		require.NoError(t, b.ResetFunction())
		assert.GreaterOrEqual(t, b.Now()-start, int64(100e6), "100 ms, as PCIe demands")
		assert.EqualValues(t, 6, b.ConfigRead(4, 2))
		c.Raise(1)
		b.Sleep(100_000)
		assert.Equal(t, 1, runs, "interrupts work again")
		b.FreeVectors()
	})
}

func TestTimers(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, _ *card) {
		k := h.Bus()
		var fired []string
		at := func(name string, ns int64) func() bool {
			return k.Timer(name, ns, func() { fired = append(fired, name) })
		}
		a := at("a", 100)
		b := at("b", 50)
		at("c", 75)
		assert.True(t, b())
		assert.False(t, b(), "stopped already")
		k.Sleep(80)
		d := at("d", 5) // in the place of b
		assert.False(t, b(), "an old stop does not touch a new timer")
		k.Sleep(100)
		assert.Equal(t, []string{"c", "d", "a"}, fired)
		assert.False(t, a())
		assert.False(t, d())
	})
}

func TestKernelWaits(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, _ *card) {
		k := host.NewKernel(e, host.Config{Wake: 3 * sim.Microsecond})
		start := k.Now()
		k.Charge(hw.CostWake)
		k.Charge(hw.CostIoctl) // free
		assert.EqualValues(t, 3000, k.Now()-start)
		q := k.NewWaitQueue()
		assert.False(t, q.WaitUntil("nothing", k.Now()), "now is past")
		assert.False(t, q.WaitUntil("nothing", k.Now()+500))
		assert.EqualValues(t, 3500, k.Now()-start)
		k.Spawn("waker", false, func() { k.Sleep(200); q.WakeAll() })
		assert.True(t, q.WaitUntil("the waker", 1<<62))
		assert.EqualValues(t, 3700, k.Now()-start)
	})
}
