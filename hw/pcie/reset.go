package pcie

import "github.com/presi-sim/presi/sim"

// OnReset says who resets the device at a function-level reset; it is to fire
// done when the device is as after power-on. Without one the reset is over at
// once.
func (f *Function) OnReset(reset func(done sim.Call)) { f.onReset = reset }

// OnPower says who is told when the function leaves D0 (false) and returns to
// it (true).
func (f *Function) OnPower(fn func(on bool)) { f.onPower = fn }

// Pending says who knows whether reads of the device are outstanding; it shows
// in DevSta (section 7.5.3.5).
func (f *Function) Pending(fn func() bool) { f.pending = fn }

// InReset reports whether a function-level reset is under way.
func (f *Function) InReset() bool { return f.resetting }

// PowerOn returns the function to its power-on state, sticky registers too: a
// conventional reset.
func (f *Function) PowerOn() {
	f.cfg.restart(false)
	f.msix.reset()
}

// controlWritten starts a function-level reset when bit 15 of DevCtl is written
// (section 6.6.2). Until the device reports back, its BARs read all ones, its
// DMA is refused, and Transactions Pending shows. The bit reads zero.
func (f *Function) controlWritten(_, now uint32) {
	f.cfg.set(regDevCtl, 2, controlReset, 0)
	if now&controlReset == 0 || f.resetting {
		return
	}
	f.stats.Resets++
	f.resetting = true
	f.cfg.restart(true)
	f.msix.reset()
	done := sim.Call{H: f.resetDone, Arg: uint64(f.stats.Resets)}
	if f.onReset == nil {
		f.e.After(0, done)
		return
	}
	f.onReset(done)
}

func (f *Function) onResetDone(n uint64) {
	if n == uint64(f.stats.Resets) {
		f.resetting = false
	}
}

// powerWritten keeps D1 and D2, which the function does not have, from being
// entered (section 7.5.2.2), and tells the device of changes.
func (f *Function) powerWritten(old, now uint32) {
	if state := now & 3; state == 1 || state == 2 {
		f.cfg.set(regPMCSR, 2, 3, old)
		return
	}
	if old&3 == now&3 {
		return
	}
	if f.onPower != nil {
		f.onPower(now&3 == 0)
	}
	f.flush()
}
