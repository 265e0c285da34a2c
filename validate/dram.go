package validate

import (
	"context"
	"fmt"
	"strings"

	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/validate/batch"
)

const ramulator = "Ramulator 2.1, commit c5b1c3a"

// dramTables replays each point's traffic on the memory controllers.
func dramTables(ctx context.Context, o *Options) ([]Table, error) {
	bandwidth := collector{name: "DRAM bandwidth at saturation", source: ramulator, limits: mean(3).p90At(8)}
	latency := collector{name: "DRAM mean read latency, mlp and loads to 50 %", source: ramulator, limits: worst(5)}
	loaded := collector{name: "DRAM mean read latency, loads above 50 %", source: ramulator, limits: none}
	hits := collector{name: "DRAM row hits and misses, of all transactions", source: ramulator, limits: none}
	err := measure(ctx, o, "dram/ramulator2.csv", &batch.DRAM, func(r *batch.Row, m mem.Measurement) {
		mode := r.Text("mode")
		name := fmt.Sprintf("%s %s %s %s", r.Text("device"), r.Text("map"), r.Text("pattern"), mode)
		load, open := strings.CutPrefix(mode, "rate")
		switch {
		case mode == "sat":
			bandwidth.add(name, m.BandwidthGBps, r.Float("bw_GBps"))
		case open && (len(load) > 2 || load > "50"):
			loaded.add(name, m.ReadLatMeanNs, r.Float("rdlat_mean_ns"))
		default:
			latency.add(name, m.ReadLatMeanNs, r.Float("rdlat_mean_ns"))
		}
		if share := r.Text("rowhit_rate"); share != "0.0000" {
			hits.err(name, abs(m.RowHitRate-r.Float("rowhit_rate")))
		}
	})
	return tablesOf(&bandwidth, &latency, &loaded, &hits), err
}

func abs(v float64) float64 { return max(v, -v) }
