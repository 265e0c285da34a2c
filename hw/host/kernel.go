package host

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// kernel gives drivers the clock and threads of the simulation.
type kernel struct {
	engine *sim.Engine
	costs  *Config
}

func (k kernel) Now() int64 { return k.engine.Now().Nanoseconds() }

func (k kernel) Sleep(ns int64) { k.engine.Sleep(sim.Time(ns) * sim.Nanosecond) }

func (k kernel) Charge(c hw.Cost) {
	if d := k.costs.cost(c); d > 0 {
		k.engine.Sleep(d)
	}
}

func (k kernel) Spawn(name string, daemon bool, fn func()) {
	p := k.engine.Go(name, func(*sim.Proc) { fn() })
	if daemon {
		p.Daemon()
	}
}

func (k kernel) NewMutex() hw.Mutex { return k.engine.NewMutex() }

func (k kernel) NewWaitQueue() hw.WaitQueue { return waitQueue{k.engine, k.engine.NewWaitQueue()} }

type waitQueue struct {
	e *sim.Engine
	q *sim.WaitQueue
}

func (w waitQueue) Wait(why string) { w.q.Wait(why) }
func (w waitQueue) WakeAll()        { w.q.WakeAll() }

func (w waitQueue) WaitUntil(why string, ns int64) bool {
	if ns >= int64(sim.Never/sim.Nanosecond) {
		w.q.Wait(why)
		return true
	}
	left := sim.Time(ns)*sim.Nanosecond - w.e.Now()
	if left <= 0 {
		return false
	}
	return w.q.WaitFor(why, left)
}

// Timer runs fn in a thread of its own after ns.
func (k kernel) Timer(name string, ns int64, fn func()) (stop func() bool) {
	stopped, ran := false, false
	q := k.engine.NewWaitQueue()
	k.Spawn(name, true, func() {
		if stopped || q.WaitFor("its time", sim.Time(ns)*sim.Nanosecond) || stopped {
			return
		}
		ran = true
		fn()
	})
	return func() bool {
		if ran || stopped {
			return false
		}
		stopped = true
		q.WakeAll()
		return true
	}
}
