// Package edudrv drives QEMU's edu card through the accel framework: the driver
// that docs/drivers.md writes from zero, step by step. It reaches the card through
// hw.Bus alone.
package edudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
)

// Device is the driver's state of one card.
type Device struct {
	*fw.Device
	bus     hw.Bus
	log     func(format string, args ...any)
	version uint32
	lock    hw.Mutex // over register accesses that belong together

	computing *computation // what the factorial unit is at, nil when it is free
	computed  hw.WaitQueue // woken when that changes

	copies *fw.Scheduler
	active *transfer // what the DMA unit is at
	resets int
}

var driver = &fw.Driver{
	Name: "edu", Desc: "educational PCI card", Date: "20261122", Major: 1,
	Features: fw.FeatureAccel | fw.FeatureGEM | fw.FeatureSyncobj,
	Open:     open, PostClose: postClose, FDInfo: fdInfo, Ioctls: ioctls,
}

// Probe binds the driver to a card: on success its node is open to programs. A
// failure at any step undoes the steps before it. logf takes the driver's
// messages; nil drops them.
func Probe(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (*Device, error) {
	if logf == nil {
		logf = func(string, ...any) {}
	}
	base, err := class.NewDevice(driver, bus.Address())
	if err != nil {
		return nil, err
	}
	d := &Device{Device: base, bus: bus, log: logf, lock: bus.NewMutex()}
	base.Private = d
	for _, step := range d.steps() {
		if err := step(); err != nil {
			d.Unbind() // what ManageBound has collected
			d.Put()    // what Manage has
			return nil, fmt.Errorf("probe of %s: %w", bus.Address(), err)
		}
	}
	return d, nil
}

// steps are those of a probe. The last one makes the device visible: programs may
// come at once.
func (d *Device) steps() []func() error {
	return []func() error{d.enable, d.identify, d.startFactorials, d.requestInterrupt, d.startScheduler, d.register}
}

// enable turns the card on: memory decoding, bus mastering, the DMA mask, and a
// reset, since nobody knows what was done to it before.
func (d *Device) enable() error {
	if id := d.bus.ConfigRead(pciID, 4); id != deviceID<<16|vendorID {
		return fmt.Errorf("device %08x is not %04x:%04x: %w", id, vendorID, deviceID, unix.ENODEV)
	}
	d.bus.ConfigWrite(pciCommand, 2, commandMemory|commandMaster)
	d.ManageBound(func() { d.bus.ConfigWrite(pciCommand, 2, 0) })
	if err := d.bus.SetDMAMask(dmaBits); err != nil {
		return fmt.Errorf("%w: %w", err, unix.EIO)
	}
	if err := d.bus.ResetFunction(); err != nil {
		return fmt.Errorf("%w: %w", err, unix.EIO)
	}
	return nil
}

// identify checks that the registers are an edu card's, and alive.
func (d *Device) identify() error {
	d.version = d.read(regIdentification)
	if d.version&0xffff != 0x00ed {
		return fmt.Errorf("BAR0 answers %08x, which is no edu card: %w", d.version, unix.ENODEV)
	}
	const value = 0x5a5a0ff0
	if answer := d.invert(value); answer != ^uint32(value) {
		return fmt.Errorf("liveness: %08x inverted is %08x: %w", value, answer, unix.EIO)
	}
	return nil
}

// invert has the card invert a value. The two accesses belong together.
func (d *Device) invert(v uint32) uint32 {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.write(regLiveness, v)
	return d.read(regLiveness)
}

// register makes the device visible, with all that it shows.
func (d *Device) register() error {
	if err := d.Register(); err != nil {
		return err
	}
	d.show()
	return nil
}

// Remove unbinds the driver: no program gets in any more, waits end with ENODEV,
// and the card neither interrupts nor masters the bus. What files hold goes when
// they are closed.
func (d *Device) Remove() {
	d.Unplug()
	d.endFactorial(0, unix.ENODEV)
	d.stopDMA()
	d.Unbind()
	d.Put()
}
