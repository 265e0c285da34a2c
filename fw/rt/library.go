package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Options are what the mapper cannot learn from the device. The zero value is a
// good choice.
type Options struct {
	// Dataflow of the array: abi.WeightStationary and so on.
	Dataflow uint8
	// Cores that may share a kernel (Queue.NumCores); 0: all of the device. A queue
	// of fewer runs it, unless its panels of weights do not fit the larger shares.
	Cores int
	// BytesPerCycle is the device memory's bandwidth for each core, in bytes a
	// core clock cycle; the device's description does not say it. 0: 1.5 a column
	// of the array, three quarters of one bf16 operand a column and cycle. TPU v4i
	// has 1.14 (614 GB/s for 4 × 128 columns at 1.05 GHz).
	BytesPerCycle float64
	// F32Cycles is how many cycles a row of f32 operands takes; 0: 6, three
	// bfloat16 pieces an operand.
	F32Cycles int
	// RunBytes is the length of a contiguous run of memory below which a
	// request costs as much as one of this length; 0: 512.
	RunBytes int
	// PortBytesPerCycle is what one core alone can take of the memory; 0: a third
	// more than its share.
	PortBytesPerCycle float64
	// Arrays in a core, which share each product; 0: 1.
	Arrays int
	// BurstRows is how many rows one array instruction streams at most, 0: any
	// number, and BurstCycles how long it takes at least, in rows of int8 or bf16.
	BurstRows, BurstCycles int
	// ShareCycles is what a kernel on several cores takes beside; one that gains
	// less from them has one core.
	ShareCycles int
	// Buffers is 1 where a tile's operands are loaded, multiplied and stored one
	// after another, 2 where the next tile's loads run beside; 0: 2, or 1 for
	// kernels of which no two tiles fit.
	Buffers int
	// LoadCycles is the latency of a load in core cycles; 0: 256.
	LoadCycles int
	// SpecialCycles is how many cycles a lane's special function takes; 0: 4.
	SpecialCycles int
}

// Library makes kernel descriptors for operations on tensors. It needs no
// device, only its description. Mappings are kept by shape; a library is for one
// goroutine at a time.
type Library struct {
	m mapper
}

// Library returns a kernel library for the device.
func (d *Device) Library(o Options) *Library { return NewLibrary(&d.Info, o) }

// NewLibrary returns a kernel library for a device of that description.
func NewLibrary(info *abi.DeviceInfo, o Options) *Library {
	m := machine{
		rows: int64(info.ArrayRows), cols: int64(info.ArrayCols), lanes: int64(info.VectorLanes),
		spad: int64(min(info.ScratchpadSize, 1<<30)), cores: int64(info.NumCores),
		f32: 6, run: 512, latency: 256, flow: o.Dataflow, arrays: 1, buffers: 2, special: 4,
	}
	m.rate = max(int64(24*info.ArrayCols), 1)
	override(&m.cores, o.Cores)
	override(&m.f32, o.F32Cycles)
	override(&m.run, o.RunBytes)
	override(&m.latency, o.LoadCycles)
	override(&m.special, o.SpecialCycles)
	override(&m.arrays, o.Arrays)
	override(&m.buffers, o.Buffers)
	override(&m.burst, o.BurstRows)
	override(&m.least, o.BurstCycles)
	override(&m.together, o.ShareCycles)
	if o.BytesPerCycle > 0 {
		m.rate = max(int64(16*o.BytesPerCycle), 1)
	}
	m.port = m.rate * 4 / 3
	override(&m.port, int(16*o.PortBytesPerCycle))
	return &Library{mapper{machine: m, products: map[product]mapping{}}}
}

// override replaces a default by an option that is given.
func override(v *int64, option int) {
	if option > 0 {
		*v = int64(option)
	}
}
