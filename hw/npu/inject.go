package npu

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// Inject arms a fault from now on. The error names every mistake in it.
func (d *Device) Inject(s fault.Spec) (*fault.Armed, error) { return d.faults.Inject(s) }

// Faults returns the injector, for what has struck and to disarm everything.
func (d *Device) Faults() *fault.Injector { return d.faults }

// inject is the INJECT block: faults from software that runs on the simulation.
type inject struct {
	d     *Device
	regs  *reg.File
	armed [fault.NumKinds][]*fault.Armed // here
}

func newInject(d *Device) *inject {
	x := &inject{d: d, regs: reg.NewFile(abi.Inject)}
	x.regs.Set(x.regs.Ref("KINDS"), 0, uint64(fault.NumKinds-1))
	x.regs.OnRead("STRUCK", func(int) uint64 { return uint64(d.faults.Struck()) })
	x.regs.OnWrite("ARM", func(_ int, _, v uint64) { x.command(v) })
	return x
}

func (x *inject) get(name string) uint64 { return x.regs.Get(x.regs.Ref(name), 0) }

func (x *inject) wide(name string) uint64 { return x.get(name+"_HI")<<32 | x.get(name+"_LO") }

func (x *inject) command(v uint64) {
	switch v {
	case abi.InjectArm:
		x.status(abi.InjectArmed)
		if a, err := x.d.Inject(x.spec()); err != nil {
			x.status(abi.InjectRefused)
		} else {
			k := x.get("KIND")
			x.armed[k] = append(x.armed[k], a)
		}
	case abi.InjectOff:
		if k := x.get("KIND"); k < uint64(fault.NumKinds) {
			for _, a := range x.armed[k] {
				a.Disarm()
			}
			x.armed[k] = nil
		}
		x.status(abi.InjectIdle)
	case abi.InjectClear:
		x.d.faults.Clear()
		x.status(abi.InjectIdle)
	}
}

func (x *inject) status(s uint64) { x.regs.Set(x.regs.Ref("STATUS"), 0, s) }

// spec is the fault that the registers describe.
func (x *inject) spec() fault.Spec {
	times := int(x.get("TIMES"))
	if times == abi.InjectForever {
		times = fault.Unlimited
	}
	kind := "none"
	if k := x.get("KIND"); k < uint64(fault.NumKinds) {
		kind = fault.Kind(k).String()
	}
	return fault.Spec{
		Kind: kind, Target: fault.Target(x.get("TARGET")), From: x.wide("FROM"), To: x.wide("TO"),
		At: x.d.e.Now() + sim.Time(x.get("DELAY_US"))*sim.Microsecond, Space: int(x.get("SPACE")),
		Interval: int(x.get("INTERVAL")), Times: times, Probability: float64(x.get("PROBABILITY")) / 1e6,
		Seed: x.get("SEED"), Duration: sim.Time(x.get("DURATION_NS")) * sim.Nanosecond, Value: x.wide("VALUE"),
	}
}
