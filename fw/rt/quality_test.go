package rt

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
)

// machineOf is the mapper's machine for a description.
func machineOf(rows, cols, lanes, spad, cores int) machine {
	l := NewLibrary(&abi.DeviceInfo{ArrayRows: uint32(rows), ArrayCols: uint32(cols), VectorLanes: uint32(lanes),
		ScratchpadSize: uint64(spad), NumCores: uint32(cores)}, Options{})
	return l.m.machine
}

// matrix is the geometry of a plain bf16 product.
func matrix(m, n, k int) product {
	g := Gemm{Outer: 1, Batch: 1, M: m, N: n, K: k, A: Matrix(1, abi.BF16, k), B: Matrix(1, abi.BF16, n), C: Matrix(1, abi.BF16, n)}
	return g.geometry()
}

// exhaustive is the least estimate of all tiles that are multiples of a step.
func exhaustive(m *machine, p *product, step int64) int64 {
	best := int64(1) << 62
	s := searcher{plan: plan{m: m, p: p, buffers: 2}}
	for i := range 3 * m.cores {
		if !s.share(uint8(i%3), 1+i/3) {
			continue
		}
		for k := min(step, p.cg); k <= roundUp(p.cg, step); k += step {
			for n := min(step, s.n); n <= roundUp(s.n, step); n += step {
				for h := min(step, s.h); h <= roundUp(s.h, step); h += step {
					s.tile = tile{min(h, s.h), min(n, s.n), min(k, p.cg), 1}
					if !s.fits() {
						break
					}
					least := s.slots
					for order := range uint8(2) {
						s.order, s.slots = order, least
						best = min(best, s.estimate())
					}
				}
			}
		}
	}
	return best
}

// The search finds mappings close to the best of all tiles by its own estimate.
func TestSearchQuality(t *testing.T) {
	for name, m := range map[string]machine{"tiny": machineOf(8, 8, 8, 64<<10, 2), "edge": machineOf(16, 16, 16, 512<<10, 1)} {
		sum, n := 0.0, 0.0
		for _, rows := range []int{1, 48, 208, 640} {
			for _, cols := range []int{16, 112, 400, 640} {
				for _, depth := range []int{32, 176, 640} {
					p := matrix(rows, cols, depth)
					g, ok := m.search(&p)
					require.True(t, ok)
					ratio := float64(g.cycles) / float64(exhaustive(&m, &p, 16))
					assert.LessOrEqual(t, ratio, 1.25, "%s: %d×%d×%d", name, rows, cols, depth)
					sum, n = sum+ratio, n+1
				}
			}
		}
		assert.LessOrEqual(t, sum/n, 1.01, name)
		t.Log(name, sum/n)
	}
}
