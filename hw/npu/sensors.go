package npu

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// Coefficients of the power model. They give a plausible figure to drivers that
// read sensors; no measurement backs them and no report uses them.
const (
	staticMW     = 2000 // leakage and clocks of the device
	macPJ        = 1    // a bf16 multiply-add with its operand traffic in the array, some 7 nm
	memoryBytePJ = 32   // device memory, 4 pJ a bit (O'Connor et al., MICRO 2017, HBM2)
	ambientMC    = 35_000
	milliKperMW  = 4 // thermal resistance of 4 K/W
)

// activity is what the power model last saw.
type activity struct {
	at          sim.Time
	macs, bytes int64
	powerMW     uint32
}

// sensors returns temperature and power, from the activity since the last call
// at an earlier instant; the temperature is that of the steady state.
func (d *Device) sensors() (temperatureMC, powerMW uint32) {
	a := &d.activity
	macs, bytes := d.cores.Total().MACs, d.dram.Stats.ReadBytes+d.dram.Stats.WriteBytes
	if now := d.e.Now(); now > a.at {
		// 1 pJ in 1 ps is 1 W.
		dynamic := float64((macs-a.macs)*macPJ+(bytes-a.bytes)*memoryBytePJ) / float64(now-a.at) * 1000
		*a = activity{now, macs, bytes, staticMW + uint32(dynamic)}
	}
	if d.hot.temperature != 0 {
		return d.hot.temperature, a.powerMW
	}
	return ambientMC + milliKperMW*a.powerMW, a.powerMW
}

// hot is a thermal event: the temperature above the limit shows for a while or
// until a function-level reset.
type hot struct {
	temperature uint32 // 0: none
	cool        sim.Handler
}

func (h *hot) init(d *Device) {
	h.cool = d.e.Register("cool again", func(uint64) { h.temperature = 0 })
	d.faults.On(fault.Thermal, func(s *fault.Strike) {
		h.temperature = uint32(s.Value)
		if s.Duration > 0 {
			d.e.After(s.Duration, sim.Call{H: h.cool})
		}
		d.event(abi.CauseThermal)
	})
}
