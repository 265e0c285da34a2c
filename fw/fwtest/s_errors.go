package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
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

func s25Fatal(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	resets := u.Status(q).ResetCount
	f, err := c.Inject(fault.Spec{Kind: "aer-fatal"})
	require.NoError(c, err)
	w := u.copying(64<<10, 4)
	u.Start(q, w.Job)
	assert.Equal(c, unix.EIO, c.ended(u, w.Job, 2e9), "the job that the reset ended")
	assert.Equal(c, 1, f.Struck())
	assert.Greater(c, u.Status(q).ResetCount, resets, "the slot was reset")
	u.close()
	c.healthy()
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
