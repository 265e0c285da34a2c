package sim

// Arbiter decides at the end of an instant, once however often it was asked to in
// it, so that an outcome cannot depend on the order of the instant's requests.
// How it decides (by weight, by priority, by age) is its owner's.
type Arbiter struct {
	e     *Engine
	h     Handler
	asked bool
}

// NewArbiter returns an arbiter that runs decide, under a name for traces and
// messages.
func (e *Engine) NewArbiter(name string, decide func()) *Arbiter {
	a := &Arbiter{e: e}
	a.h = e.Register(name, func(uint64) {
		a.asked = false
		decide()
	})
	return a
}

// Ask has the decision made when no event of this instant is left. What is asked
// while it is made is decided later, in this instant too.
func (a *Arbiter) Ask() {
	if !a.asked {
		a.asked = true
		a.e.AtInstantEnd(Call{H: a.h})
	}
}
