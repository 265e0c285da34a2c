package npu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// ecc counts errors of device memory and answers the accesses that they end.
type ecc struct {
	d                        *Device
	corrected, uncorrectable int64
	failing                  sim.FIFO[*hw.Request]
	fail                     sim.Handler
}

// eccLatency is what it takes to answer an access whose data are bad.
const eccLatency = 100 * sim.Nanosecond

func (x *ecc) init(d *Device) {
	x.d = d
	x.fail = d.e.Register("memory error", func(uint64) {
		r := x.failing.Pop()
		r.Status, r.FaultAddr = hw.MemoryError, r.Addr
		d.e.Fire(r.Done)
	})
	d.e.Stats.Add("ecc",
		sim.Counter{Name: "corrected", Help: "errors of device memory that were corrected", Value: &x.corrected},
		sim.Counter{Name: "uncorrectable", Help: "errors of device memory that were not", Value: &x.uncorrectable})
}

// due reports whether an error is armed for some access.
func (x *ecc) due() bool {
	f := x.d.faults
	return f.Live(fault.ECCCorrected) || f.Live(fault.ECCUncorrectable) || f.Live(fault.Parity)
}

// struck gives an access to device memory its chances, and reports whether an
// error has ended it.
func (x *ecc) struck(r *hw.Request) bool {
	faults, kind := x.d.faults, fault.Parity
	if r.Op == hw.Read {
		if faults.Hit(fault.ECCCorrected, int(r.Source), r.Addr) != nil {
			x.corrected++
		}
		kind = fault.ECCUncorrectable
	}
	if faults.Hit(kind, int(r.Source), r.Addr) == nil {
		return false
	}
	x.uncorrectable++
	x.failing.Push(r)
	x.d.e.After(eccLatency, sim.Call{H: x.fail})
	x.d.event(abi.CauseMemory)
	return true
}
