package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// failing is a DMA request that a fault ends with a status.
type failing struct {
	r      *hw.Request
	status hw.Status
}

// faults is what a function needs to misbehave.
type faults struct {
	*fault.Injector
	failing []failing
	free    []uint32
	fail    sim.Handler
	late    sim.Handler // raises a vector
	storm   sim.Handler // raises a vector and goes on
	lose    sim.Handler // takes the link away for a time
	period  sim.Time    // of the storm
	timeout sim.Time    // of completions
}

// setFaults has the function take over the kinds that are the link's and the
// vectors' own.
func (f *Function) setFaults(x *fault.Injector) {
	f.faults = faults{Injector: x, timeout: f.link.CompletionTimeout}
	f.faults.fail = f.e.Register("failing DMA", f.onFail)
	f.faults.late = f.e.Register("late interrupt", func(v uint64) { f.raise(int(v)) })
	f.faults.storm = f.e.Register("interrupt storm", f.onStorm)
	f.faults.lose = f.e.Register("link lost", func(ps uint64) { f.loseLink(&fault.Strike{Duration: sim.Time(ps)}) })
	x.On(fault.LinkLoss, f.loseLink)
	x.On(fault.IRQSpurious, func(s *fault.Strike) { f.raise(vectorOf(s, int(s.Value))) })
	x.On(fault.IRQStorm, func(s *fault.Strike) {
		f.faults.period = s.Duration / sim.Time(s.Value)
		f.onStorm(uint64(vectorOf(s, 0)) | s.Value<<16)
	})
	x.On(fault.AERCorrected, func(*fault.Strike) { f.Inject(ReceiverError) })
	x.On(fault.AERNonFatal, func(*fault.Strike) { f.Inject(CompleterAbort) })
	x.On(fault.AERFatal, func(*fault.Strike) { f.Inject(DataLinkProtocol) })
	x.On(fault.AERPermanent, func(s *fault.Strike) {
		f.Inject(DataLinkProtocol)
		f.e.After(messageTime, sim.Call{H: f.faults.lose, Arg: uint64(s.Duration)})
	})
}

// messageTime is what an error message has to reach the root port before the link
// goes.
const messageTime = sim.Microsecond

// vectorOf is the fault's target, or another.
func vectorOf(s *fault.Strike, other int) int {
	if s.Target == fault.Any {
		return other
	}
	return int(s.Target) - 1
}

// loseLink takes the link down, for a while or for good. A host without a link of
// its own cannot lose it.
func (f *Function) loseLink(s *fault.Strike) {
	link, ok := f.host.(hw.Unpluggable)
	if !ok {
		return
	}
	link.Down()
	if s.Duration > 0 {
		f.e.After(s.Duration, sim.Call{H: f.linkUp})
	}
}

// strikes gives a DMA request its chances, and reports whether one of them has
// taken it.
func (f *Function) strikes(r *hw.Request) bool {
	x, source := &f.faults, int(r.Source)
	x.Tick(source, r.Addr)
	if s := x.Hit(fault.DMAError, source, r.Addr); s != nil {
		if s.Value == 1 {
			f.Inject(CompleterAbort)
			f.failLater(r, hw.Aborted, 0)
		} else {
			f.Inject(UnsupportedRequest)
			f.failLater(r, hw.Unsupported, 0)
		}
		return true
	}
	if r.Op == hw.Read {
		if s := x.Hit(fault.LostCompletion, source, r.Addr); s != nil {
			after := s.Duration
			if after == 0 {
				after = x.timeout
			}
			f.failLater(r, hw.TimedOut, after)
			return true
		}
	}
	return false
}

func (f *Function) failLater(r *hw.Request, status hw.Status, after sim.Time) {
	x := &f.faults
	if len(x.free) == 0 {
		x.free = append(x.free, uint32(len(x.failing)))
		x.failing = append(x.failing, failing{})
	}
	i := x.free[len(x.free)-1]
	x.free = x.free[:len(x.free)-1]
	x.failing[i] = failing{r, status}
	f.e.After(after, sim.Call{H: x.fail, Arg: uint64(i)})
}

func (f *Function) onFail(i uint64) {
	x := &f.faults
	r := x.failing[i].r
	r.Status, r.FaultAddr, r.Remote = x.failing[i].status, r.Addr, true
	x.failing[i].r = nil
	x.free = append(x.free, uint32(i))
	if r.Status == hw.TimedOut {
		f.Inject(CompletionTimeout)
	}
	f.e.Fire(r.Done)
}

// interferes gives an interrupt its chances, and reports whether it is not to be
// sent now.
func (f *Function) interferes(vector int) bool {
	x := &f.faults
	if x.Hit(fault.IRQLost, vector, 0) != nil {
		return true
	}
	if s := x.Hit(fault.IRQLate, vector, 0); s != nil {
		f.e.After(s.Duration, sim.Call{H: x.late, Arg: uint64(vector)})
		return true
	}
	if x.Hit(fault.IRQDoubled, vector, 0) != nil {
		f.raise(vector)
	}
	return false
}

// onStorm raises a vector and comes again while messages are left.
func (f *Function) onStorm(arg uint64) {
	f.raise(int(arg & 0xffff))
	if left := arg>>16 - 1; left > 0 {
		f.e.After(f.faults.period, sim.Call{H: f.faults.storm, Arg: arg&0xffff | left<<16})
	}
}

// vectorsShown is what Message Control says in place of v.
func (f *Function) vectorsShown(off, size int, v uint32) uint32 {
	if off != regMSIX && (off != capMSIX || size != 4) {
		return v
	}
	s := f.faults.Hit(fault.FewerVectors, 0, 0)
	if s == nil {
		return v
	}
	shift := 8 * (regMSIX - off)
	have := v >> shift & 0x7ff
	return v&^(0x7ff<<shift) | min(have, uint32(max(s.Value, 1)-1))<<shift
}
