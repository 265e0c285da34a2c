package fw

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Uevent is a message to whoever listens for changes of devices.
type Uevent struct {
	At     int64  // ns
	Action string // add, remove, change
	Path   string // in sysfs
	Env    []string
}

// OnUevent has fn called at every event.
func (c *Class) OnUevent(fn func(Uevent)) { c.listeners = append(c.listeners, fn) }

// Uevent tells listeners of a change of the device: "WEDGED=none" and the like.
func (d *Device) Uevent(action string, env ...string) {
	e := Uevent{d.kernel.Now(), action, d.sysPath(), env}
	for _, fn := range d.class.listeners {
		fn(e)
	}
}

func (d *Device) sysPath() string   { return fmt.Sprintf("class/accel/accel%d", d.Minor) }
func (d *Device) debugPath() string { return "accel/" + d.Address }

// publish makes what every device shows.
func (d *Device) publish() {
	c := d.class
	c.Sys.Add(d.sysPath()+"/dev", Text("%d:%d\n", Major, d.Minor))
	c.Sys.Add(d.sysPath()+"/uevent", Text("MAJOR=%d\nMINOR=%d\nDEVNAME=accel/accel%d\nDEVTYPE=accel_minor\n", Major, d.Minor, d.Minor))
	c.Debug.Add(d.debugPath()+"/name", Text("%s dev=%s unique=%s\n", d.driver.Name, d.Address, d.Address))
	c.Debug.Add(d.debugPath()+"/clients", Attr{Show: d.showClients})
	d.publishPower()
	d.Uevent("add")
}

// withdraw takes everything away that the device shows.
func (d *Device) withdraw() {
	d.Uevent("remove")
	d.class.Sys.Remove(d.sysPath())
	d.class.Debug.Remove(d.debugPath())
}

// SysAttr adds an attribute of the device to sysfs, below device/. Call it after
// Register.
func (d *Device) SysAttr(name string, a Attr) {
	d.class.Sys.Add(d.sysPath()+"/device/"+name, d.guarded(a))
}

// DebugAttr adds one to debugfs. Call it after Register.
func (d *Device) DebugAttr(name string, a Attr) {
	d.class.Debug.Add(d.debugPath()+"/"+name, d.guarded(a))
}

// guarded is an attribute of a device that is not gone. It does not wake the device:
// one that needs the hardware says EBUSY unless EnterActive, or enters itself.
func (d *Device) guarded(a Attr) Attr {
	show, store := a.Show, a.Store
	if show != nil {
		a.Show = func() ([]byte, error) {
			if !d.hold() {
				return nil, unix.ENODEV
			}
			defer d.drop()
			return show()
		}
	}
	if store != nil {
		a.Store = func(text []byte) error {
			if !d.hold() {
				return unix.ENODEV
			}
			defer d.drop()
			return store(text)
		}
	}
	return a
}

func (d *Device) showClients() ([]byte, error) {
	b := []byte("client  handles  syncobjs\n")
	for _, f := range d.files {
		b = fmt.Appendf(b, "%6d  %7d  %8d\n", f.ID, f.objects.n, f.syncobjs.n)
	}
	return b, nil
}

// FDInfo is the text of /proc/PID/fdinfo/FD: what every DRM driver says of a
// client, then the driver's own lines (drm-usage-stats).
func (f *File) FDInfo() string {
	var b strings.Builder
	fmt.Fprintf(&b, "drm-driver:\t%s\ndrm-client-id:\t%d\ndrm-pdev:\t%s\n", f.Dev.driver.Name, f.ID, f.Dev.Address)
	if show := f.Dev.driver.FDInfo; show != nil {
		show(f, &b)
	}
	return b.String()
}

// Objects calls fn for each object the file has a handle of, by its lowest
// handle, with whether another file has one too.
func (f *File) Objects(fn func(o *Object, shared bool)) {
	seen := map[*Object]bool{}
	for i, o := range f.objects.v {
		if f.objects.has(uint32(i+1)) && !seen[o] {
			seen[o] = true
			fn(o, o.files > 1)
		}
	}
}

// dumpLife is how long a core dump can be read, in ns: five minutes, as the
// kernel keeps it.
const dumpLife = 300e9

// Coredump offers a dump of a device that failed, at class/devcoredump. There is
// one a device at a time: it goes when anything is written to it, or with age,
// and until then later ones are dropped, as the first tells most.
func (d *Device) Coredump(data []byte) {
	c, born := d.class, d.kernel.Now()
	if d.dump != "" && born-d.dumpAt < dumpLife {
		return
	}
	c.Sys.Remove(d.dump)
	c.dumps++
	d.dump, d.dumpAt = fmt.Sprintf("class/devcoredump/devcd%d", c.dumps), born
	dir := d.dump
	c.Sys.Add(dir+"/data", Attr{
		Show: func() ([]byte, error) {
			if d.kernel.Now()-born >= dumpLife {
				return nil, unix.ENODEV
			}
			return data, nil
		},
		Store: func([]byte) error {
			c.Sys.Remove(dir)
			if d.dump == dir {
				d.dump = ""
			}
			return nil
		},
	})
	c.Sys.Add(dir+"/failing_device", Text("%s\n", d.Address))
	d.Uevent("change", "DEVCOREDUMP="+dir)
}
