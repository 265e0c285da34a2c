package validate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	c := collector{name: "n", source: "s", limits: mean(10).p90At(20)}
	for i := range 10 { // errors of 0, 2, … 18 %
		c.add(fmt.Sprint(i), 100-2*float64(i), 100)
	}
	got := c.table()
	assert.InDelta(t, 9, got.MeanPct, 1e-9)
	assert.InDelta(t, 16, got.P90Pct, 1e-9, "nine of ten are no larger")
	assert.InDelta(t, 18, got.WorstPct, 1e-9)
	assert.Equal(t, "9", got.WorstPoint)
	assert.Equal(t, "mean ≤ 10 %, p90 ≤ 20 %", got.Target)
	assert.True(t, got.Pass)

	c.limits = mean(8.9).p90At(20)
	assert.False(t, c.table().Pass)
	c.limits = mean(10).p90At(15)
	assert.False(t, c.table().Pass)
	c.limits = worst(17)
	assert.False(t, c.table().Pass)
	c.limits = none
	got = c.table()
	assert.True(t, got.Pass)
	assert.Empty(t, got.Target)
}

func TestExactTable(t *testing.T) {
	c := collector{limits: worst(0)}
	require.Equal(t, Table{}, c.table(), "no points, nothing held")
	c.add("a", 5, 5)
	c.add("b", 7, 7)
	got := c.table()
	require.True(t, got.Pass)
	require.Empty(t, got.WorstPoint)
	c.err("c", 1)
	require.False(t, c.table().Pass)
	require.Equal(t, "c", c.table().WorstPoint)
}

func TestRSquared(t *testing.T) {
	c := collector{limits: mean(100).r2At(0.93)}
	for i := range 5 {
		c.add("", float64(1+i), float64(1+i))
	}
	require.EqualValues(t, 1, c.table().R2)
	require.Equal(t, "mean ≤ 100 %, R² > 0.93", c.table().Target)
	c.add("", 3, 6) // total about the mean 3.5: 17.5; residual 9
	require.InDelta(t, 1-9/17.5, float64(c.table().R2), 1e-12)
	require.False(t, c.table().Pass)
}

// Without two different references there is no R²: a dash, null, and a target
// that is not shown to hold.
func TestRSquaredThatIsNotDefined(t *testing.T) {
	for _, got := range [][]float64{{5}, {4}, {5, 5}, {4, 6}} {
		c := collector{name: "n", source: "s", limits: mean(100).r2At(0.93)}
		for _, v := range got {
			c.add("", v, 5)
		}
		table := c.table()
		require.False(t, table.Pass)
		require.Contains(t, table.cells()[5], "MISSED (R² –)")
		var b strings.Builder
		require.NoError(t, WriteJSON(&b, []Table{table}, false))
		require.Contains(t, b.String(), `"r2":null,`)
	}
	var b strings.Builder
	require.NoError(t, WriteJSON(&b, []Table{{R2: 0.5}, {}}, false))
	require.Equal(t, 1, strings.Count(b.String(), `"r2":0.5,`))
	require.Equal(t, 1, strings.Count(b.String(), "r2"), "left out where it is not asked for")
}
