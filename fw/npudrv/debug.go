package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

// DeviceAddress returns where in device memory a file's buffer lies, for
// verification through a memory's back door and for debuggers. A buffer in host
// memory is EINVAL.
func (d *Device) DeviceAddress(f *fw.File, handle uint32) (uint64, error) {
	o, err := f.Object(handle)
	if err != nil {
		return 0, err
	}
	defer o.Put()
	b := o.Private.(*bo)
	if b.pages != nil {
		return 0, fmt.Errorf("buffer %d lies in host memory: %w", handle, unix.EINVAL)
	}
	return b.at, nil
}
