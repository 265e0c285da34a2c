// Package fwtest gives tests of drivers, of the framework and of programs a
// whole simulated computer: host, PCIe link, accelerator and the bound driver,
// on one engine and so with the same result every time.
//
//	d := fwtest.NewDevice(t)
//	d.Run(func() {
//		p := d.Open()
//		buf := p.NewBuffer(4096, abi.BODevice)
//		...
//		p.Close()
//	})
//
// The driver is the reference driver, or another one by the option Driver.
//
// When the test ends, NewDevice's clean-up removes the driver and holds every
// invariant: nothing is outstanding in any block, all credits are back, no
// device memory, host pages, page tables, contexts or handles are left over, the
// page tables in memory are those that the driver believes in, and its accesses to
// the hardware came in sections and kept out of resets (watch).
// When the test fails, there or before, it prints the driver's messages and its
// last accesses to registers.
package fwtest

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/hw/npu"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// Device is a simulated computer with one accelerator.
type Device struct {
	T      TB
	Engine *sim.Engine
	Host   *host.Host
	Link   *pcie.Link
	NPU    *npu.Device
	Class  *fw.Class
	// Bus is the driver's view of the accelerator, recorded.
	Bus *Recorder
	// Bound is the bound driver; nil with Unbound, and after Remove.
	Bound Bound
	// Driver is Bound when that is the reference driver, else nil.
	Driver *npudrv.Device

	probe    probe
	broken   func(hw.Bus) hw.Bus
	bare     bool
	watch    *watch // of the driver bound last
	missed   []string
	log      []string
	minor    int // of the driver bound last
	programs []*Program
}

type options struct {
	machine string
	set     []func(*configs.Config)
	pool    *kern.Pool
	seed    uint64
	unbound bool
	bare    bool
	broken  func(hw.Bus) hw.Bus
	probe   probe
}

// Option changes what NewDevice builds.
type Option func(*options)

// Machine names a shipped configuration; it is "tiny" without this option.
func Machine(name string) Option { return func(o *options) { o.machine = name } }

// Config changes the configuration.
func Config(fn func(*configs.Config)) Option {
	return func(o *options) { o.set = append(o.set, fn) }
}

// Pool has kernels compute their values.
func Pool(p *kern.Pool) Option { return func(o *options) { o.pool = p } }

// Seed changes the seed of the random streams.
func Seed(n uint64) Option { return func(o *options) { o.seed = n } }

// Unbound leaves the driver out: the test calls Probe, or drives the bus itself.
// What binds to Bus behind Device's back is not watched; use Driver for it.
func Unbound() Option { return func(o *options) { o.unbound = true } }

// Broken puts a layer between the driver and its bus: what a driver does wrong
// can be had without one.
func Broken(fn func(hw.Bus) hw.Bus) Option { return func(o *options) { o.broken = fn } }

// Bare gives the driver the host's bus itself, which nobody records or watches: for
// benchmarks.
func Bare() Option { return func(o *options) { o.bare = true } }

// NewDevice builds a computer, binds the driver and registers the clean-up.
func NewDevice(t TB, opts ...Option) *Device {
	t.Helper()
	o := options{machine: "tiny", seed: 1, probe: probing(npudrv.Probe)}
	for _, fn := range opts {
		fn(&o)
	}
	cfg, err := configs.Machine(o.machine)
	require.NoError(t, err)
	for _, fn := range o.set {
		fn(cfg)
	}
	e := sim.New(o.seed)
	d := &Device{T: t, Engine: e, probe: o.probe, broken: o.broken, bare: o.bare, Link: pcie.New(e, "pcie", cfg.PCIe, cfg.Config.Weights())}
	d.Host = host.New(e, cfg.Host, cfg.IOMMU, d.Link)
	if cfg.Chaos.Seed != 0 {
		d.Host.Chaos(cfg.Chaos.Seed)
	}
	d.NPU = npu.New(e, cfg.Config, d.Link, o.pool)
	d.Link.SetFunction(d.NPU.Function())
	d.Bus = &Recorder{Bus: d.Host.Bus(), registers: d.NPU.Registers()}
	d.Class = fw.NewClass(d.Host.Bus())
	t.Cleanup(d.cleanup)
	if !o.unbound {
		d.Run(func() { require.NoError(t, d.Probe()) })
	}
	return d
}

// Probe binds the driver. It runs in a process.
func (d *Device) Probe() error { return d.ProbeOn(d.Bus) }

// ProbeOn is Probe on another bus, which stands before Bus.
func (d *Device) ProbeOn(bus hw.Bus) error {
	if d.broken != nil {
		bus = d.broken(bus)
	}
	d.unwatch()
	if d.bare {
		bus = d.Host.Bus()
	} else {
		d.watch = newWatch(d, bus)
		bus = d.watch
	}
	b, err := d.probe(d.Class, bus, func(format string, args ...any) {
		d.log = append(d.log, fmt.Sprintf("%12d ns  ", d.Engine.Now().Nanoseconds())+fmt.Sprintf(format, args...))
	})
	if err == nil {
		d.bind(b)
	}
	return err
}

// unwatch ends the watch over the driver bound last.
func (d *Device) unwatch() {
	if d.watch != nil {
		d.missed = append(d.missed, d.watch.broken...)
	}
	d.watch = nil
}

// Remove unbinds the driver, as an unplug by software does. It runs in a process.
func (d *Device) Remove() {
	d.Bound.Remove()
	d.bind(nil)
}

// Log returns the driver's messages so far.
func (d *Device) Log() []string { return d.log }

// Run runs fn as a process until it returns, and everything else that happens
// until then. The test fails when the simulation does.
func (d *Device) Run(fn func()) {
	d.T.Helper()
	finished := false
	d.Engine.Go("test", func(*sim.Proc) {
		fn()
		finished = true
		d.Engine.Stop()
	})
	require.NoError(d.T, d.Engine.Run())
	require.True(d.T, finished, "the simulation stopped before the test's process had ended")
}

// Go starts a process beside the current one, and returns it for Join.
func (d *Device) Go(name string, fn func()) *sim.Proc {
	return d.Engine.Go(name, func(*sim.Proc) { fn() })
}

// AwaitIdle runs until nothing happens any more and fails the test when a block
// still has something outstanding. It is not for use within Run. Behind a link
// that is down nobody can tell the device to stop: only the link is asked.
func (d *Device) AwaitIdle() {
	d.T.Helper()
	require.NoError(d.T, d.Engine.Run())
	if !d.Link.IsDown() {
		require.NoError(d.T, d.NPU.Idle())
	}
	require.NoError(d.T, d.Link.Idle())
}

// cleanup ends the test.
func (d *Device) cleanup() {
	defer d.Engine.Shutdown()
	defer func() { // also when check ends the test
		if d.T.Failed() {
			d.report()
		}
	}()
	if !d.T.Failed() {
		d.check()
	}
}

// check removes everything and holds the invariants.
func (d *Device) check() {
	var err error
	d.Run(func() {
		if err = errors.Join(d.tables(), d.closeAll(), d.held()); err == nil && d.Bound != nil {
			d.Remove()
		}
	})
	require.NoError(d.T, err, "with every file closed")
	require.NoError(d.T, d.registered())
	d.AwaitIdle()
	require.NoError(d.T, d.Host.Leaks(), "with the driver removed")
	d.unwatch()
	require.Empty(d.T, d.missed, "the driver's accesses")
	require.NoError(d.T, d.leaks())
}

// closeAll ends what programs hold: files and mappings.
func (d *Device) closeAll() (err error) {
	for _, p := range d.programs {
		if !p.File.Closed() {
			err = errors.Join(err, p.File.Close())
		}
		p.unmapAll()
	}
	return err
}

// leaks reports what programs have not closed.
func (d *Device) leaks() (err error) {
	for _, p := range d.programs {
		err = errors.Join(err, p.Memory.Leaks())
	}
	return err
}

// Clean ends all programs and holds that nothing of them is left in the driver, so
// that the device can serve another test as a new one would. It runs in a process.
func (d *Device) Clean() error {
	err := errors.Join(d.closeAll(), d.held(), d.leaks())
	if d.watch != nil && len(d.watch.broken) > 0 {
		err = errors.Join(err, fmt.Errorf("the driver's accesses: %v", d.watch.broken))
	}
	d.programs, d.log = nil, nil
	return err
}

// report says what led to a failure.
func (d *Device) report() {
	d.T.Logf("driver's messages:")
	for _, l := range d.log {
		d.T.Logf("%s", l)
	}
	d.T.Logf("last accesses to registers:")
	for _, l := range d.Bus.Last() {
		d.T.Logf("%s", l)
	}
}
