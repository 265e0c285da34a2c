package benchmarks

import (
	"context"
	"testing"

	"github.com/presi-sim/presi/lab"
	"github.com/presi-sim/presi/workload"
)

// BenchmarkNetwork runs whole networks, start to finish: the computer is built,
// the driver bound, the weights uploaded. sim_cycles/s is cycles of the cores'
// clock, set-up included in neither cycles nor claims but in the time; MMAC/s
// compares with simulators that count work. Timing-only leaves values out and
// takes the same simulated time, which sim_us shows.
func BenchmarkNetwork(b *testing.B) {
	for _, n := range []struct{ machine, workload string }{
		{"edge", "digits"}, {"edge", "resnet18"}, {"datacenter", "resnet18"}, {"datacenter", "resnet50"},
		{"datacenter", "bert-base-128"}, {"datacenter", "gpt2-decode"},
	} {
		b.Run(n.machine+"/"+n.workload+"/timing-only", func(b *testing.B) { network(b, n.machine, n.workload, true) })
	}
	b.Run("edge/digits/functional", func(b *testing.B) { network(b, "edge", "digits", false) })
	b.Run("datacenter/resnet50/functional", func(b *testing.B) { network(b, "datacenter", "resnet50", false) })
}

func network(b *testing.B, name, load string, timingOnly bool) {
	cfg := machine(b, name)
	g, err := workload.Load(load, workload.Options{Batch: 1})
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
