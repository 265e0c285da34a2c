package npu

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// ident is the IDENT block: capabilities, interrupt cause and mask, reset
// control.
type ident struct {
	d           *Device
	regs        *reg.File
	cause, mask reg.Ref
}

func newIdent(d *Device) *ident {
	x := &ident{d: d, regs: reg.NewFile(abi.Ident)}
	x.cause, x.mask = x.regs.Ref("IRQ_CAUSE"), x.regs.Ref("IRQ_MASK")
	x.regs.OnRead("TIMESTAMP", func(int) uint64 { return uint64(d.e.Now().Nanoseconds()) })
	x.regs.OnRead("DROPPED", func(int) uint64 { return d.bar0.Dropped() })
	x.regs.OnWrite("IRQ_MASK", func(int, uint64, uint64) { x.raise(x.regs.Get(x.cause, 0)) })
	x.regs.OnWrite("IRQ_MODERATION", func(_ int, _, v uint64) {
		d.queues.Moderate(v&0xff, sim.Time(v>>16)*sim.Microsecond)
	})
	x.regs.OnWrite("RESET_CTRL", func(_ int, _, v uint64) { d.resets.request(v&0xf, int(v>>8&0xff)) })
	x.capabilities()
	return x
}

// capabilities fills in what the machine decides.
func (x *ident) capabilities() {
	c := &x.d.cfg
	for _, v := range []struct {
		name  string
		value uint64
	}{
		{"CAP_CORES", uint64(c.Core.Count)},
		{"CAP_QUEUES", uint64(c.Queue.Count)},
		{"CAP_DMA", uint64(c.DMA.Channels)},
		{"CAP_ARRAY", uint64(c.Array.Rows) | uint64(c.Array.Cols)<<16},
		{"CAP_VECTOR", uint64(c.Vector.Lanes)},
		{"CAP_DTYPES", 1<<abi.F32 | 1<<abi.BF16 | 1<<abi.I8 | 1<<abi.I32},
		{"CAP_MEM_SIZE", uint64(c.DRAM.Size)},
		{"CAP_BAR2_SIZE", uint64(window(c.DRAM.Size))},
		{"CAP_SPAD_SIZE", uint64(c.Scratchpad.Size)},
		{"CAP_CORE_HZ", uint64(c.Core.Clock)},
		{"CAP_RING_LOG2", uint64(bits.Len(uint(c.Queue.Depth)) - 1)},
	} {
		x.regs.Set(x.regs.Ref(v.name), 0, v.value)
	}
}

// event sets causes and raises vector 0 when one of them is new and unmasked.
func (x *ident) event(cause uint64) {
	old := x.regs.Get(x.cause, 0)
	x.regs.Set(x.cause, 0, old|cause)
	x.raise(cause &^ old)
}

func (x *ident) raise(fresh uint64) {
	if fresh&x.regs.Get(x.mask, 0) != 0 {
		x.d.function.Raise(abi.VectorEvents)
	}
}

func (x *ident) reset() {
	x.regs.Reset()
	x.capabilities()
}
