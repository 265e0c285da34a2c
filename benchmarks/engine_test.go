// Package benchmarks measures presi part by part; each benchmark reports its
// own metric so that benchstat compares runs. Nothing here asserts a time.
package benchmarks

import (
	"container/heap"
	"fmt"
	"testing"

	"github.com/presi-sim/presi/sim"
)

// BenchmarkEngine is the hold model: a constant number of pending events, each
// of which schedules its successor. The same delays go through the engine and
// through the usual container/heap of pointers, so that the ratio can be read
// off one run.
func BenchmarkEngine(b *testing.B) {
	for _, pending := range []int{10, 100, 1000, 10_000, 100_000} {
		for _, mix := range delayMixes {
			b.Run(fmt.Sprintf("pending=%d/delays=%s/presi", pending, mix.name), func(b *testing.B) {
				holdEngine(b, pending, mix.delays())
			})
			b.Run(fmt.Sprintf("pending=%d/delays=%s/container-heap", pending, mix.name), func(b *testing.B) {
				holdHeap(b, pending, mix.delays())
			})
		}
	}
}

const delayCount = 1 << 14 // a table, so that drawing costs next to nothing

// Delays as models have them: whole cycles of a 1 GHz clock up to a
// microsecond; arbitrary picoseconds up to a microsecond; and one in eight as
// far as a tile or an interrupt, up to a millisecond.
var delayMixes = []struct {
	name   string
	delays func() []sim.Time
}{
	{"cycles", func() []sim.Time {
		return drawDelays(func(s *sim.Stream) sim.Time { return sim.Time(1+s.Intn(1000)) * sim.Nanosecond })
	}},
	{"picoseconds", func() []sim.Time {
		return drawDelays(func(s *sim.Stream) sim.Time { return sim.Time(1 + s.Intn(int64(sim.Microsecond))) })
	}},
	{"far", func() []sim.Time {
		return drawDelays(func(s *sim.Stream) sim.Time {
			if s.Intn(8) == 0 {
				return sim.Time(1 + s.Intn(int64(sim.Millisecond)))
			}
			return sim.Time(1 + s.Intn(int64(sim.Microsecond)))
		})
	}},
}

func drawDelays(draw func(*sim.Stream) sim.Time) []sim.Time {
	s := sim.NewStream(1, "delays")
	out := make([]sim.Time, delayCount)
	for i := range out {
		out[i] = draw(s)
	}
	return out
}

func reportEvents(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func holdEngine(b *testing.B, pending int, delays []sim.Time) {
	e := sim.New(1)
	left, k := 0, 0
	var h sim.Handler
	h = e.Register("hold", func(arg uint64) {
		k++
		e.After(delays[k%delayCount], sim.Call{H: h, Arg: arg})
		if left--; left == 0 {
			e.Stop()
		}
	})
	for i := range pending {
		e.After(delays[i%delayCount], sim.Call{H: h, Arg: uint64(i)})
	}
	run := func(n int) {
		if left = n; n > 0 {
			if err := e.Run(); err != nil {
				b.Fatal(err)
			}
		}
	}
	run(2 * pending)
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	reportEvents(b)
}

// heapEvent and heapQueue are the engine as it is usually written in Go.
type heapEvent struct {
	at  sim.Time
	seq uint64
	fn  func(arg uint64)
	arg uint64
}

type heapQueue []*heapEvent

func (q heapQueue) Len() int      { return len(q) }
func (q heapQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q heapQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q *heapQueue) Push(x any) { *q = append(*q, x.(*heapEvent)) }
func (q *heapQueue) Pop() any {
	old := *q
	ev := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return ev
}

func holdHeap(b *testing.B, pending int, delays []sim.Time) {
	var q heapQueue
	var now sim.Time
	var seq uint64
	k := 0
	var fn func(arg uint64)
	after := func(d sim.Time, arg uint64) {
		seq++
		heap.Push(&q, &heapEvent{now + d, seq, fn, arg})
	}
	fn = func(arg uint64) {
		k++
		after(delays[k%delayCount], arg)
	}
	run := func(n int) {
		for range n {
			ev := heap.Pop(&q).(*heapEvent)
			now = ev.at
			ev.fn(ev.arg)
		}
	}
	for i := range pending {
		after(delays[i%delayCount], uint64(i))
	}
	run(2 * pending)
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	reportEvents(b)
}

// BenchmarkProcessSwitch is two processes that sleep in turns. An operation is
// two switches, into a process and out of it, and the event that causes them.
func BenchmarkProcessSwitch(b *testing.B) {
	e := sim.New(1)
	left := 0
	for range 2 {
		e.Go("p", func(*sim.Proc) {
			for {
				e.Sleep(sim.Nanosecond)
				if left--; left == 0 {
					e.Stop()
				}
			}
		})
	}
	run := func(n int) {
		left = n
		if err := e.Run(); err != nil {
			b.Fatal(err)
		}
	}
	run(1000)
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/switch")
	b.StopTimer()
	e.Shutdown()
}

// BenchmarkLink sends messages over a shared link, each source with a few
// outstanding: small ones, and large ones whose cost must not follow their size.
func BenchmarkLink(b *testing.B) {
	for _, c := range []struct {
		name    string
		sources int
		bytes   sim.Bytes
	}{
		{"sources=1/bytes=64", 1, 64},
		{"sources=4/bytes=64", 4, 64},
		{"sources=4/bytes=4KiB", 4, 4 * sim.KiB},
		{"sources=4/bytes=64MiB", 4, 64 * sim.MiB},
	} {
		b.Run(c.name, func(b *testing.B) { sendOverLink(b, c.sources, c.bytes) })
	}
}

func sendOverLink(b *testing.B, sources int, bytes sim.Bytes) {
	e := sim.New(1)
	weights := make([]int, sources)
	for i := range weights {
		weights[i] = 1 + i%2
	}
	l := e.NewLink("link", sim.LinkConfig{Rate: 32e9, Latency: 100 * sim.Nanosecond, Quantum: 512, Weights: weights})
	left := 0
	var done sim.Handler
	done = e.Register("done", func(source uint64) {
		l.Send(int(source), bytes, sim.Call{H: done, Arg: source})
		if left--; left == 0 {
			e.Stop()
		}
	})
	for i := range 4 * sources {
		l.Send(i%sources, bytes, sim.Call{H: done, Arg: uint64(i % sources)})
	}
	run := func(n int) {
		left = n
		if err := e.Run(); err != nil {
			b.Fatal(err)
		}
	}
	run(1000)
	before := e.Events()
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(e.Events()-before)/float64(b.N), "events/message")
}
