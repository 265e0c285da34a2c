package core_test

import (
	"encoding/csv"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/core"
)

var tiling = regexp.MustCompile(`^\[T\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) S(\d+) R(\d+) .*\[I\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) `)

// validate/refs/gemmini/rtl.csv: cycles of Gemmini's RTL on convolutions in the
// tilings given, held against the shipped machine's cores running the
// convolution's descriptor from its first load to its last store.
func TestGemminiMachine(t *testing.T) {
	machine, err := configs.Machine("gemmini-8x8")
	require.NoError(t, err)
	f, err := os.Open("../../validate/refs/gemmini/rtl.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 12)
	sum := 0.0
	for _, row := range rows[1:] {
		var v [10]int64
		match := tiling.FindStringSubmatch(row[10])
		require.Len(t, match, 11, row[10])
		for i := range v {
			v[i], _ = strconv.ParseInt(match[i+1], 10, 64)
		}
		stride, _ := strconv.ParseInt(row[9], 10, 64)
		want, _ := strconv.ParseFloat(row[11], 64)
		c := core.TiledConv{Channels: v[0], Filters: v[1], Rows: v[2], Cols: v[3], S: v[4], R: v[5], Stride: stride,
			TileChannels: v[6], TileFilters: v[7], TileRows: v[8], TileCols: v[9]}
		got, err := c.Cycles(machine.Config.Config)
		require.NoError(t, err)
		e := float64(got)/want - 1
		t.Logf("%-34s %8d cycles, RTL %8.0f, %+.2f %%", row[1], got, want, 100*e)
		sum += math.Abs(e)
	}
	t.Logf("mean %.2f %%", 100*sum/11)
	assert.Less(t, sum/11, 0.01)
}
