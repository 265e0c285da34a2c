package validate

import (
	"context"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/validate/batch"
	"github.com/presi-sim/presi/validate/refs"
	"github.com/presi-sim/presi/validate/rig"
)

const (
	tpuTimings = refs.TPU // M,N,K,fusion_avg_us
	tpuSource  = "GEMMs timed on a TPU v4, behind scalesim-project.github.io/validation.html"
)

// tpuTables times products on the machine tpu-v4, where there are timings of a
// real one. Ranges are of all three extents.
func tpuTables(ctx context.Context, o *Options) ([]Table, error) {
	if !o.Refs.Has(tpuTimings) {
		return nil, nil
	}
	machine, err := configs.Machine("tpu-v4")
	if err != nil {
		return nil, err
	}
	small := collector{name: "tpu-v4 GEMM time, extents below 128", source: tpuSource, limits: none}
	medium := collector{name: "tpu-v4 GEMM time, extents 128 to 1024", source: tpuSource, limits: mean(9).r2At(0.93)}
	large := collector{name: "tpu-v4 GEMM time, extents 1024 to 4096", source: tpuSource, limits: mean(8).r2At(0.978)}
	mixed := collector{name: "tpu-v4 GEMM time, others", source: tpuSource, limits: none}
	err = measure(ctx, o, tpuTimings, batch.Gemm(ctx, machine), func(r *batch.Row, t rig.GemmTime) {
		m, n, k := r.Float("M"), r.Float("N"), r.Float("K")
		table := &mixed
		switch least, most := min(m, n, k), max(m, n, k); {
		case most < 128:
			table = &small
		case least >= 128 && most <= 1024:
			table = &medium
		case least >= 1024:
			table = &large
		}
		table.add(r.Text("M")+"×"+r.Text("K")+"×"+r.Text("N"), t.TimeUs, r.Float("fusion_avg_us"))
	})
	return tablesOf(&small, &medium, &large, &mixed), err
}
