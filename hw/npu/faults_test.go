package npu_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// inject arms a fault.
func (m *machine) inject(s fault.Spec) *fault.Armed {
	m.t.Helper()
	a, err := m.NPU.Inject(s)
	require.NoError(m.t, err)
	return a
}

// struck holds that a fault has happened once.
func (m *machine) struck(a *fault.Armed) {
	m.t.Helper()
	require.Equal(m.t, 1, a.Struck())
}

// A fault in an entry or in what it does ends that entry with its status; behind
// RESUME the queue goes on.
func TestFaultsThatEndAnEntry(t *testing.T) {
	for _, c := range []struct {
		spec   fault.Spec
		status abi.Status
	}{
		{fault.Spec{Kind: "bad-opcode"}, abi.StatusBadOpcode},
		{fault.Spec{Kind: "stale-entry"}, abi.StatusStaleEntry},
		{fault.Spec{Kind: "dma-error", Target: fault.On(5)}, abi.StatusBusError},
		{fault.Spec{Kind: "lost-completion", Count: 2, Duration: 60 * sim.Microsecond}, abi.StatusBusTimeout},
		{fault.Spec{Kind: "parity"}, abi.StatusMemoryError},
		{fault.Spec{Kind: "ecc-uncorrectable"}, abi.StatusMemoryError},
	} {
		t.Run(c.spec.Kind, func(t *testing.T) {
			withMachine(t, func(m *machine) {
				m.works()
				a := m.inject(c.spec)
				const device = abi.DeviceBit | 4096
				back := fwtest.Copy(m.data.Addr, device, 64)
				back.Flags = abi.FlagBarrier
				m.push(fwtest.Fill(device, 1, 64), back)
				require.Equal(t, c.status, m.completion().Status)
				m.struck(a)
				require.EqualValues(t, c.status, m.get(&abi.Queue, "ERR_CODE"))
				m.set(&abi.Queue, "CTRL", 3)
				m.works()
			})
		})
	}
}

// Completions that are wrong: what is in the ring is exactly what the table says.
func TestFaultsOfCompletions(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		twice := m.inject(fault.Spec{Kind: "completion-twice"})
		m.push(abi.Packet{Op: abi.OpNop})
		first, second := m.completion(), m.completion()
		m.struck(twice)
		require.Equal(t, first.Seqno, second.Seqno)
		m.works()

		unknown := m.inject(fault.Spec{Kind: "completion-unknown", Value: 1000})
		m.push(abi.Packet{Op: abi.OpNop})
		require.EqualValues(t, m.produced+1000, m.completion().Seqno)
		m.struck(unknown)
		m.works()

		missing := m.inject(fault.Spec{Kind: "completion-missing"})
		m.push(abi.Packet{Op: abi.OpNop})
		m.Bus.Sleep(1e6)
		m.struck(missing)
		var gap abi.Completion
		gap.Decode(m.cq.Bytes[m.consumed%depth*abi.CompletionSize:])
		require.NotEqual(t, m.consumed/depth%2 == 0, gap.Phase, "nothing was written here")
		m.consumed++
		require.EqualValues(t, m.produced, m.completion().Seqno, "but behind it")
		m.works()
	})
}

// A completion comes before its payload: the bytes are there later.
func TestCompletionBeforePayload(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		slow := m.inject(fault.Spec{Kind: "engine-slow", Duration: 200 * sim.Microsecond, Times: 1})
		early := m.inject(fault.Spec{Kind: "completion-early"})
		m.push(fwtest.Fill(m.data.Addr, 0xabcd, 8))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		m.struck(slow)
		m.struck(early)
		require.NotEqualValues(t, 0xabcd, le.Uint64(m.data.Bytes))
		m.Bus.Sleep(1e6)
		require.EqualValues(t, 0xabcd, le.Uint64(m.data.Bytes))
		m.works()
	})
}

// HEAD stands still for as long as the fault says, or until a reset.
func TestQueueStuck(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		m.inject(fault.Spec{Kind: "queue-stuck", Duration: sim.Millisecond})
		m.push(abi.Packet{Op: abi.OpNop})
		m.Bus.Sleep(500_000)
		require.EqualValues(t, m.produced-1, m.get(&abi.Queue, "HEAD"))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		m.inject(fault.Spec{Kind: "queue-stuck", Target: fault.On(0)})
		m.push(abi.Packet{Op: abi.OpNop})
		m.Bus.Sleep(5e6)
		require.EqualValues(t, m.produced-1, m.get(&abi.Queue, "HEAD"))
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetQueue, 0))
		m.enable()
		m.works()
	})
}

// An engine that hangs: its queue's reset waits for it, the engine's and the compute
// domain's end it.
func TestEngineHang(t *testing.T) {
	for _, domain := range []uint32{abi.ResetEngine, abi.ResetCompute} {
		withMachine(t, func(m *machine) {
			m.works()
			a := m.inject(fault.Spec{Kind: "engine-hang", Target: fault.On(abi.EngineCopy)})
			m.push(fwtest.Fill(m.data.Addr, 5, 8))
			m.Bus.Sleep(1e6)
			m.struck(a)
			require.Error(t, m.NPU.Idle())
			require.EqualValues(t, abi.ResetBusy, m.reset(abi.ResetQueue, 0))
			require.EqualValues(t, abi.ResetDone, m.reset(domain, abi.EngineCopy))
			m.enable()
			m.works()
		})
	}
}

// Resets that fail, hang, or leave a queue busy, and the wider one that heals.
func TestFaultsOfResets(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		fails := m.inject(fault.Spec{Kind: "reset-fail", Target: fault.On(abi.ResetQueue), Times: 2})
		require.EqualValues(t, abi.ResetFailed, m.reset(abi.ResetQueue, 0))
		require.EqualValues(t, abi.ResetFailed, m.reset(abi.ResetQueue, 0))
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetQueue, 0), "the third of a fault that strikes twice")
		require.Equal(t, 2, fails.Struck())
		m.enable()
		m.works()

		m.inject(fault.Spec{Kind: "reset-hang", Target: fault.On(abi.ResetQueue)})
		require.EqualValues(t, abi.ResetBusy, m.reset(abi.ResetQueue, 0))
		require.EqualValues(t, abi.ResetBusy, m.reset(abi.ResetQueue, 0), "nor does another help")
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetCompute, 0))
		m.enable()
		m.works()

		m.inject(fault.Spec{Kind: "reset-hang", Duration: 300 * sim.Microsecond})
		m.set(&abi.Ident, "RESET_CTRL", abi.ResetCompute)
		m.Bus.Sleep(200_000)
		require.EqualValues(t, abi.ResetBusy, m.get(&abi.Ident, "RESET_STATUS")&3)
		m.Bus.Sleep(200_000)
		require.EqualValues(t, abi.ResetDone, m.get(&abi.Ident, "RESET_STATUS")&3)
		m.enable()
		m.works()

		m.inject(fault.Spec{Kind: "not-idle", Target: fault.On(0)})
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetQueue, 0))
		require.EqualValues(t, abi.QueueDraining, m.get(&abi.Queue, "STATE"))
		m.enable()
		require.EqualValues(t, abi.QueueDraining, m.get(&abi.Queue, "STATE"), "it takes no ENABLE")
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetQueue, 0))
		m.enable()
		m.works()
	})
}

// INV_DONE stands still until the fault's end or a compute reset.
func TestInvalidateHang(t *testing.T) {
	withMachine(t, func(m *machine) {
		invalidate := func() uint32 {
			m.set(&abi.MMU, "INV_ASID", 0xffffffff)
			m.set(&abi.MMU, "INV_CMD", 1)
			m.Bus.Sleep(50_000)
			return m.get(&abi.MMU, "INV_DONE")
		}
		require.EqualValues(t, 1, invalidate())
		m.inject(fault.Spec{Kind: "invalidate-hang", Duration: 200 * sim.Microsecond})
		require.EqualValues(t, 1, invalidate())
		require.EqualValues(t, 1, invalidate(), "nor the ones behind it")
		m.Bus.Sleep(200_000)
		require.EqualValues(t, 3, m.get(&abi.MMU, "INV_DONE"))
		m.inject(fault.Spec{Kind: "invalidate-hang"})
		require.EqualValues(t, 3, invalidate())
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetCompute, 0))
		require.EqualValues(t, 1, invalidate(), "a reset counts anew")
	})
}

// Errors of memory are counted in telemetry; only those that cannot be corrected
// are told of.
func TestECCCounters(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		m.inject(fault.Spec{Kind: "ecc-corrected", Times: 3})
		m.inject(fault.Spec{Kind: "ecc-uncorrectable", From: 1 << 20, To: 1<<20 + 4095})
		for range 4 {
			m.push(fwtest.Copy(m.data.Addr, abi.DeviceBit|4096, 64))
			require.Equal(t, abi.StatusOK, m.completion().Status)
		}
		require.Zero(t, m.get(&abi.Ident, "IRQ_CAUSE")&abi.CauseMemory)
		m.push(fwtest.Copy(m.data.Addr, abi.DeviceBit|1<<20, 64))
		require.Equal(t, abi.StatusMemoryError, m.completion().Status)
		require.NotZero(t, m.get(&abi.Ident, "IRQ_CAUSE")&abi.CauseMemory)
		m.set(&abi.Telemetry, "SNAPSHOT", 1)
		require.EqualValues(t, 3, m.get(&abi.Telemetry, "ECC_CORRECTED"))
		require.EqualValues(t, 1, m.get(&abi.Telemetry, "ECC_UNCORRECTED"))
	})
}

// A thermal event shows, and passes.
func TestThermalEvent(t *testing.T) {
	withMachine(t, func(m *machine) {
		hot := func() uint32 {
			m.set(&abi.Telemetry, "SNAPSHOT", 1)
			return m.get(&abi.Telemetry, "TEMPERATURE_MC")
		}
		cold := hot()
		m.inject(fault.Spec{Kind: "thermal", At: m.Engine.Now() + sim.Microsecond, Duration: sim.Millisecond, Value: 99_000})
		m.Bus.Sleep(10_000)
		require.EqualValues(t, 99_000, hot())
		require.NotZero(t, m.get(&abi.Ident, "IRQ_CAUSE")&abi.CauseThermal)
		m.Bus.Sleep(2e6)
		require.Less(t, hot(), cold+10_000)
		m.works()
	})
}

// Errors of the bus are in the function's registers: device status and AER.
func TestAER(t *testing.T) {
	const deviceStatus, uncorrectable, correctable = 0x6a, 0x104, 0x110
	withMachine(t, func(m *machine) {
		m.works()
		at := m.Engine.Now() + 1
		m.inject(fault.Spec{Kind: "aer-corrected", At: at})
		m.Bus.Sleep(1000)
		assert.EqualValues(t, 1, m.Bus.ConfigRead(correctable, 4))
		assert.EqualValues(t, 1, m.Bus.ConfigRead(deviceStatus, 2)&7)
		m.inject(fault.Spec{Kind: "aer-nonfatal", At: at})
		m.inject(fault.Spec{Kind: "aer-fatal", At: at})
		m.Bus.Sleep(1000)
		assert.EqualValues(t, 1<<15|1<<4, m.Bus.ConfigRead(uncorrectable, 4))
		assert.EqualValues(t, 7, m.Bus.ConfigRead(deviceStatus, 2)&7)
		m.works()
	})
}

// The INJECT block does what Inject does, and refuses what it refuses.
func TestInjectBlock(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		require.EqualValues(t, fault.NumKinds-1, m.get(&abi.Inject, "KINDS"))
		arm := func(set map[string]uint32) uint32 {
			for _, name := range []string{"KIND", "TARGET", "SPACE", "TIMES", "PROBABILITY", "DURATION_NS", "FROM_LO", "VALUE_LO"} {
				m.set(&abi.Inject, name, set[name])
			}
			m.set(&abi.Inject, "ARM", abi.InjectArm)
			return m.get(&abi.Inject, "STATUS")
		}
		require.EqualValues(t, abi.InjectRefused, arm(map[string]uint32{"KIND": 255}))
		require.EqualValues(t, abi.InjectRefused, arm(map[string]uint32{"KIND": 0}))
		require.EqualValues(t, abi.InjectRefused, arm(map[string]uint32{"KIND": uint32(fault.IRQLost), "FROM_LO": 4}))
		require.EqualValues(t, abi.InjectArmed, arm(map[string]uint32{"KIND": uint32(fault.BadOpcode), "TARGET": 1, "SPACE": 1}))
		m.works()
		m.push(abi.Packet{Op: abi.OpNop})
		require.Equal(t, abi.StatusBadOpcode, m.completion().Status)
		require.EqualValues(t, 1, m.get(&abi.Inject, "STRUCK"))
		m.set(&abi.Queue, "CTRL", 3)
		m.works()
		require.EqualValues(t, abi.InjectArmed, arm(map[string]uint32{"KIND": uint32(fault.BadOpcode), "TIMES": abi.InjectForever}))
		m.set(&abi.Inject, "ARM", abi.InjectClear)
		require.EqualValues(t, abi.InjectIdle, m.get(&abi.Inject, "STATUS"))
		m.works()
		require.EqualValues(t, 1, m.get(&abi.Inject, "STRUCK"))
	})
}

// A power cycle loses everything, sticky bits too.
func TestPowerCycle(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		m.inject(fault.Spec{Kind: "aer-fatal", At: m.Engine.Now()})
		p := make([]byte, 8)
		m.NPU.Memory().Poke(0, []byte("presi is"))
		m.Bus.Sleep(1000)
		m.Engine.Await("a power cycle", func(done sim.Call) { m.NPU.PowerCycle(done) })
		require.Zero(t, m.Bus.ConfigRead(0x104, 4))
		m.NPU.Memory().Peek(0, p)
		require.NotEqual(t, "presi is", string(p))
		require.NotEqual(t, make([]byte, 8), p, "noise, not zero")
		m.powerUp()
		m.enable()
		m.works()
	})
}
