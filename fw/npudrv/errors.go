package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// handleErrors has the bus tell the driver of errors and of resets that are not
// its own.
func (d *Device) handleErrors() error {
	d.bus.SetErrorHandlers(&hw.ErrorHandlers{
		ErrorDetected: d.errorDetected, MMIOEnabled: d.registersEnabled, SlotReset: d.slotReset, Resume: d.resume,
		ResetPrepare: d.resetPrepare, ResetDone: d.resetDone,
		Corrected: func() { d.recoveries.corrected++ },
	})
	d.ManageBound(func() { d.bus.SetErrorHandlers(nil) })
	return nil
}

// freeze keeps everybody off the hardware until thaw: schedulers are stopped,
// resets and invalidations wait. False: the device is gone, or given up.
func (d *Device) freeze(why string) bool {
	if !d.Enter() {
		return false
	}
	d.resetLock.Lock()
	if d.resets.State == resetWedged {
		d.resetLock.Unlock()
		d.Exit()
		return false
	}
	d.mmuLock.Lock()
	d.log("presi %s: %s", d.Address, why)
	d.frozen = true
	d.resets.State = resetBusy
	d.stopAll()
	return true
}

// resetPrepare comes before a function-level reset that somebody else asked for.
func (d *Device) resetPrepare() {
	if d.freeze("a function-level reset") {
		d.prepared = true
		d.dump("a function-level reset comes", d.rings...)
	}
}

// resetDone follows, unless the device was given up before.
func (d *Device) resetDone() {
	if d.prepared {
		d.slotReset()
	}
}

// thaw lets everybody on again; the state says what is left.
func (d *Device) thaw() {
	d.frozen, d.prepared = false, false
	d.thawed.WakeAll()
	d.mmuLock.Unlock()
	d.resetLock.Unlock()
	d.Exit()
}

// errorDetected: an error that is not fatal leaves the registers to look at; a
// frozen channel needs a reset; one that is dead for good is the end.
func (d *Device) errorDetected(channel hw.ChannelState) hw.Recovery {
	switch channel {
	case hw.ChannelNormal:
		d.recoveries.nonfatal++
		d.log("presi %s: the bus reports an error that is not fatal", d.Address)
		return hw.CanRecover
	case hw.ChannelFrozen:
		d.recoveries.fatal++
		if !d.freeze("the bus reports a fatal error") {
			return hw.Disconnect
		}
		d.dump("the bus is frozen")
		return hw.NeedReset
	}
	if mine := d.frozen && !d.prepared; !mine && !d.freeze("the bus is lost for good") {
		return hw.Disconnect
	}
	d.wedge(fmt.Errorf("an error of the bus is permanent: %w", unix.EIO))
	d.thaw()
	return hw.Disconnect
}

// registersEnabled looks whether the device still answers.
func (d *Device) registersEnabled() hw.Recovery {
	if !d.Enter() {
		return hw.Disconnect
	}
	defer d.Exit()
	if d.resets.State == resetWedged {
		return hw.Disconnect
	}
	if d.read(regID) != ^uint32(0) {
		return hw.Recovered
	}
	if !d.freeze("the device does not answer") {
		return hw.Disconnect
	}
	return hw.NeedReset
}

// slotReset programs the device that somebody else has reset.
func (d *Device) slotReset() hw.Recovery {
	if !d.frozen {
		return hw.Disconnect
	}
	if err := d.bringUp(); err != nil {
		d.wedge(err)
		d.thaw()
		return hw.Disconnect
	}
	d.recoveries.slot++
	d.hasReset()
	d.restartLost(nil, nil)
	d.thaw()
	return hw.Recovered
}

// resume is the end of a recovery.
func (d *Device) resume() { d.log("presi %s: recovered from an error of the bus", d.Address) }
