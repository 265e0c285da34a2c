package mem

import (
	"syscall"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// benchReplay reports host time a transaction of a replay.
func benchReplay(b *testing.B, device, pattern, mode string) {
	const n = 50000
	cfg := Config{Device: device, Map: "robabgracoch"}
	for b.Loop() {
		if _, err := Replay(onward, cfg, pattern, mode, n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/transaction")
}

func BenchmarkRandomDDR4(b *testing.B)         { benchReplay(b, "DDR4_2400U", "rand_rd", "sat") }
func BenchmarkRandomMixedDDR4(b *testing.B)    { benchReplay(b, "DDR4_2400U", "rand_rw21", "sat") }
func BenchmarkSequentialDDR4(b *testing.B)     { benchReplay(b, "DDR4_2400U", "seq_rd", "sat") }
func BenchmarkRandomHBM3x16(b *testing.B)      { benchReplay(b, "HBM3_6400_16ch", "rand_rd", "sat") }
func BenchmarkRandomMixedHBM3x16(b *testing.B) { benchReplay(b, "HBM3_6400_16ch", "rand_rw21", "sat") }
func BenchmarkRandomHBM3x1(b *testing.B)       { benchReplay(b, "HBM3_6400_1ch", "rand_rd", "sat") }

// benchStream streams 95 MB through Submit in requests of size bytes, depth
// of them outstanding, and reports host time a row run.
func benchStream(b *testing.B, cfg Config, op hw.Op, size int64, depth int) {
	const total = 95_000_000
	e := sim.New(1)
	m := New(e, "dram", cfg, NewStore(cfg.withDefaults().Size))
	runBytes := m.dev.tx << m.amap.runBits
	reqs := make([]hw.Request, depth)
	var next, end int64
	var h sim.Handler
	h = e.Register("stream", func(arg uint64) {
		if next >= end {
			return
		}
		r := &reqs[arg]
		*r = hw.Request{Op: op, Addr: uint64(next) % uint64(m.Size()), Bytes: size, Done: sim.Call{H: h, Arg: arg}}
		next += size
		m.Submit(r)
	})
	var start sim.Time
	b.ReportAllocs()
	for b.Loop() {
		start = e.Now()
		next, end = 0, total/size*size
		for i := range reqs {
			e.After(0, sim.Call{H: h, Arg: uint64(i)})
		}
		if err := e.Run(); err != nil {
			b.Fatal(err)
		}
	}
	perStream := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(perStream/float64(total/runBytes), "ns/run")
	b.ReportMetric(perStream/1e6, "ms/95MB")
	b.ReportMetric(float64(total)/(e.Now()-start).Seconds()/1e9, "GB/s-simulated")
}

func BenchmarkStreamHBM3x16Read(b *testing.B) {
	benchStream(b, Config{Device: "HBM3_6400_16ch"}, hw.Read, 64<<10, 16)
}

func BenchmarkStreamHBM3x16Write(b *testing.B) {
	benchStream(b, Config{Device: "HBM3_6400_16ch"}, hw.Write, 64<<10, 16)
}

func BenchmarkStreamHBM2x8Read(b *testing.B) {
	benchStream(b, Config{Device: "HBM2_2000_8ch"}, hw.Read, 64<<10, 16)
}

func BenchmarkStreamHBM3x16Read4KiB(b *testing.B) {
	benchStream(b, Config{Device: "HBM3_6400_16ch"}, hw.Read, 4<<10, 64)
}

// datacenterMemory is that of the machine of this name.
var datacenterMemory = Config{Device: "HBM2E_3200_1ch", Channels: 16, Map: stripedMap, ReadEntries: 128, WriteEntries: 128}

const (
	numCores  = 4
	coreDepth = 64
	coreBytes = 2 << 10
)

// cores are four requesters that stream contiguous regions as an accelerator's
// cores load tiles: 64 requests of 2 KiB outstanding each.
type cores struct {
	e          *sim.Engine
	m          *DRAM
	h          sim.Handler
	writeEvery int64
	apart      int64
	total      int64 // bytes of each
	next       [numCores]int64
	reqs       [numCores][coreDepth]hw.Request
}

func newCores(e *sim.Engine, m *DRAM, writeEvery, apart, total int64) *cores {
	c := &cores{e: e, m: m, writeEvery: writeEvery, apart: apart, total: total}
	c.h = e.Register("core", c.send)
	return c
}

func (c *cores) start() {
	for core := range c.reqs {
		c.next[core] = 0
		for i := range c.reqs[core] {
			c.e.After(0, sim.Call{H: c.h, Arg: uint64(core)<<32 | uint64(i)})
		}
	}
}

func (c *cores) send(arg uint64) {
	core, at := int64(arg>>32), c.next[arg>>32]
	if at >= c.total {
		return
	}
	c.next[core] += coreBytes
	r := &c.reqs[core][arg&0xffffffff]
	*r = hw.Request{Addr: uint64(core*c.apart + at), Bytes: coreBytes, Done: sim.Call{H: c.h, Arg: arg}}
	if c.writeEvery > 0 && at/coreBytes%c.writeEvery == c.writeEvery-1 {
		r.Op, r.Addr = hw.Write, r.Addr+1<<30
	}
	c.m.Submit(r)
}

// benchCores reports CPU time a KiB of the cores' streams.
func benchCores(b *testing.B, cfg Config, writeEvery, apart int64) {
	e := sim.New(1)
	m := New(e, "dram", cfg, NewStore(cfg.withDefaults().Size))
	c := newCores(e, m, writeEvery, apart, 8<<20)
	start, cpu := e.Now(), userTime()
	b.ReportAllocs()
	for b.Loop() {
		start = e.Now()
		c.start()
		if err := e.Run(); err != nil {
			b.Fatal(err)
		}
	}
	kib := float64(numCores * c.total >> 10)
	b.ReportMetric(float64(userTime()-cpu)/float64(b.N)/kib, "cpu-ns/KiB")
	b.ReportMetric(100*kib*1024/(e.Now()-start).Seconds()/float64(m.PeakRate()), "%peak")
}

// userTime returns the CPU time of this process in nanoseconds, which a loaded
// machine disturbs less than the clock.
func userTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano()
}

func rowRuns() Config {
	cfg := datacenterMemory
	cfg.Map = "robabgrachco"
	return cfg
}

func BenchmarkCoresRead(b *testing.B)        { benchCores(b, datacenterMemory, 0, 1<<20+1<<17) }
func BenchmarkCoresMixed(b *testing.B)       { benchCores(b, datacenterMemory, 2, 1<<25) }
func BenchmarkCoresReadRowRuns(b *testing.B) { benchCores(b, rowRuns(), 0, 1<<20+1<<17) }
