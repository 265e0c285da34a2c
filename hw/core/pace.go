package core

import "github.com/presi-sim/presi/sim"

// ticks are a unit's own time: cycles in 1/cycleTicks.
type ticks int64

const cycleTicks = 1 << 12

func cycles(n int64) ticks { return ticks(n * cycleTicks) }

// pace is how a unit's own time goes in a launch: with the core's clock while the
// scratchpad gives it all it wants, and slower by as much as it gets less.
type pace struct {
	since      int64 // edge of the last change:
	own        ticks // own time then,
	behind     ticks // and what it was behind the clock's
	gets, want int64 // of the scratchpad; gets <= want
}

// startAt returns the pace of a unit whose own time begins at an edge.
func startAt(edge int64) pace { return pace{since: edge, gets: 1, want: 1} }

// at returns the own time at an edge, which is not before the last change.
func (p *pace) at(edge int64) ticks {
	return p.own + ticks(sim.MulDiv((edge-p.since)*cycleTicks, p.gets, p.want))
}

// edge returns the first edge at which the own time is t, or the last change's if
// that is later.
func (p *pace) edge(t ticks) int64 {
	if t <= p.own {
		return p.since
	}
	return p.since + ceilDiv(sim.MulDivCeil(int64(t-p.own), p.want, p.gets), cycleTicks)
}

// lag returns how far the own time is behind at an edge.
func (p *pace) lag(edge int64) ticks {
	return p.behind + cycles(edge-p.since) - (p.at(edge) - p.own)
}

// change sets the pace from an edge on and reports whether it is another.
func (p *pace) change(gets, want, edge int64) bool {
	if gets == want {
		gets, want = 1, 1
	}
	if gets == p.gets && want == p.want {
		return false
	}
	*p = pace{edge, p.at(edge), p.lag(edge), gets, want}
	return true
}
