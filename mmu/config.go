package mmu

import (
	"fmt"

	"github.com/presi-sim/presi/sim"
)

// Config is the device MMU: section [mmu].
type Config struct {
	L1Entries        int `toml:"l1_entries"` // per port, fully associative
	L2Entries        int `toml:"l2_entries"` // shared by all ports
	L2Ways           int `toml:"l2_ways"`
	WalkCacheEntries int `toml:"walk_cache_entries"` // page-table pointers, 0: none
	ContextEntries   int `toml:"context_entries"`    // context table entries cached
	Walkers          int `toml:"walkers"`            // concurrent walks
	HitCycles        int `toml:"hit_cycles"`         // of an L1 look-up, pipelined
	L2HitCycles      int `toml:"l2_hit_cycles"`      // of an L2 look-up, after an L1 miss
	InvalidateCycles int `toml:"invalidate_cycles"`  // of an invalidation, at least
}

// DefaultConfig is a small MMU with the sizes of a GPU's: per-unit first-level
// TLBs and one shared level behind them (Pichai, Hsu, Bhattacharjee, ASPLOS
// 2014; Power, Hill, Wood, HPCA 2014).
func DefaultConfig() Config {
	return Config{L1Entries: 32, L2Entries: 512, L2Ways: 8, WalkCacheEntries: 32,
		ContextEntries: 16, Walkers: 8, HitCycles: 1, L2HitCycles: 10, InvalidateCycles: 100}
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
			errs = append(errs, fmt.Errorf("%s = %d: give a number from %d to %d", b.key, b.value, b.low, b.high))
		}
	}
	return errs
}

// checkWays wants ways to divide entries into a power of two of sets.
func checkWays(prefix string, entries, ways int) []error {
	if entries <= 0 || ways <= 0 {
		return nil // reported by its range
	}
	if sets := entries / ways; sets*ways != entries || sets&(sets-1) != 0 {
		return []error{fmt.Errorf("%s_ways = %d: %s_entries = %d divided by it must be a power of two",
			prefix, ways, prefix, entries)}
	}
	return nil
}

// Validate returns what is wrong, each fault with its key under [mmu].
func (c Config) Validate() []error {
	errs := checkBounds([]bound{
		{"mmu.l1_entries", c.L1Entries, 1, 4096},
		{"mmu.l2_entries", c.L2Entries, 1, 1 << 20},
		{"mmu.l2_ways", c.L2Ways, 1, c.L2Entries},
		{"mmu.walk_cache_entries", c.WalkCacheEntries, 0, 1 << 16},
		{"mmu.context_entries", c.ContextEntries, 1, 1 << 16},
		{"mmu.walkers", c.Walkers, 1, 256},
		{"mmu.hit_cycles", c.HitCycles, 0, 1000},
		{"mmu.l2_hit_cycles", c.L2HitCycles, 0, 1000},
		{"mmu.invalidate_cycles", c.InvalidateCycles, 0, 1_000_000},
	})
	return append(errs, checkWays("mmu.l2", c.L2Entries, c.L2Ways)...)
}

// IOMMUConfig is the host's IOMMU: section [iommu].
type IOMMUConfig struct {
	IOTLBEntries     int      `toml:"iotlb_entries"`
	IOTLBWays        int      `toml:"iotlb_ways"`
	DDTEntries       int      `toml:"ddt_entries"`        // device contexts cached
	PDTEntries       int      `toml:"pdt_entries"`        // process contexts cached
	WalkCacheEntries int      `toml:"walk_cache_entries"` // page-table pointers of each stage, 0: none
	Walkers          int      `toml:"walkers"`
	HitLatency       sim.Time `toml:"hit_latency"` // of an IOTLB look-up, pipelined
}

// DefaultIOMMUConfig has a 64-entry IOTLB as Neugebauer et al. (SIGCOMM 2018,
// section 6.5) infer it from a server's DMA bandwidth, and as many page-table
// pointers.
func DefaultIOMMUConfig() IOMMUConfig {
	return IOMMUConfig{IOTLBEntries: 64, IOTLBWays: 64, DDTEntries: 16, PDTEntries: 16,
		WalkCacheEntries: 64, Walkers: 6, HitLatency: 10 * sim.Nanosecond}
}

// Validate returns what is wrong, each fault with its key under [iommu].
func (c IOMMUConfig) Validate() []error {
	errs := checkBounds([]bound{
		{"iommu.iotlb_entries", c.IOTLBEntries, 1, 1 << 20},
		{"iommu.iotlb_ways", c.IOTLBWays, 1, c.IOTLBEntries},
		{"iommu.ddt_entries", c.DDTEntries, 1, 1 << 16},
		{"iommu.pdt_entries", c.PDTEntries, 1, 1 << 16},
		{"iommu.walk_cache_entries", c.WalkCacheEntries, 0, 1 << 16},
		{"iommu.walkers", c.Walkers, 1, 256},
	})
	if c.HitLatency < 0 || c.HitLatency > sim.Millisecond {
		errs = append(errs, fmt.Errorf("iommu.hit_latency = %v: give a time from 0ps to 1ms", c.HitLatency))
	}
	return append(errs, checkWays("iommu.iotlb", c.IOTLBEntries, c.IOTLBWays)...)
}
