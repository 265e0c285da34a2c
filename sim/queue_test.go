package sim

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// heapQueue is the oracle: a 4-ary heap that compares (time, insertion).
type heapQueue struct {
	heap []heapEvent
	seq  uint64
}

type heapEvent struct {
	at  Time
	seq uint64
	c   Call
}

func (a *heapEvent) before(b *heapEvent) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *heapQueue) push(t Time, c Call) {
	q.seq++
	ev := heapEvent{t, q.seq, c}
	q.heap = append(q.heap, ev)
	i := len(q.heap) - 1
	for p := (i - 1) / 4; i > 0 && ev.before(&q.heap[p]); p = (i - 1) / 4 {
		q.heap[i] = q.heap[p]
		i = p
	}
	q.heap[i] = ev
}

func (q *heapQueue) pop(limit Time) (Time, Call, bool) {
	if len(q.heap) == 0 || q.heap[0].at > limit {
		return 0, Call{}, false
	}
	top, n := q.heap[0], len(q.heap)-1
	last := q.heap[n]
	q.heap = q.heap[:n]
	i := 0
	for first := 1; first < n; first = 4*i + 1 {
		least := first
		for k := first + 1; k < min(first+4, n); k++ {
			if q.heap[k].before(&q.heap[least]) {
				least = k
			}
		}
		if !q.heap[least].before(&last) {
			break
		}
		q.heap[i], i = q.heap[least], least
	}
	if n > 0 {
		q.heap[i] = last
	}
	return top.at, top.c, true
}

// drawDelay draws from all magnitudes alike, with many ties and the edges of
// wheels and of time among them.
func drawDelay(t *rapid.T, now Time, label string) Time {
	d := rapid.OneOf(
		rapid.Just(Time(0)),
		rapid.SampledFrom([]Time{1, 1000, slotMask, slotCount, slotCount + 1, slotCount * slotCount, Never - 1}),
		rapid.Custom(func(t *rapid.T) Time {
			return Time(rapid.Uint64().Draw(t, "bits") >> rapid.IntRange(1, 63).Draw(t, "shift"))
		}),
	).Draw(t, label)
	return min(d, Never-1-now)
}

func TestQueueOrderIsTheHeapsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var oracle heapQueue
		q.init()
		now, id := Time(0), uint64(0)
		pop := func(limit Time) bool {
			at, c, ok := q.pop(limit)
			wantAt, want, wantOK := oracle.pop(limit)
			require.Equal(t, wantOK, ok)
			require.Equal(t, wantAt, at)
			require.Equal(t, want, c)
			if ok {
				now = at
			} else if limit != Never {
				now = limit
			}
			require.Equal(t, len(oracle.heap) == 0, q.empty())
			return ok
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"push", "push", "pop", "until"}).Draw(t, "step") {
			case "push":
				at := now + drawDelay(t, now, "delay")
				for range rapid.IntRange(1, 8).Draw(t, "ties") {
					id++
					c := Call{Handler(id), id}
					q.push(at, c)
					oracle.push(at, c)
				}
			case "pop":
				pop(Never)
			case "until":
				limit := now + drawDelay(t, now, "limit")
				for pop(limit) {
				}
			}
		}
		for pop(Never) {
		}
	})
}

func TestQueueReusesNodesAndSpansAllTime(t *testing.T) {
	var q queue
	q.init()
	for shift := range 63 {
		q.push(Never>>shift-1, Call{Arg: uint64(shift)})
	}
	nodes := len(q.nodes)
	for want := range 63 {
		at, c, ok := q.pop(Never)
		require.True(t, ok)
		require.Equal(t, uint64(62-want), c.Arg)
		require.Equal(t, want, bits.Len64(uint64(at)+1)-1)
	}
	q.base = 0 // as in a new queue
	for range 63 {
		q.push(5, Call{})
	}
	assert.Len(t, q.nodes, nodes)
}

// hop is an event of the engine's random model: it schedules its successors
// when it runs, some at the same instant.
type hop struct {
	delays []Time
	late   bool
}

// TestEngineOrderIsTheHeapsOrder runs one random model twice: in the engine
// and in a plain loop over the oracle.
func TestEngineOrderIsTheHeapsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hops := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) hop {
			return hop{
				rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Time {
					return drawDelay(t, Never/2, "delay") >> 8
				}), 0, 3).Draw(t, "delays"),
				rapid.Bool().Draw(t, "late"),
			}
		}), 1, 60).Draw(t, "hops")
		bounds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Time { return drawDelay(t, 0, "bound") }), 0, 4).Draw(t, "bounds")
		assert.Equal(t, runHopsInHeap(hops), runHopsInEngine(t, hops, bounds))
	})
}

type ran struct {
	at  Time
	hop uint64
}

func runHopsInEngine(t *rapid.T, hops []hop, bounds []Time) (out []ran) {
	e := New(1)
	next := uint64(1)
	var h Handler
	h = e.Register("hop", func(i uint64) {
		out = append(out, ran{e.Now(), i})
		for _, d := range hops[i].delays {
			if next < uint64(len(hops)) {
				c := Call{h, next}
				if d == 0 && hops[next].late {
					e.AtInstantEnd(c)
				} else {
					e.After(d, c)
				}
				next++
			}
		}
	})
	e.After(0, Call{H: h})
	for _, b := range bounds {
		before := e.Now()
		require.NoError(t, e.RunUntil(b))
		require.Equal(t, max(before, b), e.Now())
		if len(out) > 0 {
			require.LessOrEqual(t, out[len(out)-1].at, max(before, b))
		}
	}
	require.NoError(t, e.Run())
	require.EqualValues(t, len(out), e.Events())
	return out
}

func runHopsInHeap(hops []hop) (out []ran) {
	var q heapQueue
	var late []Call
	q.push(0, Call{})
	now, next := Time(0), uint64(1)
	for {
		limit := Never
		if len(late) > 0 {
			limit = now
		}
		at, c, ok := q.pop(limit)
		run := []Call{c}
		switch {
		case ok:
			now = at
		case len(late) > 0:
			run, late = late, nil
		default:
			return out
		}
		for _, c := range run {
			out = append(out, ran{now, c.Arg})
			for _, d := range hops[c.Arg].delays {
				if next >= uint64(len(hops)) {
					continue
				}
				if d == 0 && hops[next].late {
					late = append(late, Call{Arg: next})
				} else {
					q.push(now+d, Call{Arg: next})
				}
				next++
			}
		}
	}
}
