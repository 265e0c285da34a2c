package lab

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// As many elements take as long whatever their shape, through driver, cores and
// memory.
func TestShapeOfElementwiseDoesNotMatter(t *testing.T) {
	for _, machine := range []string{"edge", "datacenter"} {
		var least, most sim.Time
		for _, cols := range []int{64, 1024, 4096, 16384, 1 << 21} {
			o := options(t, machine, fmt.Sprintf("add:%dx%d", 1<<21/cols, cols), workload.Options{})
			o.TimingOnly = true
			r, err := Run(context.Background(), o)
			require.NoError(t, err)
			time := computing(r)
			t.Logf("%s, rows of %d: %v", machine, cols, time)
			if least == 0 || time < least {
				least = time
			}
			most = max(most, time)
		}
		assert.LessOrEqual(t, float64(most), 1.03*float64(least), machine)
	}
}
