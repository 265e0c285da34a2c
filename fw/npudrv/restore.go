package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// recoveries counts what each step of the recovery ladder has achieved.
type recoveries struct {
	queue, compute, function, slot, wedged uint32
	corrected, nonfatal, fatal             uint32 // errors that the bus reported
	heartbeat, thermal, memory             uint32 // events that the device reported
}

// recoverFunction is the last step before the device is given up: a function-level
// reset. Device memory is lost, so contexts that had buffers there are killed; the
// others go on with what had not reached the hardware. The caller has locked mmuLock,
// which is let go when the function answers, or will not.
func (d *Device) recoverFunction(guilty *job, why error) {
	d.log("presi %s: %v: function-level reset", d.Address, why)
	d.dark = true
	err := d.bus.ResetFunction()
	if err == nil {
		err = d.bringUp()
	}
	if err != nil {
		d.resets.State = resetWedged // before anybody who waits for the lock asks the MMU for anything
	}
	d.dark = false
	d.mmuLock.Unlock()
	d.thawed.WakeAll()
	if err != nil {
		d.wedge(fmt.Errorf("%w; after a function-level reset: %w", why, err))
		return
	}
	d.recoveries.function++
	d.hasReset()
	d.restartLost(guilty, why)
}

// intrMask is the causes that interrupt.
const intrMask = abi.CauseFault | abi.CauseReset | abi.CauseThermal | abi.CauseMailbox | abi.CauseMemory | abi.CauseMgmt

// bringUp programs a device that is as after power-on, but for its rings: boot,
// page tables and contexts from their shadows, fault ring, interrupts. The caller
// holds mmuLock.
func (d *Device) bringUp() error {
	if id := d.read(regID); id != abi.DeviceID<<16|abi.VendorID {
		return fmt.Errorf("registers answer %08x: %w", id, unix.EIO)
	}
	if err := d.boot(); err != nil {
		return err
	}
	if err := d.resetCompute(); err != nil {
		return err
	}
	d.silent = false // it has booted
	d.restoreTables()
	d.write(regMask, intrMask)
	return nil
}

// restoreTables writes context table and page tables again: all there are, also
// those that are about to be linked.
func (d *Device) restoreTables() {
	d.bus.WriteBAR(abi.BARMemory, d.contexts, make([]byte, d.contextBytes()))
	for _, t := range d.pages {
		if t != nil {
			d.bus.WriteBAR(abi.BARMemory, t.at, t.bytes())
		}
	}
	for _, s := range d.spaces {
		if s != nil {
			s.setContext(s.context())
		}
	}
}

// restartLost enables the rings of a device that has lost its memory. What was on
// the hardware has failed.
func (d *Device) restartLost(guilty *job, why error) {
	for _, f := range d.Files() {
		if c, ok := f.Private.(*client); ok && c.hadMemory() {
			c.kill()
		}
	}
	d.convict(guilty, d.rings)
	for _, r := range d.rings {
		flying := r.flying
		r.flying = nil
		r.start()
		for _, j := range flying {
			if j == guilty {
				j.hardware.Signal(why)
				continue
			}
			j.hardware.Signal(fmt.Errorf("job %d was ended by a reset that was not its own: %w", j.seqno, unix.EIO))
		}
	}
	for _, r := range d.rings {
		r.sched.Start()
	}
}

// hadMemory reports whether a context has buffers in device memory.
func (c *client) hadMemory() bool {
	for o := range c.mapped {
		if o.Private.(*bo).pages == nil {
			return true
		}
	}
	return false
}

// showRecovery is debugfs's recovery: the ladder's steps that succeeded, the errors
// of the bus, and the events of the device.
func (d *Device) showRecovery() ([]byte, error) {
	x := &d.recoveries
	return fmt.Appendf(nil, "queue %d\ncompute %d\nfunction %d\nslot %d\nwedged %d\ncorrected %d\nnonfatal %d\nfatal %d\nheartbeat %d\nthermal %d\nmemory %d\n",
		x.queue, x.compute, x.function, x.slot, x.wedged, x.corrected, x.nonfatal, x.fatal, x.heartbeat, x.thermal, x.memory), nil
}
