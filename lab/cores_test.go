package lab

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// A sweep over core.count ranks machines, not the mapper's habits: with more cores
// a network is at worst a few per cent slower, as the runtime leaves out those that
// a layer cannot use.
func TestMoreCoresNoSlower(t *testing.T) {
	for _, name := range []string{"gemm:384x384x384", "resnet18", "bert-base-128,layers=2"} {
		var least sim.Time
		for _, cores := range []int{1, 2, 4, 8, 16, 32} {
			o := options(t, "datacenter", name, workload.Options{})
			o.Machine.Core.Count, o.TimingOnly = cores, true
			r, err := Run(context.Background(), o)
			require.NoError(t, err)
			t.Logf("%-24s %2d cores: %v", name, cores, r.SimTime)
			if least == 0 || r.SimTime < least {
				least = r.SimTime
			}
			assert.LessOrEqual(t, float64(r.SimTime), 1.04*float64(least), "%s on %d cores", name, cores)
		}
	}
}
