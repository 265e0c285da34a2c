package sim

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFailStopsTheLoopWithTheFirstError(t *testing.T) {
	e := New(1)
	cause := errors.New("ring overrun")
	ran := 0
	e.At(3, Call{H: e.Register("bad", func(uint64) {
		e.Fail(cause)
		e.Fail(errors.New("a second one"))
	})})
	e.At(4, Call{H: e.Register("later", func(uint64) { ran++ })})
	err := e.Run()
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "at 3 ps: ring overrun")
	assert.Zero(t, ran)
	assert.Equal(t, err, e.Run(), "a failed engine stays failed")
	assert.Zero(t, ran)
}

func TestErrorOfAProcessIsNotDropped(t *testing.T) {
	e := New(1)
	cause := errors.New("no such device")
	e.Go("driver", func(*Proc) {
		e.Sleep(2)
		e.Fail(cause)
		e.NewWaitQueue().Wait("ever")
	})
	require.ErrorIs(t, e.Run(), cause)
	e.Shutdown()
}

func TestStopKeepsWhatIsPending(t *testing.T) {
	e := New(1)
	var log []uint64
	h := e.Register("h", func(arg uint64) {
		log = append(log, arg)
		if arg == 1 || arg == 4 {
			e.Stop()
		}
	})
	for i := range uint64(3) {
		e.At(5, Call{h, i})
	}
	for i := range uint64(3) {
		e.AtInstantEnd(Call{h, 3 + i})
	}
	require.NoError(t, e.RunUntil(5))
	assert.Equal(t, []uint64{3, 4}, log, "the end of instant 0 comes first")
	assert.Zero(t, e.Now(), "a halted run does not move the clock to its bound")
	require.NoError(t, e.Run())
	assert.Equal(t, []uint64{3, 4, 5, 0, 1}, log)
	require.NoError(t, e.Run())
	assert.Equal(t, []uint64{3, 4, 5, 0, 1, 2}, log)
	assert.EqualValues(t, 6, e.Events())
}

func TestRunUntilIsInclusiveAndMovesTheClock(t *testing.T) {
	e := New(1)
	ran := 0
	h := e.Register("h", func(uint64) { ran++ })
	for _, at := range []Time{999, 1000, 1001} {
		e.At(at, Call{H: h})
	}
	require.NoError(t, e.RunUntil(1000))
	assert.Equal(t, 2, ran)
	assert.Equal(t, Time(1000), e.Now())
	e.After(0, Call{H: h})
	require.NoError(t, e.RunUntil(10), "a bound in the past runs nothing")
	assert.Equal(t, 2, ran)
	require.NoError(t, e.Run())
	assert.Equal(t, 4, ran)
	assert.Equal(t, Time(1001), e.Now(), "Run leaves the clock at the last event")
}

func TestInstantEndRunsAfterEverythingOfTheInstant(t *testing.T) {
	e := New(1)
	var log []string
	note := func(s string) Call { return Call{H: e.Register(s, func(uint64) { log = append(log, s) })} }
	b, c, d := note("b"), note("c"), note("d")
	e.At(5, Call{H: e.Register("a", func(uint64) {
		log = append(log, "a")
		e.AtInstantEnd(Call{H: e.Register("end", func(uint64) {
			log = append(log, "end")
			e.AtInstantEnd(d)
			e.At(5, c)
		})})
	})})
	e.At(5, b)
	e.At(6, note("next"))
	require.NoError(t, e.Run())
	assert.Equal(t, []string{"a", "b", "end", "c", "d", "next"}, log)
}

func TestImpossibleTimesPanicWithTheName(t *testing.T) {
	e := New(1)
	h := e.Register("fetch", func(uint64) {})
	require.NoError(t, e.RunUntil(10))
	assert.PanicsWithValue(t, "sim: fetch scheduled at 9 ps, but it is 10 ps now", func() { e.At(9, Call{H: h}) })
	assert.Panics(t, func() { e.After(-1, Call{H: h}) })
	assert.Panics(t, func() { e.After(Never, Call{H: h}) }, "overflow")
	assert.Panics(t, func() { e.At(Never, Call{H: h}) })
	e.At(Never-1, Call{H: h})
	require.NoError(t, e.Run())
	assert.Equal(t, Never-1, e.Now())
}

func TestRunWithinRunPanics(t *testing.T) {
	e := New(1)
	e.After(1, Call{H: e.Register("h", func(uint64) { _ = e.Run() })})
	assert.PanicsWithValue(t, "sim: Run within Run", func() { _ = e.Run() })
	assert.NoError(t, e.Run(), "usable again")
}

func TestCallToNobody(t *testing.T) {
	e := New(1)
	e.Fire(Call{})
	e.At(5, Call{})
	e.AtInstantEnd(Call{})
	require.NoError(t, e.Run())
	assert.Zero(t, e.Now(), "an event nobody waits for does not move the clock")
}

func TestEventLoopDoesNotAllocate(t *testing.T) {
	e := New(1)
	left := 0
	var h Handler
	h = e.Register("h", func(arg uint64) {
		e.AtInstantEnd(Call{})
		if left--; left > 0 {
			e.After(Time(arg%5)*Nanosecond, Call{h, arg + 1})
		}
	})
	step := func() {
		left = 1000
		e.After(0, Call{H: h})
		if err := e.Run(); err != nil {
			panic(err)
		}
	}
	step()
	assert.Zero(t, testing.AllocsPerRun(10, step))
}
