package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// BenchmarkTimingOnly reports the host time of one step of the depth: two loads
// and a product, on a memory that answers at once.
func BenchmarkTimingOnly(b *testing.B) {
	for _, bench := range []struct {
		name string
		tile uint32
	}{{"tile64", 64}, {"tile256", 256}} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := testConfig()
			cfg.Core.PortBytes, cfg.Core.RequestBytes, cfg.Core.Outstanding = 1024, 4096, 64
			cfg.Scratchpad = ScratchpadConfig{Size: 4 * sim.MiB, Banks: 64, BankBytes: 64}
			cfg.Array.Rows, cfg.Array.Cols = 64, 64
			t := bench.tile
			k := gemm(b, 16*t, 16*t, 4*t, t, t, t, abi.I8, abi.I8)
			e := sim.New(1)
			handlers := &echo{e: e}
			x := New(e, cfg, []hw.Target{handlers}, nil)
			l := &hw.Launch{ASID: 1}
			k.Encode(l.Desc[:])
			b.ReportAllocs()
			for b.Loop() {
				x.Launch(l)
				require.NoError(b, e.Run())
			}
			steps := float64(16 * 16 * 4)
			perOp := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(perOp*1e9/steps, "ns/step")
			total := x.Total()
			b.ReportMetric(float64(total.LoadRequests+total.StoreRequests)/float64(b.N)/steps, "requests/step")
			b.ReportMetric(float64(e.Events())/float64(b.N)/steps, "events/step")
		})
	}
}

// echo serves every request 100 ns later.
type echo struct{ e *sim.Engine }

func (m *echo) Submit(r *hw.Request) {
	r.Status = hw.OK
	m.e.After(100*sim.Nanosecond, r.Done)
}
