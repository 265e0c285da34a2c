package batch

import (
	"slices"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
)

// maxExtent of a product.
const maxExtent = 1 << 24

// maxCycles of a row, by countable.
const maxCycles = 1 << 62

// BareArray is an array that adds nothing to the cycles of its folds and takes
// rows of any type in a cycle. It has no scratchpad.
var BareArray = core.Config{Array: core.ArrayConfig{F32Cycles: 1}}

// Array gives the cycles of products and tiled convolutions in a systolic
// array. machine has what no column says: set-up, folds, bursts. Without an
// array's columns its own are meant. Tiles are held against its scratchpad, if
// it has one.
func Array(machine core.Config) *Kind {
	base := machine.Array
	k := &Kind{
		Name:   "array",
		Repeat: true,
		Header: Header{
			Columns: []Column{
				{Name: "M", Optional: true, Doc: "rows of the output, or pixels"},
				{Name: "K", Optional: true, Doc: "depth of the sums"},
				{Name: "N", Optional: true, Doc: "columns of the output, or filters"},
				{Name: "array_h", Optional: base.Rows > 0, Doc: "rows of the array", Advice: "add it, or give a machine with -c"},
				{Name: "array_w", Optional: base.Cols > 0, Doc: "columns of the array", Advice: "add it, or give a machine with -c"},
				{Name: "dataflow", Optional: true, Doc: "ws, os or is"},
				{Name: "overlap", Optional: true, Doc: "double_buffered or scalesim"},
				{Name: "dtype", Optional: true, Doc: "bf16, int8 or f32; int8 if not given"},
				{Name: "groups", Optional: true, Doc: "of a convolution's channels and filters; otherwise so many products or tilings one after another"},
				{Name: "line", Optional: true, Doc: "rows of M that follow each other without a break: an image's row"},
			},
		},
	}
	k.Columns = append(k.Columns, convColumns...)
	k.Columns = append(k.Columns, Column{Name: "mapping", Optional: true, Doc: "tiling of a convolution: [T] … - [O] … - [I] …; " +
		"a machine's scratchpad must have room for its tile's input (by stride_h and stride_w), weights and 4-byte sums"})
	k.Ignored = arrayResults
	k.Measure = func(r *Row) any { return measureArray(r, machine) }
	return k
}

// arrayResults are columns of the reference files that are no input.
var arrayResults = []string{"topology", "topology_file", "layer_index", "layer_name", "input", "macs", "compute_cycles", "stall_cycles",
	"overall_util_pct", "mapping_eff_pct", "compute_util_pct", "total_cycles_incl_prefetch", "provenance",
	"kind", "test", "M_or_N", "K_or_C", "N_or_M", "P", "Q", "S", "R", "stride", "gemmini_rtl_cycles"}

// ArrayResult is what a product takes.
type ArrayResult struct {
	Cycles  int64   `json:"cycles"`
	UtilPct float64 `json:"util_pct"` // multiply-accumulates, of the peak of the type
}

func measureArray(r *Row, machine core.Config) any {
	c := machine.Array
	word := func(column string, v interface{ UnmarshalText([]byte) error }) {
		if r.Has(column) && v.UnmarshalText([]byte(r.Text(column))) != nil {
			r.Bad(column, "%s", words[column])
		}
	}
	c.Rows = int(r.Or("array_h", int64(c.Rows), 1, 1<<14))
	c.Cols = int(r.Or("array_w", int64(c.Cols), 1, 1<<14))
	word("dataflow", &c.Dataflow)
	word("overlap", &c.Overlap)
	specs, column := products(r, &machine, c.Dataflow)
	for _, fault := range c.Validate() {
		r.Fault(fault, map[string]string{"array.rows": "array_h", "array.cols": "array_w"})
	}
	if r.Err() == nil {
		countable(r, column, &c, specs)
	}
	if r.Err() != nil {
		return nil
	}
	var sum ArrayResult
	var atPeak float64 // cycles
	for _, s := range specs {
		sum.Cycles += c.Cycles(s)
		atPeak += float64(s.MACs()) / c.PeakOf(s.Type)
	}
	sum.UtilPct = 100 * atPeak / float64(sum.Cycles)
	return sum
}

// countable notes at the column that says how much there is to do that the
// cycles may not fit 63 bits, by a bound far above them.
func countable(r *Row, column string, c *core.ArrayConfig, specs []core.ArraySpec) {
	edge := int64(c.Rows + c.Cols)
	each := int64(c.F32Cycles)*int64(1+c.BurstCycles) + int64(c.TapCycles)
	bound := 0.0
	for _, s := range specs {
		bound += float64(max(s.Groups, 1)) * float64(s.M+edge) * float64(s.K+edge) * float64(s.N+edge) * float64(each)
	}
	if bound > maxCycles {
		r.Bad(column, "a product whose cycles can be counted: groups × (M + %d) × (K + %d) × (N + %d) × %d of at most %d, all tiles together; here it is %.3g",
			edge, edge, edge, each, int64(maxCycles), bound)
	}
}

// words is what columns of words want.
var words = map[string]string{"dataflow": "ws, os or is", "overlap": "double_buffered or scalesim", "dtype": "bf16, int8 or f32"}

// types are the elements' types as batches name them, i8 as many tools do.
var types = map[string]abi.DType{"int8": abi.I8, "i8": abi.I8, "bf16": abi.BF16, "f32": abi.F32}

// dtype returns the row's type, without if there is none.
func dtype(r *Row, without abi.DType) abi.DType {
	if !r.Has("dtype") {
		return without
	}
	t, ok := types[r.Text("dtype")]
	if !ok {
		r.Bad("dtype", "%s", words["dtype"])
	}
	return t
}

// products returns the row's work, one product, or a tile after another, and the
// column that says most of how much it is.
func products(r *Row, machine *core.Config, flow core.Dataflow) (specs []core.ArraySpec, column string) {
	s := core.ArraySpec{Type: dtype(r, abi.I8), Dataflow: flow, Groups: max(r.Or("groups", 1, 1, maxExtent), 1), Line: r.Or("line", 0, 0, maxExtent)}
	given := r.Has("M") || r.Has("K") || r.Has("N")
	switch {
	case r.Has("mapping"):
		return tiled(r, s, machine), "mapping"
	case !given && slices.ContainsFunc(convColumns, func(c Column) bool { return r.Has(c.Name) }):
		convolution(r, &s)
		return []core.ArraySpec{s}, "ifmap_h"
	}
	s.M, s.K, s.N = r.Int("M", 1, maxExtent), r.Int("K", 1, maxExtent), r.Int("N", 1, maxExtent)
	return []core.ArraySpec{s}, "M"
}
