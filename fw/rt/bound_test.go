package rt

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// TestBoundIsBelowEveryEstimate holds what ends a search early against the estimates of
// tiles drawn at random.
func TestBoundIsBelowEveryEstimate(t *testing.T) {
	random := sim.NewStream(1, "tiles")
	draw := func(of ...int64) int64 { return of[random.Intn(int64(len(of)))] }
	for range 30_000 {
		m := machine{rows: draw(4, 8, 16, 128), cols: draw(1, 8, 16, 128), lanes: draw(8, 256),
			spad: draw(1<<14, 1<<18, 1<<24), cores: draw(1, 2, 4), f32: 6, run: 512, latency: draw(0, 256),
			flow: uint8(draw(0, 1, 2)), arrays: draw(1, 2, 3), buffers: 2, special: 4, rate: draw(16, 400, 1<<14),
			burst: draw(0, 8, 16), least: draw(0, 4, 10, 23)}
		m.port = 2 * m.rate
		p := product{batch: draw(1, 3), in: draw(1, 2, 4), out: draw(1, 2, 4), cg: draw(3, 16, 100),
			f: draw(8, 20, 100), groups: 1, r: 1, s: 1, sh: 1, sw: 1, dh: 1, dw: 1, ow: 1, shared: true}
		p.f32 = p.in == 4
		if random.Intn(2) == 0 {
			p.oh, p.ow, p.r, p.sh = draw(1, 7, 9, 30), draw(1, 7, 18, 30), draw(1, 2, 3), draw(1, 2, 4)
			p.s, p.sw = p.r, p.sh
		} else {
			p.gemm, p.tightIn, p.tightW, p.tightOut = true, true, true, true
			p.oh = draw(1, 9, 18, 33, 100, 500)
		}
		p.h, p.w = p.oh*p.sh, p.ow*p.sw
		s := searcher{plan: plan{m: &m, p: &p, buffers: draw(1, 2)}}
		if !s.share(uint8(draw(int64(abi.SplitM), int64(abi.SplitN), int64(abi.SplitBatch))), m.cores) {
			continue // an axis that cannot be shared
		}
		bound := s.bound()
		part := func(of int64) int64 { return draw(of, 1+random.Intn(of)) }
		s.tile = tile{m: part(s.h), n: part(s.n), k: part(p.cg), w: part(p.ow)}
		s.order = uint8(draw(int64(abi.OrderMN), int64(abi.OrderNM)))
		if s.fits() {
			require.LessOrEqual(t, bound, s.estimate(), "%+v of %+v on %+v", s.tile, p, m)
		}
	}
}
