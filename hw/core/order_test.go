package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Launches of one instant are served by priority, then by queue, whoever came
// first.
func TestSimultaneousLaunchesAreOrdered(t *testing.T) {
	k := gemm(t, 32, 32, 32, 16, 16, 16, abi.I8, abi.I8)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		m := newMachine(t, testConfig(), 0, 1<<16)
		ls := []*hw.Launch{{Queue: 2}, {Queue: 1}, {Queue: 3, Priority: 3}}
		var ended []uint8
		done := m.e.Register("done", func(i uint64) { ended = append(ended, ls[i].Queue) })
		for _, i := range order {
			ls[i].ASID, ls[i].Done = 1, sim.Call{H: done, Arg: uint64(i)}
			k.Encode(ls[i].Desc[:])
			m.x.Launch(ls[i])
		}
		require.NoError(t, m.e.Run())
		require.Equal(t, []uint8{3, 1, 2}, ended)
	}
}
