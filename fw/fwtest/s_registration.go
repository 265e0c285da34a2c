package fwtest

import (
	"fmt"
	"strconv"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// toy returns a driver without hardware.
func toy(features uint32) *fw.Driver {
	return &fw.Driver{Name: "toy", Desc: "no hardware", Date: "20260101", Major: 1, Features: features}
}

func s01RenderAndModeset(c *Case) {
	for _, also := range []uint32{fw.FeatureRender, fw.FeatureModeset, fw.FeatureRender | fw.FeatureModeset} {
		_, err := c.Dev.Class.NewDevice(toy(fw.FeatureAccel|also), "0000:09:00.0")
		c.is(err, unix.EINVAL, "accel with %#x", also)
	}
	d, err := c.Dev.Class.NewDevice(toy(fw.FeatureAccel), "0000:09:00.0")
	require.NoError(c, err)
	d.Put()
}

// A controller that does not boot: no node, and the next bind works.
func s02FailedBind(c *Case) {
	minor := c.Minor()
	c.Unbind()
	f, err := c.Inject(fault.Spec{Kind: "boot-error"})
	require.NoError(c, err)
	c.is(c.Bind(), unix.EIO)
	f.Disarm()
	_, err = c.OpenNode()
	c.is(err, unix.ENODEV)
	if c.Dev != nil {
		require.NoError(c, c.Dev.Host.Leaks())
		require.NoError(c, c.Dev.Bus.ResetFunction())
	}
	require.NoError(c, c.Bind())
	assert.Equal(c, minor, c.Minor())
	c.healthy()
}

// failing is a bus on which the allocation after the next few fails.
type failing struct {
	*Recorder
	left int
}

// AllocDMA implements hw.Bus.
func (f *failing) AllocDMA(n int64) (*hw.DMA, error) {
	if f.left--; f.left < 0 {
		return nil, hw.ErrNoMemory
	}
	return f.Recorder.AllocDMA(n)
}

// lies are answers of registers that make a step of the probe fail.
var lies = []struct {
	name string
	want unix.Errno
	off  uint64
	v    uint64
}{
	{"wrong device behind the BAR", unix.ENODEV, abi.Offset(&abi.Ident, "ID"), 0xffffffff},
	{"another interface version", unix.ENODEV, abi.Offset(&abi.Ident, "ABI_VERSION"), 9},
	{"boot fails", unix.EIO, abi.Offset(&abi.Mgmt, "BOOT_STATUS"), abi.BootFailed},
	{"boot hangs", unix.ETIME, abi.Offset(&abi.Mgmt, "BOOT_STATUS"), abi.BootRunning},
	{"reset fails", unix.EIO, abi.Offset(&abi.Ident, "RESET_STATUS"), abi.ResetFailed},
	{"reset hangs", unix.ETIME, abi.Offset(&abi.Ident, "RESET_STATUS"), abi.ResetBusy},
	{"too few queues", unix.ENODEV, abi.Offset(&abi.Ident, "CAP_QUEUES"), 1},
	{"no memory", unix.ENOSPC, abi.Offset(&abi.Ident, "CAP_MEM_SIZE"), 4096},
}

func s02EveryStep(c *Case) {
	d := c.Dev
	d.Remove()
	for _, l := range lies {
		d.Bus.OnRead = func(off, v uint64) uint64 {
			if off == l.off {
				return l.v
			}
			return v
		}
		c.is(d.Probe(), l.want, l.name)
		require.NoError(c, d.Host.Leaks(), l.name)
		_, err := c.OpenNode()
		c.is(err, unix.ENODEV, l.name)
	}
	d.Bus.OnRead = nil
	for n := 0; ; n++ {
		require.Less(c, n, 100)
		err := d.ProbeOn(&failing{d.Bus, n})
		if err == nil {
			assert.Greater(c, n, 5, "the driver allocates")
			break
		}
		c.is(err, unix.ENOMEM, "allocation %d", n)
		require.NoError(c, d.Host.Leaks(), "allocation %d", n)
		c.queuesDisabled()
	}
	c.healthy()
}

// queuesDisabled holds that no queue of the unbound device is enabled.
func (c *Case) queuesDisabled() {
	c.Helper()
	bus := c.Dev.Bus
	bus.ConfigWrite(pciCommand, 2, 1<<1) // memory decoding
	assert.Zero(c, bus.Read32(abi.BARRegisters, abi.Offset(&abi.Ident, "IRQ_MASK")))
	for q := range uint64(bus.Read32(abi.BARRegisters, abi.Offset(&abi.Ident, "CAP_QUEUES"))) {
		assert.EqualValues(c, abi.QueueDisabled, bus.Read32(abi.BARRegisters, abi.Offset(&abi.Queue, "STATE")+q*abi.QueueStride), "queue %d", q)
	}
	bus.ConfigWrite(pciCommand, 2, 0)
}

func s03NodeIsShown(c *Case) {
	assert.Equal(c, fmt.Sprintf("261:%d", c.Minor()), c.sys("dev"))
	uevent := c.sys("uevent")
	for _, line := range []string{"MAJOR=261", "DEVTYPE=accel_minor", fmt.Sprintf("DEVNAME=accel/accel%d", c.Minor())} {
		assert.Contains(c, uevent, line)
	}
	assert.Contains(c, c.debug("name"), c.Address())
	assert.Contains(c, c.debug("name"), "presi")
}

func s03Minors(c *Case) {
	class := fw.NewClass(c.Dev.Bus)
	var all []*fw.Device
	plug := func() (*fw.Device, error) {
		d, err := class.NewDevice(toy(fw.FeatureAccel), "0000:09:00.0")
		require.NoError(c, err)
		return d, d.Register()
	}
	for i := range fw.MaxMinors {
		d, err := plug()
		require.NoError(c, err)
		require.Equal(c, i, d.Minor)
		all = append(all, d)
	}
	_, err := plug()
	c.is(err, unix.ENOSPC)
	all[200].Unplug()
	all[17].Unplug()
	d, err := plug()
	require.NoError(c, err)
	assert.Equal(c, 17, d.Minor)
	assert.Equal(c, "/dev/accel/accel17", d.Node())
}

func s04Exclusive(c *Case) {
	_, err := c.OpenNode(fw.OpenExclusive)
	c.is(err, unix.EBUSY)
	c.open().close()
}

func s04OpenTwice(c *Case) {
	u := c.open()
	v := c.again(u)
	var many []*User
	for range 100 {
		many = append(many, c.open())
	}
	u.close()
	Must(v, abi.NrVersion, &abi.VersionInfo{})
	for _, m := range many {
		m.close()
	}
	Must(v, abi.NrVersion, &abi.VersionInfo{})
	v.close()
}

func s04AfterUnplug(c *Case) {
	c.Unbind()
	_, err := c.OpenNode()
	c.is(err, unix.ENODEV)
	_, err = c.OpenNode(fw.OpenExclusive)
	c.is(err, unix.ENODEV)
}

func s04BeforeRegister(c *Case) {
	class := fw.NewClass(c.Dev.Bus)
	d, err := class.NewDevice(toy(fw.FeatureAccel), "0000:09:00.0")
	require.NoError(c, err)
	_, err = class.Open(0, &fw.Arena{})
	c.is(err, unix.ENODEV)
	require.NoError(c, d.Register())
	f, err := class.Open(0, &fw.Arena{})
	require.NoError(c, err)
	require.NoError(c, f.Close())
}

func s05ClientIDs(c *Case) {
	seen := map[string]bool{}
	for range 50 {
		u := c.open()
		id, ok := u.fdinfo("drm-client-id")
		require.True(c, ok)
		_, err := strconv.ParseUint(id, 10, 64)
		require.NoError(c, err)
		require.False(c, seen[id], "client id %s twice", id)
		seen[id] = true
		u.close()
	}
}

// Contexts run out: the open that fails leaves nothing, so that closing one file
// lets exactly one other in.
func s05ContextsRunOut(c *Case) {
	var held []*User
	for {
		n, err := c.OpenNode()
		if err != nil {
			c.is(err, unix.ENOSPC)
			break
		}
		held = append(held, &User{t: c.TB, node: n})
		require.Less(c, len(held), 1<<17)
	}
	for range 3 {
		_, err := c.OpenNode()
		c.is(err, unix.ENOSPC)
	}
	held[0].close()
	held[0] = c.open()
	_, err := c.OpenNode()
	c.is(err, unix.ENOSPC)
	for _, u := range held {
		u.close()
	}
	c.healthy()
}

// An Open that fails late: with a buffer, a handle of it, and a syncobj that
// holds a fence.
func s05DriverFailsOpen(c *Case) {
	class := fw.NewClass(c.Dev.Bus)
	var fail error
	closed, released, handles := 0, 0, 0
	driver := toy(fw.FeatureAccel | fw.FeatureGEM | fw.FeatureSyncobj)
	arena := &fw.Arena{}
	var last *fw.File
	var sync *fw.Syncobj
	driver.OpenObject = func(*fw.File, *fw.Object) { handles++ }
	driver.CloseObject = func(*fw.File, *fw.Object) { handles-- }
	driver.PostClose = func(*fw.File) { closed++ }
	driver.Open = func(f *fw.File) error {
		last = f
		o := f.Dev.NewObject(4096, counted{&released})
		_, err := f.CreateHandle(o)
		o.Put()
		require.NoError(c, err)
		arg := make([]byte, abi.SizeOf[abi.SyncobjCreate]())
		require.NoError(c, f.Ioctl(abi.RequestOf[abi.SyncobjCreate](abi.NrSyncobjCreate), arena.Map(arg)))
		sync, err = f.Syncobj(abi.Load[abi.SyncobjCreate](arg).Handle)
		require.NoError(c, err)
		sync.Attach(0, fw.NewFence(c.Dev.Bus))
		return fail
	}
	d, err := class.NewDevice(driver, "0000:09:00.0")
	require.NoError(c, err)
	managed := false
	d.Manage(func() { managed = true })
	require.NoError(c, d.Register())
	f, err := class.Open(0, arena)
	require.NoError(c, err)
	fail = unix.ENOSPC
	_, err = class.Open(0, arena)
	c.is(err, unix.ENOSPC)
	assert.Len(c, d.Files(), 1)
	assert.Zero(c, closed, "PostClose belongs to an Open that succeeded")
	assert.Equal(c, 1, released, "the buffer of the open that failed")
	assert.Equal(c, 1, handles)
	_, err = last.Object(1)
	c.is(err, unix.ENOENT)
	_, err = last.Syncobj(1)
	c.is(err, unix.ENOENT)
	assert.Nil(c, sync.At(0), "the syncobj lets go of its fence")
	c.is(last.Ioctl(abi.RequestOf[abi.VersionInfo](abi.NrVersion), 0), unix.EBADF)
	fail = nil
	g, err := class.Open(0, arena)
	require.NoError(c, err)
	assert.Greater(c, g.ID, f.ID)
	require.NoError(c, f.Close())
	require.NoError(c, g.Close())
	d.Unplug()
	d.Put()
	assert.Equal(c, 3, released)
	assert.Zero(c, handles)
	assert.True(c, managed, "nothing holds the device any more")
}

// counted counts the buffers that are released.
type counted struct{ released *int }

// Release implements fw.ObjectFuncs.
func (x counted) Release(*fw.Object) { *x.released++ }

// Mapping implements fw.ObjectFuncs.
func (x counted) Mapping(*fw.Object) (fw.Mapping, error) { return nil, unix.EINVAL }

func s06Managed(c *Case) {
	class := fw.NewClass(c.Dev.Bus)
	d, err := class.NewDevice(toy(fw.FeatureAccel), "0000:09:00.0")
	require.NoError(c, err)
	var trail []string
	note := func(s string) func() { return func() { trail = append(trail, s) } }
	for _, s := range []string{"a", "b", "c"} {
		d.Manage(note(s))
		d.ManageBound(note("bound " + s))
	}
	require.NoError(c, d.Register())
	f, err := class.Open(0, &fw.Arena{})
	require.NoError(c, err)
	d.Unplug()
	d.Unbind()
	d.Put()
	assert.Equal(c, []string{"bound c", "bound b", "bound a"}, trail, "the file still uses the rest")
	require.NoError(c, f.Close())
	assert.Equal(c, []string{"c", "b", "a"}, trail[3:])
}
