package npu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// path takes translated requests to device memory or to the bus.
type path struct{ d *Device }

var _ hw.Ahead = path{}

// Submit implements hw.Target.
func (p path) Submit(r *hw.Request) {
	switch d := p.d; {
	case r.Space != hw.Device:
		d.function.Submit(r)
	case d.ecc.struck(r):
	case d.late != nil && !r.Atomic:
		d.late.Submit(r)
	default:
		d.dram.Submit(r)
	}
}

// SubmitIn implements hw.Ahead: device memory takes requests ahead of time, when
// neither faults nor chaos mode want to see them arrive.
func (p path) SubmitIn(r *hw.Request, after sim.Time) bool {
	d := p.d
	return r.Space == hw.Device && d.late == nil && !d.ecc.due() && d.dram.SubmitIn(r, after)
}
