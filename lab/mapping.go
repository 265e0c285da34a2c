package lab

import (
	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/sim"
)

// MapperOptions says what the runtime's mapper cannot learn from the device
// itself but from its data sheet. memory is the device memory's bandwidth.
func MapperOptions(cfg *configs.Config, memory sim.Rate) rt.Options {
	clock := sim.NewClock(cfg.Core.Clock)
	o := rt.Options{
		Dataflow:          uint8(cfg.Array.Dataflow),
		BytesPerCycle:     float64(memory) / float64(cfg.Core.Clock) / float64(cfg.Core.Count),
		PortBytesPerCycle: float64(cfg.Core.PortBytes),
		Buffers:           cfg.Core.Buffers,
		RunBytes:          int(cfg.Core.RunBytes),
		Arrays:            cfg.Array.Units,
		F32Cycles:         cfg.Array.F32Cycles,
		ShareCycles:       int(clock.Cycles(cfg.Core.ShareTime)),
	}
	if cfg.Array.BurstRows > 0 {
		o.RowCycles = max(float64(cfg.Array.BurstCycles)/float64(cfg.Array.BurstRows), 1)
	}
	return o
}
