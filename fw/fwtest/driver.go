package fwtest

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw"
)

// Bound is a driver that has the device. A struct that embeds its *fw.Device and has
// a Remove is one. The end of a test also asks Leaks, with every file closed, and
// CheckTables, of drivers that have them.
type Bound interface {
	fw.Bound
	Node() string
	Unplugged() bool
	Files() []*fw.File
}

// leaker is a driver that says what it still holds.
type leaker interface{ Leaks() error }

// checker is a driver that holds its page tables, in device memory, to what it
// believes of them.
type checker interface {
	CheckTables(peek func(at uint64, p []byte)) error
}

var (
	_ leaker  = (*npudrv.Device)(nil)
	_ checker = (*npudrv.Device)(nil)
)

type probe func(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (Bound, error)

// Driver has NewDevice bind another driver than the reference driver, by its Probe:
//
//	d := fwtest.NewDevice(t, fwtest.Driver(mydrv.Probe))
//
// Everything that the end of a test asks is asked of it, too. Device.Bound has it.
// An Opener for the suite comes from WithDriver.
func Driver[B Bound](fn func(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (B, error)) Option {
	return func(o *options) { o.probe = probing(fn) }
}

// probing is a Probe whose failures are nil.
func probing[B Bound](fn func(*fw.Class, hw.Bus, func(string, ...any)) (B, error)) probe {
	return func(class *fw.Class, bus hw.Bus, logf func(string, ...any)) (Bound, error) {
		b, err := fn(class, bus, logf)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
}

// WithDriver returns an Opener of simulated computers with a driver, for Run and
// Matrix. The white-box tests are left out: they look into the reference driver.
func WithDriver[B Bound](fn func(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (B, error), opts ...Option) Opener {
	return func(t TB) System {
		return &portable{System: newInProcess(t, append([]Option{Driver(fn)}, opts...)...)}
	}
}

// portable is a System and no more, whatever it is besides.
type portable struct {
	System
	refused bool // by the last Bind
}

// Bind implements System. A device that no driver took is reset before the next, as
// an administrator would.
func (p *portable) Bind() error {
	if p.refused {
		if err := p.ResetDevice(); err != nil {
			return err
		}
	}
	err := p.System.Bind()
	p.refused = err != nil
	return err
}

// bind takes note of a driver that has the device; nil for none.
func (d *Device) bind(b Bound) {
	d.Bound = b
	d.Driver, _ = b.(*npudrv.Device)
	if b != nil {
		_, _ = fmt.Sscanf(b.Node(), "/dev/accel/accel%d", &d.minor)
		if d.watch != nil {
			d.watch.driver = b
		}
	}
}

// tables asks a checker. It runs in a process.
func (d *Device) tables() error {
	c, ok := d.Bound.(checker)
	if !ok || d.Link.IsDown() {
		return nil
	}
	d.Bus.Sleep(20_000) // posted writes arrive
	return c.CheckTables(d.NPU.Memory().Peek)
}

// held is what the driver holds although every program has ended.
func (d *Device) held() (err error) {
	if d.Bound == nil {
		return nil
	}
	for _, f := range d.Bound.Files() {
		err = errors.Join(err, fmt.Errorf("client %d has left a file open", f.ID))
	}
	if x, ok := d.Bound.(leaker); ok {
		err = errors.Join(err, x.Leaks())
	}
	return err
}

// registered are the devices that no driver has taken back.
func (d *Device) registered() (err error) {
	nodes, _ := fs.Glob(d.Class.Sys, "class/accel/*")
	for _, n := range nodes {
		err = errors.Join(err, fmt.Errorf("%s is still there: its driver was not removed, or does not unplug", n))
	}
	return err
}
