package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Config is the section [queue].
type Config struct {
	Count      int       `toml:"count" doc:"command queues"`
	Depth      int       `toml:"depth" doc:"largest ring in entries"`
	Prefetch   int       `toml:"prefetch" doc:"ring entries a queue keeps fetched, with their first commands and descriptors: the one that runs and those behind it"`
	Window     int       `toml:"window" doc:"copies and kernels a queue keeps in flight"`
	Fetch      sim.Bytes `toml:"fetch" doc:"bytes of a command buffer fetched at once"`
	PacketTime sim.Time  `toml:"packet_time" doc:"time of the packet parser, shared by all queues, for one packet"`
}

// Validate returns every fault of the section.
func (c *Config) Validate() (faults []error) {
	check := func(ok bool, key string, found any, want string, args ...any) {
		if !ok {
			faults = append(faults, hw.BadConfig(key, found, want, args...))
		}
	}
	power := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	check(c.Count >= abi.NumEngines && c.Count <= abi.MaxQueues, "queue.count", c.Count, "%d to %d: an engine has one to itself", abi.NumEngines, abi.MaxQueues)
	check(power(int64(c.Depth)) && c.Depth >= 1<<abi.MinRingLog2 && c.Depth <= 1<<abi.MaxRingLog2,
		"queue.depth", c.Depth, "a power of two from %d to %d", 1<<abi.MinRingLog2, 1<<abi.MaxRingLog2)
	check(c.Prefetch >= 1 && c.Prefetch <= maxPrefetch, "queue.prefetch", c.Prefetch, "1 to %d", maxPrefetch)
	check(c.Window >= 1 && c.Window <= maxWindow, "queue.window", c.Window, "1 to %d", maxWindow)
	check(power(int64(c.Fetch)) && c.Fetch >= 128 && c.Fetch <= 64*sim.KiB,
		"queue.fetch", c.Fetch, "a power of two from 128B to 64KiB")
	check(c.PacketTime >= 0 && c.PacketTime <= sim.Second, "queue.packet_time", c.PacketTime, "0ps to 1s")
	return faults
}

const (
	maxPrefetch = 16
	maxWindow   = 64
)
