package mmu

import (
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// stub finishes every request after a fixed time: the cost of the target
// itself, to be taken off the port's.
type stub struct {
	e       *sim.Engine
	latency sim.Time
	pending []*hw.Request
	head    int
	serve   sim.Handler
}

func newStub(e *sim.Engine, latency sim.Time) *stub {
	s := &stub{e: e, latency: latency, pending: make([]*hw.Request, 0, 1024)}
	s.serve = e.Register("stub", func(uint64) {
		r := s.pending[s.head]
		if s.head++; s.head == len(s.pending) {
			s.pending, s.head = s.pending[:0], 0
		}
		e.Fire(r.Done)
	})
	return s
}

func (s *stub) Submit(r *hw.Request) {
	s.pending = append(s.pending, r)
	s.e.After(s.latency, sim.Call{H: s.serve})
}

func BenchmarkTLBHit(b *testing.B) {
	for _, n := range []int{32, 512} {
		b.Run(map[int]string{32: "32", 512: "512"}[n], func(b *testing.B) {
			t := NewTLB(n, n)
			for i := range uint64(n) {
				t.Insert(Entry{Tag: 3, VPN: i, PA: i << 12, Shift: 12, Perm: CanRead | UserPage})
			}
			b.ReportAllocs()
			var sum uint64
			for i := 0; b.Loop(); i++ {
				sum += t.Lookup(3, uint64(i%n)<<12).PA
			}
			_ = sum
		})
	}
}

// pump submits a request over and over: one outstanding at a time.
func pump(b *testing.B, e *sim.Engine, target hw.Target, next func(i int, r *hw.Request)) {
	r := &hw.Request{Bytes: 64}
	i := 0
	r.Done = sim.Call{H: e.Register("pump", func(uint64) {
		if i++; i < b.N {
			next(i, r)
			target.Submit(r)
		}
	})}
	b.ReportAllocs()
	b.ResetTimer()
	next(0, r)
	target.Submit(r)
	if err := e.Run(); err != nil {
		b.Fatal(err)
	}
}

func benchUnit(b *testing.B, walkCache bool) (*sim.Engine, *Port, *mapper, uint64, *stub) {
	cfg := defaultConfig()
	if !walkCache {
		cfg.WalkCacheEntries = 0
	}
	e := sim.New(1)
	m := newRAM(e, ramBytes, latency)
	u := NewUnit(e, cfg, Parts{Clock: sim.NewClock(1e9), Tables: m, Source: 7})
	s := newStub(e, latency)
	p := u.NewPort(s)
	bm := &mapper{m: m, next: 8 << 20, dev: true, levels: 4}
	u.SetContextTable(contextBase|abi.DeviceBit, 64)
	root := bm.root()
	c := abi.Context{Valid: true, Mode: ModeSv48, Root: root}
	c.Encode(m.device[contextBase+abi.ContextSize:])
	return e, p, bm, root, s
}

// BenchmarkTargetAlone is what the stub costs without a port in front of it.
func BenchmarkTargetAlone(b *testing.B) {
	e := sim.New(1)
	pump(b, e, newStub(e, latency), func(_ int, r *hw.Request) { r.Space = hw.Device })
}

func BenchmarkPortHit(b *testing.B) {
	e, p, bm, root, _ := benchUnit(b, true)
	for i := range uint64(16) {
		bm.set(root, i<<12, i<<12|abi.DeviceBit, userRW, 0)
	}
	pump(b, e, p, func(i int, r *hw.Request) { r.Space, r.ASID, r.Addr = hw.Context, 1, uint64(i&15)<<12 })
}

// BenchmarkColdWalk walks four levels for each request: more pages than the
// TLBs hold, no walk cache.
func BenchmarkColdWalk(b *testing.B) {
	e, p, bm, root, _ := benchUnit(b, false)
	for i := range uint64(1024) {
		bm.set(root, i<<12, i<<12|abi.DeviceBit, userRW, 0)
	}
	pump(b, e, p, func(i int, r *hw.Request) { r.Space, r.ASID, r.Addr = hw.Context, 1, uint64(i&1023)<<12 })
}

func BenchmarkIOMMU(b *testing.B) {
	for _, c := range []struct {
		name  string
		pages uint64
	}{{"hit", 16}, {"walk", 1024}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := DefaultIOMMUConfig()
			cfg.WalkCacheEntries = 0
			e := sim.New(1)
			m := newRAM(e, ramBytes, latency)
			u := NewIOMMU(e, cfg, DefaultCapabilities, m, 9)
			p := u.NewPort(testDevice, newStub(e, latency))
			bm := &mapper{m: m, next: 8 << 20, levels: 4}
			root := bm.root()
			m.put(false, ddtBase+testDevice*32, DCValid)
			m.put(false, ddtBase+testDevice*32+24, root>>12|ModeSv48<<60)
			u.MMIOWrite(RegDDTP, 8, ddtBase>>12<<10|DDT1Level)
			for i := range c.pages {
				bm.set(root, i<<12, i<<12, userRW, 0)
			}
			pump(b, e, p, func(i int, r *hw.Request) { r.Space, r.Addr = hw.BusAddr, uint64(i)%c.pages<<12 })
		})
	}
}
