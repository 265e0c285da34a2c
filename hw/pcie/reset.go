package pcie

import "github.com/presi-sim/presi/sim"

// InReset reports whether a function-level reset is under way.
func (f *Function) InReset() bool { return f.resetting }

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
// entered (section 7.5.2.2), and sends what D3hot has held.
func (f *Function) powerWritten(old, now uint32) {
	if state := now & 3; state == 1 || state == 2 {
		f.cfg.set(regPMCSR, 2, 3, old)
		return
	}
	if old&3 != now&3 {
		f.flush()
	}
}
