package npudrv_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

const device = "class/accel/accel0/device/"

func sysfs(t *testing.T, d *fwtest.Device, name string) string {
	t.Helper()
	b, err := fs.ReadFile(d.Class.Sys, device+name)
	require.NoError(t, err)
	return string(b)
}

// automatic has the device suspend after some idleness.
func automatic(t *testing.T, d *fwtest.Device) {
	require.NoError(t, d.Class.Sys.Store(device+"power/autosuspend_delay_ms", []byte("5\n")))
	require.NoError(t, d.Class.Sys.Store(device+"power/control", []byte("auto\n")))
}

// asleep waits until the device sleeps.
func asleep(t *testing.T, d *fwtest.Device) {
	t.Helper()
	d.Bus.Sleep(30e6)
	require.Equal(t, "suspended\n", sysfs(t, d, "power/runtime_status"))
	require.Zero(t, d.Driver.PowerUsers())
}

// Nothing suspends unless it is asked to: times are as without power management.
func TestPowerIsOnByDefault(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		d.Bus.Sleep(2e9)
		assert.Equal(t, "active\n", sysfs(t, d, "power/runtime_status"))
		assert.Equal(t, "on\n", sysfs(t, d, "power/control"))
		assert.Equal(t, "100\n", sysfs(t, d, "power/autosuspend_delay_ms"))
		assert.Equal(t, fw.PowerStats{}, d.Driver.PowerStats())
		assert.ErrorIs(t, d.Class.Sys.Store(device+"power/control", []byte("off")), unix.EINVAL)
		assert.ErrorIs(t, d.Class.Sys.Store(device+"power/autosuspend_delay_ms", []byte("-1")), unix.EINVAL)
	})
}

// An idle device suspends, an ioctl, a mapping and a close wake it, and what it
// held is there.
func TestIdleSuspendsAndUseResumes(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p, other := d.Open(), d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		buf := p.NewBuffer(4096, abi.BODevice)
		buf.Write(0, pattern(4096, 7))
		automatic(t, d)
		asleep(t, d)
		refused := d.NPU.Function().Stats().Refused
		copies(t, p, q)
		assert.Equal(t, "active\n", sysfs(t, d, "power/runtime_status"))
		asleep(t, d)
		assert.Equal(t, pattern(4096, 7), buf.Read(0, 4096), "a mapping wakes it too, and memory is kept")
		asleep(t, d)
		other.Close()
		asleep(t, d)
		assert.Equal(t, 4, d.Driver.PowerStats().Suspends)
		assert.Equal(t, 3, d.Driver.PowerStats().Resumes)
		assert.Equal(t, refused, d.NPU.Function().Stats().Refused, "nobody touched it while it slept")
		require.NoError(t, d.Class.Sys.Store(device+"power/control", []byte("on")))
		d.Bus.Sleep(1e9)
		assert.Equal(t, "active\n", sysfs(t, d, "power/runtime_status"))
	})
}

// References are balanced after calls that fail, jobs that fail, and resets.
func TestPowerIsBalancedAfterErrors(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		automatic(t, d)
		p := d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		assert.Error(t, p.Submit(99, nop()))
		for nr := range uint32(256) {
			_ = p.File.Ioctl(3<<30|32<<16|abi.DRMType<<8|nr, 1) // a bad pointer, or no such call
			_ = p.File.Ioctl(2<<30|0<<16|abi.DRMType<<8|nr, 0)
		}
		asleep(t, d)
		assert.Error(t, p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(1<<40, 1, 4096)}})))
		asleep(t, d)
		hq := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		start := d.Engine.Now()
		assert.ErrorIs(t, p.Finish(hq, p.Start(hq, hang(p, 20e6))), unix.ETIME)
		assert.Greater(t, d.Engine.Now()-start, 20*sim.Millisecond, "a job keeps it awake beyond the delay")
		asleep(t, d)
		p.Close()
		p = d.Open()
		cq := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		p.Start(cq, hang(p, 20e6))
		p.Start(cq, nop())
		p.Close()
		d.Bus.Sleep(60e6)
		asleep(t, d)
	})
}

// Sensors and debugfs never touch or wake a device that sleeps or is given up.
func TestSensorsLetItSleep(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		read := func() {
			t.Helper()
			for _, name := range []string{"firmware_version", "hwmon/hwmon0/temp1_input", "hwmon/hwmon0/power1_input"} {
				_, err := fs.ReadFile(d.Class.Sys, device+name)
				assert.ErrorIs(t, err, unix.EBUSY, name)
			}
			for _, name := range []string{"registers", "rings"} {
				_, err := fs.ReadFile(d.Class.Debug, "accel/0000:01:00.0/"+name)
				assert.ErrorIs(t, err, unix.EBUSY, name)
			}
		}
		automatic(t, d)
		asleep(t, d)
		refused := d.NPU.Function().Stats().Refused
		read()
		for _, name := range []string{"state", "reset_count", "mem_available", "platform", "vendor"} {
			sysfs(t, d, name)
		}
		recovery(t, d)
		d.NPU.Function().Raise(abi.VectorEvents)
		d.Bus.Sleep(1e6)
		assert.Equal(t, "suspended\n", sysfs(t, d, "power/runtime_status"))
		assert.Equal(t, refused, d.NPU.Function().Stats().Refused)
		assert.NoError(t, d.Class.Debug.Store("accel/0000:01:00.0/reset", []byte("1")), "a reset wakes it")
		assert.Equal(t, "1\n", sysfs(t, d, "reset_count"))
		d.Host.Bus().Disconnect()
		_, err := fs.ReadFile(d.Class.Sys, device+"hwmon/hwmon0/temp1_input")
		assert.ErrorIs(t, err, unix.EIO)
	})
}

// A suspend during a reset is refused, and works afterwards.
func TestSuspendDuringResetIsRefused(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		_, err := d.NPU.Inject(fault.Spec{Kind: "reset-hang", Duration: 20 * sim.Millisecond})
		require.NoError(t, err)
		reset := d.Go("reset", func() { assert.NoError(t, d.Class.Debug.Store("accel/0000:01:00.0/reset", []byte("1"))) })
		d.Bus.Sleep(1e6)
		require.Equal(t, "resetting\n", sysfs(t, d, "state"))
		assert.ErrorIs(t, d.Driver.Suspend(), unix.EBUSY)
		assert.Equal(t, 1, d.Driver.PowerStats().Refused)
		reset.Join()
		p := d.Open()
		copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
		require.NoError(t, d.Driver.Suspend())
		d.Driver.Resume()
		copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
	})
}

// The system sleeps with the power off: programs wait, and afterwards find their
// queues, addresses and data as they were.
func TestSystemSleep(t *testing.T) {
	for _, auto := range []bool{false, true} {
		d := fwtest.NewDevice(t)
		d.Run(func() {
			p := d.Open()
			q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			buf, host := p.NewBuffer(300_000, abi.BODevice), p.NewBuffer(300_000, abi.BOHost)
			buf.Write(0, pattern(300_000, 3))
			if auto {
				automatic(t, d)
				asleep(t, d)
			}
			for range 2 {
				require.NoError(t, d.Driver.Suspend())
				assert.ErrorIs(t, d.Driver.Suspend(), unix.EBUSY, "it sleeps")
				assert.Equal(t, ^uint32(0), d.Bus.ConfigRead(0, 4), "without power")
				_, err := fs.ReadFile(d.Class.Sys, device+"hwmon/hwmon0/temp1_input")
				assert.ErrorIs(t, err, unix.EBUSY)
				woke := d.Engine.Now()
				called := d.Go("ioctl", func() {
					p.Telemetry()
					assert.GreaterOrEqual(t, d.Engine.Now(), woke, "it waits")
				})
				d.Bus.Sleep(10e6)
				woke = d.Engine.Now()
				d.Driver.Resume()
				called.Join()
				assert.Equal(t, pattern(300_000, 3), buf.Read(0, 300_000))
				require.NoError(t, p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(host.Addr, buf.Addr, 300_000)},
					Buffers: []*fwtest.Buffer{buf, host}})))
				assert.Equal(t, pattern(300_000, 3), host.Read(0, 300_000))
				copies(t, p, q)
			}
			assert.Equal(t, 2, d.Driver.PowerStats().Sleeps)
			if auto {
				asleep(t, d)
			}
		})
	}
}

// A job that does not end keeps the system awake; everything goes on.
func TestSystemSleepIsRefused(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		waits := hang(p, 30e9)
		j := p.Start(q, waits)
		assert.ErrorIs(t, d.Driver.Suspend(), unix.EBUSY)
		waits.Buffers[0].Write(0, []byte{1})
		require.NoError(t, d.Class.Debug.Store("accel/0000:01:00.0/reset", []byte("1")))
		assert.ErrorIs(t, p.Finish(q, j), unix.EIO)
		copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
		assert.Equal(t, 1, d.Driver.PowerUsers(), "only that of power/control")
	})
}

// Power that is lost while the device sleeps: it is programmed again, and who had
// buffers in its memory is told.
func TestPowerIsLostInD3hot(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p, by := d.Open(), d.Open()
		q, bq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal), by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		p.NewBuffer(4096, abi.BODevice)
		automatic(t, d)
		asleep(t, d)
		d.Engine.Await("a power cycle", func(done sim.Call) { d.NPU.PowerCycle(done) })
		assert.NoError(t, by.Submit(bq, nop()))
		assert.ErrorIs(t, p.Submit(q, nop()), unix.ECANCELED)
		copies(t, by, bq)
		fresh := d.Open()
		copies(t, fresh, fresh.NewQueue(abi.EngineCopy, fw.PriorityNormal))
	})
}

// A device that does not wake is given up: nobody hangs.
func TestResumeFails(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		automatic(t, d)
		asleep(t, d)
		d.Link.Down()
		assert.ErrorIs(t, p.Submit(q, nop()), unix.EIO)
		assert.Equal(t, "wedged\n", sysfs(t, d, "state"))
		p.Close()
		d.Remove()
		d.Link.Up()
	})
}
