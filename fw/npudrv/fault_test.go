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
)

const faults = "accel/0000:01:00.0/fault_inject/"

// arm writes settings, in order, as name and value.
func arm(t *testing.T, d *fwtest.Device, kind string, settings ...string) {
	t.Helper()
	for i := 0; i < len(settings); i += 2 {
		require.NoError(t, d.Class.Debug.Store(faults+kind+"/"+settings[i], []byte(settings[i+1]+"\n")), settings[i])
	}
}

// What a driver knows of the kinds is what the device does.
func TestInjectKinds(t *testing.T) {
	require.Len(t, abi.InjectKinds, int(fault.NumKinds)-1)
	for i, k := range abi.InjectKinds {
		row := fault.Kinds[i+1]
		assert.Equal(t, row.Name, k.Name)
		assert.Equal(t, row.Target != "", k.Uses&abi.InjectTarget != 0, k.Name)
		assert.Equal(t, row.Address != "", k.Uses&abi.InjectAddress != 0, k.Name)
		assert.Equal(t, row.Value != "", k.Uses&abi.InjectValue != 0, k.Name)
		assert.Equal(t, row.Span != fault.Moment, k.Uses&abi.InjectDuration != 0, k.Name)
	}
}

// Every kind has a directory with the settings that it has, and can be armed.
func TestFaultInjectTree(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		for i, k := range abi.InjectKinds {
			want := []string{"interval", "probability", "space", "times"}
			if k.Uses&abi.InjectTarget != 0 {
				want = append(want, "target")
			}
			if k.Uses&abi.InjectValue != 0 {
				want = append(want, "value")
			}
			if k.Uses&abi.InjectAddress != 0 {
				want = append(want, "from", "to")
			}
			if k.Uses&abi.InjectDuration != 0 {
				want = append(want, "duration_ns")
			}
			entries, err := fs.ReadDir(d.Class.Debug, "accel/0000:01:00.0/fault_inject/"+k.Name)
			require.NoError(t, err)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			assert.ElementsMatch(t, want, names, k.Name)
			assert.False(t, d.NPU.Faults().Live(fault.Kind(i+1)))
			arm(t, d, k.Name, "space", "1000000", "probability", "100")
			d.Bus.Sleep(2e3) // writes are posted
			assert.True(t, d.NPU.Faults().Live(fault.Kind(i+1)), k.Name)
			assert.Equal(t, "100\n", read(t, d.Class.Debug, faults+k.Name+"/probability"))
		}
		own, err := d.NPU.Inject(fault.Spec{Kind: "thermal", Count: 1 << 30}) // not by debugfs: it is nobody else's
		require.NoError(t, err)
		for i, k := range abi.InjectKinds {
			arm(t, d, k.Name, "probability", "0.5") // in the place of the first
			arm(t, d, k.Name, "probability", "0")
			d.Bus.Sleep(2e3)
			assert.Equal(t, k.Name == own.Spec.Kind, d.NPU.Faults().Live(fault.Kind(i+1)), k.Name)
			if i+1 < len(abi.InjectKinds) {
				assert.True(t, d.NPU.Faults().Live(fault.Kind(i+2)), "the next one is as it was")
			}
			assert.Equal(t, "0\n", read(t, d.Class.Debug, faults+k.Name+"/probability"))
			assert.Equal(t, "1000000\n", read(t, d.Class.Debug, faults+k.Name+"/space"), "settings stay")
		}
	})
}

// A fault that is armed by debugfs strikes as its settings say: the job ends with
// the errno that docs/faults.md names, the next one and a bystander well.
func TestFaultInjectStrikes(t *testing.T) {
	for _, c := range []struct {
		kind     string
		settings []string
		want     unix.Errno
	}{
		{"page-fault", []string{"target", "1"}, unix.EFAULT},
		{"dma-error", []string{"target", ""}, unix.EIO}, // of a DMA channel,
		{"bad-opcode", []string{"space", "0", "interval", "1"}, unix.EINVAL},
		{"parity", nil, unix.EIO},
	} {
		t.Run(c.kind, func(t *testing.T) {
			d := fwtest.NewDevice(t)
			d.Run(func() {
				p, by := d.Open(), d.Open()
				q, bq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal), by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
				const n = 100_000
				src, dev := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice)
				j := &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(dev.Addr, src.Addr, n)}, Buffers: []*fwtest.Buffer{src, dev}}
				if c.kind == "dma-error" {
					c.settings[1] = channel(t, d)
				}
				arm(t, d, c.kind, append(c.settings, "probability", "100")...)
				assert.Zero(t, d.NPU.Faults().Struck())
				assert.ErrorIs(t, p.Finish(q, p.Start(q, j)), c.want)
				assert.EqualValues(t, 1, d.NPU.Faults().Struck(), "once, as the kind has it")
				copies(t, by, bq)
				copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
			})
		})
	}
}

// channel is the requester that is the first DMA channel: behind the cores.
func channel(t *testing.T, d *fwtest.Device) string {
	t.Helper()
	cores := d.Bus.Read32(abi.BARRegisters, abi.Offset(&abi.Ident, "CAP_CORES"))
	return string(rune('0' + 3 + cores))
}

// Every n-th chance is struck, so many times, with a value; what needs no chance
// happens when it is armed.
func TestFaultInjectSettings(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		arm(t, d, "bad-opcode", "space", "2", "interval", "3", "times", "2", "probability", "100")
		var errnos []unix.Errno
		for range 10 {
			q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			errnos = append(errnos, fw.Errno(p.Finish(q, p.Start(q, nop()))))
		}
		assert.Equal(t, []unix.Errno{0, 0, unix.EINVAL, 0, 0, unix.EINVAL, 0, 0, 0, 0}, errnos)
		arm(t, d, "thermal", "value", "123000", "duration_ns", "0x1000000", "probability", "100")
		d.Bus.Sleep(1e3)
		assert.EqualValues(t, 3, d.NPU.Faults().Struck())
		assert.Equal(t, "123000\n", sysfs(t, d, "hwmon/hwmon0/temp1_input"))
		assert.Equal(t, "16777216\n", read(t, d.Class.Debug, faults+"thermal/duration_ns"))
		arm(t, d, "ecc-corrected", "times", "-1", "probability", "0.0001")
		assert.Equal(t, "0.0001\n", read(t, d.Class.Debug, faults+"ecc-corrected/probability"))
		assert.Equal(t, "-1\n", read(t, d.Class.Debug, faults+"ecc-corrected/times"))
	})
}

// The read that tells whether arming worked must not meet the fault itself.
func TestFaultInjectAllOnes(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		arm(t, d, "all-ones", "probability", "100")
		assert.Zero(t, d.NPU.Faults().Struck())
		assert.Equal(t, ^uint32(0), d.Bus.Read32(abi.BARRegisters, abi.Offset(&abi.Ident, "ID")))
	})
}

func TestFaultInjectRefuses(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		for _, c := range [][2]string{{"probability", "101"}, {"probability", "-1"}, {"probability", "NaN"}, {"probability", "0.00001"},
			{"probability", ""}, {"interval", "-1"}, {"times", "-2"}, {"times", "many"}, {"target", "-2"}, {"from", "-1"}, {"space", "4294967296"}} {
			assert.ErrorIs(t, d.Class.Debug.Store(faults+"page-fault/"+c[0], []byte(c[1])), unix.EINVAL, c)
		}
		assert.ErrorIs(t, d.Class.Debug.Store(faults+"page-fault/value", []byte("1")), unix.ENOENT)
		arm(t, d, "page-fault", "from", "0x2000", "to", "0x1000")
		assert.ErrorIs(t, d.Class.Debug.Store(faults+"page-fault/probability", []byte("100")), unix.EINVAL)
		assert.Equal(t, "0\n", read(t, d.Class.Debug, faults+"page-fault/probability"))
		assert.False(t, d.NPU.Faults().Live(fault.PageFault))
	})
}

// A device that sleeps, is given up or is gone is left alone.
func TestFaultInjectLeavesItAlone(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		store := func() error { return d.Class.Debug.Store(faults+"page-fault/probability", []byte("100")) }
		automatic(t, d)
		asleep(t, d)
		refused := d.NPU.Function().Stats().Refused
		assert.ErrorIs(t, store(), unix.EBUSY)
		arm(t, d, "page-fault", "times", "3")
		assert.Equal(t, "suspended\n", sysfs(t, d, "power/runtime_status"), "settings are the driver's")
		assert.Equal(t, refused, d.NPU.Function().Stats().Refused)
		require.NoError(t, d.Class.Sys.Store(device+"power/control", []byte("on")))
		require.NoError(t, store())
		arm(t, d, "page-fault", "probability", "0")
		d.Host.Bus().Disconnect()
		assert.ErrorIs(t, store(), unix.EIO)
		assert.False(t, d.NPU.Faults().Live(fault.PageFault))
		d.Remove()
		assert.ErrorIs(t, store(), unix.ENOENT)
	})
}

// Silicon and emulators have no INJECT block, and no directory.
func TestNoFaultInjectElsewhere(t *testing.T) {
	for _, platform := range []uint64{abi.PlatformSilicon, abi.PlatformEmulation} {
		d := fwtest.NewDevice(t, fwtest.Unbound())
		at := abi.Offset(&abi.Ident, "PLATFORM")
		d.Bus.OnRead = func(off, v uint64) uint64 {
			if off == at {
				return platform
			}
			return v
		}
		d.Run(func() {
			require.NoError(t, d.Probe())
			_, err := fs.Stat(d.Class.Debug, "accel/0000:01:00.0/fault_inject")
			assert.ErrorIs(t, err, fs.ErrNotExist)
			_, err = fs.Stat(d.Class.Debug, "accel/0000:01:00.0/registers")
			assert.NoError(t, err)
		})
	}
}

// A read that nobody answers, wherever in probe: no capability is taken from all
// ones, and the next probe finds the device as it is.
func TestAllOnesInProbe(t *testing.T) {
	for chance := range 30 {
		d := fwtest.NewDevice(t, fwtest.Unbound())
		d.Run(func() {
			armed, err := d.NPU.Inject(fault.Spec{Kind: "all-ones", Target: fault.On(abi.BARRegisters), Space: chance})
			require.NoError(t, err)
			if err := d.Probe(); err != nil {
				assert.Contains(t, []unix.Errno{unix.ENODEV, unix.EIO, unix.ETIME}, fw.Errno(err), "%d: %v", chance, err)
				armed.Disarm()
				require.NoError(t, d.Bus.ResetFunction())
				require.NoError(t, d.Probe())
			}
			p := d.Open()
			copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
		})
	}
}

// A read of FAULT_TAIL that is lost tells of no records.
func TestAllOnesIsNoFaultRecord(t *testing.T) {
	d := fwtest.NewDevice(t)
	at, lost := abi.Offset(&abi.MMU, "FAULT_TAIL"), false
	d.Bus.OnRead = func(off, v uint64) uint64 {
		if off == at && !lost {
			lost = true
			return 1<<32 - 1
		}
		return v
	}
	d.Run(func() {
		p := d.Open()
		for range 2 {
			q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			j := &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(0x10_0000, 0x20_0000, 4096)}}
			assert.ErrorIs(t, p.Finish(q, p.Start(q, j)), unix.EFAULT)
		}
		assert.True(t, lost)
		assert.LessOrEqual(t, d.Driver.Faults(), 4, "a record a fault")
		assert.Positive(t, d.Driver.Faults(), "the next read takes what the lost one left")
	})
}
