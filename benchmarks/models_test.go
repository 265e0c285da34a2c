package benchmarks

import (
	"math"
	"testing"
	"time"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// BenchmarkModels is what the timing models cost the host, a request, a TLP pair
// or a translation, beside a calibration loop that runs in between: x-calibration
// is the one in units of the other, which a slower or busier machine leaves alone.
func BenchmarkModels(b *testing.B) {
	const n = 4000
	for _, c := range []struct{ name, device, pattern string }{
		{"dram/ddr4/random", "DDR4_2400U", "rand_rd"},
		{"dram/ddr4/random-mixed", "DDR4_2400U", "rand_rw21"},
		{"dram/hbm3-16ch/random", "HBM3_6400_16ch", "rand_rd"},
		{"dram/hbm3-16ch/random-mixed", "HBM3_6400_16ch", "rand_rw21"},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := mem.Config{Device: c.device, Map: "robabgracoch"}
			compare(b, "ns/request", 4*n, func() error {
				_, err := mem.Replay(func() bool { return false }, cfg, c.pattern, "sat", 4*n)
				return err
			})
		})
	}
	b.Run("dram/hbm3-16ch/sequential", func(b *testing.B) {
		const request, run = 64 << 10, 1 << 10 // a run: what a request has of a row
		e := sim.New(1)
		cfg := mem.Config{Device: "HBM3_6400_16ch", Size: 8 * sim.GiB}
		s := newStream(e, mem.New(e, "dram", cfg, mem.NewStore(cfg.Size)), 16, hw.Request{Bytes: request},
			func(i int) uint64 { return uint64(i) * request % uint64(cfg.Size) })
		compare(b, "ns/run", n*request/run/8, func() error { return s.run(n / 8) })
	})
	for _, c := range []struct {
		name string
		op   hw.Op
	}{{"pcie/read-pair", hw.Read}, {"pcie/write", hw.Write}} {
		b.Run(c.name, func(b *testing.B) {
			e := sim.New(1)
			link := pcie.New(e, "pcie", pcie.DefaultConfig(), []int{1})
			link.SetUpstream(pcie.Ordered(hw.TargetFunc(func(r *hw.Request) { e.After(0, r.Done) })), nil)
			s := newStream(e, link, 32, hw.Request{Op: c.op, Space: hw.BusAddr, Bytes: 64},
				func(i int) uint64 { return uint64(i) << 12 })
			compare(b, "ns/request", n, func() error { return s.run(n) })
		})
	}
	b.Run("translation/none", func(b *testing.B) {
		e := sim.New(1)
		s := newStream(e, newEcho(e), 1, hw.Request{Bytes: 64}, few)
		compare(b, "ns/access", n, func() error { return s.run(n) })
	})
	for _, c := range []struct {
		name  string
		pages int // of an access: each is a translation of its own
		at    func(int) uint64
	}{{"translation/hit", 1, few}, {"translation/hits-of-64KiB", 16, func(int) uint64 { return 0 }}, {"translation/cold-walk", 1, far}} {
		b.Run(c.name, func(b *testing.B) {
			e, port := deviceMMUPort(b, false)
			r := inContext
			r.Bytes = int64(c.pages-1)<<12 + 64
			s := newStream(e, port, 1, r, c.at)
			compare(b, "ns/translation", n, func() error { return s.run(n / c.pages) })
		})
	}
}

// compare runs rounds of n operations and of the calibration loop in turn, and
// reports the least that an operation took, in nanoseconds and in steps of the
// loop.
func compare(b *testing.B, unit string, n int, round func() error) {
	best, step := math.Inf(1), math.Inf(1)
	took := func(f func() error) float64 {
		from := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return float64(time.Since(from).Nanoseconds())
	}
	took(round) // to warm caches and tables
	for b.Loop() {
		best = min(best, took(round)/float64(n))
		step = min(step, took(calibrate)/calibrationSteps)
	}
	b.ReportMetric(0, "ns/op") // a round's, of no interest
	b.ReportMetric(best, unit)
	b.ReportMetric(step, "ns/calibration")
	b.ReportMetric(best/step, "x-calibration")
}

const calibrationSteps = 20_000

// calibrate is the calibration loop: a step takes the first of 1,024 numbers in
// a binary heap and puts a later one in its place, as the plainest event queue
// does with 1,024 pending.
func calibrate() error {
	heap := make([]uint64, 1024)
	for i := range heap {
		heap[i] = uint64(i)
	}
	for i := range uint64(calibrationSteps) {
		v := heap[0] + 1 + i*0x9e3779b97f4a7c15>>54
		at := 0
		for {
			child := 2*at + 1
			if child >= len(heap) {
				break
			}
			if child+1 < len(heap) && heap[child+1] < heap[child] {
				child++
			}
			if v <= heap[child] {
				break
			}
			heap[at] = heap[child]
			at = child
		}
		heap[at] = v
	}
	return nil
}

// stream keeps requests in flight at a target, one address after another.
type stream struct {
	e            *sim.Engine
	target       hw.Target
	at           func(i int) uint64
	requests     []hw.Request
	issued, upTo int
	failed       error
}

func newStream(e *sim.Engine, target hw.Target, depth int, r hw.Request, at func(i int) uint64) *stream {
	s := &stream{e: e, target: target, at: at, requests: make([]hw.Request, depth)}
	h := e.Register("stream", s.ended)
	for i := range s.requests {
		s.requests[i] = r
		s.requests[i].Done = sim.Call{H: h, Arg: uint64(i)}
	}
	return s
}

// run sends n more requests and waits for their ends.
func (s *stream) run(n int) error {
	s.upTo += n
	for i := range s.requests {
		s.send(i)
	}
	if err := s.e.Run(); err != nil {
		return err
	}
	return s.failed
}

func (s *stream) send(i int) {
	if s.issued < s.upTo {
		r := &s.requests[i]
		r.Addr = s.at(s.issued)
		s.issued++
		r.Send(s.target)
	}
}

func (s *stream) ended(i uint64) {
	if st := s.requests[i].Status; st != hw.OK {
		s.failed = errStatus(st)
	}
	s.send(int(i))
}

type errStatus hw.Status

func (e errStatus) Error() string { return "a request ended with " + hw.Status(e).String() }
