package benchmarks

import (
	"encoding/binary"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/sim"
)

// pageTables builds page tables from base upwards in a store.
type pageTables struct {
	store  *mem.Store
	next   uint64
	device uint64 // abi.DeviceBit when the tables lie in device memory
	levels int
	root   uint64
}

func newTables(store *mem.Store, base, device uint64, levels int) *pageTables {
	t := &pageTables{store: store, next: base, device: device, levels: levels}
	t.root = t.page()
	return t
}

func (t *pageTables) page() uint64 {
	t.next += 4096
	return t.next - 4096
}

func (t *pageTables) word(at uint64) uint64 {
	var p [8]byte
	t.store.Peek(at, p[:])
	return binary.LittleEndian.Uint64(p[:])
}

func (t *pageTables) put(at, v uint64) {
	t.store.Poke(at, binary.LittleEndian.AppendUint64(nil, v))
}

// set maps a page of 4 KiB for reading and writing by users.
func (t *pageTables) set(va, pa uint64) {
	at := t.root
	for l := t.levels - 1; l > 0; l-- {
		entry := at + va>>(12+9*l)&511*8
		if t.word(entry)&abi.PTEValid == 0 {
			t.put(entry, abi.PTE(t.page()|t.device, abi.PTEValid))
		}
		at = t.word(entry) << 2 &^ (abi.DeviceBit | 4095)
	}
	const leaf = abi.PTEValid | abi.PTERead | abi.PTEWrite | abi.PTEUser | abi.PTEAccess | abi.PTEDirty
	t.put(at+va>>12&511*8, abi.PTE(pa, leaf))
}

// echo answers every request after a fixed time: what lies behind translation.
type echo struct {
	e    *sim.Engine
	wait []*hw.Request
	done sim.Handler
}

func newEcho(e *sim.Engine) *echo {
	x := &echo{e: e}
	x.done = e.Register("echo", func(uint64) {
		r := x.wait[0]
		x.wait = append(x.wait[:0], x.wait[1:]...)
		e.Fire(r.Done)
	})
	return x
}

func (x *echo) Submit(r *hw.Request) {
	x.SubmitIn(r, 0)
}

// SubmitIn implements hw.Ahead.
func (x *echo) SubmitIn(r *hw.Request, d sim.Time) bool {
	x.wait = append(x.wait, r)
	x.e.After(d+100*sim.Nanosecond, sim.Call{H: x.done})
	return true
}

// pump sends 64-byte reads through target, one after another, at the addresses
// that at gives.
func pump(b *testing.B, e *sim.Engine, target hw.Target, r hw.Request, at func(i int) uint64) {
	i := 0
	r.Bytes = 64
	r.Done = sim.Call{H: e.Register("pump", func(uint64) {
		if r.Status != hw.OK {
			b.Errorf("access at %#x: %v", r.Addr, r.Status)
		}
		if i++; i < b.N {
			r.Addr = at(i)
			r.Send(target)
		}
	})}
	from := since(e)
	b.ReportAllocs()
	b.ResetTimer()
	r.Addr = at(0)
	r.Send(target)
	if err := e.Run(); err != nil {
		b.Fatal(err)
	}
	from.report(b)
}

// few stays within any TLB; far meets more pages than any holds.
func few(i int) uint64 { return uint64(i%8) << 12 }
func far(i int) uint64 { return uint64(i*7919%farPages) << 12 }

const farPages = 1 << 14

// BenchmarkTranslation is one access at a time on the datacenter machine.
// "none" is the same access without translation, to be taken off the others.
// Walks read the memory model: device memory for the device MMU (Sv48, four
// levels; the pointer caches answer the upper ones once they are warm), a store
// of 100 ns for the IOMMU (Sv39).
func BenchmarkTranslation(b *testing.B) {
	b.Run("none", func(b *testing.B) {
		e := sim.New(1)
		pump(b, e, newEcho(e), hw.Request{}, few)
	})
	for _, c := range []struct {
		name  string
		at    func(int) uint64
		cache bool
	}{{"hit", few, true}, {"walk", far, true}, {"cold-walk", far, false}} {
		b.Run("device-mmu/"+c.name, func(b *testing.B) { deviceMMU(b, c.at, c.cache) })
		b.Run("iommu/"+c.name, func(b *testing.B) { iommu(b, c.at, c.cache) })
	}
}

func deviceMMU(b *testing.B, at func(int) uint64, cache bool) {
	e, port := deviceMMUPort(b, cache)
	pump(b, e, port, inContext, at)
}

// inContext is a request of the context that deviceMMUPort has tables for.
var inContext = hw.Request{Space: hw.Context, ASID: 1}

func deviceMMUPort(b *testing.B, cache bool) (*sim.Engine, hw.Target) {
	const contexts, tables = 0x10000, 1 << 20
	cfg := machine(b, "datacenter")
	if !cache {
		cfg.MMU.WalkCacheEntries = 0
	}
	e := sim.New(1)
	store := mem.NewStore(cfg.DRAM.Size)
	t := newTables(store, tables, abi.DeviceBit, 4)
	for i := range uint64(farPages) {
		t.set(i<<12, i<<12|abi.DeviceBit)
	}
	var entry [abi.ContextSize]byte
	c := abi.Context{Valid: true, Mode: abi.ModeSv48, Root: t.root | abi.DeviceBit}
	c.Encode(entry[:])
	store.Poke(contexts+abi.ContextSize, entry[:])
	u := mmu.NewUnit(e, cfg.MMU, mmu.Parts{Clock: sim.NewClock(cfg.Core.Clock), Tables: mem.New(e, "dram", cfg.DRAM, store)})
	u.SetContextTable(contexts|abi.DeviceBit, abi.MaxContexts)
	return e, u.NewPort(newEcho(e))
}

func iommu(b *testing.B, at func(int) uint64, cache bool) {
	const directory, tables, device = 0x10000, 1 << 20, 1
	cfg := machine(b, "datacenter")
	if !cache {
		cfg.IOMMU.WalkCacheEntries = 0
	}
	e := sim.New(1)
	store := mem.NewStore(cfg.Host.Memory)
	t := newTables(store, tables, 0, 3)
	for i := range uint64(farPages) {
		t.set(i<<12, i<<12)
	}
	t.put(directory+32*device, mmu.DCValid)
	t.put(directory+32*device+24, t.root>>12|mmu.ModeSv39<<60)
	u := mmu.NewIOMMU(e, cfg.IOMMU, mmu.DefaultCapabilities, newStoreTarget(e, store), 0)
	u.MMIOWrite(mmu.RegDDTP, 8, directory>>12<<10|mmu.DDT1Level)
	pump(b, e, u.NewPort(device, newEcho(e)), hw.Request{Space: hw.BusAddr}, at)
}

// newStoreTarget serves a store, each access 100 ns after it came.
func newStoreTarget(e *sim.Engine, store *mem.Store) hw.Target {
	var wait []*hw.Request
	done := e.Register("store", func(uint64) {
		r := wait[0]
		wait = append(wait[:0], wait[1:]...)
		mem.Serve(r, store)
		e.Fire(r.Done)
	})
	return hw.TargetFunc(func(r *hw.Request) {
		wait = append(wait, r)
		e.After(100*sim.Nanosecond, sim.Call{H: done})
	})
}
