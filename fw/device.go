package fw

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// Features a driver claims.
const (
	FeatureAccel   = 1 << 0 // a compute accelerator: the accel node
	FeatureRender  = 1 << 1 // excluded by FeatureAccel
	FeatureModeset = 1 << 2 // excluded by FeatureAccel
	FeatureGEM     = 1 << 3 // buffer objects
	FeatureSyncobj = 1 << 4 // syncobjs and timelines
)

// Driver is what a driver gives the framework: constant data and functions.
type Driver struct {
	Name, Desc, Date    string
	Major, Minor, Patch int32
	Features            uint32
	// Open makes the driver's state of a file and PostClose releases it, also
	// when the device is gone; the file's handles are gone by then. When Open fails
	// the handles that it has made go, without PostClose.
	Open      func(f *File) error
	PostClose func(f *File)
	// OpenObject is told when a file gets its first handle of an object, by import
	// say: the file's program reaches the memory from now on. May be nil.
	OpenObject func(f *File, o *Object)
	// CloseObject is told when a file's last handle of an object goes; jobs may
	// still use it. May be nil.
	CloseObject func(f *File, o *Object)
	// FDInfo adds the driver's lines to a file's fdinfo. May be nil.
	FDInfo func(f *File, w io.Writer)
	// Ioctls are the driver's own, by number from abi.CommandBase on. They bracket
	// what touches the hardware with Enter and Exit, and never wait in between for
	// what a program decides.
	Ioctls map[uint32]Ioctl
}

// Ioctl is one entry of a dispatch table. The argument has Size bytes,
// zero-extended from a shorter struct of the caller; what it holds afterwards
// goes back to the caller.
type Ioctl struct {
	Name string
	Size int
	Fn   func(f *File, arg []byte) error

	wakes bool // the device, which it keeps awake until it ends
}

// Class is the accel class of a system: minors and nodes.
type Class struct {
	// Sys and Debug are what a system shows at /sys and /sys/kernel/debug.
	Sys, Debug *Tree

	kernel    hw.Kernel
	minors    [MaxMinors]*Device
	clients   uint64
	dumps     int
	listeners []func(Uevent)
	trace     func(Tracepoint)
	calls     []*call
	spare     []*call
	sections  func(step int)
}

// Numbers of the character device.
const (
	Major     = 261 // ACCEL_MAJOR
	MaxMinors = 256
)

// NewClass returns a class without devices.
func NewClass(k hw.Kernel) *Class { return &Class{kernel: k, Sys: NewTree(), Debug: NewTree()} }

// Device is a registered accelerator. Allocate its resources with Manage, then
// Register last.
type Device struct {
	class   *Class
	kernel  hw.Kernel
	driver  *Driver
	Minor   int
	Address string // of its bus, "0000:01:00.0"
	// Private is the driver's state of the device.
	Private any

	ioctls     *[256]*Ioctl
	managed    managed // until the last reference goes
	bound      managed // until the driver lets go of the device
	refs       int     // files, objects and the registration
	registered bool
	unplugged  bool
	inside     int // sections between Enter and Exit
	quiet      hw.WaitQueue
	files      []*File
	offsets    offsets
	dump       string // in sysfs, the core dump that can be read
	dumpAt     int64
	power      *power // nil: none
	woken      hw.WaitQueue
	onReserve  func() error
}

// NewDevice returns a device of a driver, not yet visible.
func (c *Class) NewDevice(driver *Driver, address string) (*Device, error) {
	if driver.Features&FeatureAccel != 0 && driver.Features&(FeatureRender|FeatureModeset) != 0 {
		return nil, errnof(unix.EINVAL, "driver %s claims accel together with render or modeset", driver.Name)
	}
	d := &Device{class: c, kernel: c.kernel, driver: driver, Address: address, Minor: -1, refs: 1,
		quiet: c.kernel.NewWaitQueue(), ioctls: driver.dispatch()}
	return d, nil
}

// Manage has fn called when the device is released: after the last file is
// closed, in reverse order (drmm_add_action). For what files still use.
func (d *Device) Manage(fn func()) { d.managed.add(fn) }

// ManageBound has fn called by Unbind, in reverse order (devm_add_action). For
// what belongs to the hardware: interrupts, DMA memory, bus mastering.
func (d *Device) ManageBound(fn func()) { d.bound.add(fn) }

// Unbind ends the driver's hold on the hardware. Nobody is inside a section.
func (d *Device) Unbind() { d.bound.release() }

// Register makes the device visible under the lowest free minor.
func (d *Device) Register() error {
	for i, other := range d.class.minors {
		if other == nil {
			d.Minor, d.registered = i, true
			d.class.minors[i] = d
			d.get()
			d.publish()
			return nil
		}
	}
	return errnof(unix.ENOSPC, "all %d accel minors are taken", MaxMinors)
}

// Node is the path of the device's node.
func (d *Device) Node() string { return fmt.Sprintf("/dev/accel/accel%d", d.Minor) }

// Unplug makes the device unreachable: opens, ioctls and mmap give ENODEV, and
// mappings EIO. Ioctls that wait for what programs decide end. It returns when
// nobody is inside a section any more.
func (d *Device) Unplug() {
	if d.unplugged {
		return
	}
	d.unplugged = true
	d.class.wake(func(x *call) bool { return x.file.Dev == d })
	for d.inside > 0 {
		d.quiet.Wait("sections of " + d.driver.Name + " to end")
	}
	if d.registered {
		d.withdraw()
		d.class.minors[d.Minor] = nil
		d.registered = false
		d.Put()
	}
}

// OnSection has fn told, for tests, when the current thread enters (1) or leaves
// (-1) what may touch the hardware: a section, or an operation of power management.
func (c *Class) OnSection(fn func(step int)) { c.sections = fn }

func (d *Device) section(step int) {
	if d.class.sections != nil {
		d.class.sections(step)
	}
}

// Enter begins a section that touches hardware, and wakes the device for it; false
// when it is gone.
func (d *Device) Enter() bool {
	if d.unplugged {
		return false
	}
	d.PowerGet()
	if !d.hold() {
		d.PowerPut()
		return false
	}
	d.section(1)
	return true
}

// hold begins a section that touches no hardware but must not outlive the device.
func (d *Device) hold() bool {
	if d.unplugged {
		return false
	}
	d.inside++
	return true
}

// drop ends what hold has begun.
func (d *Device) drop() {
	if d.inside--; d.inside == 0 && (d.unplugged || d.power != nil && d.power.asleep) {
		d.quiet.WakeAll()
	}
}

// Exit ends a section.
func (d *Device) Exit() {
	d.section(-1)
	d.drop()
	d.PowerPut()
}

// Unplugged reports whether Unplug has begun.
func (d *Device) Unplugged() bool { return d.unplugged }

func (d *Device) get() { d.refs++ }

// Put drops a reference. The one held since NewDevice is the driver's.
func (d *Device) Put() {
	if d.refs--; d.refs == 0 {
		d.managed.release()
	}
}

func (d *Device) forget(f *File) {
	for i, x := range d.files {
		if x == f {
			d.files = append(d.files[:i], d.files[i+1:]...)
			return
		}
	}
}

// Files returns the open files, oldest first.
func (d *Device) Files() []*File { return append([]*File(nil), d.files...) }

// Open opens the node of a minor for a program. ENODEV: there is no such node,
// or its device is gone; EBUSY: an exclusive open.
func (c *Class) Open(minor int, user UserMemory, flags ...OpenFlags) (*File, error) {
	if minor < 0 || minor >= MaxMinors || c.minors[minor] == nil {
		return nil, errnof(unix.ENODEV, "/dev/accel/accel%d", minor)
	}
	var all OpenFlags
	for _, f := range flags {
		all |= f
	}
	return c.minors[minor].open(user, all)
}
