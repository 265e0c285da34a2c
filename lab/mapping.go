package lab

import (
	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/sim"
)

// MapperOptions says what the runtime's mapper cannot learn from the device
// itself but from its data sheet, for kernels on a number of its cores.
func MapperOptions(cfg *configs.Config, memory *mem.DRAM, cores int) rt.Options {
	clock := sim.NewClock(cfg.Core.Clock)
	o := rt.Options{
		Dataflow:          uint8(cfg.Array.Dataflow),
		Cores:             cores,
		BytesPerCycle:     float64(memory.PeakRate()) / float64(cfg.Core.Clock) / float64(cores),
		PortBytesPerCycle: float64(cfg.Core.PortBytes),
		LoadCycles:        loadCycles(cfg, memory),
		Buffers:           cfg.Core.Buffers,
		RunBytes:          int(cfg.Core.RunBytes),
		Arrays:            cfg.Array.Units,
		F32Cycles:         cfg.Array.F32Cycles,
		SpecialCycles:     cfg.Vector.SpecialCycles,
		ShareCycles:       int(clock.Cycles(cfg.Core.ShareTime)),
	}
	if cfg.Array.Overlap == core.DoubleBuffered { // SCALE-Sim knows no bursts
		o.BurstRows, o.BurstCycles = cfg.Array.BurstRows, cfg.Array.BurstCycles
	}
	return o
}

// loadCycles is what a load takes alone: its translation is at hand, the memory
// reads from a closed bank, and one request crosses the core's port.
func loadCycles(cfg *configs.Config, memory *mem.DRAM) int {
	c := &cfg.Core
	port := (c.RequestBytes + c.PortBytes - 1) / c.PortBytes
	return cfg.MMU.HitCycles + int(sim.NewClock(c.Clock).Cycles(memory.ReadLatency())) + int(port)
}
