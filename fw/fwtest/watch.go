package fwtest

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// watch is the driver's bus that holds what a driver must do around its accesses,
// whatever comes of them. The end of every test asks it:
//
//   - once the driver is registered the hardware is touched by threads within
//     Enter and Exit, or in an operation of power management, until remove;
//   - memory that a queue was given is freed when the driver has seen the queue
//     disabled, or a reset of it end, or when the device can do no DMA any more;
//   - between the beginning of a reset and the ENABLE of a queue nobody rings the
//     queue's doorbell or has it resume, and nobody but who resets asks the MMU for
//     anything.
type watch struct {
	hw.Bus
	d      *Device
	inside map[*sim.Proc]int
	driver Bound // once it is registered
	// resetting are the queues that a reset has taken; mmu says that it has taken
	// the device MMU, too.
	resetting map[uint64]bool
	mmu       bool
	// bases are the addresses that queues were given, of those that may use them.
	lows, bases map[uint64]uint64
	broken      []string
}

// Registers that the watch looks for.
var (
	offReset    = abi.Offset(&abi.Ident, "RESET_CTRL")
	offDone     = abi.Offset(&abi.Ident, "RESET_STATUS")
	offContext  = abi.Offset(&abi.MMU, "CTX_BASE_HI")
	offInv      = abi.Offset(&abi.MMU, "INV_CMD")
	offState    = abi.Offset(&abi.Queue, "STATE")
	offCtrl     = abi.Offset(&abi.Queue, "CTRL")
	offTail     = abi.Offset(&abi.Doorbell, "SQ_TAIL")
	offBasesLow = [2]uint64{abi.Offset(&abi.Queue, "SQ_BASE_LO"), abi.Offset(&abi.Queue, "CQ_BASE_LO")}
)

func newWatch(d *Device, bus hw.Bus) *watch {
	w := &watch{Bus: bus, d: d, inside: map[*sim.Proc]int{}, resetting: map[uint64]bool{},
		lows: map[uint64]uint64{}, bases: map[uint64]uint64{}}
	d.Class.OnSection(func(step int) {
		p := d.Engine.Current()
		if w.inside[p] += step; w.inside[p] == 0 {
			delete(w.inside, p)
		}
	})
	return w
}

// touch is an access to the hardware.
func (w *watch) touch(what string, off uint64) {
	if !w.bound() {
		return
	}
	if p := w.d.Engine.Current(); w.inside[p] <= 0 {
		w.miss("%s at %#x by %q outside of Enter and Exit", what, off, p.Name())
	}
}

func (w *watch) miss(format string, args ...any) {
	if len(w.broken) < 8 {
		w.broken = append(w.broken, fmt.Sprintf(format, args...))
	}
}

// bounds keeps the books of what queues may use: writes of bases by their offset.
func (w *watch) bounds(off uint64, v uint32) {
	for _, low := range offBasesLow {
		if _, ok := instance(off, low, abi.QueueStride); ok {
			w.lows[off+4] = uint64(v)
		}
		if q, ok := instance(off, low+4, abi.QueueStride); ok {
			w.bases[w.lows[off]|uint64(v)<<32] = q
		}
	}
}

// read looks at what the driver learns by a read.
func (w *watch) read(off uint64, v uint32) {
	q, state := instance(off, offState, abi.QueueStride)
	switch {
	case state && (v == abi.QueueDisabled || v == ^uint32(0)):
		for base, of := range w.bases {
			if of == q {
				delete(w.bases, base)
			}
		}
	case off == offDone && v&3 == abi.ResetDone && w.mmu:
		clear(w.bases)
	}
}

// FreeDMA implements hw.Bus.
func (w *watch) FreeDMA(d *hw.DMA) {
	if q, ok := w.bases[d.Addr]; ok {
		w.miss("memory of queue %d is freed before the queue is seen disabled", q)
	}
	w.Bus.FreeDMA(d)
}

// wrote looks at a write to a register.
func (w *watch) wrote(off uint64, v uint32) {
	w.bounds(off, v)
	switch off {
	case offReset:
		w.take(v)
	case offContext:
		w.mmu = false
	case offInv:
		if w.mmu && w.bound() {
			w.miss("an invalidation while the device MMU is being reset")
		}
	}
	if q, ok := instance(off, offCtrl, abi.QueueStride); ok {
		switch resume := v&2 != 0; {
		case resume && w.resetting[q] && w.bound():
			w.miss("queue %d is told to resume while it is being reset", q)
		case v&1 != 0 && !resume:
			delete(w.resetting, q)
		}
	}
	if q, ok := instance(off, offTail, abi.DoorbellStride); ok && w.resetting[q] && w.bound() {
		w.miss("the doorbell of queue %d while it is being reset", q)
	}
}

// bound reports whether the driver is between its registration and its remove.
func (w *watch) bound() bool { return w.driver != nil && !w.driver.Unplugged() }

// take is the beginning of a reset: domain and index as in RESET_CTRL.
func (w *watch) take(v uint32) {
	if v&0xff == abi.ResetQueue {
		w.resetting[uint64(v>>8)] = true
		return
	}
	for q := range uint64(abi.MaxQueues) {
		w.resetting[q] = true
	}
	w.mmu = w.mmu || v&0xff == abi.ResetCompute
}

// instance returns which instance's register an offset is.
func instance(off, first, stride uint64) (uint64, bool) {
	if off < first || (off-first)%stride != 0 {
		return 0, false
	}
	q := (off - first) / stride
	return q, q < abi.MaxQueues
}

// Read32 implements hw.Bus.
func (w *watch) Read32(bar int, off uint64) uint32 {
	w.touch("a register is read", off)
	v := w.Bus.Read32(bar, off)
	if bar == abi.BARRegisters {
		w.read(off, v)
	}
	return v
}

// Read64 implements hw.Bus.
func (w *watch) Read64(bar int, off uint64) uint64 {
	w.touch("a register is read", off)
	return w.Bus.Read64(bar, off)
}

// Write32 implements hw.Bus.
func (w *watch) Write32(bar int, off uint64, v uint32) {
	w.touch("a register is written", off)
	if bar == abi.BARRegisters {
		w.wrote(off, v)
	}
	w.Bus.Write32(bar, off, v)
}

// ReadBAR implements hw.Bus.
func (w *watch) ReadBAR(bar int, off uint64, p []byte) {
	w.touch("device memory is read", off)
	w.Bus.ReadBAR(bar, off, p)
}

// WriteBAR implements hw.Bus.
func (w *watch) WriteBAR(bar int, off uint64, p []byte) {
	w.touch("device memory is written", off)
	w.Bus.WriteBAR(bar, off, p)
}

// ConfigWrite implements hw.Bus.
func (w *watch) ConfigWrite(off, size int, v uint32) {
	w.touch("configuration space is written", uint64(off))
	const command, master = 0x04, 1 << 2
	if off == command && v&master == 0 {
		clear(w.bases) // it can do no DMA any more
	}
	w.Bus.ConfigWrite(off, size, v)
}

// ResetFunction implements hw.Bus.
func (w *watch) ResetFunction() error {
	w.touch("the function is reset", 0)
	w.take(abi.ResetCompute)
	return w.Bus.ResetFunction()
}

// SetErrorHandlers implements hw.Bus: what the bus resets is reset, too.
func (w *watch) SetErrorHandlers(h *hw.ErrorHandlers) {
	if h != nil {
		told := *h
		if prepare := h.ResetPrepare; prepare != nil {
			told.ResetPrepare = func() { prepare(); w.take(abi.ResetCompute) }
		}
		h = &told
	}
	w.Bus.SetErrorHandlers(h)
}
