package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// ioctls is the driver's part of the uAPI.
var ioctls = map[uint32]fw.Ioctl{
	abi.NrQuery:        {Name: "QUERY", Size: abi.SizeOf[abi.Query](), Fn: inside(query)},
	abi.NrBOCreate:     {Name: "BO_CREATE", Size: abi.SizeOf[abi.BOCreate](), Fn: boCreate},
	abi.NrBOInfo:       {Name: "BO_INFO", Size: abi.SizeOf[abi.BOInfo](), Fn: boInfo},
	abi.NrQueueCreate:  {Name: "QUEUE_CREATE", Size: abi.SizeOf[abi.QueueCreate](), Fn: queueCreate},
	abi.NrQueueDestroy: {Name: "QUEUE_DESTROY", Size: abi.SizeOf[abi.QueueDestroy](), Fn: queueDestroy},
	abi.NrSubmit:       {Name: "SUBMIT", Size: abi.SizeOf[abi.Submit](), Fn: submit},
	abi.NrQueueStatus:  {Name: "QUEUE_STATUS", Size: abi.SizeOf[abi.QueueStatus](), Fn: queueStatus},
}

// inside makes an ioctl that touches the hardware a section.
func inside(fn func(*fw.File, []byte) error) func(*fw.File, []byte) error {
	return func(f *fw.File, arg []byte) error {
		if !f.Dev.Enter() {
			return unix.ENODEV
		}
		defer f.Dev.Exit()
		return fn(f, arg)
	}
}

// query answers with a struct: the size alone for a null pointer, else the
// bytes, with zeros at the end of a larger buffer.
func query(f *fw.File, arg []byte) error {
	a := abi.Load[abi.Query](arg)
	if a.Pad != 0 {
		return fmt.Errorf("QUERY pad %#x: %w", a.Pad, unix.EINVAL)
	}
	answer, err := deviceOf(f).answer(a.Type)
	if err != nil {
		return err
	}
	if a.Ptr != 0 {
		if err := copyOut(f, a.Ptr, answer, uint64(a.Size)); err != nil {
			return err
		}
	}
	a.Size = uint32(len(answer))
	abi.Store(arg, &a)
	return nil
}

// copyOut fills n bytes of the caller's with an answer, or what fits of it, and zeros
// behind it.
func copyOut(f *fw.File, at uint64, answer []byte, n uint64) error {
	part := make([]byte, pageSize)
	for m := copy(part, answer[:min(n, uint64(len(answer)))]); n > 0; m = 0 {
		step := min(n, pageSize)
		clear(part[m:])
		if err := f.User().CopyOut(at, part[:step]); err != nil {
			return err
		}
		at, n = at+step, n-step
	}
	return nil
}

func (d *Device) answer(kind uint32) ([]byte, error) {
	switch kind {
	case abi.QueryDevice:
		info := d.info
		info.MemAvailable = d.available()
		return bytesOf(&info), nil
	case abi.QueryTelemetry:
		t := d.telemetry()
		return bytesOf(&t), nil
	case abi.QueryReset:
		return bytesOf(&d.resets), nil
	}
	return nil, fmt.Errorf("QUERY type %d: %w", kind, unix.EINVAL)
}

func bytesOf[T any](v *T) []byte {
	p := make([]byte, abi.SizeOf[T]())
	abi.Store(p, v)
	return p
}

// telemetry latches the counters and reads them: they stand in the registers in
// the order of the struct.
func (d *Device) telemetry() abi.TelemetryInfo {
	d.write(regSnapshot, 1)
	p := make([]byte, abi.SizeOf[abi.TelemetryInfo]())
	for off := uint64(0); off < regPower-regTelemetry; off += 8 {
		v := d.read64(regTelemetry + off)
		abi.Store(p[off:], &v)
	}
	t := abi.Load[abi.TelemetryInfo](p)
	t.PowerMW, t.TemperatureMC = d.read(regPower), d.read(regTemp)
	return t
}

func boCreate(f *fw.File, arg []byte) error {
	a := abi.Load[abi.BOCreate](arg)
	if a.Pad != 0 {
		return fmt.Errorf("BO_CREATE pad %#x: %w", a.Pad, unix.EINVAL)
	}
	c := f.Private.(*client)
	o, err := c.d.newBO(f, a.Size, a.Flags)
	if err != nil {
		return err
	}
	defer o.Put() // handle and view hold their own
	v, err := c.firstView(o)
	if err != nil {
		return err
	}
	if a.Handle, err = f.CreateHandle(o); err != nil {
		c.forget(v)
		c.unmap(v)
		return err
	}
	a.Size, a.DeviceAddr = uint64(o.Size), v.va
	abi.Store(arg, &a)
	return nil
}

func boInfo(f *fw.File, arg []byte) error {
	a := abi.Load[abi.BOInfo](arg)
	if a.Pad != 0 {
		return fmt.Errorf("BO_INFO pad %#x: %w", a.Pad, unix.EINVAL)
	}
	o, err := f.Object(a.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	c := f.Private.(*client)
	c.d.residency.Lock()
	defer c.d.residency.Unlock()
	if !c.d.Enter() {
		return unix.ENODEV
	}
	defer c.d.Exit()
	v, err := c.view(o)
	if err != nil {
		return err
	}
	b := o.Private.(*bo)
	a = abi.BOInfo{Handle: a.Handle, Flags: b.flags, Size: b.size, DeviceAddr: v.va, MmapOffset: o.MmapOffset()}
	if b.pages == nil {
		a.Resident = 1
	}
	abi.Store(arg, &a)
	return nil
}
