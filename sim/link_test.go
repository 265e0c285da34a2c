package sim

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// linkRig sends messages at given times and notes when each was through.
type linkRig struct {
	e    *Engine
	l    *Link
	sent []Time // by message
	done []Time
}

type linkMsg struct {
	at     Time
	source int
	bytes  Bytes
}

func runLink(t require.TestingT, c LinkConfig, msgs []linkMsg) *linkRig {
	r := &linkRig{e: New(1), sent: make([]Time, len(msgs)), done: make([]Time, len(msgs))}
	r.l = r.e.NewLink("link", c)
	onSent := r.e.Register("sent", func(i uint64) { r.sent[i] = r.e.Now() })
	onDone := r.e.Register("done", func(i uint64) { r.done[i] = r.e.Now() })
	ask := r.e.Register("ask", func(i uint64) {
		r.l.SendNotify(msgs[i].source, msgs[i].bytes, Call{onSent, i}, Call{onDone, i})
	})
	for i, m := range msgs {
		r.e.At(m.at, Call{ask, uint64(i)})
	}
	require.NoError(t, r.e.Run())
	return r
}

// bruteLink is the same link told the long way: one byte after another, each
// decision from the rules, no grants, no arithmetic over rounds.
func bruteLink(c LinkConfig, msgs []linkMsg) []Time {
	type job struct {
		i    int
		left Bytes
	}
	queues := make([][]job, len(c.Weights))
	sent := make([]Time, len(msgs))
	next := make([]bool, len(msgs))
	turn, credit := len(c.Weights)-1, Bytes(0)
	now, base, n, grant := Time(0), Time(0), Bytes(0), Bytes(0)
	alone, idle := false, true
	arrive := func() (left bool) {
		for i, m := range msgs {
			if !next[i] && m.at <= now {
				next[i] = true
				queues[m.source] = append(queues[m.source], job{i, m.bytes})
			}
			left = left || !next[i]
		}
		return left
	}
	others := func() bool {
		for i := range queues {
			if i != turn && len(queues[i]) > 0 {
				return true
			}
		}
		return false
	}
	for {
		more := arrive()
		if alone && grant%c.Quantum == 0 && others() {
			credit = 0
		}
		if credit <= 0 || len(queues[turn]) == 0 {
			found := false
			for k := 1; k <= len(queues) && !found; k++ {
				if i := (turn + k) % len(queues); len(queues[i]) > 0 {
					turn, credit, found, grant = i, Bytes(c.Weights[i])*c.Quantum, true, 0
				}
			}
			if !found {
				if !more {
					return sent
				}
				idle, alone, credit = true, false, 0
				at := Never
				for i, m := range msgs {
					if !next[i] {
						at = min(at, m.at)
					}
				}
				now = at
				continue
			}
			alone = !others()
		}
		if idle {
			base, n, idle = now, 0, false
		}
		j := &queues[turn][0]
		if j.left > 0 {
			j.left--
			n++
			grant++
			credit--
			now = base + Time(MulDiv(int64(n), int64(Second), int64(c.Rate)))
		}
		if j.left == 0 {
			sent[j.i] = now
			queues[turn] = queues[turn][1:]
			grant = 0
			if alone {
				credit = 0
			}
		} else if alone && credit == 0 {
			credit = 1 // alone, turns do not end
		}
	}
}

func drawLink(t *rapid.T) (LinkConfig, []linkMsg) {
	sources := rapid.IntRange(1, 4).Draw(t, "sources")
	c := LinkConfig{
		Rate:    Rate(rapid.Int64Range(1e9, 300e9).Draw(t, "rate")),
		Latency: Time(rapid.Int64Range(0, 1000).Draw(t, "latency")),
		Quantum: Bytes(rapid.Int64Range(4, 64).Draw(t, "quantum")),
		Weights: rapid.SliceOfN(rapid.IntRange(1, 4), sources, sources).Draw(t, "weights"),
	}
	var msgs []linkMsg
	for range rapid.IntRange(1, 12).Draw(t, "messages") {
		msgs = append(msgs, linkMsg{
			Time(rapid.Int64Range(0, 20000).Draw(t, "at")),
			rapid.IntRange(0, sources-1).Draw(t, "source"),
			Bytes(rapid.Int64Range(1, 1500).Draw(t, "bytes")),
		})
	}
	slices.SortStableFunc(msgs, func(a, b linkMsg) int { return cmp.Compare(a.at, b.at) })
	return c, msgs
}

func TestLinkAgreesWithByteByByteReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, msgs := drawLink(t)
		r := runLink(t, c, msgs)
		assert.Equal(t, bruteLink(c, msgs), r.sent)
		for i := range msgs {
			assert.Equal(t, r.sent[i]+c.Latency, r.done[i])
		}
	})
}

func TestLinkOutcomeIndependentOfRequestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, msgs := drawLink(t)
		for i := range msgs { // many ties, and each source at most once an instant
			msgs[i].at = msgs[i].at / 5000 * 5000 * Time(1+msgs[i].source%2)
		}
		seen := map[string]bool{}
		var unique []linkMsg
		for _, m := range msgs {
			if key := fmt.Sprint(m.at, m.source); !seen[key] {
				seen[key] = true
				unique = append(unique, m)
			}
		}
		order := rapid.Permutation(indices(len(unique))).Draw(t, "order")
		shuffled := make([]linkMsg, len(unique))
		for to, from := range order {
			shuffled[to] = unique[from]
		}
		want, got := runLink(t, c, unique), runLink(t, c, shuffled)
		for to, from := range order {
			assert.Equal(t, want.done[from], got.done[to])
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestLinkConservesBandwidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, msgs := drawLink(t)
		var total Bytes
		for i := range msgs {
			msgs[i].at = 5
			total += msgs[i].bytes
		}
		r := runLink(t, c, msgs)
		s := r.l.Stats()
		assert.EqualValues(t, total, s.Bytes)
		assert.EqualValues(t, len(msgs), s.Messages)
		assert.EqualValues(t, MulDiv(int64(total), int64(Second), int64(c.Rate)), s.Busy, "saturated: drift-free")
		var bySource, queued int64
		for i := range s.BySource {
			bySource += s.BySource[i]
			assert.Zero(t, r.l.Pending(i))
		}
		for i, m := range msgs {
			queued += int64(r.sent[i] - m.at)
		}
		assert.Equal(t, s.Bytes, bySource)
		assert.Equal(t, queued, s.Queued)
	})
}

func TestLinkEqualSourcesShareWithinAQuantum(t *testing.T) {
	c := LinkConfig{Rate: 1e12, Quantum: 256, Weights: []int{1, 1}} // a byte a picosecond
	r := runLink(t, c, []linkMsg{{0, 0, 64 * MiB}, {0, 1, 64 * MiB}})
	assert.EqualValues(t, 128*MiB-256, r.sent[0])
	assert.EqualValues(t, 128*MiB, r.sent[1])
	assert.Less(t, r.e.Events(), uint64(20), "the cost follows messages, not bytes")
}

func TestLinkWeightsAreRespected(t *testing.T) {
	c := LinkConfig{Rate: 1e12, Quantum: 256, Weights: []int{1, 3}}
	r := runLink(t, c, []linkMsg{{0, 0, 30000}, {0, 1, 30000}})
	assert.InDelta(t, 40000, float64(r.sent[1]), 4*256, "three quarters until the heavier is through")
	assert.EqualValues(t, 60000, r.sent[0])
}

func TestLinkSmallMessageWaitsAQuantumAtMost(t *testing.T) {
	for _, at := range []Time{1, 999, 1024, 1025, 5e6 + 1, 64<<20 - 1, 64 << 20} {
		c := LinkConfig{Rate: 1e12, Quantum: 1024, Weights: []int{4, 1}}
		r := runLink(t, c, []linkMsg{{0, 0, 64 * MiB}, {at, 1, 8}})
		assert.LessOrEqual(t, r.sent[1]-at, Time(1024+8), "asked at %d", at)
		if at%1024 == 0 {
			assert.Equal(t, Time(8), r.sent[1]-at, "a quantum ends at %d", at)
		}
		assert.Equal(t, 64<<20+8, max(int(r.sent[0]), int(r.sent[1])))
	}
}

func TestLinkTimesDoNotDrift(t *testing.T) {
	// 3 GB/s: a 64-byte message takes 21333⅓ ps.
	c := LinkConfig{Rate: 3e9, Latency: 7, Quantum: 64, Weights: []int{1}}
	msgs := make([]linkMsg, 3000)
	for i := range msgs {
		msgs[i].bytes = 64
	}
	r := runLink(t, c, msgs)
	for i := range msgs {
		require.EqualValues(t, (i+1)*64*1000/3, r.sent[i])
	}
	assert.Equal(t, Time(64*Microsecond+7), r.done[2999])
}

// A rival that comes at the very end of a grant finds the same link whether its
// request or the grant's end is handled first, even when turns are shorter than
// a picosecond.
func TestLinkRivalAtTheEndOfAGrant(t *testing.T) {
	run := func(rivalFirst bool) (sent [3]Time) {
		e := New(1)
		l := e.NewLink("link", LinkConfig{Rate: 4e12, Quantum: 2, Weights: []int{1, 1, 1}})
		onSent := e.Register("sent", func(i uint64) { sent[i] = e.Now() })
		rival := Call{H: e.Register("rival", func(uint64) { l.SendNotify(2, 100, Call{onSent, 2}, Call{}) })}
		first := e.Register("first", func(uint64) {
			l.SendNotify(0, 101, Call{onSent, 0}, Call{})
			l.SendNotify(1, 101, Call{onSent, 1}, Call{})
		})
		l.SendNotify(0, 3, Call{H: first}, Call{}) // turns begin at odd bytes: 201 and 203 are through at 50 ps
		if rivalFirst {
			e.At(50, rival)
		} else {
			e.At(49, Call{H: e.Register("ask later", func(uint64) { e.At(50, rival) })})
		}
		require.NoError(t, e.Run())
		return sent
	}
	assert.Equal(t, run(true), run(false))
}

func TestLinkMessageWithoutBytes(t *testing.T) {
	c := LinkConfig{Rate: 1e12, Latency: 10, Quantum: 64, Weights: []int{1, 1}}
	r := runLink(t, c, []linkMsg{{5, 0, 0}, {5, 1, 0}, {5, 1, 64}, {5, 0, 0}})
	assert.Equal(t, []Time{15, 15, 79, 15}, r.done)
}

func TestLinkCallsInstantEndFromManySources(t *testing.T) {
	c := LinkConfig{Rate: 1e12, Quantum: 10, Weights: []int{1, 1, 1}}
	r := runLink(t, c, []linkMsg{{0, 2, 10}, {0, 1, 10}, {0, 0, 10}})
	assert.Equal(t, []Time{30, 20, 10}, r.sent, "ordered by source")
}

func TestLinkDoesNotAllocate(t *testing.T) {
	e := New(1)
	l := e.NewLink("link", LinkConfig{Rate: 1e12, Quantum: 64, Weights: []int{1, 2}})
	sent := 0
	done := e.Register("done", func(uint64) { sent++ })
	step := func() {
		for i := range 100 {
			l.Send(i%2, Bytes(100*i), Call{H: done})
		}
		if err := e.Run(); err != nil {
			panic(err)
		}
	}
	step()
	assert.Zero(t, testing.AllocsPerRun(10, step))
	assert.Equal(t, 1200, sent)
}

func TestNewLinkRefusesNonsense(t *testing.T) {
	good := LinkConfig{Rate: 1, Quantum: 1, Weights: []int{1}}
	for name, change := range map[string]func(*LinkConfig){
		"rate":    func(c *LinkConfig) { c.Rate = 0 },
		"quantum": func(c *LinkConfig) { c.Quantum = 0 },
		"latency": func(c *LinkConfig) { c.Latency = -1 },
		"sources": func(c *LinkConfig) { c.Weights = nil },
		"weight":  func(c *LinkConfig) { c.Weights = []int{1, 0} },
	} {
		c := good
		change(&c)
		assert.Panics(t, func() { New(1).NewLink("link", c) }, name)
	}
	assert.NotPanics(t, func() { New(1).NewLink("link", good) })
	assert.Panics(t, func() { New(1).NewLink("link", good).Send(0, -1, Call{}) })
}
