package rig

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/lab"
	"github.com/presi-sim/presi/sim"
)

// Gemm is a product of an M×K and a K×N matrix in device memory.
type Gemm struct {
	M, N, K int
	Type    abi.DType
}

// GemmTime is what the device takes for a product.
type GemmTime struct {
	TimeUs  float64 `json:"time_us"`
	Cycles  int64   `json:"cycles"`   // of the cores' clock
	UtilPct float64 `json:"util_pct"` // multiply-accumulates, of the peak of the type
	Kernels int     `json:"kernels"`
}

// Measure submits the product to the machine twice, as a program does through
// the driver, and returns what the second one took from its arrival at the cores
// to its last result in memory: the time of the fused operation that a device
// reports of itself. The first has filled the translations; B lies in memory as
// the kernel asks.
func (g Gemm) Measure(ctx context.Context, cfg *configs.Config) (t GemmTime, err error) {
	if err := ctx.Err(); err != nil {
		return t, err
	}
	sys := lab.NewSystem(cfg, nil, 0, false)
	defer sys.Engine.Shutdown()
	stop := context.AfterFunc(ctx, func() { sys.Engine.Post(sys.Engine.Stop) })
	defer stop()
	watch := &watch{}
	sys.Device.Cores().Observer = watch
	if err := sys.Run("gemm", func() error { return g.program(sys, cfg, watch) }); err != nil {
		return t, err
	}
	clock := sim.NewClock(cfg.Core.Clock)
	t.TimeUs = float64(watch.end-watch.begin) / float64(sim.Microsecond)
	t.Cycles, t.Kernels = clock.Cycles(watch.end-watch.begin), watch.kernels
	peak := float64(cfg.Core.Count) * cfg.Array.PeakOf(g.Type)
	t.UtilPct = 100 * float64(watch.macs) / (float64(t.Cycles) * peak)
	return t, nil
}

// watch notes when the first of some kernels came and the last one ended.
type watch struct {
	kernels    int
	macs       int64
	begin, end sim.Time
}

// Launched implements core.Observer.
func (w *watch) Launched(o *core.Observation) {
	if w.kernels == 0 {
		w.begin = o.Submitted
	}
	w.begin, w.end = min(w.begin, o.Submitted), max(w.end, o.End)
	w.kernels++
	w.macs += o.MACs
}

// program is the user's program.
func (g Gemm) program(sys *lab.System, cfg *configs.Config, w *watch) error {
	x, err := sys.Open(nil)
	if err != nil {
		return err
	}
	lib := x.Device.Library(lab.MapperOptions(cfg, sys.Device.DRAM(), x.Queue.NumCores()))
	job, err := g.job(cfg, x.Device, lib, x.Queue)
	if err != nil {
		return err
	}
	for range 2 {
		*w = watch{}
		ticket, err := x.Queue.Submit(job)
		if err != nil {
			return err
		}
		if err := x.Queue.Wait(ticket, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}

// job makes the product's kernels, with its matrices one behind the other.
func (g Gemm) job(cfg *configs.Config, dev *rt.Device, lib *rt.Library, queue *rt.Queue) (*rt.Job, error) {
	const page = 4096
	size := func(rows, cols int) int64 {
		return (int64(rows)*int64(cols)*int64(g.Type.Size()) + page - 1) / page * page
	}
	a, b, c := size(g.M, g.K), size(g.K, g.N), size(g.M, g.N)
	doesNotFit := func(err error) error {
		return lab.DoesNotFit(cfg, fmt.Sprintf("the matrices of a product of %d×%d×%d", g.M, g.K, g.N), abi.BODevice, a+b+c, err)
	}
	if a+b+c > int64(cfg.DRAM.Size) { // the driver may say no more than that such a buffer makes no sense
		return nil, doesNotFit(unix.ENOSPC)
	}
	buffer, err := dev.NewBuffer(a+b+c, abi.BODevice)
	if err != nil {
		return nil, doesNotFit(err)
	}
	kernels, err := lib.Gemm(&rt.Gemm{M: g.M, N: g.N, K: g.K, FreeB: true,
		A: rt.Matrix(buffer.Addr, g.Type, g.K),
		B: rt.Matrix(buffer.Addr+uint64(a), g.Type, g.N),
		C: rt.Matrix(buffer.Addr+uint64(a+b), g.Type, g.N)})
	if err != nil {
		return nil, err
	}
	commands := queue.Commands()
	commands.Kernels(kernels, 0)
	return &rt.Job{Commands: commands, Buffers: []*rt.Buffer{buffer}}, commands.Err()
}
