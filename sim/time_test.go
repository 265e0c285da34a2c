package sim

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// bigDiv returns a·b/c rounded down or up, in arbitrary precision.
func bigDiv(a, b, c int64, up bool) int64 {
	q, r := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(c), new(big.Int))
	if up && r.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}

func TestClockIsExact(t *testing.T) {
	c := NewClock(940e6) // 1063.8… ps a cycle
	assert.Equal(t, Hertz(940e6), c.Hz())
	assert.Equal(t, Time(0), c.Edge(0))
	assert.Equal(t, Time(1063), c.Edge(1))
	assert.Equal(t, Time(2127), c.Edge(2))
	assert.Equal(t, Second, c.Edge(940e6), "no drift in a second")
	assert.Equal(t, 9_000_000*Second, c.Edge(940e6*9_000_000), "nor in a hundred days")
	assert.Equal(t, Time(1064), c.Duration(1))
	assert.Equal(t, int64(1), c.Cycles(1063))
	assert.Equal(t, int64(2), c.Cycles(1064), "a cycle is a little shorter")
	assert.Equal(t, Time(2127), c.After(1, 1), "sees it at edge 1, shows it at edge 2")
	assert.Equal(t, Time(2127), c.After(1063, 1))
	assert.Equal(t, Time(3191), c.After(1064, 1))
}

func drawClock(t *rapid.T) Clock {
	return NewClock(Hertz(rapid.Int64Range(1, 1e12).Draw(t, "hz")))
}

func TestClockProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawClock(t)
		hz := int64(c.Hz())
		limit := bigDiv(int64(Never-1), hz, int64(Second), false)
		n := rapid.Int64Range(0, min(limit, 1<<62)).Draw(t, "n")
		assert.EqualValues(t, bigDiv(n, int64(Second), hz, false), c.Edge(n))
		assert.EqualValues(t, bigDiv(n, int64(Second), hz, true), c.Duration(n))
		assert.Equal(t, n, c.EdgeAtOrAfter(c.Edge(n)), "an edge is its own")
		at := Time(rapid.Int64Range(0, int64(Never/2)).Draw(t, "at"))
		k := c.EdgeAtOrAfter(at)
		assert.GreaterOrEqual(t, c.Edge(k), at)
		if k > 0 {
			assert.Less(t, c.Edge(k-1), at)
		}
		assert.Equal(t, n, c.Cycles(c.Edge(n)), "whole cycles, rounded up")
	})
}

func TestMulDivIsExactIn128Bits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, int64(Never)).Draw(t, "a")
		c := rapid.Int64Range(1, int64(Never)).Draw(t, "c")
		b := rapid.Int64Range(0, c).Draw(t, "b")
		assert.Equal(t, bigDiv(a, b, c, false), MulDiv(a, b, c))
		assert.Equal(t, bigDiv(a, b, c, true), MulDivCeil(a, b, c))
	})
}

func TestTimeRefusesWhatDoesNotFit(t *testing.T) {
	for name, f := range map[string]func(){
		"past 106 days":  func() { NewClock(1).Edge(9_300_000) },
		"64 bits":        func() { MulDiv(int64(Never), 3, 2) },
		"negative":       func() { NewClock(1e9).Edge(-1) },
		"no frequency":   func() { NewClock(0) },
		"above 1 THz":    func() { NewClock(1e12 + 1) },
		"rate zero":      func() { Rate(0).TimeFor(1) },
		"negative bytes": func() { Rate(1).TimeFor(-1) },
	} {
		assert.Panics(t, f, name)
	}
	assert.NotPanics(t, func() { NewClock(1).Edge(9_223_372) })
}

func TestTimeConversions(t *testing.T) {
	assert.InDelta(t, 1.5e-6, (1500 * Nanosecond).Seconds(), 1e-18)
	assert.Equal(t, int64(1), (1999 * Picosecond).Nanoseconds())
	assert.Equal(t, Time(72), Rate(900e9).TimeFor(64)) // 71.1 ps
	assert.Equal(t, Second, Rate(64*GiB).TimeFor(64*GiB))
}

func TestCalendarServesInOrder(t *testing.T) {
	var c Calendar
	start, end := c.Reserve(10, 5)
	assert.Equal(t, []Time{10, 15}, []Time{start, end})
	start, end = c.Reserve(12, 3) // waits
	assert.Equal(t, []Time{15, 18}, []Time{start, end})
	start, end = c.Reserve(30, 1) // idle before
	assert.Equal(t, []Time{30, 31}, []Time{start, end})
}
