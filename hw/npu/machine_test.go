package npu_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
)

var le = binary.LittleEndian

// machine drives the device by its registers, as the first lines of a driver do:
// one queue, trusted entries, no framework.
type machine struct {
	*fwtest.Device
	t        testing.TB
	sq, cq   *hw.DMA
	cmd      *hw.DMA
	data     *hw.DMA
	produced uint32
	consumed uint32
}

const depth = 1 << 3

// withMachine runs fn as a process on a booted device with queue 0 enabled.
func withMachine(t testing.TB, fn func(m *machine), opts ...fwtest.Option) {
	d := fwtest.NewDevice(t, append(opts, fwtest.Unbound())...)
	d.Run(func() {
		m := &machine{Device: d, t: t}
		m.powerUp()
		for _, p := range []**hw.DMA{&m.sq, &m.cq, &m.cmd, &m.data} {
			var err error
			*p, err = d.Bus.AllocDMA(4096)
			require.NoError(t, err)
		}
		m.enable()
		fn(m)
		m.set(&abi.Queue, "CTRL", 0)
		for _, p := range []*hw.DMA{m.sq, m.cq, m.cmd, m.data} {
			d.Bus.FreeDMA(p)
		}
	})
}

// powerUp enables the function and boots the management controller.
func (m *machine) powerUp() {
	m.Bus.ConfigWrite(4, 2, 1<<1|1<<2)
	m.set(&abi.Mgmt, "BOOT_CTRL", 1)
	for m.get(&abi.Mgmt, "BOOT_STATUS")&0xf != abi.BootReady {
		m.Bus.Sleep(10_000)
	}
}

// enable starts queue 0 on fresh rings.
func (m *machine) enable() {
	clear(m.cq.Bytes)
	m.produced, m.consumed = 0, 0
	m.pair(&abi.Queue, "SQ_BASE", m.sq.Addr)
	m.pair(&abi.Queue, "CQ_BASE", m.cq.Addr)
	m.set(&abi.Queue, "SQ_LOG2", 3)
	m.set(&abi.Queue, "CQ_LOG2", 3)
	m.set(&abi.Queue, "ENGINE", abi.EngineCompute)
	m.set(&abi.Queue, "CTRL", 1)
}

func (m *machine) get(t *reg.Table, name string) uint32 {
	return m.Bus.Read32(abi.BARRegisters, abi.Offset(t, name))
}

func (m *machine) set(t *reg.Table, name string, v uint32) {
	m.Bus.Write32(abi.BARRegisters, abi.Offset(t, name), v)
}

func (m *machine) pair(t *reg.Table, name string, v uint64) {
	m.set(t, name+"_LO", uint32(v))
	m.set(t, name+"_HI", uint32(v>>32))
}

// push writes a ring entry that runs packets with physical addresses.
func (m *machine) push(packets ...abi.Packet) {
	off := 0
	for i := range packets {
		packets[i].Encode(m.cmd.Bytes[off:])
		off += packets[i].Size()
	}
	m.entry(abi.Submission{Op: abi.RingRun, Flags: abi.SubmitTrusted, Command: m.cmd.Addr, Bytes: uint32(off)})
}

// entry writes a ring entry and rings the doorbell.
func (m *machine) entry(s abi.Submission) {
	s.Index, s.Seqno = m.produced, uint64(m.produced)+1
	s.Encode(m.sq.Bytes[m.produced%depth*abi.SubmissionSize:])
	m.produced++
	m.bell("SQ_TAIL", m.produced)
}

func (m *machine) bell(name string, v uint32) { m.set(&abi.Doorbell, name, v) }

// completion waits for the next completion, at most some milliseconds.
func (m *machine) completion() (c abi.Completion) {
	for range 1000 {
		c.Decode(m.cq.Bytes[m.consumed%depth*abi.CompletionSize:])
		if c.Phase == (m.consumed/depth%2 == 0) {
			m.consumed++
			m.bell("CQ_HEAD", m.consumed)
			return c
		}
		m.Bus.Sleep(5000)
	}
	require.FailNow(m.t, "no completion came")
	return c
}

// works holds that the queue runs an entry: the device has survived.
func (m *machine) works() {
	m.push(fwtest.Fill(m.data.Addr, uint64(m.produced)+77, 8))
	want := uint64(m.produced) + 76
	require.Equal(m.t, abi.StatusOK, m.completion().Status)
	require.Equal(m.t, want, le.Uint64(m.data.Bytes))
}

// reset runs a reset and returns RESET_STATUS's state.
func (m *machine) reset(domain, index uint32) uint32 {
	m.set(&abi.Ident, "RESET_CTRL", domain|index<<8)
	for range 1000 {
		if s := m.get(&abi.Ident, "RESET_STATUS") & 3; s != abi.ResetBusy {
			return s
		}
		m.Bus.Sleep(1000)
	}
	return abi.ResetBusy
}
