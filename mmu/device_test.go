package mmu

import (
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

// rig is a device MMU over a ram, with a context table in device memory.
type rig struct {
	*sim.Engine
	t    require.TestingT
	m    *ram
	u    *Unit
	p    *Port
	b    *mapper
	done int
	hit  sim.Handler
}

const (
	ramBytes    = 12 << 20
	contextBase = 0x1000
	latency     = 100 * sim.Nanosecond
)

func newRig(t *testing.T, cfg Config) *rig {
	r := &rig{Engine: sim.New(1), t: t}
	r.init(cfg)
	return r
}

func (r *rig) init(cfg Config) {
	r.m = newRAM(r.Engine, ramBytes, latency)
	r.u = NewUnit(r.Engine, cfg, Parts{Clock: sim.NewClock(1e9), Tables: r.m, Source: 7})
	r.p = r.u.NewPort(r.m)
	r.b = &mapper{m: r.m, next: 8 << 20, dev: true, levels: 4}
	r.u.SetContextTable(contextBase|abi.DeviceBit, 64)
	r.hit = r.Register("test", func(uint64) { r.done++ })
}

func (r *rig) context(asid uint16, c abi.Context) {
	c.Encode(r.m.device[contextBase+int(asid)*abi.ContextSize:])
}

// newContext makes a context with an empty Sv48 table.
func (r *rig) newContext(asid uint16) (root uint64) {
	root = r.b.root()
	r.context(asid, abi.Context{Valid: true, Mode: ModeSv48, Root: root})
	return root
}

func (r *rig) read(asid uint16, va uint64, n int64) *hw.Request {
	return &hw.Request{Op: hw.Read, Space: hw.Context, ASID: asid, Addr: va, Bytes: n,
		Data: make([]byte, n), Done: sim.Call{H: r.hit}}
}

func (r *rig) do(reqs ...*hw.Request) {
	want := r.done + len(reqs)
	before := make([]hw.Request, len(reqs))
	for i, q := range reqs {
		before[i] = *q
		q.Send(r.p)
	}
	require.NoError(r.t, r.Run())
	require.Equal(r.t, want, r.done, "each request is done once")
	for i, q := range reqs {
		was := &before[i]
		was.Status, was.FaultAddr, was.Remote, was.Stalled, was.Zero = q.Status, q.FaultAddr, q.Remote, q.Stalled, q.Zero
		require.Equal(r.t, was, q, "but for the results a request is what it was")
	}
	require.Zero(r.t, r.u.split.live, "nothing is outstanding")
	require.Zero(r.t, r.u.walk.busy+r.u.walk.queued)
	for i, f := range append(r.u.split.window.past, r.u.split.window.count) {
		require.Zero(r.t, f, "epoch %d", i)
	}
	require.Equal(r.t, none, r.p.lane.head, "no write is left in the lane")
}

func TestReadThroughPageTable(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(3)
	r.b.set(root, 0x7000_0000_0000, 0x20_0000|abi.DeviceBit, userRW, 0)
	copy(r.m.device[0x20_0123:], "hello")

	q := r.read(3, 0x7000_0000_0123, 5)
	r.do(q)
	require.Equal(t, "hello", string(q.Data))
	require.Equal(t, hw.OK, q.Status)
	require.False(t, q.Remote)
	// One context entry and four levels, each a memory access.
	require.Equal(t, 5*latency, q.Stalled)
	require.Equal(t, 6*latency, r.Now())

	start := r.Now()
	r.do(q)
	require.Zero(t, q.Stalled, "a hit does not stall")
	require.Equal(t, latency+sim.Nanosecond, r.Now()-start, "a hit costs the look-up")
}

func TestSplitsAtDiscontiguousPages(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	// Two contiguous pages, one elsewhere, one on the bus.
	for i, pa := range []uint64{0x10_0000, 0x10_1000, 0x30_0000} {
		r.b.set(root, 0x4000+uint64(i)<<12, pa|abi.DeviceBit, userRW, 0)
	}
	r.b.set(root, 0x7000, 0x50_0000, userRW, 0)
	w := r.read(1, 0x4800, 0x3000)
	w.Op = hw.Write
	for i := range w.Data {
		w.Data[i] = byte(i * 7)
	}
	r.do(w)
	require.True(t, w.Remote)
	r.m.keep = true
	q := r.read(1, 0x4800, 0x3000)
	r.do(q)
	require.Equal(t, w.Data, q.Data)
	require.True(t, q.Remote)
	var sizes []int64
	for _, l := range r.m.log {
		sizes = append(sizes, l.Bytes)
	}
	require.Equal(t, []int64{0x1800, 0x1000, 0x800}, sizes, "contiguous pages go as one piece")
}

func TestFaults(t *testing.T) {
	const va = 0x1234_5000
	readOnly := uint64(userRW &^ PTEWrite)
	cases := []struct {
		name   string
		op     hw.Op
		exec   bool
		asid   uint16
		flags  uint64
		pa     uint64
		status hw.Status
		cause  Cause
	}{
		{"not mapped", hw.Read, false, 2, 0, 0, hw.PageFault, LoadPageFault},
		{"write to a read-only page", hw.Write, false, 2, readOnly, abi.DeviceBit, hw.PermFault, StorePageFault},
		{"supervisor page", hw.Read, false, 2, userRW &^ PTEUser, abi.DeviceBit, hw.PermFault, LoadPageFault},
		{"accessed clear", hw.Read, false, 2, userRW &^ PTEAccessed, abi.DeviceBit, hw.PageFault, LoadPageFault},
		{"dirty clear", hw.Write, false, 2, userRW &^ PTEDirty, abi.DeviceBit, hw.PageFault, StorePageFault},
		{"fetch needs X or R", hw.Read, true, 2, PTEValid | PTEExec | PTEUser | PTEAccessed, abi.DeviceBit, hw.OK, 0},
		{"reserved physical bits", hw.Read, false, 2, userRW, 1 << 53, hw.Unsupported, LoadAccessFault},
		{"context 0 is nobody", hw.Read, false, 0, 0, 0, hw.PageFault, PDTNotValid},
		{"no such context", hw.Read, false, 63, 0, 0, hw.PageFault, PDTNotValid},
		{"beyond the context table", hw.Read, false, 64, 0, 0, hw.PageFault, PDTNotValid},
		{"misconfigured context", hw.Read, false, 5, 0, 0, hw.PageFault, PDTMisconfigured},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, defaultConfig())
			root := r.newContext(2)
			r.context(5, abi.Context{Valid: true, Mode: 3, Root: root})
			r.b.set(root, va, c.pa, c.flags, 0)
			r.u.Faults().Configure(0x2000|abi.DeviceBit, 2, true)
			fired := 0
			r.u.Faults().OnFault(sim.Call{H: r.Register("irq", func(uint64) { fired++ })})
			q := r.read(c.asid, va+8, 64)
			q.Op, q.Exec = c.op, c.exec
			r.do(q)
			require.Equal(t, c.status, q.Status)
			if c.status == hw.OK {
				require.Zero(t, r.u.Faults().Tail())
				return
			}
			require.EqualValues(t, va+8, q.FaultAddr)
			require.EqualValues(t, 1, r.u.Faults().Tail())
			require.Equal(t, 1, fired)
			rec := DecodeFault(r.m.device[0x2000:])
			ttyp := uint8(2)
			if c.op == hw.Write {
				ttyp = 3
			}
			require.Equal(t, FaultRecord{Cause: c.cause, PID: uint32(c.asid), PV: true, TTYP: ttyp, Iotval: va + 8}, rec)
		})
	}
}

func TestFaultRingOverflows(t *testing.T) {
	r := newRig(t, defaultConfig())
	r.newContext(1)
	f := r.u.Faults()
	f.Configure(0x2000|abi.DeviceBit, 1, true) // two slots, one stays empty
	for i := range 3 {
		r.do(r.read(1, uint64(i+1)<<12, 8))
	}
	require.EqualValues(t, 1, f.Tail())
	require.True(t, f.Overflow())
	f.SetHead(1)
	f.ClearErrors()
	r.do(r.read(1, 0x9000, 8))
	require.EqualValues(t, 0, f.Tail())
	require.EqualValues(t, 0x9000, DecodeFault(r.m.device[0x2020:]).Iotval)
}

func TestStaleUntilInvalidated(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.m.device[0x10_0000], r.m.device[0x20_0000] = 'a', 'b'
	q := r.read(1, 0x4000, 1)
	r.do(q)
	r.b.set(root, 0x4000, 0x20_0000|abi.DeviceBit, userRW, 0)
	r.do(q)
	require.Equal(t, "a", string(q.Data), "the old translation shows")
	r.u.Invalidate(1, 0x4000, 4096, false, sim.Call{})
	r.do(q)
	require.Equal(t, "b", string(q.Data))
}

func TestInvalidationWaitsForAccesses(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	q := r.read(1, 0x4000, 8)
	r.do(q) // warm
	r.m.latency = 10 * sim.Microsecond
	start := r.Now()
	var invalidated sim.Time
	inv := r.Register("invalidated", func(uint64) { invalidated = r.Now() })
	issue := r.Register("invalidate", func(uint64) { r.u.Invalidate(1, 0, 0, false, sim.Call{H: inv}) })
	r.At(start+500*sim.Nanosecond, sim.Call{H: issue})
	r.do(q)
	require.Equal(t, start+r.m.latency+sim.Nanosecond, invalidated, "done with the access translated before")
}

func TestStaleWalkRetries(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.m.device[0x10_0000], r.m.device[0x20_0000] = 'a', 'b'
	r.do(r.read(1, 0x5000, 1)) // warms the context and the tables above
	q := r.read(1, 0x4000, 1)
	// The leaf is read after 100 ns; it changes between that and the walk's end.
	change := r.Register("change", func(uint64) {
		r.b.set(root, 0x4000, 0x20_0000|abi.DeviceBit, userRW, 0)
		r.u.Invalidate(1, 0x4000, 4096, false, sim.Call{})
	})
	r.At(r.Now()+50*sim.Nanosecond, sim.Call{H: change})
	r.do(q)
	require.Equal(t, "b", string(q.Data))
	require.EqualValues(t, 1, r.u.walk.retries)
}

func TestMissesMerge(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(1, 0x4000, 8), r.read(1, 0x4100, 8), r.read(1, 0x4ff0, 8))
	require.EqualValues(t, 1, r.u.walk.walks)
	require.EqualValues(t, 2, r.u.walk.merged)
	require.EqualValues(t, 5, r.u.walk.reads)
}

func TestWalkersAreBounded(t *testing.T) {
	cfg := defaultConfig()
	cfg.Walkers, cfg.WalkCacheEntries = 2, 0
	r := newRig(t, cfg)
	root := r.newContext(1)
	var reqs []*hw.Request
	for i := range uint64(6) {
		r.b.set(root, i<<12, i<<12|abi.DeviceBit, userRW, 0)
		reqs = append(reqs, r.read(1, i<<12, 8))
	}
	r.do(reqs...)
	// The first two read the context entry too; then two at a time.
	require.Equal(t, 5*latency+2*4*latency+latency, r.Now())
}

func TestBusWritesKeepTheirOrder(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000, userRW, 0)
	r.b.set(root, 0x9000, 0x20_0000, userRW, 0)
	r.b.set(root, 0xa000, 0x30_0000|abi.DeviceBit, userRW, 0)
	r.do(r.read(1, 0x9000, 8), r.read(1, 0xa000, 8))
	write := func(space hw.Space, addr uint64) *hw.Request {
		q := r.read(1, addr, 8)
		q.Op, q.Space = hw.Write, space
		return q
	}
	r.m.keep = true
	r.do(write(hw.Context, 0x4000), write(hw.Context, 0x9000), write(hw.BusAddr, 0x40_0000), write(hw.Context, 0xa000))
	var order []uint64
	for _, l := range r.m.log {
		if l.Op == hw.Write {
			order = append(order, l.Addr)
		}
	}
	require.Equal(t, []uint64{0x30_0000, 0x10_0000, 0x20_0000, 0x40_0000}, order,
		"a missing write holds back later writes to the bus, not those to device memory")
}

func TestSharedContextGoesToTheBus(t *testing.T) {
	r := newRig(t, defaultConfig())
	r.context(4, abi.Context{Valid: true, Mode: abi.ModeShared, PASID: 0x12345})
	q := r.read(4, 0x5000, 8)
	r.m.keep = true
	r.do(q)
	last := r.m.log[len(r.m.log)-1]
	require.Equal(t, hw.BusAddr, last.Space)
	require.EqualValues(t, 0x5000, last.Addr)
	require.EqualValues(t, 0x12345, last.PASID)
	require.True(t, last.HasPASID)
}

func TestHaltAndReset(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	q, late := r.read(1, 0x4000, 8), r.read(1, 0x4000, 8)
	var halted sim.Time
	h := r.Register("halted", func(uint64) { halted = r.Now() })
	r.At(50*sim.Nanosecond, sim.Call{H: r.Register("halt", func(uint64) {
		r.u.Halt(sim.Call{H: h})
		r.p.Submit(late)
	})})
	r.p.Submit(q)
	require.NoError(t, r.Run())
	require.Equal(t, hw.Aborted, q.Status)
	require.Equal(t, hw.Aborted, late.Status)
	require.Equal(t, 5*latency, halted, "after the walk under way")
	r.u.Reset()
	r.u.SetContextTable(contextBase|abi.DeviceBit, 64)
	r.done = 0
	r.do(q)
	require.Equal(t, hw.OK, q.Status)
}

func TestConfigNamesItsKeys(t *testing.T) {
	require.Empty(t, defaultConfig().Validate())
	require.Empty(t, DefaultIOMMUConfig().Validate())
	c := defaultConfig()
	c.Walkers, c.L2Ways = 0, 7
	errs := c.Validate()
	require.Len(t, errs, 2)
	require.ErrorContains(t, errs[0], "mmu.walkers = 0: want a number from 1 to 256")
	require.ErrorContains(t, errs[1], "mmu.l2_ways = 7: want a number that divides the 512 entries")
	c = defaultConfig()
	c.L2Entries = 17 // two sets of 8 and one left over
	require.Len(t, c.Validate(), 1)
	i := DefaultIOMMUConfig()
	i.IOTLBEntries, i.HitLatency = 0, -1
	require.Len(t, i.Validate(), 2)
}
