package benchmarks

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/host"
)

// free makes the driver's own work cost nothing, so that what is measured is the
// code's cost and not that of simulating a sleep.
func free(c *configs.Config) {
	c.Host = host.Config{Memory: c.Host.Memory, MemoryRate: c.Host.MemoryRate, MemoryTime: c.Host.MemoryTime}
}

// cpu reports the processor time of the whole process, which a busy machine does
// not stretch as it does ns/op.
func cpu(b *testing.B) (report func()) {
	used := func() int64 {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu_ns/op") }
}

// BenchmarkIoctl is the dispatch alone: GET_CAP, by way of number, copies and
// table.
func BenchmarkIoctl(b *testing.B) {
	d := fwtest.NewDevice(b, fwtest.Config(free), fwtest.Bare())
	d.Run(func() {
		p := d.Open()
		arg := make([]byte, abi.SizeOf[abi.GetCap]())
		binary.LittleEndian.PutUint64(arg, abi.CapSyncobj)
		at := p.Memory.Map(arg)
		request := abi.RequestOf[abi.GetCap](abi.NrGetCap)
		b.ReportAllocs()
		b.ResetTimer()
		report := cpu(b)
		for b.Loop() {
			if err := p.File.Ioctl(request, at); err != nil {
				b.Fatal(err)
			}
		}
		report()
	})
}

// liveHeap is the live heap in bytes.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkNoOpJob is a job of one no-operation from SUBMIT to its fence, one at
// a time: the whole host cost, the device's simulation included. When it ends the
// driver is removed, and whatever it, the device or the host still holds fails the
// benchmark; leaked_B/op is what the heap has grown by since it had settled, for a
// million jobs and more.
func BenchmarkNoOpJob(b *testing.B) {
	for _, name := range []string{"tiny", "datacenter"} {
		b.Run(name, func(b *testing.B) {
			d := fwtest.NewDevice(b, fwtest.Machine(name), fwtest.Bare())
			d.Run(func() { noOps(b, d) })
		})
	}
}

// settled is how many jobs it takes until no pool grows any more.
const settled = 1 << 16

func noOps(b *testing.B, d *fwtest.Device) {
	p := d.Open()
	q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
	so := p.Array(j.Done, 0, 0, 0)
	submit := make([]byte, abi.SizeOf[abi.Submit]())
	abi.Store(submit, &abi.Submit{Queue: q, CommandBO: j.Commands.Handle, Length: 16, OutSyncs: so, NumOutSync: 1})
	wait := make([]byte, abi.SizeOf[abi.SyncobjWait]())
	abi.Store(wait, &abi.SyncobjWait{Handles: so, Count: 1, TimeoutNS: fwtest.Forever})
	submitAt, waitAt := p.Memory.Map(submit), p.Memory.Map(wait)
	submitNr, waitNr := abi.RequestOf[abi.Submit](abi.NrSubmit), abi.RequestOf[abi.SyncobjWait](abi.NrSyncobjWait)
	n, before := 0, int64(0)
	start := since(d.Engine)
	b.ReportAllocs()
	b.ResetTimer()
	report := cpu(b)
	for b.Loop() {
		if err := p.File.Ioctl(submitNr, submitAt); err != nil {
			b.Fatal(err)
		}
		if err := p.File.Ioctl(waitNr, waitAt); err != nil {
			b.Fatal(err)
		}
		if n++; n == settled {
			b.StopTimer()
			before = liveHeap()
			b.StartTimer()
		}
	}
	report()
	start.report(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	if n > settled {
		b.ReportMetric(float64(max(0, liveHeap()-before))/float64(n-settled), "leaked_B/op")
	}
}

// BenchmarkBuffer creates, maps and closes a buffer object.
func BenchmarkBuffer(b *testing.B) {
	for _, place := range []struct {
		name  string
		flags uint32
	}{{"device", abi.BODevice}, {"host", abi.BOHost}} {
		b.Run(place.name, func(b *testing.B) {
			d := fwtest.NewDevice(b, fwtest.Bare())
			d.Run(func() {
				p := d.Open()
				b.ReportAllocs()
				b.ResetTimer()
				report := cpu(b)
				for b.Loop() {
					buf := p.NewBuffer(64<<10, place.flags)
					buf.Map()
					buf.Close()
					buf.Unmap()
				}
				report()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "buffers/s")
			})
		})
	}
}
