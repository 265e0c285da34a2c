package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Arrays of a core share folds, and rows where there are too few folds.
func TestUnits(t *testing.T) {
	for _, test := range []struct {
		units, m, k, n int64
		flow           Dataflow
		want           int64 // of the stream
	}{
		{1, 10, 9, 7, abi.WeightStationary, 6 * 10},
		{2, 10, 9, 7, abi.WeightStationary, 3 * 10},
		{4, 10, 9, 7, abi.WeightStationary, 3 * 5}, // two halves of the folds, and of the rows
		{2, 100, 4, 6, abi.WeightStationary, 50},   // halves of the rows
		{4, 100, 4, 12, abi.WeightStationary, 50},
		{4, 2, 9, 7, abi.WeightStationary, 4 + 2}, // loading four rows of weights is longer
		{4, 4, 100, 6, abi.InputStationary, 7 * 6},
		{4, 4, 100, 6, abi.OutputStationary, 100}, // sums of parts would have to be added
	} {
		c := ArrayConfig{Rows: 4, Cols: 6, F32Cycles: 1, Units: int(test.units)}
		s := ArraySpec{M: test.m, K: test.k, N: test.n, Dataflow: test.flow, Type: abi.I8}
		assert.Equal(t, test.want, c.Cost(&s).Stream, "%+v", test)
		assert.EqualValues(t, 24*test.units, c.Peak())
	}
}

// More arrays never take longer, nor do they beat their multipliers.
func TestUnitsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ArrayConfig{Rows: rapid.IntRange(1, 32).Draw(t, "rows"), Cols: rapid.IntRange(1, 32).Draw(t, "cols"), F32Cycles: 1,
			TapCycles: rapid.IntRange(0, 4).Draw(t, "tap_cycles")}
		extent := rapid.Int64Range(1, 300)
		s := ArraySpec{M: extent.Draw(t, "m"), K: extent.Draw(t, "k"), N: extent.Draw(t, "n"), Taps: rapid.Int64Range(0, 9).Draw(t, "taps"),
			Dataflow: Dataflow(rapid.IntRange(0, 2).Draw(t, "flow"))}
		one := c.Cycles(s)
		c.Units = rapid.IntRange(1, 8).Draw(t, "units")
		many := c.Cycles(s)
		require.LessOrEqual(t, many, one)
		require.GreaterOrEqual(t, many*c.Peak(), s.MACs())
	})
}

// A tap of a window has folds of its own, however few its channels.
func TestTapFolds(t *testing.T) {
	c := ArrayConfig{Rows: 4, Cols: 6, F32Cycles: 1}
	s := ArraySpec{M: 10, K: 9 * 3, N: 6, Taps: 9, Type: abi.I8}
	assert.EqualValues(t, 7*10, c.Cost(&s).Stream, "three channels of nine taps on four rows")
	c.TapFolds = true
	assert.EqualValues(t, 9*10, c.Cost(&s).Stream)
	c.TapCycles = 1
	assert.EqualValues(t, 9*10+8, c.Cost(&s).Stream, "a step between one fold and the next")
	s.K = 9 * 5
	assert.EqualValues(t, 9*2*10+17, c.Cost(&s).Stream)
	s.Taps = 0
	assert.EqualValues(t, 12*10, c.Cost(&s).Stream, "a matrix product has no window")
}

// A launch has its own time, and one that cores share more; a kernel that one
// core does alone has none of the latter, whatever the mask.
func TestLaunchAndShareTime(t *testing.T) {
	cfg := testConfig()
	cfg.Core.Count = 2
	run := func(cores uint8, mask uint32) (sim.Time, hw.Bill) {
		m := newMachine(t, cfg, 0, 1<<14)
		k := gemm(t, 16, 8, 8, 8, 8, 8, abi.I8, abi.I8)
		k.Cores = cores
		l := m.launchOn(t, k, mask)
		require.Equal(t, abi.StatusOK, l.Result.Code)
		return l.Result.Bill.Total(), l.Result.Bill
	}
	both, _ := run(0, 3)
	one, _ := run(0, 1)
	alone, _ := run(1, 3)
	assert.Less(t, both, one)
	assert.Equal(t, one, alone, "the second core takes no part")
	cfg.Core.LaunchTime, cfg.Core.ShareTime = 300*ns, 2000*ns
	for _, test := range []struct {
		cores        uint8
		mask         uint32
		before, more sim.Time
	}{
		{0, 3, both, 2300 * ns},
		{9, 3, both, 2300 * ns},
		{0, 1, one, 300 * ns},
		{1, 3, one, 300 * ns},
	} {
		got, bill := run(test.cores, test.mask)
		assert.Equal(t, test.before+test.more, got, "%+v", test)
		assert.Equal(t, test.more, bill[hw.Queue], "%+v", test)
	}
}

// Between two products the array stands still for the time that a machine says.
func TestTurnCycles(t *testing.T) {
	time := func(turn int) sim.Time {
		cfg := testConfig()
		cfg.Array.TurnCycles = turn
		m := newMachine(t, cfg, 0, 1<<16)
		took, _ := m.mustRun(t, gemm(t, 1024, 8, 32, 256, 8, 32, abi.I8, abi.I8)) // four products
		return took
	}
	assert.Equal(t, time(0)+3*60*ns, time(60))
}

func TestAlone(t *testing.T) {
	cfg := testConfig()
	k := gemm(t, 8, 8, 8, 8, 8, 8, abi.I8, abi.I8)
	cycles, done, err := Alone(cfg, k)
	require.NoError(t, err)
	assert.EqualValues(t, (8+8+14)+(8+4*2)+2*64/32+64/32, cycles, "array, vector unit, and the port: memory takes no time")
	assert.EqualValues(t, 8*8*8, done.MACs)
	k.Tile[0] = 0
	_, _, err = Alone(cfg, k)
	require.ErrorIs(t, err, ErrNotRun)
	cfg.Core.Count = 0
	_, _, err = Alone(cfg, k)
	require.ErrorContains(t, err, "core.count")
	c := TiledConv{Channels: 64, Filters: 64, Rows: 64, Cols: 64, R: 3, S: 3, Stride: 1, TileChannels: 64, TileFilters: 64, TileRows: 64, TileCols: 64}
	_, err = c.Cycles(testConfig())
	require.ErrorContains(t, err, "the scratchpad has 256KiB")
}
