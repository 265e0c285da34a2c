package fw

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PowerOps are what a driver does for power management (dev_pm_ops). They run in
// a thread, one at a time, and call neither Enter nor PowerGet, apart from
// Prepare.
type PowerOps struct {
	// RuntimeSuspend puts a device to sleep that nobody uses; an error refuses.
	RuntimeSuspend func() error
	// RuntimeResume wakes it. A device that does not wake is the driver's to give
	// up: callers go on and get its errors.
	RuntimeResume func()
	// Prepare comes before Suspend, with the hardware at work and programs kept
	// out: it waits for jobs and saves what is lost without power. An error
	// refuses.
	Prepare func() error
	// Suspend and Resume are those of the whole system; power may be off between.
	Suspend func() error
	Resume  func()
}

// PowerStats counts changes of power.
type PowerStats struct {
	Suspends, Resumes int // by idleness and use
	Sleeps            int // of the system
	Refused           int // by the driver
}

type powerState uint8

const (
	powerActive powerState = iota
	powerSuspending
	powerSuspended
	powerResuming
)

var powerNames = [...]string{"active", "suspending", "suspended", "resuming"}

// power is the runtime power management of a device. It starts with the
// reference of "on", as the kernel does for PCI devices: it never suspends until
// somebody writes "auto" to power/control.
type power struct {
	ops    PowerOps
	state  powerState
	on     bool
	users  int
	delay  int64 // ns of idleness
	idle   int64 // since, ns
	armed  bool
	asleep bool // the system: programs wait
	stats  PowerStats
}

// DefaultAutosuspend is how long a device is idle before it suspends, in ns.
const DefaultAutosuspend = 100e6

// EnablePower turns power management on, before Register.
func (d *Device) EnablePower(ops PowerOps) {
	d.power = &power{ops: ops, on: true, users: 1, delay: DefaultAutosuspend}
	d.woken = d.kernel.NewWaitQueue()
}

// PowerStats returns the counters.
func (d *Device) PowerStats() PowerStats { return d.power.stats }

// PowerUsers returns how many references keep the device awake, for tests.
func (d *Device) PowerUsers() int { return d.power.users }

// Suspended reports whether the device sleeps.
func (d *Device) Suspended() bool { return d.power != nil && d.power.state == powerSuspended }

// PowerGet takes a reference that keeps the device awake, and wakes it.
func (d *Device) PowerGet() {
	p := d.power
	if p == nil {
		return
	}
	p.users++
	for p.state != powerActive {
		if p.state == powerSuspended && !p.asleep {
			p.state = powerResuming
			d.section(1)
			p.ops.RuntimeResume()
			d.section(-1)
			p.stats.Resumes++
			d.setPower(powerActive)
			return
		}
		d.woken.Wait("the device to wake up")
	}
}

// PowerPut gives a reference back. With the last the autosuspend delay begins.
func (d *Device) PowerPut() {
	p := d.power
	if p == nil {
		return
	}
	if p.users--; p.users == 0 {
		p.idle = d.kernel.Now()
		d.armPower(p.delay)
	}
}

func (d *Device) setPower(s powerState) {
	d.power.state = s
	d.woken.WakeAll()
}

// armPower looks at the device after a while. One timer is enough: it arms
// itself again when the device was used meanwhile.
func (d *Device) armPower(ns int64) {
	p := d.power
	if p.armed || d.unplugged {
		return
	}
	p.armed = true
	d.kernel.Timer("autosuspend", max(ns, 1), func() {
		p.armed = false
		if p.users > 0 || p.state != powerActive || d.unplugged {
			return
		}
		if left := p.idle + p.delay - d.kernel.Now(); left > 0 {
			d.armPower(left)
			return
		}
		d.autosuspend()
	})
}

// autosuspend puts an idle device to sleep. A driver that refuses is asked again
// when the delay is over once more.
func (d *Device) autosuspend() {
	p := d.power
	p.state = powerSuspending
	d.section(1)
	err := p.ops.RuntimeSuspend()
	d.section(-1)
	if err != nil {
		p.stats.Refused++
		d.setPower(powerActive)
		if p.users == 0 {
			p.idle = d.kernel.Now()
			d.armPower(p.delay)
		}
		return
	}
	p.stats.Suspends++
	d.setPower(powerSuspended)
}

// EnterActive is Enter for those who must not wake the device: false, too, when
// it sleeps. Interrupt handlers and sensors use it.
func (d *Device) EnterActive() bool {
	if p := d.power; p != nil && p.state != powerActive {
		return false
	}
	return d.Enter()
}

// awaitSystem keeps a program out while the system sleeps.
func (d *Device) awaitSystem() {
	for d.power != nil && d.power.asleep {
		d.woken.Wait("the system to wake up")
	}
}

// Suspend puts the device to sleep with the system: programs are kept out, jobs
// end, and the power may go. The driver may refuse, EBUSY say; then everything is
// as before.
func (d *Device) Suspend() error {
	p := d.power
	if p == nil || p.asleep || d.unplugged {
		return errnof(unix.EBUSY, "suspend of %s", d.Address)
	}
	d.PowerGet()
	p.asleep = true
	err := p.ops.Prepare()
	if err == nil {
		for d.inside > 0 {
			d.quiet.Wait("sections of " + d.driver.Name + " to end")
		}
		p.state = powerSuspending
		d.section(1)
		err = p.ops.Suspend()
		d.section(-1)
	}
	if err != nil {
		p.stats.Refused++
		p.asleep = false
		d.setPower(powerActive)
		d.PowerPut()
		return err
	}
	p.stats.Sleeps++
	p.state = powerSuspended
	return nil
}

// Resume wakes what Suspend has put to sleep.
func (d *Device) Resume() {
	p := d.power
	if p == nil || !p.asleep || p.state != powerSuspended {
		return
	}
	p.state = powerResuming
	d.section(1)
	p.ops.Resume()
	d.section(-1)
	p.asleep = false
	d.setPower(powerActive)
	d.PowerPut()
}

// publishPower makes what sysfs shows below device/power.
func (d *Device) publishPower() {
	p := d.power
	if p == nil {
		return
	}
	d.SysAttr("power/runtime_status", Attr{Show: func() ([]byte, error) {
		return fmt.Appendf(nil, "%s\n", powerNames[p.state]), nil
	}})
	d.SysAttr("power/control", Attr{
		Show: func() ([]byte, error) {
			if p.on {
				return []byte("on\n"), nil
			}
			return []byte("auto\n"), nil
		},
		Store: d.storeControl,
	})
	d.SysAttr("power/autosuspend_delay_ms", Attr{
		Show: func() ([]byte, error) { return fmt.Appendf(nil, "%d\n", p.delay/1e6), nil },
		Store: func(text []byte) error {
			ms, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 31)
			if err != nil {
				return errnof(unix.EINVAL, "autosuspend delay %q: a number of milliseconds", text)
			}
			p.delay = int64(ms) * 1e6
			return nil
		},
	})
}

// storeControl is "auto", which lets the device suspend, or "on".
func (d *Device) storeControl(text []byte) error {
	p := d.power
	switch strings.TrimSpace(string(text)) {
	case "auto":
		if p.on {
			p.on = false
			d.PowerPut()
		}
	case "on":
		if !p.on {
			p.on = true
			d.PowerGet()
		}
	default:
		return errnof(unix.EINVAL, "power control %q: on or auto", text)
	}
	return nil
}
