package npudrv_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
)

func read(t *testing.T, tree *fw.Tree, name string) string {
	p, err := fs.ReadFile(tree, name)
	require.NoError(t, err)
	return string(p)
}

func TestSysfs(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		dir := "class/accel/accel0/device/"
		for name, want := range map[string]string{"vendor": "0x1234\n", "device": "0xacc1\n", "platform": "simulation\n",
			"firmware_version": "1.0.0\n", "reset_count": "0\n", "state": "ok\n", "hwmon/hwmon0/name": "presi\n"} {
			assert.Equal(t, want, read(t, p.Class.Sys, dir+name), name)
		}
		var milli, micro int
		_, err := fmt.Sscan(read(t, p.Class.Sys, dir+"hwmon/hwmon0/temp1_input"), &milli)
		require.NoError(t, err)
		_, err = fmt.Sscan(read(t, p.Class.Sys, dir+"hwmon/hwmon0/power1_input"), &micro)
		require.NoError(t, err)
		tele := p.Telemetry()
		assert.EqualValues(t, tele.TemperatureMC, milli)
		assert.EqualValues(t, tele.PowerMW*1000, micro)
	})
}

// Every entry of both trees can be read while jobs run and one hangs, and none
// after the device is gone.
func TestReadEverythingMeanwhile(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		hung := p.Start(q, hang(p, 3e6))
		walk := func(tree *fw.Tree) (files int) {
			require.NoError(t, fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
				require.NoError(t, err)
				if e.IsDir() || e.Name() == "reset" {
					return nil
				}
				_, err = fs.ReadFile(tree, name)
				require.NoError(t, err, name)
				files++
				return nil
			}))
			return files
		}
		for range 20 {
			assert.Greater(t, walk(d.Class.Sys), 10)
			assert.GreaterOrEqual(t, walk(d.Class.Debug), 4)
			d.Bus.Sleep(500e3)
		}
		require.ErrorIs(t, p.Finish(q, hung), unix.ETIME)
		dump := d.Class.Debug
		d.Remove()
		_, err := fs.ReadFile(dump, "accel/0000:01:00.0/registers")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func TestDebugfs(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		p.Start(q, hang(p, 0))
		p.Bus.Sleep(100e3)
		dir := "accel/0000:01:00.0/"
		assert.Equal(t, "presi dev=0000:01:00.0 unique=0000:01:00.0\n", read(t, p.Class.Debug, dir+"name"))
		regs := read(t, p.Class.Debug, dir+"registers")
		assert.Contains(t, regs, "IDENT[0].ID = 0xacc11234\n")
		assert.Contains(t, regs, "QUEUE[2].STATE = 0x3\n", "it waits")
		assert.NotContains(t, regs, "SQ_TAIL", "write-only")
		assert.Contains(t, read(t, p.Class.Debug, dir+"rings"), "job 1 of queue 1 of client 1")

		var events []fw.Uevent
		p.Class.OnUevent(func(e fw.Uevent) { events = append(events, e) })
		require.NoError(t, p.Class.Debug.Store(dir+"reset", []byte("1")))
		require.Len(t, events, 2)
		assert.Equal(t, []string{"DEVCOREDUMP=class/devcoredump/devcd1"}, events[0].Env)
		assert.Equal(t, []string{"WEDGED=none"}, events[1].Env)
		p.Bus.Sleep(1e6)
		assert.EqualValues(t, -int32(unix.EIO), p.Status(q).Error, "what had begun is lost")
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		require.NoError(t, p.Wait(j.Done, fwtest.Forever))
		assert.EqualValues(t, 2, p.Status(q).LastCompleted)
	})
}

// A reset leaves a core dump that names the job and shows the registers as they
// were, and tells by an event.
func TestCoredumpOfAHang(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		var env []string
		p.Class.OnUevent(func(e fw.Uevent) { env = append(env, e.Env...) })
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		assert.ErrorIs(t, p.Finish(q, p.Start(q, hang(p, 2e6))), unix.ETIME)
		assert.Equal(t, []string{"DEVCOREDUMP=class/devcoredump/devcd1", "WEDGED=none"}, env)
		dump := read(t, p.Class.Sys, "class/devcoredump/devcd1/data")
		assert.Contains(t, dump, "job 1 of queue 1 of client 1 (context 1) hangs")
		assert.Contains(t, dump, ".STATE = 0x3\n", "WAITING, before the reset")
		assert.Equal(t, "1\n", read(t, p.Class.Sys, "class/accel/accel0/device/reset_count"))
	})
}

// fdinfo is exact to the byte and to the nanosecond.
func TestFDInfo(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		other := d.OpenIn(p.Memory)
		value := func(p *fwtest.Program, key string) (v uint64) {
			for _, line := range strings.Split(p.File.FDInfo(), "\n") {
				if rest, ok := strings.CutPrefix(line, key+":\t"); ok {
					_, err := fmt.Sscan(rest, &v)
					require.NoError(t, err)
					return v
				}
			}
			require.Fail(t, "no "+key)
			return 0
		}
		assert.True(t, strings.HasPrefix(p.File.FDInfo(), "drm-driver:\tpresi\ndrm-client-id:\t1\ndrm-pdev:\t0000:01:00.0\n"))
		b := p.NewBuffer(100_000, abi.BODevice)
		p.NewBuffer(5000, abi.BOHost)
		assert.EqualValues(t, 102400, value(p, "drm-total-device"))
		assert.EqualValues(t, 102400, value(p, "drm-resident-device"))
		assert.EqualValues(t, 8192, value(p, "drm-total-host"))
		assert.Zero(t, value(p, "drm-shared-device"))
		out := abi.PrimeHandle{Handle: b.Handle}
		fwtest.Must(p, abi.NrPrimeHandleToFD, &out)
		fwtest.Must(other, abi.NrPrimeFDToHandle, &abi.PrimeHandle{FD: out.FD})
		require.NoError(t, p.Memory.CloseFD(out.FD))
		assert.EqualValues(t, 102400, value(p, "drm-shared-device"))
		assert.EqualValues(t, 102400, value(other, "drm-total-device"))

		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, 1, 100_000)}, Buffers: []*fwtest.Buffer{b}})
		assert.EqualValues(t, 102400, value(p, "drm-active-device"))
		require.NoError(t, p.Finish(q, j))
		assert.Zero(t, value(p, "drm-active-device"))
		assert.NotZero(t, value(p, "drm-engine-copy"))
		assert.Zero(t, value(p, "drm-engine-compute"))
		assert.Zero(t, value(other, "drm-engine-copy"))
	})
}

// The tracepoints of a program's life, in order.
func TestTracepoints(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		var events []string
		d.Class.OnTrace(func(e fw.Tracepoint) {
			assert.Equal(t, d.Engine.Now().Nanoseconds(), e.At)
			events = append(events, fmt.Sprint(e.Name, " ", e.Client))
		})
		b := p.NewBuffer(4096, abi.BODevice)
		require.NoError(t, p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, 1, 8)}, Buffers: []*fwtest.Buffer{b}})))
		b.Close()
		read(t, d.Class.Sys, "class/accel/accel0/device/firmware_version")
		assert.Equal(t, []string{"map 1", "map 1", "submit 1", "complete 1", "unmap 1", "mailbox 0"}, events)
		d.Class.OnTrace(nil)
		p.NewBuffer(4096, abi.BODevice)
		assert.Len(t, events, 6)
	})
}
