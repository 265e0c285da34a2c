package fw

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// AnyID matches every vendor or device (PCI_ANY_ID).
const AnyID = 0xffffffff

// ID says which functions a driver serves (struct pci_device_id): a vendor and a
// device, either of which may be AnyID, and the bits of the class code (base class,
// subclass, interface: 24 bits) that ClassMask selects; without a mask any class.
type ID struct {
	Vendor, Device   uint32
	Class, ClassMask uint32
}

// matches reports whether the row of a driver's table describes a function.
func (id ID) matches(f ID) bool {
	return (id.Vendor == AnyID || id.Vendor == f.Vendor) && (id.Device == AnyID || id.Device == f.Device) &&
		(id.Class^f.Class)&id.ClassMask == 0
}

// Bound is a driver's hold on a function.
type Bound interface {
	// Remove ends it. It runs in a process.
	Remove()
}

// DriverEntry is how a driver makes itself known to the system (struct pci_driver).
type DriverEntry struct {
	Name string
	IDs  []ID
	// Probe takes a function, or leaves it as it was and says why. It runs in a
	// process. What it gives is the registry's to remove.
	Probe func(c *Class, bus hw.Bus) (Bound, error)
}

func (e *DriverEntry) serves(f ID) bool {
	return slices.ContainsFunc(e.IDs, func(id ID) bool { return id.matches(f) })
}

// Registry is the driver core: the functions that are on the system's buses and the
// drivers that serve them, brought together by id. It shows both in the class's Sys,
// at bus/pci. Functions and drivers may arrive in any order: whichever comes second
// finds the first. Of several drivers that match, the one registered first is asked
// first, and the next when it fails.
//
// Methods that bind or unbind run in a process, as drivers wait for the hardware;
// RegisterDriver before the first AddDevice may run anywhere.
type Registry struct {
	class     *Class
	drivers   []*DriverEntry // in order of registration
	functions []*Function    // in order of arrival
}

// NewRegistry returns one without functions and drivers.
func NewRegistry(c *Class) *Registry { return &Registry{class: c} }

// Function is a device as the registry has it.
type Function struct {
	ID  ID // as its configuration space has it; ClassMask is 0
	bus hw.Bus

	lock   hw.Mutex // over binding and unbinding (device_lock)
	gone   bool
	driver *DriverEntry // nil: it waits for one
	bound  Bound
	err    error
}

// Address is the function's bus address.
func (f *Function) Address() string { return f.bus.Address() }

// Driver is the name of the driver that has the function, "" when none has.
func (f *Function) Driver() string {
	if f.driver == nil {
		return ""
	}
	return f.driver.Name
}

// Bound is what the driver's Probe gave, nil when none has the function.
func (f *Function) Bound() Bound { return f.bound }

// Err is why the drivers that match, asked last, did not take the function; nil
// when one did, and when none matches.
func (f *Function) Err() error { return f.err }

// RegisterDriver makes a driver known and binds it to the functions that wait for
// one. A function that it fails to take keeps the error and the others are asked.
// EINVAL: no name or no Probe; EBUSY: the name is taken.
func (r *Registry) RegisterDriver(e DriverEntry) error {
	switch {
	case e.Name == "" || e.Probe == nil:
		return errnof(unix.EINVAL, "driver %q: it needs a name and a Probe", e.Name)
	case r.find(e.Name) != nil:
		return errnof(unix.EBUSY, "driver %s is registered already", e.Name)
	}
	e.IDs = slices.Clone(e.IDs)
	r.drivers = append(r.drivers, &e)
	r.showDriver(&e)
	for _, f := range slices.Clone(r.functions) {
		if e.serves(f.ID) {
			_ = r.attach(f, &e) // the function keeps it
		}
	}
	return nil
}

// UnregisterDriver takes a driver away from its functions, then out of the
// registry. The functions wait until another one is registered or bound. ENOENT:
// there is no such driver.
func (r *Registry) UnregisterDriver(name string) error {
	e := r.find(name)
	if e == nil {
		return errnof(unix.ENOENT, "driver %s is not registered", name)
	}
	r.drivers = slices.DeleteFunc(r.drivers, func(x *DriverEntry) bool { return x == e })
	r.class.Sys.Remove(driverPath(name))
	for _, f := range slices.Clone(r.functions) {
		r.detach(f, e)
	}
	return nil
}

func (r *Registry) find(name string) *DriverEntry {
	for _, e := range r.drivers {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Offsets in configuration space (PCI Local Bus, section 6.1).
const (
	pciID       = 0x00 // vendor, device
	pciRevision = 0x08 // revision in the low byte, then the class code
)

// AddDevice takes a function that has appeared into the registry and binds the first
// driver that matches and takes it. Without one the function waits: that is no error
// of AddDevice, and Err has what the drivers said. ENODEV: nothing answers there;
// EEXIST: a function with this address is there.
func (r *Registry) AddDevice(bus hw.Bus) (*Function, error) {
	id := bus.ConfigRead(pciID, 4)
	if vendor := id & 0xffff; vendor == 0xffff || vendor == 0 {
		return nil, errnof(unix.ENODEV, "nothing answers at %s (vendor and device read %08x)", bus.Address(), id)
	}
	class := bus.ConfigRead(pciRevision, 4) >> 8
	if r.Function(bus.Address()) != nil {
		return nil, errnof(unix.EEXIST, "a function at %s is there already", bus.Address())
	}
	f := &Function{ID: ID{Vendor: id & 0xffff, Device: id >> 16, Class: class}, bus: bus, lock: r.class.kernel.NewMutex()}
	r.functions = append(r.functions, f)
	r.showFunction(f)
	var failed []error
	for _, e := range slices.Clone(r.drivers) {
		if !e.serves(f.ID) {
			continue
		}
		err := r.attach(f, e)
		if f.driver != nil {
			return f, nil
		}
		failed = append(failed, err)
	}
	f.err = errors.Join(failed...)
	return f, nil
}

// RemoveDevice takes the driver away from a function, then the function out of the
// registry. ENODEV: it is not there.
func (r *Registry) RemoveDevice(address string) error {
	f := r.Function(address)
	if f == nil {
		return errnof(unix.ENODEV, "no function at %s", address)
	}
	r.functions = slices.DeleteFunc(r.functions, func(x *Function) bool { return x == f })
	r.class.Sys.Remove(functionPath(address))
	f.gone = true
	r.detach(f, nil)
	return nil
}

// Function returns the function at a bus address, nil if there is none.
func (r *Registry) Function(address string) *Function {
	for _, f := range r.functions {
		if f.Address() == address {
			return f
		}
	}
	return nil
}

// Functions returns what is on the buses, in order of arrival.
func (r *Registry) Functions() []*Function { return slices.Clone(r.functions) }

// attach has a driver probe a function. Whoever waited for the lock looks again:
// the function or the driver may have gone, or another driver may have been faster.
func (r *Registry) attach(f *Function, e *DriverEntry) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case f.gone:
		return errnof(unix.ENODEV, "%s has gone", f.Address())
	case f.driver != nil:
		return errnof(unix.EBUSY, "%s is bound to %s", f.Address(), f.driver.Name)
	case r.find(e.Name) != e:
		return errnof(unix.ENODEV, "driver %s has gone", e.Name)
	}
	bound, err := e.Probe(r.class, f.bus)
	if err == nil && bound == nil {
		err = errnof(unix.EINVAL, "Probe gave nothing to remove")
	}
	if err != nil {
		f.err = fmt.Errorf("driver %s: %w", e.Name, err)
		return f.err
	}
	f.driver, f.bound, f.err = e, bound, nil
	return nil
}

// detach takes the driver away from a function, if it is e, or whichever it is
// without e.
func (r *Registry) detach(f *Function, e *DriverEntry) bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.driver == nil || e != nil && f.driver != e {
		return false
	}
	f.bound.Remove()
	f.driver, f.bound = nil, nil
	return true
}
