package lab

import (
	"fmt"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/hw/npu"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// System is a simulated computer: host, link and device on one engine, with
// the accel class that drivers register with.
type System struct {
	Engine *sim.Engine
	Host   *host.Host
	Link   *pcie.Link
	Device *npu.Device
	Class  *fw.Class
}

// NewSystem builds a computer. pool computes the values of kernels; nil leaves
// them out. With trace the engine records one.
func NewSystem(cfg *configs.Config, pool *kern.Pool, seed uint64, trace bool) *System {
	e := sim.New(seed)
	if trace {
		e.Trace = &sim.Trace{}
	}
	link := pcie.New(e, "pcie", cfg.PCIe, cfg.Config.Weights())
	s := &System{Engine: e, Link: link}
	s.Host = host.New(e, cfg.Host, cfg.IOMMU, link)
	if cfg.Chaos.Seed != 0 {
		s.Host.Chaos(cfg.Chaos.Seed)
	}
	s.Device = npu.New(e, cfg.Config, link, pool)
	link.SetFunction(s.Device.Function())
	s.Class = fw.NewClass(s.Host.Bus())
	return s
}

// Probe binds the reference driver. It runs in a process.
func (s *System) Probe(logf func(format string, args ...any)) (*npudrv.Device, error) {
	return npudrv.Probe(s.Class, s.Host.Bus(), logf)
}

// Run runs fn as a process until it returns, and everything that it has set in
// motion at the same time with it.
func (s *System) Run(name string, fn func() error) error {
	var err error
	finished := false
	s.Engine.Go(name, func(*sim.Proc) {
		err = fn()
		finished = true
		s.Engine.Stop()
	})
	if e := s.Engine.Run(); e != nil {
		return fmt.Errorf("%s: %w", name, e)
	}
	if !finished {
		return fmt.Errorf("%s: stopped before its end", name)
	}
	return err
}

// Idle runs until nothing happens any more and returns an error when a block
// still has something outstanding.
func (s *System) Idle() error {
	if err := s.Engine.Run(); err != nil {
		return err
	}
	if err := s.Device.Idle(); err != nil {
		return err
	}
	return s.Link.Idle()
}
