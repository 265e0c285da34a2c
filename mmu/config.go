package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config is the device MMU: section [mmu].
type Config struct {
	L1Entries        int `toml:"l1_entries" doc:"translations a port holds, fully associative"`
	L2Entries        int `toml:"l2_entries" doc:"translations all ports share"`
	L2Ways           int `toml:"l2_ways" doc:"associativity of the shared translations; divides l2_entries into a power of two"`
	WalkCacheEntries int `toml:"walk_cache_entries" doc:"page-table pointers cached; 0: every walk starts at the root"`
	ContextEntries   int `toml:"context_entries" doc:"context table entries cached"`
	Walkers          int `toml:"walkers" doc:"page-table walks at once"`
	HitCycles        int `toml:"hit_cycles" doc:"core cycles of a look-up at the port, pipelined"`
	L2HitCycles      int `toml:"l2_hit_cycles" doc:"core cycles of a look-up in the shared translations, after a miss at the port"`
	InvalidateCycles int `toml:"invalidate_cycles" doc:"core cycles an invalidation takes at least"`
}

// bound is one integer key with its range.
type bound struct {
	key       string
	value     int
	low, high int
}

func checkBounds(bounds []bound) (errs []error) {
	for _, b := range bounds {
		if b.value < b.low || b.value > b.high {
			errs = append(errs, hw.BadConfig(b.key, b.value, "a number from %d to %d", b.low, b.high))
		}
	}
	return errs
}

// checkWays wants ways to divide entries into a power of two of sets.
func checkWays(key string, entries, ways int) []error {
	switch {
	case entries <= 0: // reported by its range
		return nil
	case ways < 1 || ways > entries:
		return []error{hw.BadConfig(key, ways, "a number from 1 to the %d entries", entries)}
	}
	if sets := entries / ways; sets*ways != entries || sets&(sets-1) != 0 {
		return []error{hw.BadConfig(key, ways, "a number that divides the %d entries into a power of two of sets", entries)}
	}
	return nil
}

// Validate returns what is wrong, each fault with its key.
func (c Config) Validate() []error {
	errs := checkBounds([]bound{
		{"mmu.l1_entries", c.L1Entries, 1, 4096},
		{"mmu.l2_entries", c.L2Entries, 1, 1 << 20},
		{"mmu.walk_cache_entries", c.WalkCacheEntries, 0, 1 << 16},
		{"mmu.context_entries", c.ContextEntries, 1, 1 << 16},
		{"mmu.walkers", c.Walkers, 1, 256},
		{"mmu.hit_cycles", c.HitCycles, 0, 1000},
		{"mmu.l2_hit_cycles", c.L2HitCycles, 0, 1000},
		{"mmu.invalidate_cycles", c.InvalidateCycles, 0, 1_000_000},
	})
	return append(errs, checkWays("mmu.l2_ways", c.L2Entries, c.L2Ways)...)
}

// IOMMUConfig is the host's IOMMU: section [iommu].
type IOMMUConfig struct {
	IOTLBEntries     int      `toml:"iotlb_entries" doc:"translations cached"`
	IOTLBWays        int      `toml:"iotlb_ways" doc:"their associativity; divides iotlb_entries into a power of two. 0: fully associative"`
	DDTEntries       int      `toml:"ddt_entries" doc:"device contexts cached"`
	PDTEntries       int      `toml:"pdt_entries" doc:"process contexts cached"`
	WalkCacheEntries int      `toml:"walk_cache_entries" doc:"page-table pointers cached, of each stage; 0: every walk starts at the root"`
	Walkers          int      `toml:"walkers" doc:"walks at once"`
	HitLatency       sim.Time `toml:"hit_latency" doc:"time of a look-up, pipelined"`
}

// DefaultIOMMUConfig has a 64-entry IOTLB as Neugebauer et al. (SIGCOMM 2018,
// from memory, not checked) infer it from a server's DMA bandwidth, and as many page-table
// pointers.
func DefaultIOMMUConfig() IOMMUConfig {
	return IOMMUConfig{IOTLBEntries: 64, DDTEntries: 16, PDTEntries: 16,
		WalkCacheEntries: 64, Walkers: 6, HitLatency: 10 * sim.Nanosecond}
}

// Validate returns what is wrong, each fault with its key.
func (c IOMMUConfig) Validate() []error {
	errs := checkBounds([]bound{
		{"iommu.iotlb_entries", c.IOTLBEntries, 1, 1 << 20},
		{"iommu.ddt_entries", c.DDTEntries, 1, 1 << 16},
		{"iommu.pdt_entries", c.PDTEntries, 1, 1 << 16},
		{"iommu.walk_cache_entries", c.WalkCacheEntries, 0, 1 << 16},
		{"iommu.walkers", c.Walkers, 1, 256},
	})
	if c.HitLatency < 0 || c.HitLatency > sim.Millisecond {
		errs = append(errs, hw.BadConfig("iommu.hit_latency", c.HitLatency, "a time from 0ps to 1ms"))
	}
	if c.IOTLBWays == 0 {
		return errs
	}
	return append(errs, checkWays("iommu.iotlb_ways", c.IOTLBEntries, c.IOTLBWays)...)
}
