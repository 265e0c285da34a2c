package validate

import (
	"context"
	"fmt"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/validate/batch"
)

// scaleSimTables holds the mode without overlap against SCALE-Sim, which it
// must equal to the cycle.
func scaleSimTables(ctx context.Context, o *Options) ([]Table, error) {
	c := collector{name: "array cycles, overlap scalesim", source: "SCALE-Sim v3, commit 1d62b68", limits: worst(0)}
	k := batch.Array(core.Config{Array: core.ArrayConfig{Overlap: core.ScaleSim, F32Cycles: 1}})
	err := measure(ctx, o, "systolic/scalesim.csv", k, func(r *batch.Row, m batch.ArrayResult) {
		name := fmt.Sprintf("%s %s %sx%s %s", r.Text("topology"), r.Text("layer_name"), r.Text("array_h"), r.Text("array_w"), r.Text("dataflow"))
		c.add(name, float64(m.Cycles), r.Float("compute_cycles"))
	})
	return tablesOf(&c), err
}

// gemminiTables holds tiled convolutions on the machine gemmini-8x8 against
// Gemmini's RTL.
func gemminiTables(ctx context.Context, o *Options) ([]Table, error) {
	machine, err := configs.Machine("gemmini-8x8")
	if err != nil {
		return nil, err
	}
	c := collector{name: "array cycles, gemmini-8x8", source: "Gemmini RTL, as published with ONNXim", limits: mean(1)}
	err = measure(ctx, o, "gemmini/rtl.csv", batch.Array(machine.Config.Config), func(r *batch.Row, m batch.ArrayResult) {
		c.add(r.Text("test"), float64(m.Cycles), r.Float("gemmini_rtl_cycles"))
	})
	return tablesOf(&c), err
}
