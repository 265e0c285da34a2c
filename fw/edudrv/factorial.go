package edudrv

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

// computation is a factorial for a caller, who may have gone when it ends.
type computation struct {
	n, result uint32
	err       error
	done      bool
}

// lookNS is how long a waiter trusts that an interrupt comes.
const lookNS = 10e6

// startFactorials makes the queue of those who wait for the unit.
func (d *Device) startFactorials() error {
	d.computed = d.bus.NewWaitQueue()
	return nil
}

// factorial waits for the unit, starts it and waits for its result, until an
// absolute time. It waits outside of sections, as what n costs is for programs to
// choose, and Unplug waits for sections.
func (d *Device) factorial(f *fw.File, n uint32, until int64) (uint32, error) {
	c := &computation{n: n}
	for {
		started, err := d.start(c)
		if err != nil {
			return 0, err
		}
		if started {
			break
		}
		if err := d.await(f, until); err != nil {
			return 0, err
		}
	}
	for !c.done {
		if err := d.await(f, until); err != nil && !c.done {
			return 0, err
		}
	}
	return c.result, c.err
}

// start gives the unit a computation, if it is free.
func (d *Device) start(c *computation) (bool, error) {
	if !d.Enter() {
		return false, unix.ENODEV
	}
	defer d.Exit()
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.computing != nil {
		return false, nil
	}
	d.computing = c
	d.write(regStatus, statusInterrupt)
	d.write(regFactorial, c.n)
	return true, nil
}

// await waits until the unit's state changes: ETIME when the time has passed, EINTR
// after a signal, ENODEV when the device has gone.
func (d *Device) await(f *fw.File, until int64) error {
	err := f.Wait(d.computed, "a factorial", min(until, d.bus.Now()+lookNS))
	if err != unix.ETIME || d.bus.Now() >= until {
		return err
	}
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	d.service()
	return nil
}

// takeFactorial reads the result, if it is there. The lock is held.
func (d *Device) takeFactorial() {
	if d.read(regStatus)&statusComputing == 0 {
		d.endFactorial(d.read(regFactorial), nil)
	}
}

// endFactorial tells whoever waits.
func (d *Device) endFactorial(result uint32, err error) {
	if c := d.computing; c != nil {
		c.result, c.err, c.done = result, err, true
		d.computing = nil
	}
	d.computed.WakeAll()
}
