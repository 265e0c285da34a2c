package pcie

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
)

// A hot reset keeps what is sticky, a cold one nothing; until the device has
// reported back nobody answers, and one reset takes another's place.
func TestConventionalReset(t *testing.T) {
	for _, cold := range []bool{false, true} {
		c := newCard(t, 2)
		var backs []sim.Call
		c.onReset = func(done sim.Call) { backs = append(backs, done) }
		over := sim.Call{H: c.done}
		c.enable()
		c.ConfigWrite(regDevCtl, 2, 0)
		c.Inject(BadTLP)
		c.ConventionalReset(cold, over)
		c.ConventionalReset(cold, over)
		assert.True(t, c.InReset())
		require.Len(t, backs, 2)
		c.e.After(0, backs[0])
		require.NoError(t, c.e.Run())
		assert.True(t, c.InReset(), "that one is void")
		c.e.After(0, backs[1])
		require.NoError(t, c.e.Run())
		assert.False(t, c.InReset())
		assert.Equal(t, 1, c.ended)
		assert.Zero(t, c.ConfigRead(regCommand, 2))
		assert.EqualValues(t, 0x0910, c.ConfigRead(regDevCtl, 2)&0x0f1f, "as at power-on")
		assert.Equal(t, cold, c.ConfigRead(regCEStatus, 4) == 0)
	}
}

// A device that has nothing to say is back at once.
func TestConventionalResetOfNobody(t *testing.T) {
	c := newCard(t, 2)
	c.ConventionalReset(true, sim.Call{H: c.done})
	require.NoError(t, c.e.Run())
	assert.False(t, c.InReset())
	assert.Equal(t, 1, c.ended)
}
