package core

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// ErrNotRun is wrapped by the error for a kernel that cores do not finish.
var ErrNotRun = errors.New("core: kernel not run")

// Alone runs a kernel on cores with nothing around them, timing alone: memory
// answers at once, so that only the cores and their ports take time. It returns
// the cycles from the launch to its end and what was done.
func Alone(cfg Config, k *abi.Kernel) (cycles int64, done Counts, err error) {
	if errs := cfg.Validate(); len(errs) > 0 {
		return 0, done, errors.Join(errs...)
	}
	e := sim.New(0)
	ports := make([]hw.Target, cfg.Core.Count)
	for i := range ports {
		ports[i] = hw.TargetFunc(func(r *hw.Request) {
			r.Status = hw.OK
			e.After(0, r.Done)
		})
	}
	x := New(e, cfg, Parts{Ports: ports})
	l := &hw.Launch{ASID: 1, Done: sim.Call{H: e.Register("alone", func(uint64) {})}}
	k.Encode(l.Desc[:])
	x.Launch(l)
	if err := e.Run(); err != nil {
		return 0, done, err
	}
	if l.Result.Code != abi.StatusOK {
		return 0, done, fmt.Errorf("%w: status %v", ErrNotRun, l.Result.Code)
	}
	return sim.NewClock(cfg.Core.Clock).Cycles(l.Result.Bill.Total()), x.Total(), nil
}
