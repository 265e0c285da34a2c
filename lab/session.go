package lab

import (
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/fw/rt"
)

// Session is a program's way to the device: the bound driver, its node opened,
// and the runtime on it with a queue of the cores.
type Session struct {
	Device *rt.Device
	Queue  *rt.Queue

	driver *npudrv.Device
	file   *fw.File
	arena  fw.Arena
}

// Open binds the driver, whose messages logf takes, and opens its node. It runs
// in a process.
func (s *System) Open(logf func(format string, args ...any)) (*Session, error) {
	var x Session
	var err error
	if x.driver, err = s.Probe(logf); err != nil {
		return nil, err
	}
	if x.file, err = s.Class.Open(x.driver.Minor, &x.arena); err != nil {
		return nil, err
	}
	if x.Device, err = rt.Open(rt.Local(x.file, &x.arena)); err != nil {
		return nil, err
	}
	x.Queue, err = x.Device.NewQueue(rt.Compute, rt.PriorityNormal, 0)
	return &x, err
}

// Close ends the program and unbinds the driver.
func (x *Session) Close() error {
	if err := x.Queue.Close(); err != nil {
		return err
	}
	if err := x.Device.Close(); err != nil {
		return err
	}
	x.driver.Remove()
	return nil
}
