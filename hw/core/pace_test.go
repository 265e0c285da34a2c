package core

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPace changes a unit's pace at random: its own time never goes back nor faster
// than the clock, and edge returns the first edge at which an own time is reached.
func TestPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.Int64Range(0, 1<<50).Draw(t, "start")
		p := startAt(edge)
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			before := p.at(edge)
			next := edge + rapid.SampledFrom([]int64{0, 1, 1e6, 1 << 46}).Draw(t, "cycles")
			passed := p.at(next) - before
			require.GreaterOrEqual(t, passed, ticks(0))
			require.LessOrEqual(t, passed, cycles(next-edge))
			edge = next
			want := rapid.Int64Range(1, 1<<24).Draw(t, "want")
			lag := p.lag(edge)
			p.change(rapid.Int64Range((want+7)/8, want).Draw(t, "gets"), want, edge)
			require.Equal(t, lag, p.lag(edge))
			goal := p.at(edge) + ticks(rapid.Int64Range(1, 1<<36).Draw(t, "ticks"))
			at := p.edge(goal)
			require.GreaterOrEqual(t, p.at(at), goal)
			require.Less(t, p.at(at-1), goal)
		}
	})
}
