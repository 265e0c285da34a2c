package host

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// kernel gives drivers the clock and threads of the simulation.
type kernel struct {
	engine *sim.Engine
	costs  *Config
	timers *timers
}

// NewKernel returns the clock and threads of an engine alone, for what needs no
// device. costs may be the zero Config.
func NewKernel(e *sim.Engine, costs Config) hw.Kernel { return newKernel(e, &costs) }

func newKernel(e *sim.Engine, costs *Config) kernel {
	return kernel{e, costs, &timers{e: e}}
}

func (k kernel) Now() int64 { return k.engine.Now().Nanoseconds() }

func (k kernel) Sleep(ns int64) { k.engine.Sleep(fromNow(k.engine, ns)) }

// fromNow is ns on from now, or as far as time goes.
func fromNow(e *sim.Engine, ns int64) sim.Time {
	most := (sim.Never - 1 - e.Now()) / sim.Nanosecond
	return min(sim.Time(ns), most) * sim.Nanosecond
}

func (k kernel) Charge(c hw.Cost) {
	if d := k.costs.cost(c); d > 0 {
		k.engine.Sleep(d)
	}
}

func (k kernel) Self() hw.Thread { return k.engine.Current() }

func (k kernel) Spawn(name string, daemon bool, fn func()) { spawn(k.engine, name, daemon, fn) }

func spawn(e *sim.Engine, name string, daemon bool, fn func()) {
	p := e.Go(name, func(*sim.Proc) { fn() })
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
	switch {
	case ns >= int64(sim.Never/sim.Nanosecond):
		return w.q.WaitUntil(why, sim.Never)
	case ns <= w.e.Now().Nanoseconds():
		return false
	}
	return w.q.WaitUntil(why, sim.Time(ns)*sim.Nanosecond)
}

// Timer implements hw.Kernel.
func (k kernel) Timer(name string, ns int64, fn func()) (stop func() bool) {
	return k.timers.start(name, fromNow(k.engine, ns), fn)
}

// NewTimer implements hw.Kernel.
func (k kernel) NewTimer(name string, fn func()) hw.Timer {
	return kernelTimer{k.engine, k.engine.NewTimer("kernel timer", func(uint64) { spawn(k.engine, name, true, fn) })}
}

// kernelTimer is a simulated timer in a kernel's units.
type kernelTimer struct {
	e *sim.Engine
	t *sim.Timer
}

func (t kernelTimer) Start(ns int64) { t.t.Set(t.e.Now()+fromNow(t.e, ns), 0) }
func (t kernelTimer) Stop() bool     { return t.t.Stop() }

// timers are kernel timers: an event each, and a thread when it comes.
type timers struct {
	e    *sim.Engine
	free []*timer
}

type timer struct {
	event *sim.Timer
	use   uint64 // which start it belongs to
	name  string
	fn    func()
}

func (x *timers) start(name string, d sim.Time, fn func()) (stop func() bool) {
	t := x.take()
	t.use++
	t.name, t.fn = name, fn
	t.event.Set(x.e.Now()+d, 0)
	use := t.use
	return func() bool {
		if t.use != use || !t.event.Stop() {
			return false
		}
		x.give(t)
		return true
	}
}

func (x *timers) take() *timer {
	if n := len(x.free); n > 0 {
		t := x.free[n-1]
		x.free = x.free[:n-1]
		return t
	}
	t := &timer{}
	t.event = x.e.NewTimer("kernel timer", func(uint64) {
		name, fn := t.name, t.fn
		x.give(t)
		spawn(x.e, name, true, fn)
	})
	return t
}

func (x *timers) give(t *timer) {
	t.fn = nil
	x.free = append(x.free, t)
}
