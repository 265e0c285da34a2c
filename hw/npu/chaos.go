package npu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// chaosMemory is the longest that chaos mode puts off an access to device memory.
const chaosMemory = 500 * sim.Nanosecond

// lasting makes the caches of translations so large that entries stay until they
// are invalidated, rather than make room by chance.
func (c *Config) lasting() {
	m := &c.MMU
	m.L1Entries, m.L2Entries, m.L2Ways = max(m.L1Entries, 512), max(m.L2Entries, 16384), 16
	if m.L2Entries%m.L2Ways != 0 || m.L2Entries&(m.L2Entries-1) != 0 {
		m.L2Ways = m.L2Entries
	}
	m.WalkCacheEntries, m.ContextEntries = max(m.WalkCacheEntries, 512), max(m.ContextEntries, 64)
}

// chaos turns chaos mode on: every delay that the rules allow happens. Put off
// are accesses to device memory (which may pass each other unless they are
// awaited), the beginning of kernels and copies in the engines, what an
// invalidation drops from the device MMU, what doorbells bring about in the
// queues, and DMA and interrupts on the link. What lies in device memory at
// power-on is noise.
func (d *Device) chaos(seed uint64) {
	if seed == 0 {
		return
	}
	d.mmu.Keen()
	d.engines.chaos = sim.NewStream(seed, "chaos: work")
	d.trans.chaos = sim.NewStream(seed, "chaos: invalidations")
	d.late = fault.NewLate(d.e, "late memory", d.dram, sim.NewStream(seed, "chaos: memory"), chaosMemory, false)
	if link, ok := d.host.(hw.Chaotic); ok {
		link.Chaos(seed)
	}
	d.store.Scramble(sim.NewStream(seed, "chaos: power-on"))
}

// doorbells is the stream of the queues' delays, nil without chaos.
func (c *Config) doorbells() *sim.Stream {
	if c.Chaos.Seed == 0 {
		return nil
	}
	return sim.NewStream(c.Chaos.Seed, "chaos: doorbells")
}
