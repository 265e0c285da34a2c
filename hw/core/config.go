package core

import (
	"fmt"
	"strings"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// MaxCores is how many cores a launch's mask can name.
const MaxCores = 32

// Config describes the complex; all cores are alike.
type Config struct {
	Core       CoreConfig       `toml:"core"`
	Array      ArrayConfig      `toml:"array"`
	Vector     VectorConfig     `toml:"vector"`
	Scratchpad ScratchpadConfig `toml:"scratchpad"`
}

// CoreConfig is what concerns a core as a whole and its way to memory.
type CoreConfig struct {
	Count        int       `toml:"count" doc:"compute cores, 1 to 32"`
	Clock        sim.Hertz `toml:"clock" doc:"clock of the cores, such as \"1.2GHz\""`
	PortBytes    sim.Bytes `toml:"port_bytes" doc:"bytes per cycle and direction between a core and the memory fabric, typically 32B to 256B"`
	Outstanding  int       `toml:"outstanding" doc:"requests in flight of each load and each store unit, typically 16 to 128"`
	RequestBytes sim.Bytes `toml:"request_bytes" doc:"largest request of a load or store unit, a power of two, typically 256B to 4KiB"`
	Buffers      int       `toml:"buffers" doc:"how kernels are mapped: 2 loads the next tile beside the array, 1 takes load, product and store of a tile in turn; 0: 2"`
	RunBytes     sim.Bytes `toml:"run_bytes" doc:"how kernels are mapped: runs of memory shorter than this count as this long; 0: 512B"`
	LaunchTime   sim.Time  `toml:"launch_time" doc:"from a kernel's turn to its first micro-operation and from its last one to its end: program and argument set-up, synchronisation"`
	ShareTime    sim.Time  `toml:"share_time" doc:"what a kernel that cores share takes beside: dividing the work and meeting again"`
}

// ArrayConfig is the systolic array.
type ArrayConfig struct {
	Rows        int      `toml:"rows" doc:"rows of processing elements"`
	Cols        int      `toml:"cols" doc:"columns of processing elements"`
	Units       int      `toml:"units" doc:"arrays of this size in a core, which share each product: whole folds, or the rows that stream; 0: 1"`
	Dataflow    Dataflow `toml:"dataflow" doc:"what the mapper prefers to keep in the array: ws, os or is"`
	Overlap     Overlap  `toml:"overlap" doc:"double_buffered: the next weights are loaded while the array computes; scalesim: no overlap, as SCALE-Sim counts"`
	F32Cycles   int      `toml:"f32_cycles" doc:"cycles a row of f32 operands takes (bf16 and int8: 1): products of bfloat16 pieces, 3 for about 16 bits of mantissa, 6 for 24"`
	SetupCycles int      `toml:"setup_cycles" doc:"cycles from the start of an array operation to its first row: decoding, address generation"`
	TurnCycles  int      `toml:"turn_cycles" doc:"cycles the array stands still from a product's last row to the next one's first: the issue of its loops"`
	TapFolds    bool     `toml:"tap_folds" doc:"each tap of a convolution's window has rows of the array to itself; false: the channels of several taps share them"`
	TapCycles   int      `toml:"tap_cycles" doc:"cycles the array stands still between the stationary operands of a convolution: its loop over the window. Matrix products have none"`
	BurstRows   int      `toml:"burst_rows" doc:"rows that one array instruction streams at most; 0: any number"`
	BurstCycles int      `toml:"burst_cycles" doc:"least cycles of one array instruction; 0: no least"`
}

// VectorConfig is the vector unit.
type VectorConfig struct {
	Lanes         int `toml:"lanes" doc:"f32 elements a simple pass handles in a cycle"`
	SpecialCycles int `toml:"special_cycles" doc:"cycles a lane's special function (exp, tanh, reciprocal, square root) takes: lanes/units, 4 on GPUs of compute capability 8.0"`
	StartCycles   int `toml:"start_cycles" doc:"cycles from the start of a vector operation to its first result: decoding, operand read, pipeline"`
}

// ScratchpadConfig is a core's scratchpad.
type ScratchpadConfig struct {
	Size      sim.Bytes `toml:"size" doc:"bytes a core"`
	Banks     int       `toml:"banks" doc:"banks, a power of two"`
	BankBytes sim.Bytes `toml:"bank_bytes" doc:"bytes a bank reads or writes in a cycle, a power of two"`
}

// Validate returns every fault of the configuration.
func (c *Config) Validate() []error {
	errs := append(c.Core.Validate(), c.Array.Validate()...)
	errs = append(errs, c.Vector.Validate()...)
	errs = append(errs, c.Scratchpad.Validate()...)
	if need := 2 * int64(c.Core.PortBytes); len(errs) == 0 && c.Scratchpad.bandwidth() < need {
		errs = append(errs, hw.BadConfig("scratchpad.bank_bytes", c.Scratchpad.BankBytes,
			"banks × bank_bytes of at least %d, twice core.port_bytes, so that the scratchpad keeps up with its port", need))
	}
	return errs
}

// faults collects mistakes.
type faults []error

// within demands lo ≤ v ≤ hi.
func (f *faults) within(key string, v, lo, hi int64) {
	if v < lo || v > hi {
		*f = append(*f, hw.BadConfig(key, v, "%d to %d", lo, hi))
	}
}

// power2 demands a power of two in [lo, hi].
func power2[T int64 | sim.Bytes](f *faults, key string, v, lo, hi T) {
	if v < lo || v > hi || v&(v-1) != 0 {
		*f = append(*f, hw.BadConfig(key, v, "a power of two from %v to %v", lo, hi))
	}
}

// size demands lo ≤ v ≤ hi.
func (f *faults) size(key string, v, lo, hi sim.Bytes) {
	if v < lo || v > hi {
		*f = append(*f, hw.BadConfig(key, v, "%v to %v", lo, hi))
	}
}

// duration demands no time to a second.
func (f *faults) duration(key string, v sim.Time) {
	if v < 0 || v > sim.Second {
		*f = append(*f, hw.BadConfig(key, v, "0s to 1s"))
	}
}

// Validate returns every fault of the section.
func (c *CoreConfig) Validate() []error {
	var f faults
	f.within("core.count", int64(c.Count), 1, MaxCores)
	if c.Clock < 1e6 || c.Clock > 100e9 {
		f = append(f, hw.BadConfig("core.clock", c.Clock, "1MHz to 100GHz"))
	}
	f.size("core.port_bytes", c.PortBytes, 1, 64*sim.KiB)
	f.within("core.outstanding", int64(c.Outstanding), 1, 4096)
	power2(&f, "core.request_bytes", c.RequestBytes, 64, sim.MiB)
	f.within("core.buffers", int64(c.Buffers), 0, 2)
	f.size("core.run_bytes", c.RunBytes, 0, sim.MiB)
	f.duration("core.launch_time", c.LaunchTime)
	f.duration("core.share_time", c.ShareTime)
	return f
}

// Validate returns every fault of the section.
func (c *ArrayConfig) Validate() []error {
	var f faults
	f.within("array.rows", int64(c.Rows), 1, 1<<14)
	f.within("array.cols", int64(c.Cols), 1, 1<<14)
	f.within("array.units", int64(c.Units), 0, 64)
	f.within("array.f32_cycles", int64(c.F32Cycles), 1, 64)
	f.within("array.setup_cycles", int64(c.SetupCycles), 0, 1<<20)
	f.within("array.turn_cycles", int64(c.TurnCycles), 0, 1<<20)
	f.within("array.tap_cycles", int64(c.TapCycles), 0, 1024)
	f.within("array.burst_rows", int64(c.BurstRows), 0, 1<<20)
	f.within("array.burst_cycles", int64(c.BurstCycles), 0, 1024)
	return f
}

// Validate returns every fault of the section.
func (c *VectorConfig) Validate() []error {
	var f faults
	f.within("vector.lanes", int64(c.Lanes), 1, 1<<20)
	f.within("vector.special_cycles", int64(c.SpecialCycles), 1, 1024)
	f.within("vector.start_cycles", int64(c.StartCycles), 0, 1<<20)
	return f
}

// Validate returns every fault of the section.
func (c *ScratchpadConfig) Validate() []error {
	var f faults
	if c.Size < 1024 || c.Size > 1<<30 || c.Size%64 != 0 {
		f = append(f, hw.BadConfig("scratchpad.size", c.Size, "a multiple of 64B from 1KiB to 1GiB"))
	}
	power2(&f, "scratchpad.banks", int64(c.Banks), 1, 4096)
	power2(&f, "scratchpad.bank_bytes", c.BankBytes, 1, 4*sim.KiB)
	return f
}

// bandwidth returns bytes a cycle.
func (c *ScratchpadConfig) bandwidth() int64 { return int64(c.Banks) * int64(c.BankBytes) }

// Dataflow is what stays in the array: abi.WeightStationary and so on. In text
// it is "ws", "os" or "is".
type Dataflow uint8

var dataflowNames = [...]string{abi.WeightStationary: "ws", abi.OutputStationary: "os", abi.InputStationary: "is"}

func (d Dataflow) String() string { return nameOf(dataflowNames[:], uint8(d)) }

// MarshalText implements encoding.TextMarshaler.
func (d Dataflow) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Dataflow) UnmarshalText(p []byte) error {
	return parseName((*uint8)(d), "dataflow", dataflowNames[:], p)
}

// Overlap is what an array does between folds.
type Overlap uint8

// Overlaps.
const (
	DoubleBuffered Overlap = iota // the next weights are loaded while the array computes
	ScaleSim                      // folds follow each other without overlap, as SCALE-Sim counts
)

var overlapNames = [...]string{"double_buffered", "scalesim"}

func (o Overlap) String() string { return nameOf(overlapNames[:], uint8(o)) }

// MarshalText implements encoding.TextMarshaler.
func (o Overlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Overlap) UnmarshalText(p []byte) error {
	return parseName((*uint8)(o), "overlap", overlapNames[:], p)
}

func nameOf(names []string, v uint8) string {
	if int(v) >= len(names) {
		return "?"
	}
	return names[v]
}

func parseName(v *uint8, what string, names []string, text []byte) error {
	for i, n := range names {
		if n == string(text) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no %s: want %s or %s", text, what, strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}
