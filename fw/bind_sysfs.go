package fw

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

func driverPath(name string) string      { return "bus/pci/drivers/" + name }
func functionPath(address string) string { return "bus/pci/devices/" + address }

// showDriver makes bind and unbind, which take a bus address, as sysfs's do: ENODEV
// when the function is not there, does not match, or (unbind) is not the driver's;
// EBUSY when it is bound; else what Probe says.
func (r *Registry) showDriver(e *DriverEntry) {
	r.class.Sys.Add(driverPath(e.Name)+"/bind", Attr{Store: func(text []byte) error {
		f := r.Function(strings.TrimSpace(string(text)))
		if f == nil || !e.serves(f.ID) {
			return unix.ENODEV
		}
		return r.attach(f, e)
	}})
	r.class.Sys.Add(driverPath(e.Name)+"/unbind", Attr{Store: func(text []byte) error {
		f := r.Function(strings.TrimSpace(string(text)))
		if f == nil || !r.detach(f, e) {
			return unix.ENODEV
		}
		return nil
	}})
}

// showFunction makes what sysfs shows of a function, and remove, which takes a
// number other than 0.
func (r *Registry) showFunction(f *Function) {
	at := functionPath(f.Address())
	r.class.Sys.Add(at+"/vendor", Text("0x%04x\n", f.ID.Vendor))
	r.class.Sys.Add(at+"/device", Text("0x%04x\n", f.ID.Device))
	r.class.Sys.Add(at+"/class", Text("0x%06x\n", f.ID.Class))
	r.class.Sys.Add(at+"/uevent", Attr{Show: func() ([]byte, error) { return f.uevent(), nil }})
	r.class.Sys.Add(at+"/remove", Attr{Store: func(text []byte) error {
		var n uint
		if _, err := fmt.Sscanf(string(text), "%v", &n); err != nil {
			return unix.EINVAL
		}
		if n == 0 {
			return nil
		}
		return r.RemoveDevice(f.Address())
	}})
}

// uevent says of a function what the kernel's does; the first line is there while a
// driver has it.
func (f *Function) uevent() (b []byte) {
	if f.driver != nil {
		b = fmt.Appendf(b, "DRIVER=%s\n", f.driver.Name)
	}
	return fmt.Appendf(b, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SLOT_NAME=%s\n", f.ID.Class, f.ID.Vendor, f.ID.Device, f.Address())
}
