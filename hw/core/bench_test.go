package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// BenchmarkTimingOnly reports the host time of one step of the depth (loads, a
// product, at its end an epilogue and a store) on a memory that answers at once.
// With tiles as wide as the matrix a step is a few requests; else each row of a
// tile is one, and they make the time.
func BenchmarkTimingOnly(b *testing.B) {
	for _, bench := range []struct {
		name    string
		m, n, k uint32
		tile    uint32
	}{{"contiguous64", 64 * 256, 64, 64, 64}, {"rows64", 1024, 1024, 256, 64}, {"rows256", 4096, 4096, 1024, 256}} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := testConfig()
			cfg.Core.PortBytes, cfg.Core.RequestBytes, cfg.Core.Outstanding = 1024, 4096, 64
			cfg.Scratchpad = ScratchpadConfig{Size: 4 * sim.MiB, Banks: 64, BankBytes: 64}
			cfg.Array.Rows, cfg.Array.Cols = 64, 64
			t := bench.tile
			k := gemm(b, bench.m, bench.n, bench.k, t, t, t, abi.I8, abi.I8)
			e := sim.New(1)
			x := New(e, cfg, Parts{Ports: []hw.Target{&echo{e: e}}})
			l := &hw.Launch{ASID: 1}
			k.Encode(l.Desc[:])
			b.ReportAllocs()
			for b.Loop() {
				x.Launch(l)
				require.NoError(b, e.Run())
			}
			steps := float64(b.N) * float64(bench.m/t*(bench.n/t)*(bench.k/t))
			total := x.Total()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/steps, "ns/step")
			b.ReportMetric(float64(total.LoadRequests+total.StoreRequests)/steps, "requests/step")
			b.ReportMetric(float64(e.Events())/steps, "events/step")
		})
	}
}

// echo serves every request 100 ns later.
type echo struct{ e *sim.Engine }

func (m *echo) Submit(r *hw.Request) {
	r.Status = hw.OK
	m.e.After(100*sim.Nanosecond, r.Done)
}
