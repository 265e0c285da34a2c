package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/sim"
)

// Pages are as large as addresses, length and the configuration allow, and all
// are unmapped again.
func TestPageSizes(t *testing.T) {
	const at = uint64(2 * sim.GiB)
	for _, c := range []struct {
		page  sim.Bytes
		level int // of the first page of 1 GiB
	}{{0, 2}, {sim.GiB, 2}, {2 * sim.MiB, 1}, {4 * sim.KiB, 0}} {
		next := uint64(sim.MiB)
		cfg := Config{DMAPage: c.page}
		tb := tables{store: mem.NewStore(sim.GiB), largest: cfg.pageLevel(), alloc: func() (uint64, bool) {
			next += uint64(pageSize)
			return next, true
		}}
		require.True(t, tb.set(at, at, uint64(sim.GiB), hw.DeviceReads))
		leaf := func() bool {
			e, ok := tb.entry(at, c.level)
			require.True(t, ok)
			return tb.load(e)&abi.PTERead != 0
		}
		assert.True(t, leaf(), "%v", c.page)
		tb.clear(at, uint64(sim.GiB))
		assert.False(t, leaf(), "%v", c.page)
	}
}
