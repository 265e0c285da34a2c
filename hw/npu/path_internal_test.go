package npu

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/sim"
)

// Device memory takes a request ahead of time, unless a fault or chaos mode has to see
// it arrive; the bus never does.
func TestWhatIsTakenAhead(t *testing.T) {
	for name, c := range map[string]struct {
		space hw.Space
		fault string
		chaos bool
		taken bool
	}{
		"device memory": {hw.Device, "", false, true},
		"the bus":       {hw.BusAddr, "", false, false},
		"corrected":     {hw.Device, "ecc-corrected", false, false},
		"uncorrectable": {hw.Device, "ecc-uncorrectable", false, false},
		"parity":        {hw.Device, "parity", false, false},
		"another fault": {hw.Device, "dma-error", false, true},
		"in chaos mode": {hw.Device, "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := sim.New(1)
			cfg := mem.Config{Device: "DDR4_2400U", Map: "robabgracoch", Size: sim.GiB}
			d := &Device{e: e, faults: fault.New(e, nil), dram: mem.New(e, "dram", cfg, mem.NewStore(cfg.Size))}
			d.ecc.init(d)
			if c.fault != "" {
				_, err := d.faults.Inject(fault.Spec{Kind: c.fault})
				require.NoError(t, err)
			}
			if c.chaos {
				d.late = fault.NewLate(e, "late", d.dram, sim.NewStream(1, "late"), sim.Nanosecond, false)
			}
			done := 0
			r := hw.Request{Space: c.space, Bytes: 64, Done: sim.Call{H: e.Register("done", func(uint64) { done++ })}}
			assert.Equal(t, c.taken, path{d}.SubmitIn(&r, sim.Nanosecond))
			require.NoError(t, e.Run())
			assert.Equal(t, c.taken, done == 1, "what is refused is left alone")
		})
	}
}
