package npu

import (
	"math/bits"

	"github.com/presi-sim/presi/dma"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/hw/mgmt"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
)

// Config is the device: the sections of its blocks.
type Config struct {
	core.Config
	DRAM  mem.Config   `toml:"dram"`
	PCIe  pcie.Config  `toml:"pcie"`
	MMU   mmu.Config   `toml:"mmu"`
	DMA   dma.Config   `toml:"dma"`
	Queue queue.Config `toml:"queue"`
	Mgmt  mgmt.Config  `toml:"mgmt"`

	Chaos  fault.Chaos  `toml:"chaos,omitempty"`
	Faults []fault.Spec `toml:"fault,omitempty"`
}

// Validate returns every fault of every section.
func (c *Config) Validate() []error {
	faults := c.Config.Validate()
	if c.DRAM.Channels == 0 { // to mem alone: one
		faults = append(faults, hw.BadConfig("dram.channels", 0, "1 or more"))
	}
	faults = append(faults, c.DRAM.Validate()...)
	faults = append(faults, c.PCIe.Validate()...)
	faults = append(faults, c.MMU.Validate()...)
	faults = append(faults, c.DMA.Validate()...)
	faults = append(faults, c.Queue.Validate()...)
	faults = append(faults, c.Mgmt.Validate()...)
	faults = append(faults, fault.Validate(c.Faults)...)
	if size := c.DRAM.Size; size < leastMemory {
		faults = append(faults, hw.BadConfig("dram.size", size, "at least %v: the driver's page tables take the first MiB", leastMemory))
	}
	if tags := c.PCIe.Tags; tags != pcie.Unlimited && tags > maxTags {
		faults = append(faults, hw.BadConfig("pcie.tags", tags, "1 to %d, as many as 10-bit tags name, or \"unlimited\"", maxTags))
	}
	if len(faults) == 0 && c.Queue.Fetch > mmuPage {
		faults = append(faults, hw.BadConfig("queue.fetch", c.Queue.Fetch, "at most %v", mmuPage))
	}
	return faults
}

const (
	mmuPage     = 64 * sim.KiB
	leastMemory = 2 * sim.MiB
	maxTags     = 768 // PCI Express Base 6.0, section 2.2.6.2
)

// maxWindow is the largest BAR2: what small hosts can still map.
const maxWindow = 256 * sim.MiB

// window returns the size of BAR2: device memory, rounded down to a power of
// two, at most maxWindow.
func window(size sim.Bytes) sim.Bytes {
	return min(maxWindow, 1<<(bits.Len64(uint64(size))-1))
}

// sources gives each requester inside the device its number: the order of
// simultaneous requests and the queues of the link.
type sources struct{ queue, mmu, memory, cores, dma, count int }

func (c *Config) sources() sources {
	s := sources{queue: 0, mmu: 1, memory: 2, cores: 3}
	s.dma = s.cores + c.Core.Count
	s.count = s.dma + c.DMA.Channels
	return s
}

// Weights returns the weight of each requester on the link: command traffic
// and walks are short and everybody waits for them.
func (c *Config) Weights() []int {
	s := c.sources()
	w := make([]int, s.count)
	for i := range w {
		w[i] = 1
	}
	w[s.queue], w[s.mmu] = 4, 4
	return w
}
