package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Options are what the mapper cannot learn from the device. The zero value is a
// good choice.
type Options struct {
	// Dataflow of the array: abi.WeightStationary and so on.
	Dataflow uint8
	// Cores that share a kernel (Queue.NumCores); 0: all of the device. A kernel
	// runs on any number of cores, but is mapped for this one.
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
	// LoadCycles is the latency of a load in core cycles; 0: 256.
	LoadCycles int
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
		f32: 6, run: 512, latency: 256, flow: o.Dataflow,
	}
	m.rate = max(int64(24*info.ArrayCols), 1)
	override(&m.cores, o.Cores)
	override(&m.f32, o.F32Cycles)
	override(&m.run, o.RunBytes)
	override(&m.latency, o.LoadCycles)
	if o.BytesPerCycle > 0 {
		m.rate = max(int64(16*o.BytesPerCycle), 1)
	}
	return &Library{mapper{machine: m, products: map[product]mapping{}}}
}

// override replaces a default by an option that is given.
func override(v *int64, option int) {
	if option > 0 {
		*v = int64(option)
	}
}
