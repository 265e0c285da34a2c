package benchmarks

import (
	"context"
	"testing"

	"github.com/presi-sim/presi/lab"
	"github.com/presi-sim/presi/workload"
)

// BenchmarkNetwork runs whole networks, start to finish: the computer is built,
// the driver bound, the weights uploaded. sim_cycles/s is cycles of the cores'
// clock for each second of the host's, which includes the set-up although the
// cycles do not; MMAC/s compares with simulators that count work. Timing-only
// leaves values out and takes the same simulated time, which sim_us shows.
func BenchmarkNetwork(b *testing.B) {
	for _, n := range []struct {
		machine, workload string
		batch             int
		functional        bool
	}{
		{"edge", "digits", 36, true}, {"edge", "digits", 36, false},
		{"edge", "resnet18", 1, false}, {"datacenter", "resnet18", 1, false},
		{"datacenter", "resnet50", 1, true}, {"datacenter", "resnet50", 1, false},
		{"datacenter", "bert-base-128", 1, false}, {"datacenter", "gpt2-decode", 1, false},
	} {
		how := "timing-only"
		if n.functional {
			how = "functional"
		}
		b.Run(n.machine+"/"+n.workload+"/"+how, func(b *testing.B) { network(b, n.machine, n.workload, n.batch, !n.functional) })
	}
}

func network(b *testing.B, name, load string, batch int, timingOnly bool) {
	cfg := machine(b, name)
	g, err := workload.Load(load, workload.Options{Batch: batch})
	if err != nil {
		b.Fatal(err)
	}
	var r *lab.Report
	b.ReportAllocs()
	for b.Loop() {
		if r, err = lab.Run(context.Background(), lab.Options{Machine: cfg, Graph: g, TimingOnly: timingOnly, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
	runs := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(float64(r.Cycles)*runs, "sim_cycles/s")
	b.ReportMetric(float64(r.MACs)*runs/1e6, "MMAC/s")
	b.ReportMetric(r.SimTime.Seconds()*1e6, "sim_us")
	if r.Accuracy != nil {
		b.ReportMetric(100**r.Accuracy, "accuracy_%")
	}
}
