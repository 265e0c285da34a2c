package sim

import "fmt"

// Arbiter shares a number of equal things (a unit, tags, buffer slots, walkers)
// among several sources, each with a queue. Grants are made at the end of an
// instant by weighted round robin, so that they do not depend on the order of
// the instant's requests.
type Arbiter struct {
	e        *Engine
	things   int
	free     int
	sources  []arbiterSource
	turn     int // whose turn it is
	credit   int // grants left in it
	waiting  int
	choose   Handler
	choosing bool
	stats    ArbiterStats
}

// ArbiterStats counts what an arbiter granted.
type ArbiterStats struct {
	Grants int64
	Waited int64 // picoseconds from request to grant, summed
	Peak   int64 // most things in use at once
}

type arbiterSource struct {
	queue  fifo[arbiterRequest]
	weight int
}

type arbiterRequest struct {
	asked Time
	grant Call
}

// NewArbiter returns an arbiter over things equal things, with one weight (the
// grants in a turn) a source, and declares its counters under name.
func (e *Engine) NewArbiter(name string, things int, weights ...int) *Arbiter {
	if things <= 0 || len(weights) == 0 {
		panic(fmt.Sprintf("sim: arbiter %s: %d things, %d sources", name, things, len(weights)))
	}
	a := &Arbiter{e: e, things: things, free: things, turn: len(weights) - 1}
	for _, w := range weights {
		if w <= 0 {
			panic(fmt.Sprintf("sim: arbiter %s: weight %d is not positive", name, w))
		}
		a.sources = append(a.sources, arbiterSource{weight: w})
	}
	a.choose = e.Register(name, a.onChoose)
	e.Stats.Add(name,
		Counter{"grants", "requests granted", &a.stats.Grants},
		Counter{"waited_ps", "time from request to grant, summed", &a.stats.Waited},
		Counter{"peak", "most in use at once", &a.stats.Peak})
	return a
}

// Request queues a source's request for one thing; grant fires when it has it.
func (a *Arbiter) Request(source int, grant Call) {
	a.sources[source].queue.push(arbiterRequest{a.e.now, grant})
	a.waiting++
	a.decide()
}

// Release gives one thing back.
func (a *Arbiter) Release() {
	if a.free == a.things {
		panic("sim: Release of what nobody has")
	}
	a.free++
	a.decide()
}

// Free returns how many things nobody has.
func (a *Arbiter) Free() int { return a.free }

// Waiting returns how many requests of a source are not granted yet.
func (a *Arbiter) Waiting(source int) int { return a.sources[source].queue.len() }

// Stats returns the counters.
func (a *Arbiter) Stats() ArbiterStats { return a.stats }

// decide asks for a decision at the end of the instant, if there will be one to make.
func (a *Arbiter) decide() {
	if !a.choosing && a.free > 0 && a.waiting > 0 {
		a.choosing = true
		a.e.AtInstantEnd(Call{H: a.choose})
	}
}

func (a *Arbiter) onChoose(uint64) {
	a.choosing = false
	for a.free > 0 && a.waiting > 0 {
		s := a.next()
		r := s.queue.pop()
		a.credit--
		a.waiting--
		a.free--
		a.stats.Grants++
		a.stats.Waited += int64(a.e.now - r.asked)
		a.stats.Peak = max(a.stats.Peak, int64(a.things-a.free))
		a.e.At(a.e.now, r.grant)
	}
}

// next returns the source whose turn it is, among those that wait.
func (a *Arbiter) next() *arbiterSource {
	if a.credit == 0 {
		a.turn = (a.turn + 1) % len(a.sources)
		a.credit = a.sources[a.turn].weight
	}
	for a.sources[a.turn].queue.len() == 0 {
		a.turn = (a.turn + 1) % len(a.sources)
		a.credit = a.sources[a.turn].weight
	}
	return &a.sources[a.turn]
}
