package mem

import (
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// benchReplay reports host time a transaction of a replay.
func benchReplay(b *testing.B, device, pattern, mode string) {
	const n = 50000
	cfg := Config{Device: device, Map: "robabgracoch"}
	for b.Loop() {
		if _, err := Replay(cfg, pattern, mode, n); err != nil {
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
