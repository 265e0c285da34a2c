package npudrv

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// register makes the device visible, with what it shows in sysfs and debugfs.
func (d *Device) register() error {
	if err := d.Register(); err != nil {
		return err
	}
	value := func(format string, v func() any) fw.Attr {
		return fw.Attr{Show: func() ([]byte, error) { return fmt.Appendf(nil, format, v()), nil }}
	}
	d.SysAttr("vendor", fw.Text("0x%04x\n", abi.VendorID))
	d.SysAttr("device", fw.Text("0x%04x\n", abi.DeviceID))
	d.SysAttr("platform", fw.Text("%s\n", platforms[d.info.Platform%uint32(len(platforms))]))
	d.SysAttr("firmware_version", d.awake(d.showFirmware))
	d.SysAttr("reset_count", value("%d\n", func() any { return d.resets.ResetCount }))
	d.SysAttr("state", value("%s\n", func() any { return states[d.resets.State] }))
	d.SysAttr("heartbeat", fw.Attr{Show: d.showHeartbeat})
	d.SysAttr("mem_available", value("%d\n", func() any { return d.available() }))
	d.SysAttr("hwmon/hwmon0/name", fw.Text("presi\n"))
	d.SysAttr("hwmon/hwmon0/temp1_input", d.awake(func() ([]byte, error) { return fmt.Appendf(nil, "%d\n", d.telemetry().TemperatureMC), nil }))
	d.SysAttr("hwmon/hwmon0/power1_input", d.awake(func() ([]byte, error) { return fmt.Appendf(nil, "%d\n", uint64(d.telemetry().PowerMW)*1000), nil }))
	d.DebugAttr("registers", d.awake(func() ([]byte, error) { return d.dumpRegisters(nil), nil }))
	d.DebugAttr("recovery", fw.Attr{Show: d.showRecovery})
	d.DebugAttr("rings", d.awake(d.showRings))
	d.DebugAttr("reset", fw.Attr{Store: d.storeReset})
	d.addInjection()
	return nil
}

var (
	platforms = [...]string{"silicon", "emulation", "simulation"}
	beats     = map[bool]string{false: "ok", true: "lost"}
	states    = [...]string{resetOK: "ok", resetBusy: "resetting", resetWedged: "wedged"}
)

func (d *Device) showFirmware() ([]byte, error) {
	v, err := d.mail(abi.MailVersion)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%d.%d.%d\n", v[0]>>16, v[0]>>8&0xff, v[0]&0xff), nil
}

// mail runs a command of the management controller and returns its results.
func (d *Device) mail(command uint32) (ret [2]uint32, err error) {
	d.mailLock.Lock()
	defer d.mailLock.Unlock()
	d.write(regMailCommand, command)
	err = d.poll("mailbox", mailTimeout*d.timeScale(), 1000, func() (bool, error) {
		switch s := d.read(regMailStatus) & 0xf; s {
		case abi.MailDone:
			return true, nil
		case abi.MailUnknown, abi.MailRefused:
			return false, fmt.Errorf("mailbox command %d: status %d: %w", command, s, unix.EIO)
		}
		return false, nil
	})
	if errors.Is(err, unix.ETIME) {
		d.lookAtHeart()
	}
	d.Trace("mailbox", nil, uint64(command), uint64(d.read(regMailStatus)), 0)
	if err == nil {
		ret = [2]uint32{d.read(regMailRet), d.read(regMailRet + 4)}
	}
	return ret, err
}

// mailTimeout is what silicon gets, in ns.
const mailTimeout = 100e6

// dumpRegisters appends every readable register, by name, of every queue there is.
func (d *Device) dumpRegisters(b []byte) []byte {
	for i := range abi.Tables {
		t := &abi.Tables[i]
		for n := range min(t.Instances(), int(d.info.NumQueues)) {
			b = d.dumpTable(b, t, n)
		}
	}
	return b
}

func (d *Device) dumpTable(b []byte, t *abi.Table, instance int) []byte {
	abi.EachReadable(t, instance, func(name string, off uint64, size int) {
		v := uint64(0)
		if size == 8 {
			v = d.read64(off)
		} else {
			v = uint64(d.read(off))
		}
		b = fmt.Appendf(b, "%#08x  %s[%d].%s = %#x\n", off, t.Name, instance, name, v)
	})
	return b
}

func (d *Device) showRings() ([]byte, error) {
	var b []byte
	for _, r := range d.rings {
		b = fmt.Appendf(b, "ring %d: engine %d, priority %d, vector %d, %d written, %d completed, %d jobs on hardware\n",
			r.index, r.engine, r.priority, r.vector, r.produced, r.consumed, len(r.flying))
		for _, j := range r.flying {
			b = fmt.Appendf(b, "  job %d of queue %d of client %d, commands at %#x, %d bytes\n",
				j.seqno, j.queue.number, j.client.file.ID, j.command, j.length)
		}
	}
	return b, nil
}

// dump offers what is known before a reset wipes it away: the driver's rings, and
// the registers of the device and of the rings that are given. None are given of
// a device that must not be touched.
func (d *Device) dump(why string, rings ...*ring) {
	b := fmt.Appendf(nil, "presi %s: %s at %d ns\n\n", d.Address, why, d.bus.Now())
	text, _ := d.showRings()
	b = append(append(b, text...), '\n')
	if len(rings) > 0 {
		b = d.dumpTable(b, &abi.Ident, 0)
		b = d.dumpTable(b, &abi.MMU, 0)
	}
	for _, r := range rings {
		b = d.dumpTable(b, &abi.Queue, int(r.index))
	}
	d.Coredump(b)
}

// fdInfo says what a client uses (drm-usage-stats): engines in ns, memory in bytes.
func fdInfo(f *fw.File, w io.Writer) {
	c := f.Private.(*client)
	for i, name := range engines {
		fmt.Fprintf(w, "drm-engine-%s:\t%d ns\n", name, c.busy[i])
	}
	var u [len(regions)]usage
	f.Objects(func(o *fw.Object, shared bool) {
		b := o.Private.(*bo)
		x := &u[b.region()]
		x.total += b.size
		if b.region() == 1 || b.pages == nil {
			x.resident += b.size
		}
		if shared {
			x.shared += b.size
		}
		if v := c.mapped[o]; v != nil && v.use > 0 {
			x.active += b.size
		}
	})
	for i, name := range regions {
		fmt.Fprintf(w, "drm-total-%s:\t%d\ndrm-shared-%s:\t%d\ndrm-active-%s:\t%d\ndrm-resident-%s:\t%d\n",
			name, u[i].total, name, u[i].shared, name, u[i].active, name, u[i].resident)
	}
}

// usage is a client's memory in a region, in bytes.
type usage struct{ total, shared, active, resident uint64 }

var (
	engines = [abi.NumEngines]string{abi.EngineCompute: "compute", abi.EngineCopy: "copy"}
	regions = [...]string{"device", "host"}
)

// region is where the buffer belongs: an index of regions.
func (b *bo) region() int {
	if b.flags&abi.BOHost != 0 {
		return 1
	}
	return 0
}
