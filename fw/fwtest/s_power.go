package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// autosuspend lets the device suspend, 20 ms after its last use.
func (c *Case) autosuspend() {
	c.Helper()
	require.NoError(c, c.StoreSys(c.sysDir()+"device/power/autosuspend_delay_ms", "20"))
	require.NoError(c, c.StoreSys(c.sysDir()+"device/power/control", "auto"))
}

func (c *Case) power() string {
	c.Helper()
	return c.sys("device/power/runtime_status")
}

// suspends holds that the device is suspended once its delay is over.
func (c *Case) suspends(why string) {
	c.Helper()
	c.Sleep(100e6)
	require.Equal(c, "suspended", c.power(), why)
}

// A device that nobody uses is suspended; an ioctl resumes it, and it is
// suspended again behind it, also when the ioctl fails.
func s26Suspend(c *Case) {
	require.Equal(c, "active", c.power())
	c.autosuspend()
	c.suspends("after bind")
	u := c.open()
	c.suspends("after open")
	b := u.NewBuffer(8192, abi.BODevice)
	require.Equal(c, "active", c.power(), "after an ioctl")
	b.Write(0, pattern(8192, 5))
	c.suspends("after an ioctl")
	c.is(Ioctl(u, abi.NrBOCreate, &abi.BOCreate{Size: 4096, Flags: abi.BODevice | 1<<31}), unix.EINVAL)
	c.is(Ioctl(u, abi.NrBOInfo, &abi.BOInfo{Handle: 99}), unix.ENOENT)
	c.is(u.Submit(99, nop()), unix.ENOENT)
	c.suspends("after ioctls that failed")
	for i := range 5 {
		w := u.copying(16<<10, byte(i))
		u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityNormal), w.Job)
		assert.Zero(c, c.ended(u, w.Job, 1e9))
		assert.True(c, w.right())
		c.suspends("after a job")
	}
	assert.Equal(c, pattern(8192, 5), b.Read(0, 8192), "device memory keeps its data")
	u.close()
	c.suspends("after the last close")
	require.NoError(c, c.StoreSys(c.sysDir()+"device/power/control", "on"))
	require.Equal(c, "active", c.power())
	c.healthy()
}

// Jobs keep the device awake, also one that hangs and its reset; behind the error
// it is suspended as ever, and a suspended device is unplugged like any.
func s26Busy(c *Case) {
	c.autosuspend()
	u := c.open()
	hung := u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.hang(200e6))
	for range 15 {
		c.Sleep(20e6)
		require.Equal(c, "active", c.power(), "a job is on the hardware")
	}
	f, err := c.Inject(fault.Spec{Kind: "reset-hang", Duration: 80 * sim.Millisecond})
	require.NoError(c, err)
	for deadline := c.Now() + 2e9; u.Wait(hung.Done, 0) != nil && c.Now() < deadline; {
		require.Equal(c, "active", c.power(), "no suspend during a reset")
		c.Sleep(5e6)
	}
	assert.Equal(c, unix.ETIME, u.fenceError(hung))
	assert.Equal(c, 1, f.Struck())
	c.suspends("after a reset")
	if c.Dev != nil {
		assert.Zero(c, c.Dev.Driver.PowerUsers())
	}
	c.Unbind()
	u.close()
	require.NoError(c, c.Bind())
	c.healthy()
}

// The system cannot sleep during a reset, and can afterwards.
func s26Reset(c *Case) {
	_, err := c.Inject(fault.Spec{Kind: "reset-hang", Duration: 20 * sim.Millisecond})
	require.NoError(c, err)
	join := c.Spawn(func() { assert.NoError(c, c.StoreDebug(c.debugDir()+"reset", "1")) })
	c.awaitReset()
	c.is(c.Dev.Driver.Suspend(), unix.EBUSY)
	join()
	c.healthy()
	require.NoError(c, c.Dev.Driver.Suspend())
	c.Dev.Driver.Resume()
	c.healthy()
}
