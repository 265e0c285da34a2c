package mmu

import (
	"encoding/binary"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

// hostRig is an IOMMU over host memory, set up as a kernel would: a one-level
// directory, a command queue and a fault queue.
type hostRig struct {
	*sim.Engine
	t     require.TestingT
	m     *ram
	u     *IOMMU
	p     *IOMMUPort
	b     *mapper
	root  uint64
	done  int
	hit   sim.Handler
	irqs  []int
	cqLen uint32
}

const (
	testDevice = 5
	ddtBase    = 0x1000
	cqBase     = 0x2000
	fqBase     = 0x3000
	fenceAt    = 0x4000
)

func newHostRig(t *testing.T, cfg IOMMUConfig) *hostRig {
	r := &hostRig{Engine: sim.New(1), t: t}
	r.init(cfg)
	return r
}

func (r *hostRig) init(cfg IOMMUConfig) {
	r.m = newRAM(r.Engine, ramBytes, latency)
	r.u = NewIOMMU(r.Engine, cfg, DefaultCapabilities, r.m, 9)
	r.p = r.u.NewPort(testDevice, r.m)
	r.u.wire = func(v int) { r.irqs = append(r.irqs, v) }
	r.hit = r.Register("test", func(uint64) { r.done++ })
	r.b = &mapper{m: r.m, next: 8 << 20, levels: 4}
	r.root = r.b.root()
	r.device(testDevice, 0, 0, 7<<12, r.root>>12|ModeSv48<<60)
	r.u.MMIOWrite(RegICVec, 8, 0x10) // fault queue on vector 1
	r.u.MMIOWrite(RegCQB, 8, cqBase>>12<<10|5)
	r.u.MMIOWrite(RegCQCSR, 4, CSREnable|CSRInterrupt)
	r.u.MMIOWrite(RegFQB, 8, fqBase>>12<<10|3)
	r.u.MMIOWrite(RegFQCSR, 4, CSREnable|CSRInterrupt)
	r.u.MMIOWrite(RegDDTP, 8, ddtBase>>12<<10|DDT1Level)
}

// device writes a device context.
func (r *hostRig) device(did int, tc, iohgatp, ta, fsc uint64) {
	at := uint64(ddtBase + did*32)
	for i, w := range []uint64{tc | DCValid, iohgatp, ta, fsc} {
		r.m.put(false, at+uint64(i)*8, w)
	}
}

// command queues commands as a driver does: entries, then the tail.
func (r *hostRig) command(words ...uint64) {
	for i := 0; i < len(words); i += 2 {
		at := cqBase + uint64(r.cqLen&63)*16
		r.m.put(false, at, words[i])
		r.m.put(false, at+8, words[i+1])
		r.cqLen++
	}
	r.u.MMIOWrite(RegCQT, 4, uint64(r.cqLen&63))
}

func (r *hostRig) access(op hw.Op, addr uint64, n int64) *hw.Request {
	return &hw.Request{Op: op, Space: hw.BusAddr, Addr: addr, Bytes: n, Data: make([]byte, n), Done: sim.Call{H: r.hit}}
}

func (r *hostRig) do(reqs ...*hw.Request) {
	want := r.done + len(reqs)
	for _, q := range reqs {
		q.Send(r.p)
	}
	require.NoError(r.t, r.Run())
	require.Equal(r.t, want, r.done)
	require.Zero(r.t, r.u.split.live)
	require.Zero(r.t, r.u.walk.busy+r.u.walk.queued)
	require.Equal(r.t, none, r.p.lane.head)
}

// TestDirectoryOffShows turns the directory off with everything cached: nothing passes.
func TestDirectoryOffShows(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.b.set(r.root, 0x4000, 0x10_0000, userRW, 0)
	q := r.access(hw.Read, 0x4000, 8)
	for range 2 {
		r.do(q)
		require.Equal(t, hw.OK, q.Status)
	}
	r.u.MMIOWrite(RegDDTP, 8, DDTOff)
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
}

func TestDMAThroughIOMMU(t *testing.T) {
	cfg := DefaultIOMMUConfig()
	r := newHostRig(t, cfg)
	r.b.set(r.root, 0x40_0000_0000, 0x10_0000, userRW, 0)
	copy(r.m.bus[0x10_0040:], "payload")
	q := r.access(hw.Read, 0x40_0000_0040, 7)
	r.do(q)
	require.Equal(t, "payload", string(q.Data))
	require.Equal(t, 5*latency, q.Stalled, "the device context and four levels")
	start := r.Now()
	r.do(q)
	require.Zero(t, q.Stalled)
	require.Equal(t, cfg.HitLatency+latency, r.Now()-start)
}

func TestDMAFaultIsReported(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	q := r.access(hw.Write, 0x1234_5678, 8)
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
	require.EqualValues(t, 0x1234_5678, q.FaultAddr)
	require.EqualValues(t, 1, r.u.MMIORead(RegFQT, 4))
	rec := DecodeFault(r.m.bus[fqBase:])
	require.Equal(t, FaultRecord{Cause: StorePageFault, TTYP: 3, DID: testDevice, Iotval: 0x1234_5678}, rec)
	require.EqualValues(t, IPFault, r.u.MMIORead(RegIPSR, 4))
	require.Equal(t, []int{1}, r.irqs)
	r.u.MMIOWrite(RegFQH, 4, 1)
	r.u.MMIOWrite(RegIPSR, 4, IPFault)
	require.Zero(t, r.u.MMIORead(RegIPSR, 4))
}

func TestOffDisallowsEverything(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.u.MMIOWrite(RegDDTP, 8, 0)
	q := r.access(hw.Read, 0x1000, 8)
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
	require.Equal(t, AllDisallowed, DecodeFault(r.m.bus[fqBase:]).Cause)
	r.u.MMIOWrite(RegDDTP, 8, DDTBare)
	r.do(q)
	require.Equal(t, hw.OK, q.Status)
}

func TestUnmapInvalidateFence(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	const iova = 0x7000_0000
	r.b.set(r.root, iova, 0x10_0000, userRW, 0)
	q := r.access(hw.Read, iova, 8)
	r.do(q)
	r.b.set(r.root, iova, 0, 0, 0)
	r.do(q)
	require.Equal(t, hw.OK, q.Status, "the stale translation shows until it is invalidated")
	const psc = 7<<12 | cmdPSCV
	r.command(CmdIOTINVAL|cmdAV|psc, iova>>12<<10,
		CmdIOFENCE|cmdAV|cmdPR|cmdPW|0xabcd<<32, fenceAt>>2)
	require.NoError(t, r.Run())
	require.EqualValues(t, 2, r.u.MMIORead(RegCQH, 4))
	require.EqualValues(t, 0xabcd, r.m.get(false, fenceAt))
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
}

func TestFenceWaitsForAccesses(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
	q := r.access(hw.Write, 0x5000, 8)
	r.do(q)
	r.m.late = func(r *hw.Request) sim.Time {
		if r.Addr == 0x10_0000 {
			return 5 * sim.Microsecond
		}
		return 0
	}
	start := r.Now()
	finished := sim.Time(0)
	q.Done = sim.Call{H: r.Register("finished", func(uint64) { finished = r.Now(); r.done++ })}
	r.p.Submit(q)
	r.command(CmdIOFENCE|cmdAV|cmdPW|1<<32, fenceAt>>2)
	poll := sim.Handler(0)
	seen := sim.Time(0)
	poll = r.Register("poll", func(uint64) {
		if binary.LittleEndian.Uint32(r.m.bus[fenceAt:]) == 1 {
			seen = r.Now()
			return
		}
		r.After(10*sim.Nanosecond, sim.Call{H: poll})
	})
	r.After(0, sim.Call{H: poll})
	require.NoError(t, r.Run())
	require.Greater(t, finished, start+5*sim.Microsecond)
	require.Greater(t, seen, finished)
}

func TestHostWritesKeepTheirOrder(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	for i := range uint64(4) {
		r.b.set(r.root, 0x10_0000+i<<12, 0x20_0000+i<<12, userRW, 0)
	}
	r.do(r.access(hw.Read, 0x10_1000, 8)) // only the second page hits
	r.m.keep = true
	var reqs []*hw.Request
	for i := range uint64(4) {
		reqs = append(reqs, r.access(hw.Write, 0x10_0000+i<<12, 8))
	}
	r.do(reqs...)
	var order []uint64
	for _, l := range r.m.log {
		if l.Op == hw.Write {
			order = append(order, l.Addr)
		}
	}
	require.Equal(t, []uint64{0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000}, order)
}

func TestIllegalCommandStallsTheQueue(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.command(0x7f, 0, CmdIOFENCE, 0)
	require.NoError(t, r.Run())
	require.EqualValues(t, 0, r.u.MMIORead(RegCQH, 4))
	require.EqualValues(t, CSREnable|CSRInterrupt|CSROn|CSRIllegal, r.u.MMIORead(RegCQCSR, 4))
	require.EqualValues(t, IPCommand, r.u.MMIORead(RegIPSR, 4))
	r.m.put(false, cqBase, CmdIOFENCE)
	r.u.MMIOWrite(RegCQCSR, 4, CSREnable|CSRInterrupt|CSRIllegal)
	require.NoError(t, r.Run())
	require.EqualValues(t, 2, r.u.MMIORead(RegCQH, 4))
}

func TestProcessesShareTheirAddressSpace(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	const pdt = 0x6000
	r.device(testDevice, DCPDTV, 0, 0, pdt>>12|PD8<<60)
	root := r.b.root()
	r.m.put(false, pdt+3*16, PCValid|9<<12)
	r.m.put(false, pdt+3*16+8, root>>12|ModeSv48<<60)
	r.b.set(root, 0x5000, 0x10_0000, userRW, 0)
	r.m.bus[0x10_0000] = 'x'
	q := r.access(hw.Read, 0x5000, 1)
	q.PASID, q.HasPASID = 3, true
	r.do(q)
	require.Equal(t, "x", string(q.Data))
	q.PASID = 4
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
	require.Equal(t, PDTNotValid, DecodeFault(r.m.bus[fqBase:]).Cause)
}

// TestWideProcessIDIsIllegal names processes that the IOMMU has no directory for.
func TestWideProcessIDIsIllegal(t *testing.T) {
	const pd = CapPD8 | CapPD17 | CapPD20
	for _, c := range []struct{ caps, width uint64 }{
		{CapPD8, 8}, {CapPD8 | CapPD17, 17}, {pd, 20},
	} {
		r := newHostRig(t, DefaultIOMMUConfig())
		r.u.caps = r.u.caps&^pd | c.caps
		const command = CmdIODIR | 1<<7 | cmdDV | testDevice<<40
		r.command(command|(1<<c.width-1)<<12, 0)
		require.NoError(t, r.Run())
		require.Zero(t, r.u.MMIORead(RegCQCSR, 4)&CSRIllegal)
		if c.width == 20 {
			continue
		}
		r.command(command|1<<c.width<<12, 0)
		require.NoError(t, r.Run())
		require.NotZero(t, r.u.MMIORead(RegCQCSR, 4)&CSRIllegal)
	}
}

// TestGlobalMappingsOutliveTheirProcess marks a page global by its leaf's G and
// by the pointer's above it, read or found in the walk cache.
func TestGlobalMappingsOutliveTheirProcess(t *testing.T) {
	for _, c := range []struct {
		name          string
		pointer, leaf uint64
		warm          bool
	}{
		{"leaf", 0, PTEGlobal, false},
		{"pointer", PTEGlobal, 0, false},
		{"cached pointer", PTEGlobal, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultIOMMUConfig()
			cfg.WalkCacheEntries = 16
			r := newHostRig(t, cfg)
			r.b.set(r.root, 0x5000, 0x10_0000, userRW|c.leaf, 0)
			r.b.set(r.root, 0x6000, 0x11_0000, userRW, 0)
			at := r.b.entry(r.root, 0x5000, 1)
			r.m.put(false, at, r.m.get(false, at)|c.pointer)
			if c.warm {
				r.do(r.access(hw.Read, 0x6000, 8))
			}
			q := r.access(hw.Read, 0x5000, 8)
			r.do(q)
			r.b.set(r.root, 0x5000, 0, 0, 0)
			const psc = 7<<12 | cmdPSCV
			r.command(CmdIOTINVAL|psc, 0, CmdIOTINVAL|psc|cmdAV, 5<<10)
			require.NoError(t, r.Run())
			r.do(q)
			require.Equal(t, hw.OK, q.Status)
			r.command(CmdIOTINVAL|cmdAV, 5<<10)
			require.NoError(t, r.Run())
			r.do(q)
			require.Equal(t, hw.Unsupported, q.Status)
		})
	}
}

func TestPointersStayUnlessAskedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		lo     uint64
		status hw.Status
	}{
		{"a page's leaves", CmdIOTINVAL | cmdAV, hw.OK},
		{"a page's pointers too", CmdIOTINVAL | cmdAV | cmdNL, hw.Unsupported},
		{"everything", CmdIOTINVAL, hw.Unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, DefaultIOMMUConfig())
			r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
			r.do(r.access(hw.Read, 0x5000, 8))
			// The table that maps the page goes away, pointer and all.
			r.m.put(false, r.b.entry(r.root, 0x5000, 1), 0)
			r.command(c.lo, 5<<10, CmdIOFENCE, 0)
			require.NoError(t, r.Run())
			q := r.access(hw.Read, 0x5000, 8)
			r.do(q)
			require.Equal(t, c.status, q.Status)
		})
	}
}

func TestDebugTranslation(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.b.set(r.root, 0x4000_0000, 0x60_0000, userRW, 1)
	r.u.MMIOWrite(RegTrReqIOVA, 8, 0x4000_5000)
	r.u.MMIOWrite(RegTrReqCtl, 8, testDevice<<40|trNW|trGo)
	require.EqualValues(t, trGo, r.u.MMIORead(RegTrReqCtl, 4)&trGo, "busy while it walks")
	require.NoError(t, r.Run())
	require.Zero(t, r.u.MMIORead(RegTrReqCtl, 4)&trGo)
	require.EqualValues(t, (0x60_0000>>12|0xff)<<10|trSuper, r.u.MMIORead(RegTrResponse, 8))
	r.u.MMIOWrite(RegTrReqIOVA, 8, 0x9000_0000)
	r.u.MMIOWrite(RegTrReqCtl, 8, testDevice<<40|trNW|trGo)
	require.NoError(t, r.Run())
	require.EqualValues(t, trFault, r.u.MMIORead(RegTrResponse, 8))
	require.EqualValues(t, 1, r.u.MMIORead(RegFQT, 4))
}

func TestInterruptMessages(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	caps := uint64(DefaultCapabilities)&^CapIGS | igsBoth<<28
	r.u.caps = caps
	r.u.MMIOWrite(RegFctl, 4, 0)
	r.u.MMIOWrite(RegMSITable+16, 8, 0x7000)
	r.u.MMIOWrite(RegMSITable+24, 8, 0x55)
	r.do(r.access(hw.Read, 0x9000_0000, 8))
	require.EqualValues(t, 0x55, r.m.get(false, 0x7000))
	require.Empty(t, r.irqs)
}

func TestHostHalt(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
	q := r.access(hw.Read, 0x5000, 8)
	halted := 0
	h := r.Register("halted", func(uint64) { halted++ })
	r.p.Submit(q)
	r.At(50*sim.Nanosecond, sim.Call{H: r.Register("halt", func(uint64) { r.u.Halt(sim.Call{H: h}) })})
	require.NoError(t, r.Run())
	require.Equal(t, hw.Aborted, q.Status)
	require.Equal(t, 1, halted)
	r.u.Reset()
	require.Zero(t, r.u.MMIORead(RegDDTP, 8))
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status, "reset leaves the directory off")
}
