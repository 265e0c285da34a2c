package npudrv

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// powerOps is the driver's power management: D3hot when idle, with everything
// kept, and D3cold with the system, for which buffers move to host memory.
func (d *Device) powerOps() fw.PowerOps {
	return fw.PowerOps{RuntimeSuspend: d.runtimeSuspend, RuntimeResume: d.runtimeResume,
		Prepare: d.prepareSleep, Suspend: d.sleep, Resume: d.wake}
}

// settled refuses a suspend during a reset, and that of a device given up.
func (d *Device) settled() error {
	if d.resets.State != resetOK || d.frozen {
		return fmt.Errorf("suspend while the device is %s: %w", states[d.resets.State], unix.EBUSY)
	}
	return nil
}

// quietRings reports why the device cannot sleep now: a reset is under way, or
// jobs have not ended.
func (d *Device) quietRings() error {
	if err := d.settled(); err != nil {
		return err
	}
	for _, r := range d.rings {
		if err := r.sched.Idle(); err != nil {
			return fmt.Errorf("suspend with jobs: %v: %w", err, unix.EBUSY)
		}
	}
	return nil
}

func (d *Device) runtimeSuspend() error {
	if err := d.quietRings(); err != nil {
		return err
	}
	if err := d.bus.SetPower(hw.D3hot); err != nil {
		d.log("presi %s: suspend: %v", d.Address, err)
		return err
	}
	return nil
}

// runtimeResume leaves D3hot. A device that has lost its power meanwhile is
// programmed again; one that does not come back is given up.
func (d *Device) runtimeResume() {
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	d.mmuLock.Lock()
	defer d.mmuLock.Unlock()
	err := d.bus.SetPower(hw.D0)
	if err == nil {
		switch d.read(regBootStatus) & 0xf {
		case abi.BootReady:
			d.write(regMask, intrMask) // causes that came meanwhile interrupt now
			return
		default:
			if err = d.bringUp(); err == nil {
				d.restartLost(nil, nil)
				return
			}
		}
	}
	d.wedge(fmt.Errorf("resume: %w: %w", err, unix.EIO))
}

// sleepTimeout is how long jobs may take to end before the system sleeps, in ns
// on silicon.
const sleepTimeout = 10e9

// prepareSleep waits for jobs and moves every buffer out of device memory.
func (d *Device) prepareSleep() error {
	err := d.poll("jobs to end", sleepTimeout*d.timeScale(), 1e6, func() (bool, error) {
		if err := d.settled(); err != nil {
			return false, err
		}
		return d.quietRings() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("suspend: %v: %w", err, unix.EBUSY)
	}
	for err == nil {
		err = d.evictOne()
	}
	if !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("suspend: %w", err)
	}
	return d.empty()
}

// empty reports a buffer that is left in device memory.
func (d *Device) empty() error {
	for _, o := range d.objects {
		if b := o.Private.(*bo); b.pages == nil {
			return fmt.Errorf("suspend: %d bytes stay in device memory: %w", b.size, unix.ENOSPC)
		}
	}
	return nil
}

func (d *Device) sleep() error {
	if err := errors.Join(d.quietRings(), d.empty()); err != nil {
		return err
	}
	d.stopAll()
	err := d.bus.SetPower(hw.D3cold)
	if err != nil {
		for _, r := range d.rings {
			r.sched.Start()
		}
	}
	return err
}

// wake programs the device again.
func (d *Device) wake() {
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	d.mmuLock.Lock()
	defer d.mmuLock.Unlock()
	err := d.bus.SetPower(hw.D0)
	if err == nil {
		err = d.bringUp()
	}
	if err != nil {
		d.wedge(fmt.Errorf("resume: %w: %w", err, unix.EIO))
		return
	}
	d.restartLost(nil, nil)
}

// awake is an attribute that reads the hardware: EBUSY while the device sleeps, is
// frozen or is in a function-level reset, EIO when it is given up. Narrower resets
// leave the registers to read.
func (d *Device) awake(show func() ([]byte, error)) fw.Attr {
	return fw.Attr{Show: func() ([]byte, error) {
		if !d.EnterActive() {
			return nil, unix.EBUSY
		}
		defer d.Exit()
		switch {
		case d.frozen || d.dark:
			return nil, unix.EBUSY
		case d.resets.State == resetWedged:
			return nil, unix.EIO
		}
		return show()
	}}
}

// storeReset is debugfs's reset, which wakes the device.
func (d *Device) storeReset([]byte) error {
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	return d.forceReset()
}
