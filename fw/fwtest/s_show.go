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
	"github.com/presi-sim/presi/hw/abi"
)

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
	assert.EqualValues(c, 1, info.EngineResets, "that of the job's queue was enough")
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
		"drm-shared-device": 0, "drm-total-host": 8192, "drm-resident-host": 8192, "drm-active-host": 0, "drm-shared-host": 0, "drm-engine-copy": 0, "drm-engine-compute": 0} {
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

// A buffer that had to make room is resident no more, and BO_INFO and fdinfo say so.
func s28Evicted(c *Case) {
	u, v := c.open(), c.open()
	held, size := c.pieces(u, 1)
	total, resident := u.number("drm-total-device"), u.number("drm-resident-device")
	assert.EqualValues(c, uint64(len(held))*size, total)
	assert.Equal(c, total, resident)
	v.NewBuffer(2*size, abi.BODevice)
	gone := uint64(0)
	for _, b := range held {
		info := abi.BOInfo{Handle: b.Handle}
		Must(u, abi.NrBOInfo, &info)
		assert.EqualValues(c, abi.BODevice, info.Flags, "what was asked for")
		if info.Resident == 0 {
			gone += info.Size
		}
	}
	assert.NotZero(c, gone, "room was made")
	assert.Equal(c, total, u.number("drm-total-device"))
	assert.Equal(c, total-gone, u.number("drm-resident-device"))
	assert.EqualValues(c, 2*size, v.number("drm-resident-device"))
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
	var temp, power, before, after int
	_, err := fmt.Sscan(c.sys("device/hwmon/hwmon0/temp1_input"), &temp)
	require.NoError(c, err)
	before = int(u.Telemetry().PowerMW)
	_, err = fmt.Sscan(c.sys("device/hwmon/hwmon0/power1_input"), &power)
	require.NoError(c, err)
	tele := u.Telemetry()
	after = int(tele.PowerMW)
	assert.InDelta(c, float64(tele.TemperatureMC), float64(temp), 2000)
	assert.True(c, power >= 500*min(before, after) && power <= 2000*max(before, after), "%d µW by hwmon, %d and %d mW by QUERY", power, before, after)
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
