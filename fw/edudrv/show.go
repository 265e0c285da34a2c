package edudrv

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

// show adds what the device shows in sysfs and debugfs.
func (d *Device) show() {
	d.SysAttr("vendor", fw.Text("0x%04x\n", vendorID))
	d.SysAttr("device", fw.Text("0x%04x\n", deviceID))
	d.SysAttr("version", fw.Text("%d.%d\n", d.version>>24, d.version>>16&0xff))
	d.SysAttr("reset_count", fw.Attr{Show: func() ([]byte, error) { return fmt.Appendf(nil, "%d\n", d.resets), nil }})
	d.DebugAttr("registers", fw.Attr{Show: func() ([]byte, error) {
		if !d.Enter() {
			return nil, unix.ENODEV
		}
		defer d.Exit()
		d.lock.Lock()
		defer d.lock.Unlock()
		return d.dump(), nil
	}})
}

// dump is the card's registers as text.
func (d *Device) dump() (b []byte) {
	for _, r := range []struct {
		name string
		off  uint64
	}{
		{"IDENTIFICATION", regIdentification}, {"LIVENESS", regLiveness}, {"FACTORIAL", regFactorial}, {"STATUS", regStatus},
		{"INTERRUPT_STATUS", regCauses}, {"DMA_SOURCE", regSource}, {"DMA_DESTINATION", regDestination}, {"DMA_COUNT", regCount},
		{"DMA_COMMAND", regCommand},
	} {
		b = fmt.Appendf(b, "%#02x %-16s %#x\n", r.off, r.name, d.read(r.off))
	}
	return b
}

// fdInfo says what a client uses (drm-usage-stats).
func fdInfo(f *fw.File, w io.Writer) {
	fmt.Fprintf(w, "drm-engine-dma:\t%d ns\n", f.Private.(*client).busyNS)
	var total, shared, active int64
	f.Objects(func(o *fw.Object, also bool) {
		total += o.Size
		if also {
			shared += o.Size
		}
		if o.Private.(*buffer).jobs > 0 {
			active += o.Size
		}
	})
	fmt.Fprintf(w, "drm-total-host:\t%d\ndrm-shared-host:\t%d\ndrm-resident-host:\t%d\ndrm-active-host:\t%d\n", total, shared, total, active)
}

// Leaks returns an error for what is still held with no file open. It is for tests.
func (d *Device) Leaks() error {
	var all []error
	for _, f := range d.Files() {
		all = append(all, fmt.Errorf("client %d has the device open", f.ID))
	}
	if d.active != nil {
		all = append(all, errors.New("a transfer is under way"))
	}
	return errors.Join(append(all, d.copies.Idle())...)
}
