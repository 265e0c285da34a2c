package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever the order in which an instant's requests come, all are seen by one
// decision, after the last of them.
func TestArbiterSeesAnInstantWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(1)
		seen, decisions := 0, []int(nil)
		a := e.NewArbiter("arbiter", func() { decisions = append(decisions, seen) })
		ask := Call{H: e.Register("ask", func(uint64) { seen++; a.Ask() })}
		n := rapid.IntRange(1, 5).Draw(t, "requests")
		for range n {
			e.At(7, ask)
		}
		e.At(7, Call{H: e.Register("later in it", func(uint64) { e.After(0, ask) })})
		e.At(9, ask)
		require.NoError(t, e.Run())
		assert.Equal(t, []int{n + 1, n + 2}, decisions)
	})
}

// What a decision brings about may ask again in the same instant.
func TestArbiterDecidesAgain(t *testing.T) {
	e := New(1)
	var times []Time
	var a *Arbiter
	ask := Call{H: e.Register("ask", func(uint64) { a.Ask() })}
	a = e.NewArbiter("arbiter", func() {
		if times = append(times, e.Now()); len(times) < 3 {
			a.Ask()
			e.After(0, ask)
		}
	})
	e.At(5, ask)
	require.NoError(t, e.Run())
	assert.Equal(t, []Time{5, 5, 5}, times)
}
