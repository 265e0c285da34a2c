package edudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// ioctls is the driver's part of the uAPI.
var ioctls = map[uint32]fw.Ioctl{
	NrIdentify:  {Name: "EDU_IDENTIFY", Size: abi.SizeOf[Identify](), Fn: identify},
	NrLiveness:  {Name: "EDU_LIVENESS", Size: abi.SizeOf[Liveness](), Fn: liveness},
	NrFactorial: {Name: "EDU_FACTORIAL", Size: abi.SizeOf[Factorial](), Fn: factorial},
	NrBOCreate:  {Name: "EDU_BO_CREATE", Size: abi.SizeOf[BOCreate](), Fn: boCreate},
	NrCopy:      {Name: "EDU_COPY", Size: abi.SizeOf[Copy](), Fn: copyBytes},
}

// deviceOf returns the driver's device of a file.
func deviceOf(f *fw.File) *Device { return f.Dev.Private.(*Device) }

func identify(f *fw.File, arg []byte) error {
	v := deviceOf(f).version
	abi.Store(arg, &Identify{Major: v >> 24, Minor: v >> 16 & 0xff})
	return nil
}

func liveness(f *fw.File, arg []byte) error {
	a := abi.Load[Liveness](arg)
	d := deviceOf(f)
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	a.Answer = d.invert(a.Value)
	abi.Store(arg, &a)
	return nil
}

func factorial(f *fw.File, arg []byte) (err error) {
	a := abi.Load[Factorial](arg)
	if a.Result, err = deviceOf(f).factorial(f, a.N, a.TimeoutNS); err != nil {
		return err
	}
	abi.Store(arg, &a)
	return nil
}

func boCreate(f *fw.File, arg []byte) error {
	a := abi.Load[BOCreate](arg)
	if a.Pad != 0 {
		return fmt.Errorf("EDU_BO_CREATE pad %#x: %w", a.Pad, unix.EINVAL)
	}
	o, err := deviceOf(f).newBuffer(a.Size)
	if err != nil {
		return err
	}
	defer o.Put() // the handle holds its own reference
	if a.Handle, err = f.CreateHandle(o); err != nil {
		return err
	}
	a.Size, a.Offset = uint64(o.Size), o.MmapOffset()
	abi.Store(arg, &a)
	return nil
}
