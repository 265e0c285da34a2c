package lab

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/workload"
)

// counters sums a system's statistics by block (without instance number) and name.
func counters(s *System) map[string]int64 {
	sums := map[string]int64{}
	for _, c := range s.Engine.Stats.Snapshot() {
		sums[strings.TrimRight(c.Block, "0123456789")+"."+c.Name] += c.Value
	}
	return sums
}

// observed is a run whose device the test watches.
func observed(t *testing.T, o Options) (*Report, *run, []core.Observation) {
	r := newRun(o, NewSystem(o.Machine, nil, o.Seed, false))
	o.TimingOnly = true
	r.o = o
	var seen []core.Observation
	r.sys.Device.Cores().Observer = observerFunc(func(x *core.Observation) {
		seen = append(seen, *x)
		r.Launched(x)
	})
	require.NoError(t, r.sys.Run("program", r.program))
	return r.report(), r, seen
}

type observerFunc func(*core.Observation)

func (f observerFunc) Launched(o *core.Observation) { f(o) }

// The device's counters are the traffic: what the cores loaded is what device
// memory gave beyond walks and copies, and the link carried the tensors.
func TestCountersEqualTraffic(t *testing.T) {
	o := options(t, "tiny", "gemm:256x128x192", workload.Options{})
	_, r, seen := observed(t, o)
	require.NoError(t, r.sys.Idle())
	require.Len(t, seen, 1)
	c := counters(r.sys)
	a, b, out := int64(256*128*2), int64(128*192*2), int64(256*192*2)
	require.EqualValues(t, 256*128*192, seen[0].MACs)
	require.EqualValues(t, out, seen[0].StoreBytes, "the result is stored once")
	require.GreaterOrEqual(t, seen[0].LoadBytes, a+b, "every operand is loaded at least once")
	require.Equal(t, seen[0].LoadBytes, c["core.load_bytes"])

	require.EqualValues(t, a+b+out, c["dma.write_bytes"], "inputs and weights in, the result out")
	require.EqualValues(t, c["dma.read_bytes"], c["dma.write_bytes"])
	require.Equal(t, c["pcie.dma_write_bytes"]-out, 32*(c["queue.completed"]+c["queue.failed"]),
		"beside the result the device writes completions")

	const transaction = 32 // LPDDR5
	fromDevice := c["core.load_bytes"] + out + c["mmu.walk_reads"]*transaction
	require.InDelta(t, fromDevice, c["dram.read_bytes"], 0.01*float64(fromDevice), "device memory gave what was asked for")
}

// No layer beats the roofline, and none takes longer than its parts one after
// another; the critical path is the whole time.
func TestRooflineAndSerialSum(t *testing.T) {
	for _, c := range []struct{ machine, workload string }{{"edge", "resnet18"}, {"datacenter", "resnet50"}, {"datacenter", "bert-base-128"}} {
		o := options(t, c.machine, c.workload, workload.Options{})
		rep, r, seen := observed(t, o)
		require.Len(t, seen, len(r.g.Ops))
		var sum sim.Time
		for i := range r.g.Ops {
			l, x := rep.Layers[1+i], seen[i]
			compute := float64(l.MACs) / rep.PeakRate
			memory := float64(r.g.Traffic(&r.g.Ops[i]).Total()) / rep.PeakMemory
			require.GreaterOrEqual(t, l.Time.Seconds(), math.Max(compute, memory*0.999), "%s: faster than the roofline", l.Name)

			// One request after another, none overlapped, is a microsecond at most.
			requests := sim.Time(x.LoadRequests+x.StoreRequests) * sim.Microsecond
			serial := sim.Time(x.ArrayBusy+x.VectorBusy) + requests + sim.Time(l.Bill["queue"]+l.Bill["link"])
			require.LessOrEqual(t, l.Time, serial, "%s: slower than all parts one after another", l.Name)
		}
		for _, l := range rep.Layers {
			sum += l.Time
			var bill int64
			for _, v := range l.Bill {
				bill += v
			}
			require.EqualValues(t, l.Time, bill, "%s: the critical path is the layer's time", l.Name)
		}
		require.LessOrEqual(t, sum, rep.SimTime)
		var path int64
		for _, v := range rep.Bill {
			path += v
		}
		require.EqualValues(t, rep.SimTime, path)
	}
}

// copies runs n queues that each copy bytes from the host to the device at the
// same time, and returns how long that took and each queue's own time.
func copies(t *testing.T, n int, bytes int64) (whole sim.Time, each []sim.Time) {
	cfg, err := configs.Machine("edge")
	require.NoError(t, err)
	s := NewSystem(cfg, nil, 0, false)
	require.NoError(t, s.Run("copies", func() error {
		d, err := s.Probe(t.Logf)
		require.NoError(t, err)
		each = make([]sim.Time, n)
		left := n
		done := s.Engine.NewWaitQueue()
		var begin sim.Time
		for i := range n {
			var arena fw.Arena
			f, err := s.Class.Open(d.Minor, &arena)
			require.NoError(t, err)
			dev, err := rt.Open(rt.Local(f, &arena))
			require.NoError(t, err)
			q, err := dev.NewQueue(rt.Copy, uint32(i), 0)
			require.NoError(t, err)
			src, err := dev.NewBuffer(bytes, abi.BOHost)
			require.NoError(t, err)
			dst, err := dev.NewBuffer(bytes, abi.BODevice)
			require.NoError(t, err)
			s.Engine.Go("copier", func(*sim.Proc) {
				begin = max(begin, s.Engine.Now())
				c := q.Commands()
				c.CopyBytes(dst.Addr, src.Addr, uint64(bytes))
				t0 := s.Engine.Now()
				ticket, err := q.Submit(&rt.Job{Commands: c, Buffers: []*rt.Buffer{src, dst}})
				require.NoError(t, err)
				require.NoError(t, dev.Wait(math.MaxInt64, ticket.Point))
				each[i] = s.Engine.Now() - t0
				left--
				done.WakeAll()
			})
		}
		t0 := s.Engine.Now()
		for left > 0 {
			done.Wait("copies")
		}
		whole = s.Engine.Now() - t0
		return nil
	}))
	return whole, each
}

// Two jobs share the link and conserve it: together they take twice as long as
// one, and each gets half.
func TestTwoJobsShareBandwidth(t *testing.T) {
	const bytes = 4 << 20
	one, _ := copies(t, 1, bytes)
	two, each := copies(t, 2, bytes)
	require.InEpsilon(t, 2*float64(one), float64(two), 0.03, "conserved")
	for _, e := range each {
		require.InEpsilon(t, float64(two), float64(e), 0.03, "both end together: equal shares")
	}
}

func TestNoOpLatencyByStage(t *testing.T) {
	for _, machine := range []string{"tiny", "edge", "datacenter"} {
		cfg, err := configs.Machine(machine)
		require.NoError(t, err)
		stages, err := NoOpLatency(cfg)
		require.NoError(t, err)
		var sum sim.Time
		for _, s := range stages {
			t.Logf("%s: %v", machine, s)
			sum += s.Time
		}
		t.Logf("%s: %v", machine, Stage{"no-op job", sum})
		require.Greater(t, sum, 2*cfg.PCIe.Latency, "the link is crossed at least there and back")
		require.Less(t, sum, 50*sim.Microsecond)
	}
}

// Each part of a machine moves its own row of the table of what bounded a run,
// and hardly the others.
func TestEachKeyMovesItsRow(t *testing.T) {
	path := func(machine, w, sets string) map[string]int64 {
		cfg, err := configs.Machine(machine, strings.Fields(sets)...)
		require.NoError(t, err)
		g, err := workload.Load(w, workload.Options{})
		require.NoError(t, err)
		r, err := Run(context.Background(), Options{Machine: cfg, Graph: g, TimingOnly: true})
		require.NoError(t, err)
		return r.Bill
	}
	for _, c := range []struct {
		machine, workload, sets string
		row                     hw.Resource
		low, high               float64 // of the row's time with sets, in parts of its time without
	}{
		{"edge", "resnet18", "array.rows=8", hw.Array, 1.9, 2.1},
		{"edge", "gpt2-decode", "dram.channels=1 dram.size=2GiB", hw.Memory, 1.8, 2.1},
		{"edge", "resnet18", "pcie.lanes=1", hw.Link, 3.4, 4.2},
		{"edge", "resnet18", "pcie.lanes=16", hw.Link, 0.2, 0.3},
		{"datacenter", "dlrm", "iommu.iotlb_entries=1", hw.Translation, 5, 50},
		{"datacenter", "dlrm", "iommu.iotlb_entries=4", hw.Translation, 2, 50},
	} {
		before, after := path(c.machine, c.workload, ""), path(c.machine, c.workload, c.sets)
		var whole int64
		for _, t := range before {
			whole += t
		}
		for name, was := range before {
			ratio := float64(after[name]) / float64(max(was, 1))
			what := fmt.Sprintf("%s, %s, %s: %s", c.machine, c.workload, c.sets, name)
			t.Logf("%s: %.3f of %.2f %%", what, ratio, 100*float64(was)/float64(whole))
			switch {
			case name == c.row.String():
				require.GreaterOrEqual(t, ratio, c.low, what)
				require.LessOrEqual(t, ratio, c.high, what)
			case was > whole/50:
				require.InDelta(t, 1, ratio, 0.25, what)
			}
		}
	}
}

// Inputs that stream from host memory in pages of 4 KiB are bound by an IOMMU
// with one walker, and by the link when there are large pages or more walkers.
func TestSmallHostPages(t *testing.T) {
	bound := func(sets ...string) string {
		cfg, err := configs.Machine("datacenter", sets...)
		require.NoError(t, err)
		g, err := workload.Load("add:1024x1024", workload.Options{})
		require.NoError(t, err)
		r, err := Run(context.Background(), Options{Machine: cfg, Graph: g, TimingOnly: true})
		require.NoError(t, err)
		return r.BoundBy
	}
	require.Equal(t, hw.Translation.String(), bound("host.dma_page=4KiB", "iommu.walkers=1"))
	require.Equal(t, hw.Link.String(), bound("host.dma_page=4KiB"))
	require.Equal(t, hw.Link.String(), bound("iommu.walkers=1"))
}

// Doubling what bounds a layer helps it; doubling the rest hardly does.
func TestDoublingWhatBounds(t *testing.T) {
	time := func(w string, sets ...string) (sim.Time, string) {
		cfg, err := configs.Machine("edge", sets...)
		require.NoError(t, err)
		g, err := workload.Load(w, workload.Options{})
		require.NoError(t, err)
		r, err := Run(context.Background(), Options{Machine: cfg, Graph: g, TimingOnly: true})
		require.NoError(t, err)
		return r.Layers[1].Time, r.Layers[1].BoundBy
	}
	for _, c := range []struct{ workload, bound, helps, hardly string }{
		{"gemm:512x512x512", hw.Array.String(), "array.rows=32", "dram.channels=4"},
		{"add:2048x2048", hw.Memory.String(), "dram.channels=4", "array.rows=32"},
	} {
		base, bound := time(c.workload)
		require.Equal(t, c.bound, bound, c.workload)
		better, _ := time(c.workload, c.helps)
		require.Less(t, float64(better), 0.75*float64(base), "%s with %s", c.workload, c.helps)
		same, _ := time(c.workload, c.hardly)
		require.InEpsilon(t, float64(base), float64(same), 0.12, "%s with %s", c.workload, c.hardly)
	}
}
