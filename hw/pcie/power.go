package pcie

import "github.com/presi-sim/presi/sim"

// restarts are conventional resets under way.
type restarts struct {
	over  sim.Handler
	done  sim.Call
	round uint64
}

func (x *restarts) init(f *Function, name string) {
	x.over = f.e.Register(name+" restarted", func(round uint64) {
		if round == x.round {
			f.resetting = false
			f.e.Fire(x.done)
		}
	})
}

// ConventionalReset implements hw.Function (section 6.6.1): cold when power
// comes back, which leaves nothing, else hot, which keeps sticky registers. As
// in a function-level reset nobody answers until the device reports back; then
// done fires. A later reset of either sort takes an earlier one's place.
func (f *Function) ConventionalReset(cold bool, done sim.Call) {
	x := &f.restarts
	x.round++
	x.done = done
	f.cfg.restart(!cold)
	if !cold { // a function-level reset alone keeps these
		f.cfg.set(regDevCtl, 2, 0xffff, uint32(f.cfg.reset[regDevCtl])|uint32(f.cfg.reset[regDevCtl+1])<<8)
	}
	f.msix.reset()
	f.resetting = true
	over := sim.Call{H: x.over, Arg: x.round}
	if f.onReset == nil {
		f.e.After(0, over)
		return
	}
	f.onReset(over)
}

// ReadsPending implements hw.Awaiter: it reports whether the function waits for
// completions, as its Transactions Pending bit shows (section 7.5.3.5).
func (l *Link) ReadsPending() bool { return l.reading > 0 || l.watch.oldest != none }

// OnErrors says who takes error messages at the root port, which come a
// latency after the function has sent them (section 2.2.8.3).
func (l *Link) OnErrors(fn func(Severity)) { l.onErrors = fn }

// SendError implements rootPort: it carries an error message of the function to
// the root port. One that is sent into a link that is down is lost.
func (l *Link) SendError(s Severity) {
	if !l.gone && l.onErrors != nil {
		l.e.After(l.c.Latency, sim.Call{H: l.errorArrived, Arg: uint64(s)})
	}
}
