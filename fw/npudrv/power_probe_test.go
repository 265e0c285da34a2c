package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// slowProbe is a bus on which interrupts and error handlers take time to set up.
type slowProbe struct {
	hw.Bus
	ns int64
}

func (b slowProbe) SetErrorHandlers(h *hw.ErrorHandlers) {
	b.Bus.SetErrorHandlers(h)
	b.Sleep(b.ns)
}

// Interrupts whose handlers run while the driver still probes take and give back
// as many references as later ones: a device whose power/control is on stays
// awake.
func TestPowerIsBalancedAfterInterruptsInProbe(t *testing.T) {
	for ns := int64(1); ns < 8000; ns += 250 {
		d := fwtest.NewDevice(t, fwtest.Unbound(), fwtest.Broken(func(b hw.Bus) hw.Bus { return slowProbe{b, ns} }))
		d.Run(func() {
			probing := true
			storm := d.Go("storm", func() {
				for probing {
					d.NPU.Function().Raise(abi.VectorEvents)
					d.Bus.Sleep(100)
				}
			})
			require.NoError(t, d.Probe())
			probing = false
			storm.Join()
			d.Bus.Sleep(1e6)
			assert.Equal(t, 1, d.Driver.PowerUsers(), "that of power/control; %d ns", ns)
		})
	}
}
