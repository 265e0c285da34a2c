package batch

import (
	"context"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/validate/rig"
)

// Gemm times products on a machine.
func Gemm(ctx context.Context, machine *configs.Config) *Kind {
	k := &Kind{
		Name:   "gemm",
		Repeat: true,
		Header: Header{
			Columns: []Column{
				{Name: "M", Doc: "rows of the output"},
				{Name: "N", Doc: "columns of the output"},
				{Name: "K", Doc: "depth of the sums"},
				{Name: "dtype", Optional: true, Doc: "bf16, int8 or f32; bf16 if not given"},
			},
			Ignored: []string{"fusion_avg_us", "fusion_min_us", "fusion_std_us", "formula_ws128", "formula_is128"},
		},
	}
	k.Measure = func(r *Row) any {
		g := rig.Gemm{M: int(r.Int("M", 1, maxExtent)), N: int(r.Int("N", 1, maxExtent)), K: int(r.Int("K", 1, maxExtent)), Type: dtype(r, abi.BF16)}
		if r.Err() != nil {
			return nil
		}
		m, err := g.Measure(ctx, machine)
		r.Fault(err, nil)
		return m
	}
	return k
}
