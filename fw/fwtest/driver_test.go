package fwtest_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// small is a driver of the accelerator with one ioctl, as careless as a test wants it.
type small struct {
	*fw.Device
	bus  hw.Bus
	log  func(format string, args ...any)
	care struct {
		staysPlugged, leaksDMA, noSection bool
		held                              error
	}
}

// temperature is its ioctl's struct.
type temperature struct{ MilliCelsius, Pad uint32 }

const nrTemperature = abi.CommandBase

var offTemperature = abi.Offset(&abi.Telemetry, "TEMPERATURE_MC")

var smallDriver = &fw.Driver{Name: "small", Desc: "a thermometer", Date: "20261130", Major: 1, Features: fw.FeatureAccel,
	Ioctls: map[uint32]fw.Ioctl{nrTemperature: {Name: "TEMPERATURE", Size: abi.SizeOf[temperature](), Fn: readTemperature}}}

func readTemperature(f *fw.File, arg []byte) error {
	d := f.Dev.Private.(*small)
	if !d.care.noSection {
		if !d.Enter() {
			return unix.ENODEV
		}
		defer d.Exit()
	}
	d.log("it is asked")
	if d.care.leaksDMA {
		if _, err := d.bus.AllocDMA(4096); err != nil {
			return unix.ENOMEM
		}
	}
	abi.Store(arg, &temperature{MilliCelsius: d.bus.Read32(abi.BARRegisters, offTemperature)})
	return nil
}

func probeSmall(c *fw.Class, bus hw.Bus, logf func(string, ...any)) (*small, error) {
	base, err := c.NewDevice(smallDriver, bus.Address())
	if err != nil {
		return nil, err
	}
	d := &small{Device: base, bus: bus, log: logf}
	base.Private = d
	bus.ConfigWrite(4, 2, 6)
	d.ManageBound(func() { bus.ConfigWrite(4, 2, 0) })
	if err := d.Register(); err != nil {
		d.Unbind()
		d.Put()
		return nil, err
	}
	return d, nil
}

func (d *small) Remove() {
	if !d.care.staysPlugged {
		d.Unplug()
	}
	d.Unbind()
	d.Put()
}

func (d *small) Leaks() error { return d.care.held }

// asked has a program ask for the temperature.
func asked(d *fwtest.Device) {
	d.Run(func() {
		p := d.Open()
		var a temperature
		fwtest.Must(p, nrTemperature, &a)
		p.Close()
	})
}

// A driver of one's own gets what the reference driver gets.
func TestAnotherDriver(t *testing.T) {
	r := fwtest.Execute("small", func(t fwtest.TB) {
		d := fwtest.NewDevice(t, fwtest.Driver(probeSmall))
		assert.IsType(t, &small{}, d.Bound)
		assert.Nil(t, d.Driver)
		asked(d)
		assert.Len(t, d.Log(), 1)
		d.Run(func() {
			d.Remove()
			assert.Nil(t, d.Bound)
			require.NoError(t, d.Probe())
		})
		asked(d)
	})
	assert.False(t, r.Failed, "%s", strings.Join(r.Log, "\n"))
}

// Each carelessness fails the test, which then prints messages and accesses.
func TestCarelessDriversAreCaught(t *testing.T) {
	for _, c := range []struct {
		what, says string
		careless   func(d *fwtest.Device, s *small)
	}{
		{"not removed", "class/accel/accel0 is still there", func(_ *fwtest.Device, s *small) { s.care.staysPlugged = true }},
		{"a file left open", "has left a file open", func(d *fwtest.Device, s *small) {
			d.Run(func() {
				_, err := d.Class.Open(s.Minor, &fw.Arena{})
				require.NoError(d.T, err)
			})
		}},
		{"outside of sections", "outside of Enter and Exit", func(_ *fwtest.Device, s *small) { s.care.noSection = true }},
		{"DMA memory leaked", "with the driver removed", func(_ *fwtest.Device, s *small) { s.care.leaksDMA = true }},
		{"its own Leaks", "file already exists", func(_ *fwtest.Device, s *small) { s.care.held = fs.ErrExist }},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := fwtest.Execute(c.what, func(t fwtest.TB) {
				d := fwtest.NewDevice(t, fwtest.Driver(probeSmall))
				c.careless(d, d.Bound.(*small))
				asked(d)
			})
			reported(t, r, c.says, "it is asked", "TEMPERATURE_MC")
		})
	}
}

// reported holds that a test failed for a reason and said what led to it.
func reported(t *testing.T, r fwtest.Result, want ...string) {
	t.Helper()
	assert.True(t, r.Failed)
	for _, w := range want {
		assert.Contains(t, strings.Join(r.Log, "\n"), w)
	}
}

// One that a test has bound itself, behind the Device's back, has to be removed, too.
func TestForgottenDriverIsCaught(t *testing.T) {
	r := fwtest.Execute("forgets", func(t fwtest.TB) {
		d := fwtest.NewDevice(t, fwtest.Unbound())
		d.Run(func() {
			_, err := probeSmall(d.Class, d.Bus, d.T.Logf)
			require.NoError(t, err)
		})
	})
	reported(t, r, "class/accel/accel0 is still there")
}

// What the end of a test finds is reported as what a test finds: with the driver's
// messages and the last accesses.
func TestLeaksAreReported(t *testing.T) {
	r := fwtest.Execute("leaks", func(t fwtest.TB) {
		d := fwtest.NewDevice(t)
		d.Run(func() {
			_, err := d.Bus.AllocDMA(4096) // which nobody frees
			require.NoError(t, err)
		})
	})
	reported(t, r, "with the driver removed", "driver's messages:", "last accesses to registers:", "ns  write")
}

// The portable suite can be pointed at any driver; here some of it at two.
func TestSuiteForAnotherDriver(t *testing.T) {
	for _, x := range fwtest.Statements[0].Tests {
		ran := true
		r := fwtest.Execute(x.Name, func(t fwtest.TB) { ran = x.Execute(t, fwtest.WithDriver(npudrv.Probe)) })
		assert.False(t, r.Failed, "%s: %s", x.Name, strings.Join(r.Log, "\n"))
		assert.Equal(t, x.Mark != fwtest.WhiteBox, ran, x.Name)
	}
	failed := 0
	for _, s := range fwtest.Statements {
		for _, x := range s.Tests {
			if r := fwtest.Execute(x.Name, func(t fwtest.TB) { x.Execute(t, fwtest.WithDriver(probeSmall)) }); r.Failed {
				failed++
			}
		}
	}
	assert.Greater(t, failed, 20, "a thermometer is no accelerator")
}
