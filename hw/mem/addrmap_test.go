package mem

import (
	"slices"
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
		text := rapid.SampledFrom([]string{"robabgracoch", "rocobabgrach", "robabgracochco2", "rochrabgbaco", "chrocorababg", "robaracobgchco3", "robabgraco^chco2", "roco^babgra^ch"}).Draw(t, "map")
		channels := rapid.SampledFrom([]int{1, 2, 5, 6, 16, 24}).Draw(t, "channels")
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

// TestHashedChannelsSpreadPowersOfTwo checks that rows a power of two apart use
// all channels equally: exactly from a multiple of so many rows on, and about
// so anywhere.
func TestHashedChannelsSpreadPowersOfTwo(t *testing.T) {
	d := deviceNamed("HBM2E_3200_1ch")
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.OneOf(rapid.IntRange(1, 64), rapid.IntRange(1, maxChannels)).Draw(t, "channels")
		m, err := parseMap("ro^bacora^chco2bgco1", d, channels)
		require.NoError(t, err)
		n := uint64(channels)
		size := n << m.bits
		pitch := uint64(1) << rapid.UintRange(m.below, m.bits).Draw(t, "pitch")
		rounds := rapid.Uint64Range(1, min(size/pitch/n, 8)).Draw(t, "rows of each channel")
		rows := rounds * n
		first := n * rapid.Uint64Range(0, size/pitch/n-rounds).Draw(t, "first")
		count := make([]uint64, channels)
		for i := range rows {
			c, _ := m.split((first + i) * pitch)
			count[c]++
		}
		for c := range count {
			require.Equal(t, rounds, count[c], "channel %d", c)
		}

		// An offset adds carries. The spread stays near that of chance.
		if size/pitch < 17*n {
			return
		}
		offset := rapid.Uint64Range(0, size-16*n*pitch).Draw(t, "offset")
		clear(count)
		for i := range 16 * n {
			c, _ := m.split(offset + i*pitch)
			count[c]++
		}
		for c := range count {
			require.InDelta(t, 16, count[c], 16, "channel %d", c)
		}
	})
}

// TestHashedChannelsAreVisitedInTurn checks that a period of consecutive
// addresses visits each channel once, and that rows of sizes other than a power of
// two meet in one channel about as seldom as by chance.
func TestHashedChannelsAreVisitedInTurn(t *testing.T) {
	m, err := parseMap("ro^bacora^chco2bgco1", deviceNamed("HBM2E_3200_1ch"), 16)
	require.NoError(t, err)
	uneven, sum := 0, uint64(0)
	for pitch := range uint64(2048) {
		pitch++
		var count [16]uint64
		for i := range uint64(64) {
			c, _ := m.split(i * pitch << m.below)
			count[c]++
		}
		most := slices.Max(count[:])
		if sum += most; most > 16 {
			uneven++
		}
	}
	assert.Less(t, uneven, 2048/50, "pitches of which a channel has over four times its share of 64 rows")
	assert.InDelta(t, 8.2, float64(sum)/2048, 0.5, "rows in the fullest channel; 8.2 by chance, 12 without the hash")
	for above := range uint64(1000) {
		seen := 0
		for digit := range uint64(16) {
			c, y := m.split((above<<4 | digit) << m.below)
			seen |= 1 << c
			assert.Equal(t, above<<m.below, y)
		}
		assert.Equal(t, 1<<16-1, seen)
	}
}

func TestPolynomialsArePrimitive(t *testing.T) {
	for a, p := range irreducible {
		if a == 0 {
			continue // no hash
		}
		x, period := uint64(1), 0
		for period == 0 || x != 1 && period < 1<<a {
			period++
			if x <<= 1; x>>a != 0 {
				x ^= p
			}
		}
		assert.Equal(t, 1<<a-1, period, "degree %d", a)
	}
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
