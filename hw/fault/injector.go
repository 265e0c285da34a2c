// Package fault makes a simulated device misbehave on demand: one table of kinds
// (Kinds), each with what it does, when it can happen and what a driver is to
// make of it; faults that name a kind, a target and a trigger (Spec); and the
// Injector that blocks ask at the points where a kind can happen. The triggers
// are those of the kernel's fault injection (Documentation/fault-injection).
//
// An injector without faults costs a load and a test at each point, and no event;
// so does a nil one.
package fault

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/sim"
)

// Strike is what a block learns of a fault that happens: valid until it asks again.
type Strike struct {
	Kind     Kind
	Target   Target   // of the fault
	Instance int      // that is struck
	Value    uint64   // parameter, the kind's own when the fault has none
	Duration sim.Time // likewise
}

// Injector holds the faults that are armed. It is deterministic: each fault draws
// from a stream of its own, and those of a kind are asked in the order of Inject.
type Injector struct {
	e      *sim.Engine
	live   uint64 // kinds with a fault that sees chances, a bit each
	armed  [NumKinds][]*Armed
	effect [NumKinds]func(*Strike)
	event  sim.Handler
	all    []*Armed
	struck int64
	strike Strike
}

// events are the kinds that happen by themselves: their effect is a call.
var events = func() (mask uint64) {
	for k := range Kinds {
		if Kinds[k].Event {
			mask |= 1 << k
		}
	}
	return mask
}()

// New returns an injector with the faults of a configuration, which must be valid.
func New(e *sim.Engine, specs []Spec) *Injector {
	x := &Injector{e: e}
	x.event = e.Register("fault", func(i uint64) { x.happen(x.all[i]) })
	for _, s := range specs {
		if _, err := x.Inject(s); err != nil {
			panic("fault: " + err.Error())
		}
	}
	return x
}

// Armed is a fault under an injector.
type Armed struct {
	Spec   Spec
	x      *Injector
	kind   Kind
	seen   int64
	struck int
	times  int
	until  sim.Time // of a window
	over   bool
	stream *sim.Stream
}

// Inject arms a fault. The error lists all its mistakes, each a hw.ConfigFault.
func (x *Injector) Inject(s Spec) (*Armed, error) {
	if faults := s.Validate(); faults != nil {
		return nil, fmt.Errorf("fault: %w", errors.Join(faults...))
	}
	a := &Armed{Spec: s, x: x, kind: Named(s.Kind), times: s.Times}
	if a.times == 0 {
		a.times = Kinds[a.kind].Times
	}
	if a.times == 0 {
		a.times = 1
	}
	if s.Probability > 0 && s.Probability < 1 {
		name := fmt.Sprintf("fault %d: %s", len(x.all), s.Kind)
		if a.stream = x.e.Stream(name); s.Seed != 0 {
			a.stream = sim.NewStream(s.Seed, "fault: "+s.Kind)
		}
	}
	x.all = append(x.all, a)
	if Kinds[a.kind].Event && s.At > 0 && !s.chooses() {
		x.e.At(max(s.At, x.e.Now()), sim.Call{H: x.event, Arg: uint64(len(x.all) - 1)})
		return a, nil
	}
	x.armed[a.kind] = append(x.armed[a.kind], a)
	x.live |= 1 << a.kind
	return a, nil
}

// happen is a fault at its instant.
func (x *Injector) happen(a *Armed) {
	if !a.over {
		a.strike()
		x.run(a, int(a.Spec.Target)-1)
	}
}

// Struck returns how often the fault has happened.
func (a *Armed) Struck() int { return a.struck }

// Seen returns how many chances it has had.
func (a *Armed) Seen() int64 { return a.seen }

// Disarm ends the fault; what it struck stays struck.
func (a *Armed) Disarm() {
	if !a.over {
		a.over = true
		a.x.drop(a)
	}
}

// Clear disarms every fault.
func (x *Injector) Clear() {
	for _, a := range x.all {
		a.Disarm()
	}
}

// Struck returns how often faults have happened.
func (x *Injector) Struck() int64 { return x.struck }

// On says what a kind that happens by itself does.
func (x *Injector) On(k Kind, effect func(*Strike)) { x.effect[k] = effect }

// Live reports whether a fault of a kind sees chances, for a block that must
// prepare for it.
func (x *Injector) Live(k Kind) bool { return x != nil && x.live>>k&1 != 0 }

// Hit is a chance of a kind: instance and addr are where. It returns the fault
// that happens, nil for none.
func (x *Injector) Hit(k Kind, instance int, addr uint64) *Strike {
	if x == nil || x.live>>k&1 == 0 {
		return nil
	}
	return x.hit(k, instance, addr)
}

// Tick is a chance of every kind that happens by itself.
func (x *Injector) Tick(instance int, addr uint64) {
	if x == nil || x.live&events == 0 {
		return
	}
	for k := range NumKinds {
		if Kinds[k].Event && Kinds[k].Chance == dmaRequest && x.live>>k&1 != 0 {
			x.tick(k, instance, addr)
		}
	}
}

// tick asks the faults of a kind. A kind's target is where it takes effect when
// its chances are not of that sort.
func (x *Injector) tick(k Kind, instance int, addr uint64) {
	for _, a := range x.armed[k] {
		if Kinds[k].Target == vectors {
			instance = int(a.Spec.Target) - 1
		}
		if a.chance(x.e.Now(), instance, addr) {
			x.run(a, instance)
			return
		}
	}
}

func (x *Injector) run(a *Armed, instance int) {
	if fn := x.effect[a.kind]; fn != nil {
		fn(x.describe(a, instance))
	}
}

func (x *Injector) hit(k Kind, instance int, addr uint64) *Strike {
	for _, a := range x.armed[k] {
		if a.chance(x.e.Now(), instance, addr) {
			return x.describe(a, instance)
		}
	}
	return nil
}

// describe fills in the one Strike.
func (x *Injector) describe(a *Armed, instance int) *Strike {
	s := &x.strike
	*s = Strike{a.kind, a.Spec.Target, instance, a.Spec.Value, a.Spec.Duration}
	if s.Value == 0 {
		s.Value = Kinds[a.kind].Default
	}
	if s.Duration == 0 {
		s.Duration = Kinds[a.kind].Duration
	}
	return s
}

// chance decides whether a chance is struck.
func (a *Armed) chance(now sim.Time, instance int, addr uint64) bool {
	s := &a.Spec
	if now < s.At || s.Target != Any && s.Target != On(instance) || addr < s.From || s.To != 0 && addr > s.To {
		return false
	}
	if now < a.until {
		return true
	}
	if a.over || a.times >= 0 && a.struck >= a.times {
		a.Disarm()
		a.x.drop(a)
		return false
	}
	a.seen++
	after := a.seen - 1 - int64(max(s.Space, s.Count-1))
	if after < 0 || s.Interval > 1 && after%int64(s.Interval) != 0 || a.stream != nil && a.stream.Float64() >= s.Probability {
		return false
	}
	a.strike()
	return true
}

// strike books a strike, and ends the fault with its last.
func (a *Armed) strike() {
	a.struck++
	a.x.struck++
	if Kinds[a.kind].Span == Window {
		a.until = a.x.e.Now() + a.Spec.Duration
	}
	if a.times >= 0 && a.struck >= a.times && a.x.e.Now() >= a.until {
		a.Disarm()
	}
}

// drop takes a fault off the list of its kind. Who walks the list stops at a
// strike, so that the list may be made anew.
func (x *Injector) drop(a *Armed) {
	var left []*Armed
	for _, b := range x.armed[a.kind] {
		if b != a {
			left = append(left, b)
		}
	}
	x.armed[a.kind] = left
	if len(left) == 0 {
		x.live &^= 1 << a.kind
	}
}
