package fault

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// struckAt returns which of n chances are struck, counted from 1.
func struckAt(t *testing.T, s Spec, n int) (at []int) {
	x := New(sim.New(1), []Spec{s})
	for i := 1; i <= n; i++ {
		if hit := x.Hit(Named(s.Kind), 0, 0x1000); hit != nil {
			at = append(at, i)
		}
	}
	require.EqualValues(t, len(at), x.Struck())
	return at
}

func TestTriggers(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want []int
	}{
		{Spec{}, []int{1}},
		{Spec{Count: 3}, []int{3}},
		{Spec{Space: 2}, []int{3}},
		{Spec{Times: 3}, []int{1, 2, 3}},
		{Spec{Count: 2, Interval: 3, Times: 2}, []int{2, 5}},
		{Spec{Interval: 4, Times: Unlimited}, []int{1, 5, 9}},
		{Spec{From: 0x1000, To: 0x1000}, []int{1}},
		{Spec{From: 0x1001}, nil},
		{Spec{To: 0xfff}, nil},
		{Spec{Target: On(0)}, []int{1}},
		{Spec{Target: On(1)}, nil},
		{Spec{At: 1}, nil},
	} {
		c.spec.Kind = "page-fault"
		assert.Equal(t, c.want, struckAt(t, c.spec, 10), "%+v", c.spec)
	}
}

func TestProbability(t *testing.T) {
	spec := Spec{Kind: "irq-lost", Probability: 0.25, Times: Unlimited, Seed: 9}
	first := struckAt(t, spec, 4000)
	assert.InDelta(t, 1000, len(first), 100)
	assert.Equal(t, first, struckAt(t, spec, 4000), "the same seed")
	spec.Seed = 10
	assert.NotEqual(t, first, struckAt(t, spec, 4000), "another")
	spec.Seed, spec.Times = 9, 3
	assert.Equal(t, first[:3], struckAt(t, spec, 4000), "times bounds strikes, not chances")
}

// Faults of one kind are asked in turn, each by itself.
func TestSeveralFaultsOfAKind(t *testing.T) {
	x := New(sim.New(1), []Spec{{Kind: "irq-lost", Target: On(2)}, {Kind: "irq-lost", Value: 0, Count: 2}})
	assert.Nil(t, x.Hit(IRQLost, 1, 0))
	assert.Equal(t, On(2), x.Hit(IRQLost, 2, 0).Target)
	assert.NotNil(t, x.Hit(IRQLost, 2, 0))
	assert.False(t, x.Live(IRQLost), "both are over: nothing is asked any more")
	assert.Nil(t, x.Hit(IRQLost, 2, 0))
}

func TestWindow(t *testing.T) {
	e := sim.New(1)
	x := New(e, []Spec{{Kind: "all-ones", Duration: 10}})
	require.NotNil(t, x.Hit(AllOnes, 0, 0))
	require.NoError(t, e.RunUntil(9))
	require.NotNil(t, x.Hit(AllOnes, 0, 0), "within the window")
	require.EqualValues(t, 1, x.Struck(), "for the price of one")
	require.NoError(t, e.RunUntil(10))
	require.Nil(t, x.Hit(AllOnes, 0, 0))
	require.False(t, x.Live(AllOnes))
}

// A kind that needs no chance happens at its time, to the picosecond; with a
// choice among chances it waits for one.
func TestEventsHappenByThemselves(t *testing.T) {
	e := sim.New(1)
	x := New(e, nil)
	var at []sim.Time
	x.On(Thermal, func(s *Strike) {
		at = append(at, e.Now())
		assert.EqualValues(t, 110_000, s.Value, "the kind's own value")
	})
	a, err := x.Inject(Spec{Kind: "thermal", At: 100})
	require.NoError(t, err)
	_, err = x.Inject(Spec{Kind: "thermal", At: 100, Count: 2})
	require.NoError(t, err)
	off, err := x.Inject(Spec{Kind: "thermal", At: 150})
	require.NoError(t, err)
	off.Disarm()
	require.NoError(t, e.Run())
	assert.Equal(t, []sim.Time{100}, at)
	assert.Equal(t, 1, a.Struck())
	require.NoError(t, e.RunUntil(200))
	x.Tick(0, 0)
	x.Tick(0, 0)
	x.Tick(0, 0)
	assert.Equal(t, []sim.Time{100, 200}, at)
	late, err := x.Inject(Spec{Kind: "thermal", At: 5})
	require.NoError(t, err)
	require.NoError(t, e.Run())
	assert.Equal(t, 1, late.Struck(), "a time that has passed is now")
}

func TestClear(t *testing.T) {
	x := New(sim.New(1), []Spec{{Kind: "irq-lost", Times: Unlimited}, {Kind: "parity"}})
	x.Clear()
	assert.Nil(t, x.Hit(IRQLost, 0, 0))
	assert.Nil(t, x.Hit(Parity, 0, 0))
}

// Whatever is injected, a spec that is valid strikes no more than it may and never
// outside its bounds.
func TestStrikesStayWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Kind: "page-fault", Target: Target(rapid.IntRange(0, 3).Draw(t, "target")),
			From: rapid.Uint64Range(0, 8).Draw(t, "from"), At: sim.Time(rapid.IntRange(0, 30).Draw(t, "at")),
			Space: rapid.IntRange(0, 5).Draw(t, "space"), Interval: rapid.IntRange(0, 4).Draw(t, "interval"),
			Times: rapid.IntRange(-1, 4).Draw(t, "times"), Probability: rapid.Float64Range(0, 1).Draw(t, "p")}
		s.To = s.From + rapid.Uint64Range(1, 4).Draw(t, "length")
		e := sim.New(1)
		x := New(e, []Spec{s})
		struck := 0
		for i := range sim.Time(60) {
			require.NoError(t, e.RunUntil(i))
			instance, addr := rapid.IntRange(0, 2).Draw(t, "instance"), rapid.Uint64Range(0, 12).Draw(t, "addr")
			if x.Hit(PageFault, instance, addr) == nil {
				continue
			}
			struck++
			require.GreaterOrEqual(t, e.Now(), s.At)
			require.True(t, addr >= s.From && addr <= s.To)
			require.True(t, s.Target == Any || s.Target == On(instance))
		}
		if s.Times >= 0 {
			require.LessOrEqual(t, struck, max(s.Times, 1))
		}
	})
}

func TestValidation(t *testing.T) {
	faults := Validate([]Spec{
		{Kind: "irq-lost"},
		{Kind: "irq-lst"},
		{Kind: "irq-lost", From: 1, Times: -2, Probability: 2, Duration: 1, Value: 1},
		{Kind: "boot-hang", Target: On(0), Count: -1, Interval: -1, At: -1, Space: -1, Duration: sim.Never},
		{Kind: "parity", From: 5, To: 4, Count: 1, Space: 1},
	})
	var keys []string
	for _, err := range faults {
		var f *hw.ConfigFault
		require.ErrorAs(t, err, &f)
		keys = append(keys, f.Key)
	}
	assert.Equal(t, []string{"fault[1].kind", "fault[2].from", "fault[2].probability", "fault[2].times", "fault[2].duration",
		"fault[2].value", "fault[3].target", "fault[3].at", "fault[3].count", "fault[3].space", "fault[3].interval",
		"fault[3].duration", "fault[4].to", "fault[4].space"}, keys)
	assert.ErrorContains(t, faults[0], "fault[1].kind = irq-lst: want one of all-ones, link-loss")
	_, err := New(sim.New(1), nil).Inject(Spec{Kind: "no"})
	var f *hw.ConfigFault
	require.True(t, errors.As(err, &f))
	assert.Equal(t, "kind", f.Key)
}

// The table says everything of each kind, and names are the field's.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for k := None + 1; k < NumKinds; k++ {
		r := Kinds[k]
		assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, r.Name)
		assert.False(t, seen[r.Name], r.Name)
		seen[r.Name] = true
		assert.Equal(t, k, Named(r.Name))
		assert.NotEmpty(t, r.Group, r.Name)
		assert.NotEmpty(t, r.Chance, r.Name)
		assert.NotEmpty(t, r.What, r.Name)
		assert.NotEmpty(t, r.Outcome, r.Name)
		assert.NotZero(t, r.Ends, r.Name)
		assert.True(t, r.Span != Moment || r.Duration == 0, r.Name)
		assert.True(t, r.Value != "" || r.Default == 0, r.Name)
	}
	assert.LessOrEqual(t, int(NumKinds), 64, "live has a bit a kind")
	assert.Equal(t, "unknown", NumKinds.String())
	assert.Equal(t, "well, EIO", (Well | EIO).String())
}

func TestTargetsAsText(t *testing.T) {
	for text, want := range map[string]Target{"any": Any, "0": On(0), "12": On(12)} {
		var v Target
		require.NoError(t, v.UnmarshalText([]byte(text)))
		assert.Equal(t, want, v)
		back, err := v.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, text, string(back))
	}
	var v Target
	assert.ErrorContains(t, v.UnmarshalText([]byte("-1")), `"-1" is no target`)
}

// Asking costs nothing that adds up when there is no fault: no allocation, and
// none with one that is armed.
func TestNoAllocation(t *testing.T) {
	var none *Injector
	idle := New(sim.New(1), nil)
	armed := New(sim.New(1), []Spec{{Kind: "irq-lost", Interval: 3, Times: Unlimited}})
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		none.Hit(IRQLost, 0, 0)
		none.Tick(0, 0)
		idle.Hit(IRQLost, 0, 0)
		idle.Tick(0, 0)
		armed.Hit(IRQLost, 0, 0)
	}))
}

// Late keeps what it must: everybody arrives once, no earlier than sent and no
// later than it may, and writes of an ordered target in their order.
func TestLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := sim.New(1)
		ordered := rapid.Bool().Draw(t, "ordered")
		var got []*hw.Request
		arrived := map[*hw.Request]sim.Time{}
		to := hw.TargetFunc(func(r *hw.Request) { got = append(got, r); arrived[r] = e.Now() })
		late := NewLate(e, "late", to, sim.NewStream(rapid.Uint64().Draw(t, "seed"), "s"), 1000, ordered)
		sent := map[*hw.Request]sim.Time{}
		var writes []*hw.Request
		for range rapid.IntRange(1, 100).Draw(t, "n") {
			r := &hw.Request{Op: hw.Op(rapid.IntRange(0, 1).Draw(t, "op"))}
			sent[r] = e.Now()
			late.Submit(r)
			if r.Op == hw.Write {
				writes = append(writes, r)
			}
			require.NoError(t, e.RunUntil(e.Now()+sim.Time(rapid.IntRange(0, 300).Draw(t, "gap"))))
		}
		require.NoError(t, e.Run())
		require.True(t, late.Idle())
		require.Len(t, got, len(sent))
		for r, at := range sent {
			require.GreaterOrEqual(t, arrived[r], at)
			require.LessOrEqual(t, arrived[r], at+1000)
		}
		if !ordered {
			return
		}
		i := 0
		for _, r := range got {
			if r.Op == hw.Write {
				require.Same(t, writes[i], r)
				i++
			}
		}
	})
}

func BenchmarkHit(b *testing.B) {
	for _, c := range []struct {
		name string
		x    *Injector
	}{{"nil", nil}, {"none", New(sim.New(1), nil)}, {"other", New(sim.New(1), []Spec{{Kind: "parity"}})}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.x.Hit(IRQLost, 1, 2)
			}
		})
	}
}
