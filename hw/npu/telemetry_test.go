package npu_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/npu"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// telemetry latches the counters and returns them by register.
func telemetry(b hw.Bus) map[string]uint64 {
	b.Write32(abi.BARRegisters, abi.Offset(&abi.Telemetry, "SNAPSHOT"), 1)
	all := map[string]uint64{}
	for _, r := range abi.Telemetry.Registers {
		off := abi.Offset(&abi.Telemetry, r.Name)
		if r.Size == 8 {
			all[r.Name] = b.Read64(abi.BARRegisters, off)
		} else {
			all[r.Name] = uint64(b.Read32(abi.BARRegisters, off))
		}
	}
	return all
}

// Each device counts its own: of two on one engine the one that has nothing to do
// reports nothing, with the counters of the other beside it.
func TestTelemetryOfTwoDevices(t *testing.T) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	e := sim.New(1)
	var buses [2]*host.Bus
	var devices [2]*npu.Device
	for i := range buses {
		link := pcie.New(e, "pcie", cfg.PCIe, cfg.Config.Weights())
		buses[i] = host.New(e, cfg.Host, cfg.IOMMU, link).Bus()
		devices[i] = npu.New(e, cfg.Config, link, nil)
		link.SetFunction(devices[i].Function())
	}
	ended := false
	e.Go("test", func(*sim.Proc) {
		boot := func(b hw.Bus) {
			b.ConfigWrite(4, 2, 1<<1|1<<2)
			b.Write32(abi.BARRegisters, abi.Offset(&abi.Mgmt, "BOOT_CTRL"), 1)
			for b.Read32(abi.BARRegisters, abi.Offset(&abi.Mgmt, "BOOT_STATUS"))&0xf != abi.BootReady {
				b.Sleep(10_000)
			}
		}
		boot(buses[0])
		boot(buses[1])
		copies(t, buses[1])
		idle, busy := telemetry(buses[0]), telemetry(buses[1])
		for _, r := range []string{"DMA_BUSY_NS", "LINK_RX_BYTES", "LINK_TX_BYTES", "MEM_READ_BYTES", "JOBS_COMPLETED"} {
			assert.Zero(t, idle[r], r)
			assert.NotZero(t, busy[r], r)
		}
		assert.EqualValues(t, 1, busy["JOBS_COMPLETED"])
		ended = true
	})
	require.NoError(t, e.Run())
	require.True(t, ended)
	e.Shutdown()
}

// copies has queue 0 of a device copy from its memory to the host's, with physical
// addresses.
func copies(t *testing.T, b hw.Bus) {
	rings, err := b.AllocDMA(3 * 4096)
	require.NoError(t, err)
	set := func(tab *reg.Table, name string, v uint32) { b.Write32(abi.BARRegisters, abi.Offset(tab, name), v) }
	pair := func(name string, v uint64) {
		set(&abi.Queue, name+"_LO", uint32(v))
		set(&abi.Queue, name+"_HI", uint32(v>>32))
	}
	pair("SQ_BASE", rings.Addr)
	pair("CQ_BASE", rings.Addr+4096)
	set(&abi.Queue, "SQ_LOG2", 3)
	set(&abi.Queue, "CQ_LOG2", 3)
	set(&abi.Queue, "ENGINE", abi.EngineCopy)
	set(&abi.Queue, "CTRL", 1)
	p := fwtest.Copy(rings.Addr+2*4096+1024, abi.DeviceBit, 1024)
	p.Encode(rings.Bytes[2*4096:])
	s := abi.Submission{Op: abi.RingRun, Flags: abi.SubmitTrusted, Command: rings.Addr + 2*4096, Bytes: uint32(p.Size()), Seqno: 1}
	s.Encode(rings.Bytes)
	set(&abi.Doorbell, "SQ_TAIL", 1)
	b.Sleep(1_000_000)
	var c abi.Completion
	c.Decode(rings.Bytes[4096:])
	require.Equal(t, abi.StatusOK, c.Status)
	require.EqualValues(t, 1, c.Seqno)
	b.FreeDMA(rings)
}
