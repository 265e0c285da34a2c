package lab

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// Whoever makes a part of a machine faster finds no layer slower by more than the
// couple of per cent that another order of memory accesses can cost, although the
// units share a scratchpad that is narrow here.
func TestFasterPartsNoSlower(t *testing.T) {
	layers := []string{"conv:1x112x112x32,64x1x1", "conv:1x28x28x128,256x1x1", "conv:1x14x14x256,1024x1x1",
		"gemm:256x512x512,bias,act=gelu", "conv:1x28x28x256,256x3x3,groups=256"}
	parts := []struct {
		key    string
		values []int64
		set    func(m *configs.Config, v int64)
	}{
		{"dram.channels", []int64{1, 2, 3, 4}, func(m *configs.Config, v int64) { m.DRAM.Channels, m.DRAM.Size = int(v), sim.GiB }},
		{"array.units", []int64{1, 2, 4}, func(m *configs.Config, v int64) { m.Array.Units = int(v) }},
		{"array.rows", []int64{8, 16, 32}, func(m *configs.Config, v int64) { m.Array.Rows = int(v) }},
		{"vector.lanes", []int64{8, 16, 32, 64}, func(m *configs.Config, v int64) { m.Vector.Lanes = int(v) }},
		{"scratchpad.banks", []int64{2, 4, 8, 16}, func(m *configs.Config, v int64) { m.Scratchpad.Banks = int(v) }},
		{"core.port_bytes", []int64{16, 32, 64}, func(m *configs.Config, v int64) { m.Core.PortBytes = sim.Bytes(v) }},
	}
	for _, layer := range layers {
		for _, p := range parts {
			fastest := sim.Never
			var times []sim.Time
			for _, v := range p.values {
				o := options(t, "edge", layer, workload.Options{})
				o.TimingOnly = true
				p.set(o.Machine, v)
				r, err := Run(context.Background(), o)
				require.NoError(t, err)
				times = append(times, computing(r))
				assert.LessOrEqual(t, float64(times[len(times)-1]), 1.025*float64(fastest), "%s with %s = %d", layer, p.key, v)
				fastest = min(fastest, times[len(times)-1])
			}
			t.Logf("%-38s %-16s %v", layer, p.key, times)
		}
	}
}

// An array whose instructions stream bursts of rows is as busy with one height of a
// matrix as with another: the mapper cuts tiles to bursts.
func TestTilesFitBursts(t *testing.T) {
	for _, rows := range []int{504, 512, 516, 600, 640, 1000, 1024} {
		o := options(t, "gemmini-8x8", fmt.Sprintf("gemm:%dx512x512", rows), workload.Options{DType: workload.I8})
		o.TimingOnly = true
		r, err := Run(context.Background(), o)
		require.NoError(t, err)
		macs := float64(rows) * 512 * 512
		util := macs / float64(o.Machine.Array.Peak()) / float64(sim.NewClock(o.Machine.Core.Clock).Cycles(computing(r)))
		assert.Greater(t, util, 0.97, "%d rows", rows)
	}
}
