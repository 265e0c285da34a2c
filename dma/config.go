package dma

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config is the section [dma].
type Config struct {
	Channels    int       `toml:"channels" doc:"copies that run at once"`
	Outstanding int       `toml:"outstanding" doc:"requests a channel keeps in flight (each a read, then its write)"`
	Chunk       sim.Bytes `toml:"chunk" doc:"largest request"`
	Startup     sim.Time  `toml:"startup" doc:"from a copy's arrival at a free channel to its first request"`
}

// Validate returns every fault of the section.
func (c *Config) Validate() (faults []error) {
	check := func(ok bool, key string, found any, want string) {
		if !ok {
			faults = append(faults, hw.BadConfig(key, found, "%s", want))
		}
	}
	check(c.Channels >= 1 && c.Channels <= 32, "dma.channels", c.Channels, "1 to 32")
	check(c.Outstanding >= 1 && c.Outstanding <= 256, "dma.outstanding", c.Outstanding, "1 to 256")
	check(c.Chunk >= 64 && c.Chunk <= 1<<20 && c.Chunk&(c.Chunk-1) == 0, "dma.chunk", c.Chunk,
		"a power of two from 64B to 1MiB")
	check(c.Startup >= 0 && c.Startup <= sim.Second, "dma.startup", c.Startup, "0ps to 1s")
	return faults
}
