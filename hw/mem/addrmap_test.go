package mem

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSplitIsABijection checks that channel, in-channel index and coordinates
// name each transaction once, and that span agrees with counting.
func TestSplitIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(devices).Draw(t, "device")
		text := rapid.SampledFrom([]string{"robabgracoch", "rocobabgrach", "robabgracochco2", "rochrabgbaco", "chrocorababg", "robaracobgchco3"}).Draw(t, "map")
		channels := rapid.SampledFrom([]int{1, 2, 5, 6, 16}).Draw(t, "channels")
		m, err := parseMap(text, &d, channels)
		require.NoError(t, err)
		n := uint64(channels) << m.bits
		x0 := rapid.Uint64Range(0, n-1).Draw(t, "x0")
		x1 := min(x0+uint64(rapid.IntRange(0, 500).Draw(t, "count")), n-1)
		next := make([]uint64, channels)
		count := make([]uint64, channels)
		for c := range next {
			next[c], count[c] = m.span(c, x0, x1)
		}
		for x := x0; x <= x1; x++ {
			c, y := m.split(x)
			require.Equal(t, next[c], y, "consecutive within the channel")
			next[c]++
			at := m.decode(y)
			assert.Less(t, at.bank, int32(1)<<(d.rank[0]+d.rank[1]+d.bits[0]+d.bits[1]))
			if y+1 < 1<<m.bits && (y+1)>>m.runBits == y>>m.runBits {
				after := m.decode(y + 1)
				assert.Equal(t, coord{at.bank, at.row, at.col + 1}, after, "a run stays in its row")
			}
		}
		assert.Equal(t, count, next)
	})
}

func TestDecodeByHand(t *testing.T) {
	m, err := parseMap("robabgracoch", deviceNamed("DDR4_2400U"), 1)
	require.NoError(t, err)
	assert.Equal(t, coord{bank: 0<<2 | 1, row: 3, col: 5}, m.decode(3<<11|1<<9|0<<7|5))
	assert.Equal(t, coord{bank: 2 << 2, row: 0, col: 0}, m.decode(2<<7))
	assert.Equal(t, uint(7), m.runBits)
	m, err = parseMap("rocobabgrach", deviceNamed("HBM3_6400_16ch"), 16)
	require.NoError(t, err)
	assert.Equal(t, coord{bank: 1 << 4}, m.decode(1), "the rank is lowest")
	assert.Zero(t, m.runBits)
}

func TestMapFaultsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"robabgraco":       `field "ch" is missing`,
		"robabgrach":       `field "co" covers 0 of its 7 bits`,
		"rorobabgracoch":   "stands twice without a width",
		"robabgracochch":   "stands twice",
		"robabgraxxch":     `"xx" is no field`,
		"robabgraco9ch":    "takes more than its 7 bits",
		"":                 "covers 0 of its",
		"r":                "is no field",
		"robabgraco3ch":    "covers 3 of its 7 bits",
		"robabgracoch0004": "is no field",
	} {
		_, err := parseMap(text, deviceNamed("DDR4_2400U"), 1)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
	}
}
