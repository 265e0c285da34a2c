package lab

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// A sweep over scratchpad.size ranks machines, not the mapper's habits: with a larger
// scratchpad no network is more than a few per cent slower, as tiles need not fill it.
// Edge has its bank groups lowest here: by its own map one long run is read more slowly
// than two in turn, by up to a seventh, and that depends on chance.
func TestLargerScratchpadNoSlower(t *testing.T) {
	networks := []string{"mobilenetv2", "resnet18", "bert-base-128,layers=1", "vit-b-16,layers=1", "gpt2-decode,layers=2,vocab=5000",
		"gpt2-prefill,seq=128,layers=1,vocab=5000", "dlrm" + smallTables}
	if !testing.Short() {
		networks = append(networks, "resnet50")
	}
	for machine, size := range map[string]sim.Bytes{"edge": 512 * sim.KiB, "datacenter": 4 * sim.MiB} {
		for _, name := range networks {
			var first sim.Time
			for _, times := range []sim.Bytes{1, 2, 4, 8} {
				o := options(t, machine, name, workload.Options{})
				o.Machine.Scratchpad.Size = size * times
				if machine == "edge" {
					o.Machine.DRAM.Map = "robarachcobg"
				}
				o.TimingOnly = true
				r, err := Run(context.Background(), o)
				require.NoError(t, err)
				time := computing(r)
				if first == 0 {
					first = time
				}
				t.Logf("%-10s %-30s %v of scratchpad: %v, %+.2f %%", machine, name, o.Machine.Scratchpad.Size, time, 100*(float64(time)/float64(first)-1))
				assert.LessOrEqual(t, float64(time), 1.02*float64(first), "%s on %s with %v", name, machine, o.Machine.Scratchpad.Size)
			}
		}
	}
}

// computing is the time of a run's layers without its copies over the link.
func computing(r *Report) (sum sim.Time) {
	for _, l := range r.Layers {
		if l.Op != "copy" {
			sum += l.Time
		}
	}
	return sum
}
