package fwtest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

func s22Mappings(c *Case) {
	u := c.open()
	dev, host := u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BOHost)
	dev.Write(0, pattern(4096, 1))
	host.Write(0, pattern(4096, 2))
	c.Unbind()
	for _, b := range []*Buffer{dev, host} {
		_, err := b.Map().ReadAt(make([]byte, 8), 0)
		c.is(err, unix.EIO)
		_, err = b.Map().WriteAt(make([]byte, 8), 0)
		c.is(err, unix.EIO)
	}
	assert.Nil(c, host.Map().Bytes())
	u.close()
}

// Whatever programs and those who look on do after remove, no register is touched.
func s22NoAccess(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	b := u.NewBuffer(4096, abi.BODevice)
	b.Map()
	u.Start(q, u.hang(5e6))
	c.Sleep(100e3)
	sysfs, debugfs := names(c.Sysfs()), names(c.Debugfs())
	d := c.Dev
	c.Unbind()
	before := d.Bus.n
	_ = Ioctl(u, abi.NrQuery, &abi.Query{Type: abi.QueryTelemetry})
	_ = Ioctl(u, abi.NrGemClose, &abi.GemClose{Handle: b.Handle})
	_, _ = b.Map().ReadAt(make([]byte, 8), 0)
	for _, name := range sysfs {
		_, _ = fs.ReadFile(c.Sysfs(), name)
	}
	for _, name := range debugfs {
		_, _ = fs.ReadFile(c.Debugfs(), name)
	}
	u.close()
	c.Sleep(100e6)
	assert.Equal(c, before, d.Bus.n, "accesses to registers after remove: %v", d.Bus.Last())
}

// names lists the readable files of a tree.
func names(tree fs.FS) (out []string) {
	_ = fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, name)
		}
		return nil
	})
	return out
}

// Whatever needs a mapping makes it in a section: a handle that another file has
// exported is mapped by the first call that names it. The bus is watched.
func s22Imported(c *Case) {
	u := c.open()
	b := u.NewBuffer(64<<10, abi.BODevice)
	fd := b.export()
	for _, use := range []func(v *User, handle uint32){
		func(v *User, handle uint32) { Must(v, abi.NrBOInfo, &abi.BOInfo{Handle: handle}) },
		func(v *User, handle uint32) {
			q := v.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			j := nop()
			j.Buffers = []*Buffer{{p: v, Handle: handle}}
			assert.Zero(c, c.ended(v, v.Start(q, j), 1e9))
		},
	} {
		v := c.again(u)
		a := abi.PrimeHandle{FD: fd}
		Must(v, abi.NrPrimeFDToHandle, &a)
		use(v, a.Handle)
		v.close()
	}
	require.NoError(c, u.node.CloseFD(fd))
	u.close()
}

// A register read that is under way holds the remove up.
func s22Sections(c *Case) {
	u := c.open()
	d := c.Dev
	inside, ended := false, false
	snapshot := abi.Offset(&abi.Telemetry, "SNAPSHOT")
	d.Bus.OnWrite = func(off uint64, _ uint32) bool {
		if off == snapshot && !inside {
			inside = true
			d.Bus.Sleep(5e6)
			ended = true
		}
		return true
	}
	join := c.Spawn(func() { assert.NoError(c, Ioctl(u, abi.NrQuery, &abi.Query{Type: abi.QueryTelemetry})) })
	c.Sleep(1e6)
	require.True(c, inside)
	require.False(c, ended)
	c.Unbind()
	assert.True(c, ended, "remove has waited for the section")
	join()
	u.close()
}

func s23Fences(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	hung := u.Start(q, u.hang(0))
	queued := u.Start(q, nop())
	files := []int32{u.syncFile(hung.Done), u.syncFile(queued.Done)}
	event, err := u.node.NewEventfd()
	require.NoError(c, err)
	Must(u, abi.NrSyncobjEventfd, &abi.SyncobjEventfd{Handle: hung.Done, FD: event})
	waits := 0
	join := c.Spawn(func() {
		assert.NoError(c, u.Wait(hung.Done, Forever))
		waits++
	})
	c.Sleep(1e6)
	c.Unbind()
	join()
	assert.Equal(c, 1, waits, "a wait that was under way ends")
	_, err = u.node.ReadEventfd(event, c.Now()+1e9)
	require.NoError(c, err)
	for _, fd := range files {
		s, err := u.node.FenceStatus(fd)
		require.NoError(c, err)
		assert.Equal(c, -int(unix.ENODEV), s)
	}
	for _, fd := range append(files, event) {
		require.NoError(c, u.node.CloseFD(fd))
	}
	u.close()
}

func s23Replug(c *Case) {
	u := c.open()
	old, _ := u.fdinfo("drm-client-id")
	u.NewBuffer(1<<20, abi.BODevice)
	minor := c.Minor()
	for range 3 {
		c.Unbind()
		require.NoError(c, c.Bind())
		assert.Equal(c, minor, c.Minor(), "the lowest free minor")
		c.is(Ioctl(u, abi.NrVersion, &abi.VersionInfo{}), unix.ENODEV, "the old file stays dead")
		v := c.open()
		id, _ := v.fdinfo("drm-client-id")
		assert.NotEqual(c, old, id)
		v.close()
		c.healthy()
	}
	u.close()
	c.healthy()
	var actions []string
	for _, e := range c.Uevents() {
		actions = append(actions, e.Action)
	}
	assert.Equal(c, []string{"add", "remove", "add", "remove", "add", "remove", "add"}, actions)
}

// What programs have left in device memory is gone when the driver comes back.
func s23Data(c *Case) {
	const secret = 0x5ec2e75ec2e75ec2
	u := c.open()
	_, size := c.pieces(u, secret)
	u.close()
	c.Unbind()
	require.NoError(c, c.Bind())
	v := c.open()
	out := v.NewBuffer(4096, abi.BOHost)
	for i := range v.available() / size {
		b := v.NewBuffer(size, abi.BODevice)
		require.Zero(c, c.one(v, Copy(out.Addr, b.Addr, 4096), b, out))
		for word := range int64(512) {
			require.NotEqualValues(c, uint64(secret), out.word(word), "piece %d", i)
		}
	}
	v.close()
}

// The driver takes the vectors that it can get, down to one, and none is a
// failure of probe.
func s24Vectors(c *Case) {
	for _, vectors := range []int{1, 2, 3, 4} {
		c.Dev.Remove()
		c.Dev.Bus.Vectors = vectors
		require.NoError(c, c.Dev.Probe(), "%d vectors", vectors)
		u := c.open()
		for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
			for priority := range uint32(fw.NumPriorities) {
				q := u.NewQueue(engine, priority)
				start := c.Now()
				require.NoError(c, u.Finish(q, u.Start(q, nop())))
				assert.Less(c, c.Now()-start, int64(1e6), "by interrupt, not by time-out")
			}
		}
		u.close()
	}
}

// Rings that share a vector: a message tells of one of them, and the others are
// looked at while their completions come.
func s24Shared(c *Case) {
	c.Unbind()
	f, err := c.Inject(fault.Spec{Kind: "fewer-vectors", Value: 2})
	require.NoError(c, err)
	require.NoError(c, c.Bind())
	u := c.open()
	var jobs []*Job
	for range 60 {
		for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
			for _, priority := range []uint32{fw.PriorityNormal, fw.PriorityHigh} {
				if len(jobs) < 4 {
					u.NewQueue(engine, priority)
				}
				jobs = append(jobs, u.Start(uint32(len(jobs)%4)+1, nop()))
			}
		}
	}
	for _, j := range jobs {
		require.Zero(c, c.ended(u, j, 1e9))
	}
	u.close()
	f.Disarm()
	c.Unbind()
	require.NoError(c, c.Bind())
}

// maskless is a bus that cannot meet any DMA mask.
type maskless struct{ hw.Bus }

func (maskless) SetDMAMask(int) error { return hw.ErrMask }

func s24Mask(c *Case) {
	c.Dev.Remove()
	assert.Error(c, c.Dev.ProbeOn(maskless{c.Dev.Bus}), "the driver asks for its mask, and heeds the answer")
	require.NoError(c, c.Dev.Host.Leaks())
	assert.Zero(c, c.Dev.Bus.ConfigRead(pciCommand, 2)&masterBit)
	require.NoError(c, c.Dev.Probe())
	c.healthy()
}

const (
	pciCommand = 0x04
	masterBit  = 1 << 2
)

// noMaster holds, in-process, that a device that is given up can do no DMA.
func (c *Case) noMaster() {
	c.Helper()
	if c.Dev != nil {
		assert.Zero(c, c.Dev.Bus.ConfigRead(pciCommand, 2)&masterBit, "the device can do DMA")
	}
}

func s24Quiet(c *Case) {
	d := c.Dev
	assert.NotZero(c, d.Bus.ConfigRead(pciCommand, 2)&masterBit, "bus master while bound")
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	w := u.copying(1<<20, 1)
	u.Start(q, w.Job)
	c.Sleep(20e3)
	c.Unbind()
	assert.Zero(c, d.Bus.ConfigRead(pciCommand, 2)&masterBit)
	rx, tx := d.Link.Idle(), d.NPU.Idle()
	assert.NoError(c, rx)
	assert.NoError(c, tx)
	handled := 0
	n, err := d.Bus.AllocVectors(1, 1)
	require.NoError(c, err)
	for v := range n {
		require.NoError(c, d.Bus.RequestIRQ(v, "spy", func() { handled++ }))
	}
	c.Sleep(50e6)
	assert.Zero(c, handled, "interrupts after remove")
	for v := range n {
		d.Bus.FreeIRQ(v)
	}
	d.Bus.FreeVectors()
	assert.Empty(c, d.Host.Faults(), "DMA after remove")
	u.close()
}

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

func s27Told(c *Case) {
	before := len(c.Uevents())
	require.Equal(c, "0", c.sys("device/reset_count"))
	require.Equal(c, "ok", c.sys("device/state"))
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	assert.Equal(c, unix.ETIME, c.ended(u, u.Start(q, u.hang(2e6)), 1e9))
	var env []string
	for _, e := range c.Uevents()[before:] {
		assert.Equal(c, "change", e.Action)
		env = append(env, e.Env...)
	}
	assert.True(c, slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "WEDGED=") }), "%v", env)
	i := slices.IndexFunc(env, func(s string) bool { return strings.HasPrefix(s, "DEVCOREDUMP=") })
	require.GreaterOrEqual(c, i, 0, "%v", env)
	dump, err := fs.ReadFile(c.Sysfs(), strings.TrimPrefix(env[i], "DEVCOREDUMP=")+"/data")
	require.NoError(c, err)
	assert.Contains(c, string(dump), "job 1 of queue 1")
	assert.Equal(c, "1", c.sys("device/reset_count"))
	assert.Equal(c, "ok", c.sys("device/state"))
	info := Query[abi.ResetInfo](u, abi.QueryReset)
	assert.EqualValues(c, 1, info.ResetCount)
	assert.NotZero(c, info.LastResetNS)
	assert.EqualValues(c, -int32(unix.ETIME), info.LastError)
	u.close()
}

func s28FDInfo(c *Case) {
	u := c.open()
	v := c.again(u)
	driver, _ := u.fdinfo("drm-driver")
	assert.Equal(c, "presi", driver)
	pdev, _ := u.fdinfo("drm-pdev")
	assert.Equal(c, c.Address(), pdev)
	assert.NotEqual(c, u.number("drm-client-id"), v.number("drm-client-id"))
	b := u.NewBuffer(100_000, abi.BODevice)
	u.NewBuffer(5000, abi.BOHost)
	for key, want := range map[string]uint64{"drm-total-device": 102400, "drm-resident-device": 102400, "drm-active-device": 0,
		"drm-shared-device": 0, "drm-total-host": 8192, "drm-resident-host": 8192, "drm-engine-copy": 0, "drm-engine-compute": 0} {
		assert.Equal(c, want, u.number(key), key)
	}
	fd := b.export()
	v.imported(fd)
	require.NoError(c, u.node.CloseFD(fd))
	assert.EqualValues(c, 102400, u.number("drm-shared-device"))
	assert.EqualValues(c, 102400, v.number("drm-total-device"))
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	start := c.Now()
	j := u.Start(q, &Job{Packets: []abi.Packet{Fill(b.Addr, 1, 100_000)}, Buffers: []*Buffer{b}})
	assert.EqualValues(c, 102400, u.number("drm-active-device"))
	require.NoError(c, u.Finish(q, j))
	assert.Zero(c, u.number("drm-active-device"))
	busy := u.number("drm-engine-copy")
	assert.NotZero(c, busy)
	assert.LessOrEqual(c, busy, uint64(c.Now()-start), "no longer than it took")
	assert.Zero(c, u.number("drm-engine-compute"))
	assert.Zero(c, v.number("drm-engine-copy"), "another client's time")
	b.Close()
	assert.Zero(c, u.number("drm-total-device"))
	u.close()
	v.close()
}

// readAll reads every file of both trees and returns how many there were. What
// needs the hardware may be busy during a reset.
func (c *Case) readAll(busy ...error) (files int) {
	c.Helper()
	for _, tree := range []fs.FS{c.Sysfs(), c.Debugfs()} {
		for _, name := range names(tree) {
			_, err := fs.ReadFile(tree, name)
			writeOnly := errors.Is(err, unix.EACCES)
			if !writeOnly && !slices.ContainsFunc(busy, func(b error) bool { return errors.Is(err, b) }) {
				assert.NoError(c, err, name)
			}
			files++
		}
	}
	return files
}

// Everything can be read while jobs run, one hangs, and a reset comes.
func s29Read(c *Case) {
	u := c.open()
	bq := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	guilty := c.open()
	hung := guilty.Start(guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal), guilty.hang(3e6))
	for i := range 15 {
		w := u.copying(4096, byte(i))
		u.Start(bq, w.Job)
		assert.Greater(c, c.readAll(unix.EBUSY), 12)
		assert.Zero(c, c.ended(u, w.Job, 1e9))
		c.Sleep(300e3)
	}
	assert.Equal(c, unix.ETIME, c.ended(guilty, hung, 1e9))
	guilty.close()
	c.readAll()
	var temp, power int
	_, err := fmt.Sscan(c.sys("device/hwmon/hwmon0/temp1_input"), &temp)
	require.NoError(c, err)
	_, err = fmt.Sscan(c.sys("device/hwmon/hwmon0/power1_input"), &power)
	require.NoError(c, err)
	tele := u.Telemetry()
	assert.InDelta(c, float64(tele.TemperatureMC), float64(temp), 2000)
	assert.Positive(c, power)
	u.close()
}

func s29Gone(c *Case) {
	sysfs, debugfs := c.sysDir(), c.debugDir()
	c.Unbind()
	for _, name := range names(c.Sysfs()) {
		assert.False(c, strings.HasPrefix(name, sysfs), name)
	}
	for _, name := range names(c.Debugfs()) {
		assert.False(c, strings.HasPrefix(name, debugfs), name)
	}
	assert.Error(c, c.StoreDebug(debugfs+"reset", "1"))
}

// Whoever looks on does not wake a device that sleeps.
func s29Asleep(c *Case) {
	u := c.open()
	c.autosuspend()
	c.suspends("nobody uses it")
	for range 3 {
		for _, tree := range []fs.FS{c.Sysfs(), c.Debugfs()} {
			for _, name := range names(tree) {
				_, _ = fs.ReadFile(tree, name)
				require.Equal(c, "suspended", c.power(), "after a read of %s", name)
			}
		}
		u.node.FDInfo()
		require.Equal(c, "suspended", c.power(), "after fdinfo")
	}
	u.close()
	c.healthy()
}

func s29Trace(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	seen := map[string]int{}
	c.Dev.Class.OnTrace(func(e fw.Tracepoint) {
		assert.Equal(c, c.Now(), e.At)
		seen[e.Name]++
	})
	b := u.NewBuffer(4096, abi.BODevice)
	require.NoError(c, u.Finish(q, u.Start(q, &Job{Packets: []abi.Packet{Fill(b.Addr, 1, 8)}, Buffers: []*Buffer{b}})))
	b.Close()
	c.sys("device/firmware_version")
	c.Dev.Class.OnTrace(nil)
	for _, name := range []string{"submit", "complete", "map", "unmap", "mailbox"} {
		assert.NotZero(c, seen[name], "tracepoint %s", name)
	}
	u.close()
}

var platforms = []string{"silicon", "emulation", "simulation"}

func s30Platform(c *Case) {
	u := c.open()
	info := Query[abi.DeviceInfo](u, abi.QueryDevice)
	require.Less(c, int(info.Platform), len(platforms))
	assert.Equal(c, platforms[info.Platform], c.sys("device/platform"))
	u.close()
}

// The boot of an emulated device gets longer than that of a real one.
func s30Scale(c *Case) {
	c.Dev.Remove()
	took := func(platform uint64) int64 {
		c.Dev.Bus.OnRead = func(off, v uint64) uint64 {
			switch off {
			case abi.Offset(&abi.Ident, "PLATFORM"):
				return platform
			case abi.Offset(&abi.Mgmt, "BOOT_STATUS"):
				return abi.BootRunning
			}
			return v
		}
		start := c.Now()
		c.is(c.Dev.Probe(), unix.ETIME)
		return c.Now() - start
	}
	silicon := took(abi.PlatformSilicon)
	assert.GreaterOrEqual(c, silicon, int64(2e9))
	assert.GreaterOrEqual(c, took(abi.PlatformEmulation), 20*silicon)
	c.Dev.Bus.OnRead = nil
}
