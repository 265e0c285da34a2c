package npu_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// Device memory is not there before the management controller is: BAR2 reads
// all ones and drops writes.
func TestMemoryBeforeBoot(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Unbound())
	d.Run(func() {
		m := &machine{Device: d, t: t}
		m.Bus.ConfigWrite(4, 2, 1<<1|1<<2)
		m.NPU.Memory().Poke(0x5000, []byte("as it is"))
		m.Bus.WriteBAR(abi.BARMemory, 0x5000, []byte("dropped!"))
		p := make([]byte, 8)
		m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
		assert.Equal(t, []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), p)
		m.powerUp()
		m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
		assert.Equal(t, "as it is", string(p))
		m.Bus.WriteBAR(abi.BARMemory, 0x5000, []byte("written!"))
		m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
		assert.Equal(t, "written!", string(p))
	})
}

// Transactions Pending shows while the device waits for a read of host memory.
func TestTransactionsPending(t *testing.T) {
	withMachine(t, func(m *machine) {
		const devSta = 0x60 + 0x0a
		pending := func() bool { return m.Bus.ConfigRead(devSta, 2)&(1<<5) != 0 }
		assert.False(t, pending())
		host, err := m.Bus.AllocDMA(1 << 20)
		require.NoError(t, err)
		m.push(fwtest.Copy(abi.DeviceBit|4<<20, host.Addr, 1<<20))
		m.Bus.Sleep(20_000)
		assert.True(t, pending(), "in the middle of a copy")
		m.Bus.Sleep(5e6)
		assert.Equal(t, abi.StatusOK, m.completion().Status)
		m.Bus.Sleep(10_000)
		assert.False(t, pending())
		m.Bus.FreeDMA(host)
	})
}

// The device keeps its state in D3hot and loses it in D3cold.
func TestPowerKeepsAndLoses(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		for _, cold := range []bool{false, true} {
			m.Bus.WriteBAR(abi.BARMemory, 0x5000, []byte("kept"))
			m.get(&abi.Queue, "STATE")
			state := hw.D3hot
			if cold {
				state = hw.D3cold
			}
			require.NoError(t, m.Bus.SetPower(state))
			assert.Equal(t, ^uint32(0), m.get(&abi.Ident, "ID"))
			m.set(&abi.Queue, "CTRL", 0)
			require.NoError(t, m.Bus.SetPower(hw.D0))
			if cold {
				assert.EqualValues(t, abi.BootOff, m.get(&abi.Mgmt, "BOOT_STATUS")&0xf)
				m.powerUp()
				m.enable()
			}
			p := make([]byte, 4)
			m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
			assert.Equal(t, !cold, string(p) == "kept")
			assert.NotEqual(t, make([]byte, 4), p)
			m.works()
		}
	})
}

// A function-level reset can hang like the narrower ones: nobody answers, until
// another reset from outside.
func TestFunctionResetHangs(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.inject(fault.Spec{Kind: "reset-hang", Target: fault.On(4)})
		require.NoError(t, m.Bus.ResetFunction())
		assert.Equal(t, ^uint32(0), m.get(&abi.Ident, "ID"))
		require.NoError(t, m.Bus.SetPower(hw.D3cold))
		require.NoError(t, m.Bus.SetPower(hw.D0))
		m.powerUp()
		m.enable()
		m.works()
	})
}
