package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type arbiterRig struct {
	e      *Engine
	a      *Arbiter
	grants []int // sources, in order
	hold   Time
}

func newArbiterRig(things int, hold Time, weights ...int) *arbiterRig {
	r := &arbiterRig{e: New(1), hold: hold}
	r.a = r.e.NewArbiter("walkers", things, weights...)
	return r
}

// ask returns a call that makes a request of a source, which holds what it gets for a while.
func (r *arbiterRig) ask(source int) Call {
	release := Call{H: r.e.Register("release", func(uint64) { r.a.Release() })}
	grant := Call{H: r.e.Register("grant", func(uint64) {
		r.grants = append(r.grants, source)
		r.e.After(r.hold, release)
	})}
	return Call{H: r.e.Register("ask", func(uint64) { r.a.Request(source, grant) })}
}

func TestArbiterServesAnInstantInSourceOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newArbiterRig(1, 10, 1, 1, 1, 1)
		for _, s := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "order") {
			r.e.At(7, r.ask(s))
		}
		require.NoError(t, r.e.Run())
		assert.Equal(t, []int{0, 1, 2, 3}, r.grants)
		assert.Equal(t, ArbiterStats{Grants: 4, Waited: 10 + 20 + 30, Peak: 1}, r.a.Stats())
	})
}

func TestArbiterWeights(t *testing.T) {
	r := newArbiterRig(1, 1, 2, 1)
	for range 4 {
		r.e.At(0, r.ask(1))
		r.e.At(0, r.ask(0))
	}
	require.NoError(t, r.e.RunUntil(3))
	assert.Equal(t, 1, r.a.Waiting(0))
	require.NoError(t, r.e.Run())
	assert.Equal(t, []int{0, 0, 1, 0, 0, 1, 1, 1}, r.grants)
}

func TestArbiterNeverGrantsMoreThanThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		things := rapid.IntRange(1, 5).Draw(t, "things")
		r := newArbiterRig(things, Time(rapid.IntRange(0, 9).Draw(t, "hold")), 1, 3)
		asks := rapid.SliceOfN(rapid.IntRange(0, 30), 0, 40).Draw(t, "asks")
		for i, at := range asks {
			r.e.At(Time(at), r.ask(i%2))
		}
		require.NoError(t, r.e.Run())
		assert.Len(t, r.grants, len(asks))
		assert.Equal(t, things, r.a.Free(), "everything is back")
		assert.LessOrEqual(t, r.a.Stats().Peak, int64(things))
	})
}

func TestArbiterRefusesNonsense(t *testing.T) {
	e := New(1)
	assert.Panics(t, func() { e.NewArbiter("x", 0, 1) })
	assert.Panics(t, func() { e.NewArbiter("x", 1) })
	assert.Panics(t, func() { e.NewArbiter("x", 1, 1, 0) })
	assert.Panics(t, func() { e.NewArbiter("x", 1, 1).Release() })
}
