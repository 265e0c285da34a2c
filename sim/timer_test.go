package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTimerMovesAndStops(t *testing.T) {
	e := New(1)
	var ran []uint64
	timer := e.NewTimer("watchdog", func(arg uint64) { ran = append(ran, arg) })
	assert.False(t, timer.Stop())
	timer.Set(100, 1)
	timer.Set(50, 2)
	require.NoError(t, e.Run())
	assert.Equal(t, []uint64{2}, ran)
	assert.Equal(t, Time(50), e.Now())
	assert.False(t, timer.Pending())
	timer.Set(1000, 3)
	assert.True(t, timer.Pending())
	assert.True(t, timer.Stop())
	require.NoError(t, e.Run())
	assert.Equal(t, []uint64{2}, ran)
	assert.Equal(t, Time(50), e.Now(), "what is called off does not keep the clock going")
	assert.Panics(t, func() { timer.Set(49, 0) })
}

// TestTimersAgainstModel sets, moves and stops timers among other events; the
// model keeps one deadline a timer.
func TestTimersAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(1)
		const n = 4
		var timers [n]*Timer
		var deadline, got, want [n]Time
		for i := range n {
			timers[i] = e.NewTimer("t", func(arg uint64) {
				assert.EqualValues(t, i, arg)
				got[i] += e.Now()
			})
		}
		noise := e.Register("noise", func(uint64) {})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "timer")
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0, 1:
				at := e.Now() + Time(rapid.SampledFrom([]int64{0, 1, 5, 4095, 4096, 1e6, 1e9}).Draw(t, "delay"))
				timers[i].Set(at, uint64(i))
				deadline[i] = at + 1 // 0 is none
			case 2:
				assert.Equal(t, deadline[i] != 0, timers[i].Stop())
				deadline[i] = 0
			case 3:
				e.After(Time(rapid.IntRange(0, 5000).Draw(t, "noise")), Call{H: noise})
			}
			until := e.Now() + Time(rapid.SampledFrom([]int64{0, 1, 4096, 1e6}).Draw(t, "run"))
			if rapid.IntRange(0, 9).Draw(t, "all") == 0 {
				until = Never
			}
			require.NoError(t, e.RunUntil(until))
			for i, d := range deadline {
				if d != 0 && d-1 <= until {
					want[i] += d - 1
					deadline[i] = 0
				}
				assert.Equal(t, deadline[i] != 0, timers[i].Pending())
			}
			require.Equal(t, want, got)
		}
	})
}
