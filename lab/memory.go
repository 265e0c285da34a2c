package lab

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// MemoryError is a workload that does not fit a memory of its machine.
type MemoryError struct {
	What    string // is too large
	Need    int64  // bytes, without what the driver needs for itself
	Have    sim.Bytes
	Machine string
	Memory  string // which one
	Key     string // of the configuration, that says its size
	Err     error  // of the driver
}

// Error says what would be right.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s need %s, %s has %s of %s memory (%s): want less work at once, such as a smaller batch, or a larger %s",
		e.What, binarySize(e.Need), e.Machine, binarySize(int64(e.Have)), e.Memory, e.Key, e.Key)
}

// Unwrap returns the driver's error.
func (e *MemoryError) Unwrap() error { return e.Err }

// DoesNotFit turns the driver's refusal of a buffer into a MemoryError, if it is
// one for want of memory. need is the bytes of all buffers that are to lie there.
func DoesNotFit(cfg *configs.Config, what string, flags uint32, need int64, err error) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.ENOMEM) {
		return err
	}
	e := &MemoryError{What: what, Need: need, Have: cfg.Host.Memory, Machine: cfg.Name, Memory: "host", Key: "host.memory", Err: err}
	if flags&abi.BODevice != 0 {
		e.Have, e.Memory, e.Key = cfg.DRAM.Size, "device", "dram.size"
	}
	return e
}

// binarySize writes bytes with four digits and a binary prefix.
func binarySize(n int64) string {
	units, v := []string{"B", "KiB", "MiB", "GiB", "TiB"}, float64(n)
	for v >= 1024 && len(units) > 1 {
		units, v = units[1:], v/1024
	}
	return fmt.Sprintf("%.4g %s", v, units[0])
}
