package fw_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/sim"
)

// powered is a device with power management that takes a millisecond either way.
type powered struct {
	*system
	*fw.Device
	trail  []string
	refuse error
}

func (s *system) powered(t *toy) *powered {
	dev, err := s.class.NewDevice(&t.Driver, "0000:02:00.0")
	require.NoError(s, err)
	p := &powered{system: s, Device: dev}
	step := func(what string) error {
		p.trail = append(p.trail, what)
		s.k.Sleep(1e6)
		return p.refuse
	}
	dev.EnablePower(fw.PowerOps{
		RuntimeSuspend: func() error { return step("suspend") },
		RuntimeResume:  func() { _ = step("resume") },
		Prepare:        func() error { return step("prepare") },
		Suspend:        func() error { return step("sleep") },
		Resume:         func() { _ = step("wake") },
	})
	require.NoError(s, dev.Register())
	return p
}

func (p *powered) store(name, text string) {
	require.NoError(p, p.class.Sys.Store("class/accel/accel0/device/power/"+name, []byte(text)))
}

func (p *powered) status() string {
	b, err := fs.ReadFile(p.class.Sys, "class/accel/accel0/device/power/runtime_status")
	require.NoError(p, err)
	return string(b)
}

// The delay counts from the last use; many who come at once wake it once.
func TestRuntimePower(t *testing.T) {
	simulate(t, func(s *system) {
		p := s.powered(newToy())
		p.store("autosuspend_delay_ms", "10")
		p.store("control", "auto")
		for range 5 {
			s.k.Sleep(8e6)
			require.True(t, p.Enter())
			p.Exit()
		}
		assert.Empty(t, p.trail, "it was never idle for long enough")
		s.k.Sleep(10e6 + 1000)
		assert.Equal(t, "suspending\n", p.status())
		assert.False(t, p.EnterActive())
		var callers []*sim.Proc
		for range 3 { // while it falls asleep
			callers = append(callers, s.e.Go("caller", func(*sim.Proc) {
				assert.True(t, p.Enter())
				assert.Equal(t, "active\n", p.status())
				s.k.Sleep(20e6)
				p.Exit()
			}))
		}
		s.k.Sleep(1e6)
		assert.Equal(t, "resuming\n", p.status())
		for _, c := range callers {
			c.Join()
		}
		assert.Equal(t, []string{"suspend", "resume"}, p.trail)
		assert.Equal(t, "active\n", p.status())
		s.k.Sleep(30e6)
		assert.Equal(t, "suspended\n", p.status())
		assert.True(t, p.Suspended())
		assert.Zero(t, p.PowerUsers())
		p.store("control", "on")
		p.store("control", "on")
		assert.Equal(t, 1, p.PowerUsers())
		assert.Equal(t, fw.PowerStats{Suspends: 2, Resumes: 2}, p.PowerStats())
	})
}

// A driver that refuses is asked again after the delay.
func TestRuntimeSuspendIsRefused(t *testing.T) {
	simulate(t, func(s *system) {
		p := s.powered(newToy())
		p.refuse = unix.EBUSY
		p.store("autosuspend_delay_ms", "10")
		p.store("control", "auto")
		s.k.Sleep(35e6)
		assert.Equal(t, 3, p.PowerStats().Refused)
		assert.Equal(t, "active\n", p.status())
		p.refuse = nil
		s.k.Sleep(20e6)
		assert.Equal(t, "suspended\n", p.status())
	})
}

// A device that goes while it is idle is left alone.
func TestUnplugBeforeSuspend(t *testing.T) {
	simulate(t, func(s *system) {
		p := s.powered(newToy())
		p.store("control", "auto")
		p.Unplug()
		s.k.Sleep(1e9)
		assert.Empty(t, p.trail)
		assert.False(t, p.Enter())
		assert.Zero(t, p.PowerUsers())
		assert.ErrorIs(t, p.Suspend(), unix.EBUSY)
	})
}

// The system's sleep waits for sections and keeps programs out; what it refuses
// leaves everything as it was.
func TestSystemPower(t *testing.T) {
	simulate(t, func(s *system) {
		p := s.powered(newToy())
		f, _ := s.file(p.Device)
		require.True(t, p.Enter())
		section := s.e.Go("section", func(*sim.Proc) { s.k.Sleep(5e6); p.Exit() })
		p.refuse = unix.ENOSPC
		assert.ErrorIs(t, p.Suspend(), unix.ENOSPC)
		p.refuse = nil
		assert.Less(t, s.k.Now(), int64(5e6))
		require.NoError(t, p.Suspend())
		assert.GreaterOrEqual(t, s.k.Now(), int64(5e6), "it waits for sections")
		section.Join()
		assert.Equal(t, "suspended\n", p.status())
		var at int64
		caller := s.e.Go("ioctl", func(*sim.Proc) {
			assert.ErrorIs(t, f.Ioctl(0, 0), unix.ENOTTY)
			at = s.k.Now()
		})
		s.k.Sleep(50e6)
		assert.Zero(t, at)
		p.Resume()
		p.Resume()
		caller.Join()
		assert.NotZero(t, at)
		assert.Equal(t, []string{"prepare", "prepare", "sleep", "wake"}, p.trail)
		assert.Equal(t, 1, p.PowerUsers())
		require.NoError(t, f.Close())
	})
}

// A device without power management is always awake.
func TestNoPowerManagement(t *testing.T) {
	simulate(t, func(s *system) {
		d := s.plug(&newToy().Driver)
		d.PowerGet()
		d.PowerPut()
		assert.False(t, d.Suspended())
		assert.ErrorIs(t, d.Suspend(), unix.EBUSY)
		d.Resume()
		assert.True(t, d.EnterActive())
		d.Exit()
	})
}
