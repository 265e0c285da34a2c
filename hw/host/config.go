package host

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config is the section [host]: the host's memory and what the driver's own
// work costs its CPU.
type Config struct {
	Memory     sim.Bytes `toml:"memory" doc:"host memory"`
	MemoryRate sim.Rate  `toml:"memory_rate" doc:"bandwidth the root complex gets of host memory"`
	MemoryTime sim.Time  `toml:"memory_latency" doc:"from the root complex to host memory and back, without transfer"`
	DMAPage    sim.Bytes `toml:"dma_page,omitempty" doc:"largest page by which the IOMMU maps host memory: 4KiB, as when memory is in fragments or Linux runs with intel_iommu=sp_off (its kernel-parameters.txt), 2MiB or 1GiB; 1GiB if it is not given"`
	Ioctl      sim.Time  `toml:"ioctl" doc:"entering and leaving an ioctl"`
	Submit     sim.Time  `toml:"submit" doc:"checking and queueing one job"`
	IRQ        sim.Time  `toml:"irq" doc:"from an interrupt's arrival to its handler"`
	Wake       sim.Time  `toml:"wake" doc:"waking a thread that waits"`
}

// Validate returns every fault of the section.
func (c *Config) Validate() (faults []error) {
	if c.Memory < 64*sim.MiB || c.Memory > 1<<40 || c.Memory%hugePage != 0 {
		faults = append(faults, hw.BadConfig("host.memory", c.Memory, "64MiB to 1TiB in steps of 2MiB"))
	}
	if c.MemoryRate <= 0 {
		faults = append(faults, hw.BadConfig("host.memory_rate", c.MemoryRate, "a bandwidth above 0"))
	}
	if p := c.DMAPage; p != 0 && p != pageSize && p != hugePage && p != sim.GiB {
		faults = append(faults, hw.BadConfig("host.dma_page", p, "4KiB, 2MiB or 1GiB, the pages of Sv39"))
	}
	for _, d := range []struct {
		key string
		t   sim.Time
	}{{"memory_latency", c.MemoryTime}, {"ioctl", c.Ioctl}, {"submit", c.Submit}, {"irq", c.IRQ}, {"wake", c.Wake}} {
		if d.t < 0 || d.t > sim.Second {
			faults = append(faults, hw.BadConfig("host."+d.key, d.t, "0ps to 1s"))
		}
	}
	return faults
}

// pageLevel is the level of the largest page that the IOMMU's tables have.
func (c *Config) pageLevel() int {
	switch c.DMAPage {
	case pageSize:
		return 0
	case hugePage:
		return 1
	}
	return levels - 1
}

// cost returns the length of a cost.
func (c *Config) cost(k hw.Cost) sim.Time {
	return [hw.NumCosts]sim.Time{hw.CostIoctl: c.Ioctl, hw.CostSubmit: c.Submit, hw.CostIRQ: c.IRQ, hw.CostWake: c.Wake}[k]
}
