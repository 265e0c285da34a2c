package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config is the device MMU: section [mmu].
type Config struct {
	L1Entries        int `toml:"l1_entries" doc:"entries of each port's first-level TLB, fully associative"`
	L2Entries        int `toml:"l2_entries" doc:"entries of the second-level TLB, shared by all ports"`
	L2Ways           int `toml:"l2_ways" doc:"its associativity; entries divided by ways is a power of two"`
	WalkCacheEntries int `toml:"walk_cache_entries" doc:"page-table pointers cached; 0: none"`
	ContextEntries   int `toml:"context_entries" doc:"context table entries cached"`
	Walkers          int `toml:"walkers" doc:"walks at the same time"`
	HitCycles        int `toml:"hit_cycles" doc:"cycles of a first-level look-up, pipelined"`
	L2HitCycles      int `toml:"l2_hit_cycles" doc:"cycles of a second-level look-up, after a first-level miss"`
	InvalidateCycles int `toml:"invalidate_cycles" doc:"cycles of an invalidation, at least"`
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
			errs = append(errs, hw.BadConfig(b.key, b.value, "%d to %d", b.low, b.high))
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
		return []error{hw.BadConfig(prefix+"_ways", ways, "%s_entries = %d divided by it to be a power of two", prefix, entries)}
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
	IOTLBEntries     int      `toml:"iotlb_entries" doc:"entries of the IOTLB"`
	IOTLBWays        int      `toml:"iotlb_ways" doc:"its associativity; entries divided by ways is a power of two"`
	DDTEntries       int      `toml:"ddt_entries" doc:"device contexts cached"`
	PDTEntries       int      `toml:"pdt_entries" doc:"process contexts cached"`
	WalkCacheEntries int      `toml:"walk_cache_entries" doc:"page-table pointers cached of each stage; 0: none"`
	Walkers          int      `toml:"walkers" doc:"walks at the same time"`
	HitLatency       sim.Time `toml:"hit_latency" doc:"time of an IOTLB look-up, pipelined"`
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
		errs = append(errs, hw.BadConfig("iommu.hit_latency", c.HitLatency, "0ps to 1ms"))
	}
	return append(errs, checkWays("iommu.iotlb", c.IOTLBEntries, c.IOTLBWays)...)
}
