package fwtest

import (
	"io/fs"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

// System is a computer with one accelerator and its driver, as the portable tests
// see it: nodes, what the system shows, and what its administrator can do.
type System interface {
	// RunTest runs a test to its end, and fails it when it takes longer than limit
	// ns of the system's time.
	RunTest(limit int64, fn func())
	// OpenNode opens the node for a new program; AgainNode for the same one.
	OpenNode(flags ...fw.OpenFlags) (Node, error)
	AgainNode(n Node) (Node, error)
	// Sysfs and Debugfs are what is mounted at /sys and /sys/kernel/debug.
	Sysfs() fs.FS
	Debugfs() fs.FS
	StoreDebug(name, text string) error
	StoreSys(name, text string) error
	// Address is the function's bus address, Minor that of its node.
	Address() string
	Minor() int
	// Uevents returns the events since the system was made.
	Uevents() []fw.Uevent

	// Now is CLOCK_MONOTONIC, Sleep lets it pass.
	Now() int64
	Sleep(ns int64)
	// Spawn starts a thread; the result waits for its end.
	Spawn(fn func()) (join func())
	// Thread is Spawn of a thread that gets signals.
	Thread(fn func()) Thread

	// Unbind takes the driver away from the device (sysfs remove), Bind gives it
	// back (rescan).
	Unbind()
	Bind() error
	// ResetDevice is a function-level reset behind the bound driver's back, with
	// what the bus tells drivers of it (sysfs reset).
	ResetDevice() error
	// Inject arms a fault.
	Inject(f fault.Spec) (Armed, error)
}

// Armed is a fault that was armed.
type Armed interface {
	Struck() int
	Disarm()
}

// Thread is a thread of a test.
type Thread interface {
	// Join waits for its end.
	Join()
	// Signal sends it a signal that it handles, without restart of calls.
	Signal()
}

// InProcess returns an Opener of simulated computers with the reference driver.
func InProcess(opts ...Option) Opener {
	return func(t TB) System {
		return newInProcess(t, opts...)
	}
}

func newInProcess(t TB, opts ...Option) *inProcess {
	s := &inProcess{Device: NewDevice(t, append([]Option{Unbound(), Pool(kern.NewPool(1))}, opts...)...)}
	s.Class.OnUevent(func(e fw.Uevent) { s.events = append(s.events, e) })
	s.Run(func() { require.NoError(t, s.Probe()) })
	return s
}

// inProcess is a Device as a System.
type inProcess struct {
	*Device
	events []fw.Uevent
}

// RunTest implements System.
func (s *inProcess) RunTest(limit int64, fn func()) {
	stop := s.Bus.Timer("watchdog of the test", limit, func() {
		s.T.Errorf("the test hangs: %d s of simulated time have passed", limit/1e9)
		s.Engine.Stop()
	})
	s.Run(fn)
	stop()
}

func (s *inProcess) OpenNode(flags ...fw.OpenFlags) (Node, error) {
	return s.openNode(&fw.Arena{}, flags...)
}

func (s *inProcess) AgainNode(n Node) (Node, error) { return s.openNode(n.(*local).arena) }

func (s *inProcess) openNode(a *fw.Arena, flags ...fw.OpenFlags) (Node, error) {
	p, err := s.Device.open(a, flags...)
	if err != nil {
		return nil, err
	}
	return p.node, nil
}

func (s *inProcess) Sysfs() fs.FS         { return s.Class.Sys }
func (s *inProcess) Debugfs() fs.FS       { return s.Class.Debug }
func (s *inProcess) Address() string      { return s.Bus.Address() }
func (s *inProcess) Minor() int           { return s.minor }
func (s *inProcess) Uevents() []fw.Uevent { return s.events }
func (s *inProcess) Now() int64           { return s.Bus.Now() }
func (s *inProcess) Sleep(ns int64)       { s.Bus.Sleep(ns) }
func (s *inProcess) Unbind()              { s.Remove() }
func (s *inProcess) Bind() error          { return s.Probe() }

func (s *inProcess) StoreDebug(name, text string) error {
	return s.Class.Debug.Store(name, []byte(text))
}

func (s *inProcess) StoreSys(name, text string) error {
	return s.Class.Sys.Store(name, []byte(text))
}

func (s *inProcess) Spawn(fn func()) func() { return s.Go("thread of the test", fn).Join }

func (s *inProcess) Thread(fn func()) Thread {
	return thread{s.Go("thread of the test", fn), s.Class}
}

// thread is a process that gets signals.
type thread struct {
	*sim.Proc
	class *fw.Class
}

// Signal implements Thread.
func (t thread) Signal() { t.class.Signal(t.Proc) }

func (s *inProcess) Inject(f fault.Spec) (Armed, error) { return s.NPU.Inject(f) }

func (s *inProcess) ResetDevice() error { return s.Host.Bus().ResetDevice() }
