package benchmarks

import (
	"fmt"
	"testing"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/lab"
	"github.com/presi-sim/presi/sim"
)

func machine(b *testing.B, name string) *configs.Config {
	b.Helper()
	c, err := configs.Machine(name)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// onDevice runs fn as a program of a simulated computer with driver and runtime.
// No values are computed.
func onDevice(b *testing.B, name string, fn func(e *sim.Engine, d *rt.Device) error) {
	b.Helper()
	s := lab.NewSystem(machine(b, name), nil, 1, false)
	defer s.Engine.Shutdown()
	err := s.Run("benchmark", func() error {
		driver, err := s.Probe(nil)
		if err != nil {
			return err
		}
		var arena fw.Arena
		file, err := s.Class.Open(driver.Minor, &arena)
		if err != nil {
			return err
		}
		d, err := rt.Open(rt.Local(file, &arena))
		if err != nil {
			return err
		}
		if err := fn(s.Engine, d); err != nil {
			return err
		}
		return d.Close()
	})
	if err != nil {
		b.Fatal(err)
	}
}

// simulated reports what the simulated machine took, beside ns/op, which is the
// host's.
type simulated struct {
	e      *sim.Engine
	start  sim.Time
	events uint64
}

func since(e *sim.Engine) simulated { return simulated{e, e.Now(), e.Events()} }

func (s simulated) seconds() float64 { return (s.e.Now() - s.start).Seconds() }

func (s simulated) report(b *testing.B) {
	b.ReportMetric(s.seconds()*1e9/float64(b.N), "sim_ns/op")
	b.ReportMetric(float64(s.e.Events()-s.events)/float64(b.N), "events/op")
}

// BenchmarkCopy is one copy a job, submitted and waited for, on the datacenter
// machine. B/s is simulated: what a program sees, latency of the job included.
func BenchmarkCopy(b *testing.B) {
	for _, way := range []struct {
		name     string
		from, to uint32
	}{{"to-device", abi.BOHost, abi.BODevice}, {"to-host", abi.BODevice, abi.BOHost}, {"on-device", abi.BODevice, abi.BODevice}} {
		for _, bytes := range []int64{4 << 10, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/bytes=%d", way.name, bytes), func(b *testing.B) {
				onDevice(b, "datacenter", func(e *sim.Engine, d *rt.Device) error { return copies(b, e, d, way.from, way.to, bytes) })
			})
		}
	}
}

func copies(b *testing.B, e *sim.Engine, d *rt.Device, from, to uint32, bytes int64) error {
	src, err := d.NewBuffer(bytes, from)
	if err != nil {
		return err
	}
	dst, err := d.NewBuffer(bytes, to)
	if err != nil {
		return err
	}
	q, err := d.NewQueue(rt.Copy, rt.PriorityNormal, 0)
	if err != nil {
		return err
	}
	c := q.Commands()
	c.CopyBytes(dst.Addr, src.Addr, uint64(bytes))
	job := &rt.Job{Commands: c, Buffers: []*rt.Buffer{src, dst}}
	if err := runJobs(b, e, q, job, 1); err != nil {
		return err
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/(float64(bytes)/(1<<20)), "host_ns/MiB")
	return q.Close()
}

// runJobs submits the job b.N times, batch at a time before it waits, and
// reports simulated figures; the bytes of the job's only copy, if it has one,
// as B/s.
func runJobs(b *testing.B, e *sim.Engine, q *rt.Queue, job *rt.Job, batch int) error {
	b.ReportAllocs()
	from := since(e)
	inFlight := 0
	for b.Loop() {
		t, err := q.Submit(job)
		if err != nil {
			return err
		}
		if inFlight++; inFlight < batch {
			continue
		}
		inFlight = 0
		if err := q.Wait(t, rt.Forever); err != nil {
			return err
		}
	}
	from.report(b)
	if len(job.Buffers) > 0 {
		b.ReportMetric(float64(job.Buffers[0].Size)*float64(b.N)/from.seconds(), "B/s")
	}
	return nil
}

// BenchmarkSubmit is a job that does nothing: the way from SUBMIT through
// framework, driver, ring, doorbell, parser, completion and interrupt back to
// the program. sim_ns/op is the simulated latency (of a batch: its share).
func BenchmarkSubmit(b *testing.B) {
	for _, name := range []string{"edge", "datacenter"} {
		for _, batch := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/in-flight=%d", name, batch), func(b *testing.B) {
				onDevice(b, name, func(e *sim.Engine, d *rt.Device) error {
					q, err := d.NewQueue(rt.Compute, rt.PriorityNormal, 0)
					if err != nil {
						return err
					}
					c := q.Commands()
					c.Nop()
					if err := runJobs(b, e, q, &rt.Job{Commands: c}, batch); err != nil {
						return err
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
					return q.Close()
				})
			})
		}
	}
}
