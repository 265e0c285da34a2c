package npu_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
)

func TestCapabilitiesAreTheMachine(t *testing.T) {
	for _, name := range []string{"tiny", "edge", "datacenter"} {
		cfg, err := configs.Machine(name)
		require.NoError(t, err)
		withMachine(t, func(m *machine) {
			assert.EqualValues(t, cfg.Core.Count, m.get(&abi.Ident, "CAP_CORES"))
			assert.EqualValues(t, cfg.Queue.Count, m.get(&abi.Ident, "CAP_QUEUES"))
			assert.EqualValues(t, cfg.DMA.Channels, m.get(&abi.Ident, "CAP_DMA"))
			assert.EqualValues(t, cfg.Array.Rows|cfg.Array.Cols<<16, m.get(&abi.Ident, "CAP_ARRAY"))
			assert.EqualValues(t, cfg.DRAM.Size, m.Bus.Read64(abi.BARRegisters, abi.Offset(&abi.Ident, "CAP_MEM_SIZE")))
			window := m.Bus.Read64(abi.BARRegisters, abi.Offset(&abi.Ident, "CAP_BAR2_SIZE"))
			assert.Equal(t, window, m.Bus.BARSize(abi.BARMemory), "the capability is the BAR's size")
			assert.LessOrEqual(t, window, uint64(cfg.DRAM.Size))
			assert.EqualValues(t, abi.RegistersSize, m.Bus.BARSize(abi.BARRegisters))
			assert.NotZero(t, m.Bus.BARSize(abi.BARMSIX))
			for _, odd := range []int{-1, 1, 3, 5, 6} {
				assert.Zero(t, m.Bus.BARSize(odd))
			}
		}, fwtest.Machine(name))
	}
}

// Before the management controller is up only its block and identification take
// writes.
func TestNothingBeforeBoot(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Unbound())
	d.Run(func() {
		m := &machine{Device: d, t: t}
		m.Bus.ConfigWrite(4, 2, 1<<1|1<<2)
		m.set(&abi.Queue, "SQ_LOG2", 5)
		assert.Zero(t, m.get(&abi.Queue, "SQ_LOG2"))
		m.set(&abi.Ident, "IRQ_MASK", 3)
		assert.EqualValues(t, 3, m.get(&abi.Ident, "IRQ_MASK"))
		m.powerUp()
		m.set(&abi.Queue, "SQ_LOG2", 5)
		assert.EqualValues(t, 5, m.get(&abi.Queue, "SQ_LOG2"))
	})
}

// Accesses that no register answers: reads give zeros or all ones, writes are
// dropped and counted, and the device keeps working.
func TestBadAccesses(t *testing.T) {
	withMachine(t, func(m *machine) {
		assert.Equal(t, ^uint32(0), m.Bus.Read32(abi.BARRegisters, 0x8000), "between blocks")
		assert.Zero(t, m.Bus.Read32(abi.BARRegisters, abi.BaseIdent+0xf00), "a reserved offset of a block")
		assert.Equal(t, ^uint32(0), m.Bus.Read32(abi.BARRegisters, abi.RegistersSize), "beyond the BAR")
		assert.Equal(t, ^uint32(0), m.Bus.Read32(abi.BARRegisters, ^uint64(3)))
		assert.Equal(t, ^uint32(0), m.Bus.Read32(1, 0), "a BAR that does not exist")
		dropped := m.get(&abi.Ident, "DROPPED")
		tail := abi.Offset(&abi.Doorbell, "SQ_TAIL")
		for _, w := range []struct {
			off uint64
			n   int
		}{{tail, 1}, {tail, 2}, {tail + 1, 4}, {tail + 2, 4}, {tail, 16}, {abi.BaseDoorbells + 0x100, 4}, {0x8000, 4}, {abi.BaseIdent + 0xf00, 4}} {
			m.Bus.WriteBAR(abi.BARRegisters, w.off, make([]byte, w.n))
		}
		assert.Equal(t, dropped+8, m.get(&abi.Ident, "DROPPED"))
		m.Bus.Write32(abi.BARRegisters, abi.RegistersSize+64, 1)
		m.Bus.Write32(abi.BARMemory, 1<<40, 1)
		m.works()
	})
}

// Ring entries and command buffers that make no sense end with the status that
// says so; RESUME skips them, and the queue goes on.
func TestBadEntries(t *testing.T) {
	good := func(m *machine) abi.Submission {
		(&abi.Packet{Op: abi.OpNop}).Encode(m.cmd.Bytes)
		return abi.Submission{Op: abi.RingRun, Flags: abi.SubmitTrusted, Command: m.cmd.Addr, Bytes: 16}
	}
	for name, c := range map[string]struct {
		change func(m *machine, s *abi.Submission)
		want   abi.Status
	}{
		"undefined ring opcode":       {func(_ *machine, s *abi.Submission) { s.Op = 9 }, abi.StatusBadOpcode},
		"context 0 without trust":     {func(_ *machine, s *abi.Submission) { s.Flags = 0 }, abi.StatusBadEntry},
		"context beyond all":          {func(_ *machine, s *abi.Submission) { s.Flags, s.ASID = 0, 5000 }, abi.StatusBadEntry},
		"context that is not valid":   {func(_ *machine, s *abi.Submission) { s.Flags, s.ASID = 0, 7 }, abi.StatusPageFault},
		"misaligned commands":         {func(_ *machine, s *abi.Submission) { s.Command += 8 }, abi.StatusBadEntry},
		"odd length":                  {func(_ *machine, s *abi.Submission) { s.Bytes = 24 }, abi.StatusBadEntry},
		"commands nowhere on the bus": {func(_ *machine, s *abi.Submission) { s.Command = 0x10 }, abi.StatusBusError},
		"commands beyond the memory":  {func(_ *machine, s *abi.Submission) { s.Command = abi.DeviceBit | 1<<40 }, abi.StatusBusError},
		"undefined packet opcode":     {func(m *machine, _ *abi.Submission) { m.cmd.Bytes[0] = 200 }, abi.StatusBadOpcode},
		"reserved field of a packet":  {func(m *machine, _ *abi.Submission) { m.cmd.Bytes[12] = 1 }, abi.StatusBadPacket},
		"a packet cut off by the end": {func(m *machine, _ *abi.Submission) { k := fwtest.Fill(0, 0, 8); k.Encode(m.cmd.Bytes) }, abi.StatusBadPacket},
	} {
		t.Run(name, func(t *testing.T) {
			withMachine(t, func(m *machine) {
				s := good(m)
				c.change(m, &s)
				m.entry(s)
				got := m.completion()
				require.Equal(t, c.want, got.Status)
				assert.EqualValues(t, 1, got.Seqno)
				if c.want != abi.StatusOK {
					assert.EqualValues(t, abi.QueueError, m.get(&abi.Queue, "STATE"))
					assert.EqualValues(t, c.want, m.get(&abi.Queue, "ERR_CODE"))
					m.set(&abi.Queue, "CTRL", 1|2)
				}
				m.works()
			})
		})
	}
}

// A fence that cannot be written: the entry itself is fine, its queue stops.
func TestFenceThatIsNotReachable(t *testing.T) {
	withMachine(t, func(m *machine) {
		(&abi.Packet{Op: abi.OpNop}).Encode(m.cmd.Bytes)
		m.entry(abi.Submission{Op: abi.RingRun, Flags: abi.SubmitTrusted, Command: m.cmd.Addr, Bytes: 16, Fence: 0x18, FenceValue: 1})
		assert.Equal(t, abi.StatusOK, m.completion().Status)
		m.Bus.Sleep(10_000)
		assert.EqualValues(t, abi.QueueError, m.get(&abi.Queue, "STATE"))
		assert.EqualValues(t, abi.StatusBusError, m.get(&abi.Queue, "ERR_CODE"))
		m.set(&abi.Queue, "CTRL", 1|2)
		m.works()
	})
}

// A tail beyond the ring's depth stops the queue; the entries before it have run.
func TestRingOverrun(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.works()
		m.bell("SQ_TAIL", m.produced+depth+1)
		m.Bus.Sleep(10_000)
		assert.EqualValues(t, abi.QueueError, m.get(&abi.Queue, "STATE"))
		assert.EqualValues(t, abi.StatusRingOverrun, m.get(&abi.Queue, "ERR_CODE"))
		assert.NotZero(t, m.get(&abi.Ident, "IRQ_CAUSE")&abi.CauseQueue)
		m.set(&abi.Queue, "CTRL", 1|2)
		m.works()
	})
}

// An entry whose index is not its place is stale: what a missing write barrier
// looks like.
func TestStaleEntry(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.push(abi.Packet{Op: abi.OpNop})
		m.produced++ // a doorbell before the entry: its slot still has index 0
		m.bell("SQ_TAIL", m.produced)
		assert.Equal(t, abi.StatusOK, m.completion().Status)
		assert.Equal(t, abi.StatusStaleEntry, m.completion().Status)
		m.set(&abi.Queue, "CTRL", 1|2)
		m.works()
	})
}

// A configuration that ENABLE cannot latch is an error of the queue, not more.
func TestBadQueueConfiguration(t *testing.T) {
	withMachine(t, func(m *machine) {
		for _, c := range []struct {
			name string
			v    uint32
		}{{"SQ_LOG2", 1}, {"SQ_LOG2", 17}, {"CQ_LOG2", 0}, {"CQ_LOG2", 31}, {"SQ_BASE_LO", uint32(m.sq.Addr) + 4}, {"ENGINE", 2}} {
			m.set(&abi.Queue, "CTRL", 0)
			old := m.get(&abi.Queue, c.name)
			m.set(&abi.Queue, c.name, c.v)
			m.set(&abi.Queue, "CTRL", 1)
			assert.EqualValues(t, abi.QueueError, m.get(&abi.Queue, "STATE"), c.name)
			m.set(&abi.Queue, "CTRL", 0)
			m.set(&abi.Queue, c.name, old)
			m.enable()
			m.works()
		}
	})
}

// Trusted entries reach device memory and the bus by physical address.
func TestTrustedAccess(t *testing.T) {
	withMachine(t, func(m *machine) {
		m.push(fwtest.Fill(abi.DeviceBit|0x20000, 0x1122334455667788, 64))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		p := make([]byte, 64)
		m.Bus.ReadBAR(abi.BARMemory, 0x20000, p)
		for i := 0; i < 64; i += 8 {
			assert.EqualValues(t, uint64(0x1122334455667788), le.Uint64(p[i:]))
		}
		m.push(fwtest.Copy(m.data.Addr+8, abi.DeviceBit|0x20008, 48))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		assert.Equal(t, p[:48], m.data.Bytes[8:56])
		m.push(fwtest.Fill(abi.DeviceBit|1<<50, 0, 8))
		assert.Equal(t, abi.StatusBusError, m.completion().Status, "beyond device memory")
	})
}

// Each reset ends what it covers and nothing else, counts up the epoch, and
// leaves memory alone.
func TestResets(t *testing.T) {
	for _, c := range []struct {
		name          string
		domain, index uint32
		hits          bool // queue 0, which waits for a fence
	}{
		{"queue", abi.ResetQueue, 0, true}, {"another queue", abi.ResetQueue, 1, false},
		{"compute engine", abi.ResetEngine, abi.EngineCompute, true}, {"copy engine", abi.ResetEngine, abi.EngineCopy, true},
		{"compute", abi.ResetCompute, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			withMachine(t, func(m *machine) {
				m.Bus.WriteBAR(abi.BARMemory, 0x5000, []byte("kept"))
				m.push(fwtest.WaitFor(m.data.Addr, 1<<40))
				m.Bus.Sleep(20_000)
				require.EqualValues(t, abi.QueueWaiting, m.get(&abi.Queue, "STATE"))
				m.set(&abi.Ident, "IRQ_CAUSE", ^uint32(0))
				require.EqualValues(t, abi.ResetDone, m.reset(c.domain, c.index))
				assert.NotZero(t, m.get(&abi.Ident, "IRQ_CAUSE")&abi.CauseReset)
				if !c.hits {
					require.EqualValues(t, abi.QueueWaiting, m.get(&abi.Queue, "STATE"))
					le.PutUint64(m.data.Bytes, 1<<40)
					m.bell("FENCE_KICK", 1)
					assert.Equal(t, abi.StatusOK, m.completion().Status)
					return
				}
				assert.EqualValues(t, abi.QueueDisabled, m.get(&abi.Queue, "STATE"))
				assert.EqualValues(t, 1, m.get(&abi.Queue, "EPOCH"))
				assert.EqualValues(t, 1, m.Bus.Read64(abi.BARRegisters, abi.Offset(&abi.Ident, "RESET_ASIDS")), "context 0, the trusted one")
				m.Bus.Sleep(50_000)
				assert.Equal(t, make([]byte, 4096), m.cq.Bytes, "no completion of an old epoch")
				p := make([]byte, 4)
				m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
				assert.Equal(t, "kept", string(p))
				m.enable()
				m.works()
			})
		})
	}
}

func TestBadResets(t *testing.T) {
	withMachine(t, func(m *machine) {
		for _, c := range [][2]uint32{{0, 0}, {4, 0}, {15, 0}, {abi.ResetQueue, 64}, {abi.ResetEngine, 2}} {
			assert.EqualValues(t, abi.ResetFailed, m.reset(c[0], c[1]), "domain %d index %d", c[0], c[1])
		}
		m.works()
	})
}

// A wider reset takes the place of a narrower one that is busy; the same or a
// narrower one is ignored.
func TestResetOverridesReset(t *testing.T) {
	withMachine(t, func(m *machine) {
		busy := func(domain uint32) {
			const n = 1 << 20 // a copy that takes a while to drain
			m.push(fwtest.Copy(abi.DeviceBit|4<<20, abi.DeviceBit|8<<20, n))
			m.Bus.Sleep(8_000)
			m.set(&abi.Ident, "RESET_CTRL", domain)
		}
		busy(abi.ResetQueue)
		m.set(&abi.Ident, "RESET_CTRL", abi.ResetQueue)
		m.set(&abi.Ident, "RESET_CTRL", 9)
		require.EqualValues(t, abi.ResetBusy, m.get(&abi.Ident, "RESET_STATUS")&3)
		start := m.Engine.Now()
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetCompute, 0))
		assert.Less(t, (m.Engine.Now() - start).Nanoseconds(), int64(30_000), "the copy is aborted, not awaited")
		assert.EqualValues(t, 1, m.get(&abi.Queue, "EPOCH"), "the narrower reset never ended")
		m.enable()
		m.works()
	})
}

// A function-level reset under load, and while another reset is busy: the
// function comes back as after power-on, its memory lost.
func TestFunctionReset(t *testing.T) {
	for name, also := range map[string]uint32{"under load": 0, "during a queue's reset": abi.ResetQueue, "during a compute reset": abi.ResetCompute} {
		t.Run(name, func(t *testing.T) {
			withMachine(t, func(m *machine) {
				m.Bus.WriteBAR(abi.BARMemory, 0x5000, []byte("lost"))
				m.push(fwtest.Copy(abi.DeviceBit|4<<20, abi.DeviceBit|8<<20, 1<<20))
				m.Bus.Sleep(8_000)
				if also != 0 {
					m.set(&abi.Ident, "RESET_CTRL", also)
				}
				_, err := m.Bus.AllocVectors(1, 2)
				require.NoError(t, err)
				require.NoError(t, m.Bus.ResetFunction())
				assert.EqualValues(t, 6, m.Bus.ConfigRead(4, 2), "configuration space is restored")
				assert.EqualValues(t, abi.BootOff, m.get(&abi.Mgmt, "BOOT_STATUS")&0xf)
				assert.EqualValues(t, abi.QueueDisabled, m.get(&abi.Queue, "STATE"))
				p := make([]byte, 4)
				m.Bus.ReadBAR(abi.BARMemory, 0x5000, p)
				assert.NotEqual(t, "lost", string(p), "memory is scrambled")
				assert.NotEqual(t, make([]byte, 4), p, "not zeroed")
				assert.Equal(t, make([]byte, 4096), m.cq.Bytes)
				m.powerUp()
				m.enable()
				m.works()
				m.Bus.FreeVectors()
			})
		})
	}
}

// D3hot reads all ones, refuses DMA and keeps state.
func TestPowerStates(t *testing.T) {
	withMachine(t, func(m *machine) {
		pm := capability(m, 0x01)
		require.NotZero(t, pm)
		m.Bus.ConfigWrite(pm+4, 2, 3)
		assert.Equal(t, ^uint32(0), m.get(&abi.Ident, "ID"))
		m.bell("SQ_TAIL", 1)
		m.Bus.ConfigWrite(pm+4, 2, 0)
		m.Bus.Sleep(10e6)
		assert.EqualValues(t, abi.QueueIdle, m.get(&abi.Queue, "STATE"), "the queue is as it was, the doorbell was lost")
		m.works()
	})
}

func capability(m *machine, id uint32) int {
	for at := int(m.Bus.ConfigRead(0x34, 1)); at != 0; at = int(m.Bus.ConfigRead(at+1, 1)) {
		if m.Bus.ConfigRead(at, 1) == id {
			return at
		}
	}
	return 0
}

// The counters are the traffic: what the packets moved, and the entries,
// commands and completions around it.
func TestTelemetryIsTheTraffic(t *testing.T) {
	withMachine(t, func(m *machine) {
		read := func(name string) uint64 {
			return m.Bus.Read64(abi.BARRegisters, abi.Offset(&abi.Telemetry, name))
		}
		snapshot := func() (v [7]uint64) {
			m.set(&abi.Telemetry, "SNAPSHOT", 1)
			for i, n := range []string{"MEM_READ_BYTES", "MEM_WRITE_BYTES", "LINK_RX_BYTES", "LINK_TX_BYTES", "JOBS_COMPLETED", "JOBS_FAILED", "DMA_BUSY_NS"} {
				v[i] = read(n)
			}
			return v
		}
		before := snapshot()
		const n = 64 << 10
		big, err := m.Bus.AllocDMA(n)
		require.NoError(t, err)
		m.push(fwtest.Copy(abi.DeviceBit|4<<20, big.Addr, n))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		m.push(fwtest.Copy(big.Addr, abi.DeviceBit|4<<20, n/2))
		require.Equal(t, abi.StatusOK, m.completion().Status)
		m.push(abi.Packet{Op: abi.OpNop, Tag: 1}, abi.Packet{Op: abi.OpKernel, Value: abi.KernelSize})
		require.NotEqual(t, abi.StatusOK, m.completion().Status)
		after := snapshot()
		assert.EqualValues(t, n/2, after[0]-before[0])
		assert.EqualValues(t, n, after[1]-before[1])
		assert.GreaterOrEqual(t, after[2]-before[2], uint64(n+3*abi.SubmissionSize))
		assert.LessOrEqual(t, after[2]-before[2], uint64(n+3*(abi.SubmissionSize+1024)))
		assert.EqualValues(t, n/2+3*abi.CompletionSize, after[3]-before[3])
		assert.EqualValues(t, 2, after[4]-before[4])
		assert.EqualValues(t, 1, after[5]-before[5])
		assert.NotZero(t, after[6]-before[6])
		m.set(&abi.Queue, "CTRL", 3)
		m.Bus.FreeDMA(big)
	})
}

// Sensors rise with the traffic and are the same for the same traffic.
func TestSensors(t *testing.T) {
	power := func(copies int) (mw uint32) {
		withMachine(t, func(m *machine) {
			m.set(&abi.Telemetry, "SNAPSHOT", 1)
			idle := m.get(&abi.Telemetry, "POWER_MW")
			for range copies {
				m.push(fwtest.Copy(abi.DeviceBit|4<<20, abi.DeviceBit|8<<20, 256<<10))
				require.Equal(t, abi.StatusOK, m.completion().Status)
			}
			m.set(&abi.Telemetry, "SNAPSHOT", 1)
			mw = m.get(&abi.Telemetry, "POWER_MW")
			assert.Greater(t, mw, idle)
			assert.Greater(t, m.get(&abi.Telemetry, "TEMPERATURE_MC"), uint32(35_000))
		})
		return mw
	}
	assert.Equal(t, power(2), power(2))
}

// Interrupts: a cause that is masked raises nothing, unmasking raises what is
// there, and W1C clears it.
func TestEventInterrupt(t *testing.T) {
	withMachine(t, func(m *machine) {
		_, err := m.Bus.AllocVectors(1, 1)
		require.NoError(t, err)
		count := 0
		require.NoError(t, m.Bus.RequestIRQ(0, "events", func() { count++ }))
		m.set(&abi.Ident, "IRQ_CAUSE", ^uint32(0))
		require.EqualValues(t, abi.ResetDone, m.reset(abi.ResetQueue, 3))
		m.Bus.Sleep(50_000)
		assert.Zero(t, count, "masked")
		m.set(&abi.Ident, "IRQ_MASK", abi.CauseReset)
		m.Bus.Sleep(50_000)
		assert.Equal(t, 1, count, "unmasked while it is set")
		m.reset(abi.ResetQueue, 3)
		m.Bus.Sleep(50_000)
		assert.Equal(t, 1, count, "a cause that is set already is no new one")
		m.set(&abi.Ident, "IRQ_CAUSE", abi.CauseReset)
		m.reset(abi.ResetQueue, 3)
		m.Bus.Sleep(50_000)
		assert.Equal(t, 2, count)
		m.Bus.FreeVectors()
	})
}

// A no-operation's latency, stage by stage: each stage takes time, in order, and
// their sum is what the driver sees. The figures are printed.
func TestNoOpLatencyByStage(t *testing.T) {
	for _, name := range []string{"tiny", "edge", "datacenter"} {
		withMachine(t, func(m *machine) {
			var rec queue.Record
			m.NPU.Queues().Observe = func(r *queue.Record) { rec = *r }
			start := m.Engine.Now()
			m.push(abi.Packet{Op: abi.OpNop})
			issued := m.Engine.Now()
			require.Equal(t, abi.StatusOK, m.completion().Status)
			stages := []struct {
				name string
				end  sim.Time
			}{{"doorbell to device", rec.Doorbell}, {"ring entry fetched", rec.Fetched}, {"commands fetched", rec.Ready},
				{"turn", rec.Started}, {"packet", rec.Ended}, {"completion sent", rec.Posted}}
			at := start
			for _, s := range stages {
				assert.GreaterOrEqual(t, s.end, at, "%s: %s", name, s.name)
				t.Logf("%-10s %-20s %8.0f ns", name, s.name, float64(s.end-at)/1000)
				at = s.end
			}
			t.Logf("%-10s the CPU is free after %.0f ns", name, float64(issued-start)/1000)
			assert.Greater(t, rec.Fetched-rec.Doorbell, sim.Time(0), "a round trip over the link")
			assert.Greater(t, rec.Ready-rec.Fetched, sim.Time(0))
		}, fwtest.Machine(name))
	}
}

// However busy the memory is, what is written through BAR2 before a doorbell is
// there when the device looks, and BAR2 reads what BAR2 wrote.
func TestWindowWritesComeBeforeDoorbells(t *testing.T) {
	withMachine(t, func(m *machine) {
		for i := range uint64(20) {
			m.push(fwtest.Copy(abi.DeviceBit|4<<20, abi.DeviceBit|8<<20, 64<<10)) // keeps the memory busy
			m.Bus.Sleep(int64(i) * 1500)
			var packet [64]byte
			k := fwtest.Fill(m.data.Addr, i+1, 8)
			k.Encode(packet[:])
			at := 0x40000 + i*4096
			m.Bus.WriteBAR(abi.BARMemory, at, packet[:])
			m.entry(abi.Submission{Op: abi.RingRun, Flags: abi.SubmitTrusted, Command: abi.DeviceBit | at, Bytes: 64})
			got := make([]byte, 64)
			m.Bus.ReadBAR(abi.BARMemory, at, got)
			require.Equal(t, packet[:], got)
			require.Equal(t, abi.StatusOK, m.completion().Status)
			require.Equal(t, abi.StatusOK, m.completion().Status)
			require.Equal(t, i+1, le.Uint64(m.data.Bytes))
		}
	})
}

// Writes through BAR2 to the same bytes stay in order, long ones before short
// ones too.
func TestWindowWritesKeepTheirOrder(t *testing.T) {
	withMachine(t, func(m *machine) {
		for i := range uint64(30) {
			m.push(fwtest.Copy(abi.DeviceBit|4<<20, abi.DeviceBit|8<<20, 64<<10)) // keeps the memory busy
			m.Bus.Sleep(int64(i) * 700)
			page := 0x40000 + i*4096
			m.Bus.WriteBAR(abi.BARMemory, page, make([]byte, 4096))
			m.Bus.Write64(abi.BARMemory, page+(i*136)%4096&^7, i+1)
			require.Equal(t, abi.StatusOK, m.completion().Status)
			require.Equal(t, i+1, m.Bus.Read64(abi.BARMemory, page+(i*136)%4096&^7))
		}
	})
}
