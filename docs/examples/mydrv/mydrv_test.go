// Package mydrv is where a driver begins: docs/drivers.md shows this file.
package mydrv

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/lab"
)

// bringUp turns a device on and boots it, as the first lines of a probe do.
func bringUp(bus hw.Bus) error {
	const command, memory, master = 0x04, 1 << 1, 1 << 2
	if id := bus.ConfigRead(0, 4); id != abi.DeviceID<<16|abi.VendorID {
		return fmt.Errorf("%s: device %08x is none of ours", bus.Address(), id)
	}
	bus.ConfigWrite(command, 2, memory|master)

	bootCtrl, bootStatus := abi.Offset(&abi.Mgmt, "BOOT_CTRL"), abi.Offset(&abi.Mgmt, "BOOT_STATUS")
	bus.Write32(abi.BARRegisters, bootCtrl, 1)
	for deadline := bus.Now() + 2e9; bus.Read32(abi.BARRegisters, bootStatus)&0xf != abi.BootReady; {
		if bus.Now() > deadline {
			return fmt.Errorf("%s: the management controller does not boot", bus.Address())
		}
		bus.Sleep(1e6)
	}
	return nil
}

// TestBringUp runs it as a process of the simulation: time passes while it waits.
func TestBringUp(t *testing.T) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	s := lab.NewSystem(cfg, nil, 1, false)
	err = s.Run("bring-up", func() error { return bringUp(s.Host.Bus()) })
	require.NoError(t, err)
}

// strayRead has the device read a bus address that nobody mapped: a queue whose
// ring lies there. The queue must end in ERROR.
func strayRead(s *lab.System) error {
	bus := s.Host.Bus()
	if err := bringUp(bus); err != nil {
		return err
	}
	const nowhere = 1 << 33
	for _, v := range []struct {
		register string
		value    uint32
	}{
		{"SQ_BASE_LO", nowhere & 0xffffffff}, {"SQ_BASE_HI", nowhere >> 32}, {"SQ_LOG2", 4},
		{"CQ_BASE_LO", nowhere & 0xffffffff}, {"CQ_BASE_HI", nowhere >> 32}, {"CQ_LOG2", 4},
		{"CTRL", 1}, // ENABLE
	} {
		bus.Write32(abi.BARRegisters, abi.Offset(&abi.Queue, v.register), v.value)
	}
	bus.Write32(abi.BARRegisters, abi.Offset(&abi.Doorbell, "SQ_TAIL"), 1) // one entry is there
	bus.Sleep(100e3)                                                       // 100 µs of simulated time
	state := bus.Read32(abi.BARRegisters, abi.Offset(&abi.Queue, "STATE"))
	if state&0xf != abi.QueueError {
		return fmt.Errorf("queue is %s", abi.QueueStates[state&0xf])
	}
	return nil
}

func TestStrayReadIsRefused(t *testing.T) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	s := lab.NewSystem(cfg, nil, 1, false)
	require.NoError(t, s.Run("stray read", func() error { return strayRead(s) }))
	faults := s.Host.Faults()
	require.NotEmpty(t, faults)
	require.EqualValues(t, 1<<33, faults[0].IOVA&^4095)
}
