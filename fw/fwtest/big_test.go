package fwtest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/sim"
)

// What the suite does as far as memory reaches reaches beyond 4 GiB where there is
// so much; copies get as large as 64 MiB, and in a soak, which has the time, 1 GiB, and on the large machines.
func TestBigMemory(t *testing.T) {
	copies := 256 * sim.MiB
	if *soakTime >= time.Minute {
		copies = 8 * sim.GiB
		onLargeMachines(t, true)
	}
	for name, size := range map[string]sim.Bytes{"S11_AllocationsUntilFull": 8 * sim.GiB, "S11_OneLargeBuffer": 8 * sim.GiB, "S19_CopiesOfEverySize": copies} {
		t.Run(name, func(t *testing.T) {
			open := InProcess(Config(func(c *configs.Config) { c.DRAM.Channels, c.DRAM.Size = 4, size }))
			for _, s := range Statements {
				if i := slices.IndexFunc(s.Tests, func(x Test) bool { return x.Name == name }); i >= 0 {
					require.True(t, s.Tests[i].Execute(t, open))
				}
			}
		})
	}
}
