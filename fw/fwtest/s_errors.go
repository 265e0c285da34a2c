package fwtest

import (
	"fmt"
	"io/fs"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// A function-level reset with a job on the hardware: the driver prepares, the job
// ends, and everything works afterwards, without a new bind.
func s25Reset(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	j := u.Start(q, u.hang(0))
	c.Sleep(100e3)
	require.NoError(c, c.ResetDevice())
	assert.Equal(c, unix.EIO, c.ended(u, j, 2e9))
	w := u.copying(16<<10, 4)
	u.Start(q, w.Job)
	assert.Zero(c, c.ended(u, w.Job, 2e9))
	assert.True(c, w.right())
	u.close()
	c.healthy()
}

// A function-level reset takes device memory: a context that had buffers there is
// dead, one that had none goes on.
func s25Lost(c *Case) {
	u, v := c.open(), c.open()
	uq, vq := u.NewQueue(abi.EngineCompute, fw.PriorityNormal), v.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	u.NewBuffer(4096, abi.BODevice)
	v.NewBuffer(4096, abi.BOHost)
	require.NoError(c, c.ResetDevice())
	c.is(u.Submit(uq, nop()), unix.ECANCELED, "its memory is gone")
	assert.Zero(c, u.Status(uq).Guilty)
	assert.Zero(c, c.ended(v, v.Start(vq, nop()), 1e9), "it has lost nothing")
	u.close()
	v.close()
	c.healthy()
}

// A fatal error resets the slot, which ends what runs.
func s25Fatal(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	resets := u.Status(q).ResetCount
	f, err := c.Inject(fault.Spec{Kind: "aer-fatal"})
	require.NoError(c, err)
	j := u.Start(q, u.hang(0)) // it runs still when the bus is frozen
	assert.Equal(c, unix.EIO, c.ended(u, j, 2e9), "the job that the reset ended")
	assert.Equal(c, 1, f.Struck())
	assert.Greater(c, u.Status(q).ResetCount, resets, "the slot was reset")
	u.close()
	c.healthy()
}

// spy is a bus that notes what is touched while the channel is frozen, or the function
// is being reset.
type spy struct {
	hw.Bus
	frozen  bool
	freezes int
	touched []string
}

func (s *spy) note(what string, bar int, off uint64) {
	if s.frozen {
		s.touched = append(s.touched, fmt.Sprintf("%s of BAR %d at %#x", what, bar, off))
	}
}

func (s *spy) Read32(bar int, off uint64) uint32 {
	s.note("a read", bar, off)
	return s.Bus.Read32(bar, off)
}

func (s *spy) Read64(bar int, off uint64) uint64 {
	s.note("a read", bar, off)
	return s.Bus.Read64(bar, off)
}

func (s *spy) Write32(bar int, off uint64, v uint32) {
	s.note("a write", bar, off)
	s.Bus.Write32(bar, off, v)
}

func (s *spy) ReadBAR(bar int, off uint64, p []byte) {
	s.note("a read", bar, off)
	s.Bus.ReadBAR(bar, off, p)
}

func (s *spy) WriteBAR(bar int, off uint64, p []byte) {
	s.note("a write", bar, off)
	s.Bus.WriteBAR(bar, off, p)
}

// SetErrorHandlers implements hw.Bus: from the word that the channel is frozen until
// the slot is reset.
func (s *spy) SetErrorHandlers(h *hw.ErrorHandlers) {
	if h != nil {
		told, its := *h, *h
		told.ErrorDetected = func(channel hw.ChannelState) hw.Recovery {
			if channel == hw.ChannelFrozen {
				s.frozen = true
				s.freezes++
			}
			return its.ErrorDetected(channel)
		}
		told.SlotReset = func() hw.Recovery { s.frozen = false; return its.SlotReset() }
		told.ResetPrepare = func() { its.ResetPrepare(); s.reset() }
		told.ResetDone = func() { s.frozen = false; its.ResetDone() }
		h = &told
	}
	s.Bus.SetErrorHandlers(h)
}

// ResetFunction implements hw.Bus.
func (s *spy) ResetFunction() error {
	s.reset()
	defer func() { s.frozen = false }()
	return s.Bus.ResetFunction()
}

func (s *spy) reset() {
	s.frozen = true
	s.freezes++
}

// An invalidation that is under way comes to its end before the function is reset, by
// the host or by the driver; nobody touches the device meanwhile.
func s25Invalidation(c *Case) {
	c.Dev.Remove()
	bus := &spy{Bus: c.Dev.Bus}
	require.NoError(c, c.Dev.ProbeOn(bus))
	u, by := c.open(), c.open()
	slow, err := c.Inject(fault.Spec{Kind: "invalidate-hang", Duration: 5 * sim.Millisecond})
	require.NoError(c, err)
	closes := c.Spawn(by.NewBuffer(4096, abi.BOHost).Close)
	c.Sleep(1e6)
	require.Equal(c, 1, slow.Struck())
	require.NoError(c, c.ResetDevice())
	closes()
	assert.Equal(c, 1, bus.freezes, "by the host")

	b := by.NewBuffer(4096, abi.BOHost)
	for _, f := range []fault.Spec{{Kind: "reset-fail", Target: fault.On(abi.ResetQueue)}, {Kind: "reset-hang", Target: fault.On(abi.ResetCompute)}} {
		_, err := c.Inject(f)
		require.NoError(c, err)
	}
	j := u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.hang(2e6))
	c.awaitReset()
	c.Sleep(5e6)
	closes = c.Spawn(b.Close) // it waits for the reset of the compute part, which does not end
	assert.NotZero(c, c.ended(u, j, 2e9))
	closes()
	assert.Equal(c, 2, bus.freezes, "by the driver")
	assert.Empty(c, bus.touched)
	u.close()
	by.close()
	c.healthy()
	c.Unbind()
	require.NoError(c, c.Bind())
}

// While the bus is frozen nobody touches the device: not the driver, and not for
// programs that make and close buffers.
func s25Frozen(c *Case) {
	c.frozen(func(*User) {
		if _, err := fs.ReadFile(c.Debugfs(), c.debugDir()+"registers"); err != nil {
			c.is(err, unix.EBUSY)
		}
	})
}

func s25Buffers(c *Case) {
	c.frozen(func(u *User) {
		u.NewBuffer(4096, abi.BOHost).Close()
	})
}

// frozen calls meanwhile while the bus is frozen, and holds that nobody touches the
// device before the slot is reset.
func (c *Case) frozen(meanwhile func(u *User)) {
	c.Helper()
	c.Dev.Remove()
	bus := &spy{Bus: c.Dev.Bus}
	require.NoError(c, c.Dev.ProbeOn(bus))
	u := c.open()
	f, err := c.Inject(fault.Spec{Kind: "aer-fatal"})
	require.NoError(c, err)
	j := u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.hang(0))
	for deadline := c.Now() + 1e9; !bus.frozen && bus.freezes == 0; c.Sleep(500) {
		require.Less(c, c.Now(), deadline, "the bus is not frozen")
	}
	meanwhile(u)
	assert.Equal(c, unix.EIO, c.ended(u, j, 2e9))
	assert.Equal(c, 1, f.Struck())
	assert.Equal(c, 1, bus.freezes)
	assert.Empty(c, bus.touched)
	u.close()
	c.healthy()
	c.Unbind()
	require.NoError(c, c.Bind())
}

// A failure that is permanent ends every job, and later ones are refused.
func s25Permanent(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	j := u.Start(q, u.hang(0))
	other := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	c.Sleep(100e3)
	c.Dev.Host.Bus().Disconnect()
	assert.Equal(c, unix.EIO, c.ended(u, j, 2e9))
	c.is(u.Submit(other, nop()), unix.EIO)
	assert.Equal(c, "wedged", c.sys("device/state"))
	c.noMaster()
	u.close()
	c.Unbind()
	require.NoError(c, c.Bind())
	c.healthy()
}

func s25NonFatal(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	f, err := c.Inject(fault.Spec{Kind: "aer-nonfatal"})
	require.NoError(c, err)
	w := u.copying(64<<10, 4)
	u.Start(q, w.Job)
	require.NoError(c, u.Wait(w.Done, c.Now()+2e9))
	assert.Equal(c, 1, f.Struck())
	assert.Zero(c, u.Status(q).ResetCount)
	u.close()
	c.healthy()
}
