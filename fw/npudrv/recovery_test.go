package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// hang is a job that waits for a slot that nobody writes.
func hang(p *fwtest.Program, timeout uint64) *fwtest.Job {
	slot := p.NewBuffer(4096, abi.BOHost)
	return &fwtest.Job{Packets: []abi.Packet{fwtest.WaitFor(slot.Addr, 1)}, Buffers: []*fwtest.Buffer{slot}, Timeout: timeout}
}

// A job that hangs costs a reset of its ring. Its context is killed; jobs of other
// programs behind it on the same ring, and on the other ring, end with the right
// data, and none of them runs twice.
func TestHungJobSparesBystanders(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		guilty, by := d.Open(), d.Open()
		gq, bq := guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal), by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		cq := by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		hung := guilty.Start(gq, hang(guilty, 5e6))
		behind := guilty.Start(gq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		const n = 100_000
		src, dev, far := by.NewBuffer(n, abi.BOHost), by.NewBuffer(n, abi.BODevice), by.NewBuffer(n, abi.BODevice)
		src.Write(0, pattern(n, 3))
		bystander := by.Start(bq, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(dev.Addr, src.Addr, n)}, Buffers: []*fwtest.Buffer{src, dev}})
		other := by.Start(cq, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(far.Addr, src.Addr, n)}, Buffers: []*fwtest.Buffer{src, far}})

		assert.NoError(t, by.Finish(cq, other), "the other ring goes on")
		assert.Less(t, d.Engine.Now().Nanoseconds(), int64(5e6), "without waiting for the reset")
		assert.ErrorIs(t, guilty.Finish(gq, hung), unix.ETIME)
		require.NoError(t, guilty.Wait(behind.Done, fwtest.Forever))
		assert.NoError(t, by.Finish(bq, bystander))
		assert.Equal(t, pattern(n, 3), dev.Read(0, n))
		assert.Equal(t, pattern(n, 3), far.Read(0, n))

		s := guilty.Status(gq)
		assert.EqualValues(t, 1, s.Guilty)
		assert.EqualValues(t, hung.Seqno, s.FailedSeqno)
		assert.EqualValues(t, 1, s.ResetCount)
		assert.ErrorIs(t, guilty.Submit(gq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}}), unix.ECANCELED)
		assert.Zero(t, by.Status(bq).Guilty)
		next := guilty.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		assert.ErrorIs(t, guilty.Submit(next, nop()), unix.ECANCELED, "the file is the context")
		fresh := d.Open()
		fq := fresh.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		assert.NoError(t, fresh.Finish(fq, fresh.Start(fq, nop())))
		assert.EqualValues(t, 3, by.Telemetry().JobsCompleted, "each job that could run ran once")
	})
}

// A reset that the ring cannot do is followed by one of the whole compute part.
// What had begun elsewhere is lost and says so; what had not runs afterwards.
func TestResetEscalates(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		status := abi.Offset(&abi.Ident, "RESET_STATUS")
		failures := 1
		control := abi.Offset(&abi.Ident, "RESET_CTRL")
		last := uint32(0)
		d.Bus.OnWrite = func(off uint64, v uint32) bool {
			if off == control {
				last = v
			}
			return true
		}
		d.Bus.OnRead = func(off, v uint64) uint64 {
			if off == status && last&0xf == abi.ResetQueue && v == abi.ResetDone && failures > 0 {
				failures--
				return abi.ResetFailed
			}
			return v
		}
		p := d.Open()
		cq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		waits := hang(p, 50e6)
		begun := p.Start(cq, waits)
		queued := p.Start(p.NewQueue(abi.EngineCopy, fw.PriorityNormal), &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		guilty := d.Open()
		gq := guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		hung := guilty.Start(gq, hang(guilty, 2e6))
		assert.ErrorIs(t, guilty.Finish(gq, hung), unix.ETIME)
		assert.ErrorIs(t, p.Finish(cq, begun), unix.EIO)
		assert.NoError(t, p.Finish(2, queued))
		assert.Zero(t, p.Status(cq).Guilty)
		assert.EqualValues(t, 1, p.Status(cq).ResetCount)
		ok := p.Start(cq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		require.NoError(t, p.Wait(ok.Done, fwtest.Forever))
		assert.EqualValues(t, 2, p.Status(cq).LastCompleted, "the bystander's queue lives on")
	})
}

// A reset of the compute part kills the context of the job that hung on every
// ring, also on those that the driver looks at before the job's own: what had not
// begun there never runs.
func TestComputeResetKillsOnEveryRing(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		_, err := d.NPU.Inject(fault.Spec{Kind: "reset-fail", Target: fault.On(abi.ResetQueue)})
		require.NoError(t, err)
		by, p := d.Open(), d.Open()
		bq := by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		begun := by.Start(bq, hang(by, 50e6))
		spared := by.Start(by.NewQueue(abi.EngineCompute, fw.PriorityNormal), nop())
		q, cq := p.NewQueue(abi.EngineCompute, fw.PriorityNormal), p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		var behind []*fwtest.Job
		for range 30 { // on the ring, and more than there are credits
			behind = append(behind, p.Start(q, nop()))
		}
		hung := p.Start(cq, hang(p, 2e6))
		assert.ErrorIs(t, p.Finish(cq, hung), unix.ETIME)
		for _, j := range behind {
			require.NoError(t, p.Wait(j.Done, fwtest.Forever))
		}
		assert.ErrorIs(t, p.Finish(q, behind[29]), unix.ECANCELED)
		assert.ErrorIs(t, by.Finish(bq, begun), unix.EIO)
		assert.NoError(t, by.Finish(2, spared))
		assert.EqualValues(t, 1, by.Telemetry().JobsCompleted, "the bystander's alone")
		assert.Contains(t, recovery(t, d), "compute 1\n")
	})
}

// A device whose resets fail is given up: every job ends, every later one is
// refused.
func TestWedgedDevice(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		status := abi.Offset(&abi.Ident, "RESET_STATUS")
		d.Bus.OnRead = func(off, v uint64) uint64 {
			if off == status && v == abi.ResetDone {
				return abi.ResetFailed
			}
			return v
		}
		p := d.Open()
		q, other := p.NewQueue(abi.EngineCompute, fw.PriorityNormal), p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		hung := p.Start(q, hang(p, 2e6))
		var queued []*fwtest.Job
		for range 30 { // more than there are credits
			queued = append(queued, p.Start(other, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}}))
		}
		assert.ErrorIs(t, p.Finish(q, hung), unix.EIO)
		for _, j := range queued {
			assert.ErrorIs(t, p.Finish(other, j), unix.EIO)
		}
		assert.ErrorIs(t, p.Submit(other, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}}), unix.EIO)
		raw := make([]byte, 32)
		fwtest.Must(p, abi.NrQuery, &abi.Query{Type: abi.QueryReset, Size: 32, Ptr: p.Memory.Map(raw)})
		assert.EqualValues(t, 2, abi.Load[abi.ResetInfo](raw).State)
		d.Bus.OnRead = nil
	})
}

// A long job that makes progress is left alone, whatever its time-out.
func TestProgressIsNoHang(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		const n, copies = 64 << 10, 200
		src, dst := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice)
		j := &fwtest.Job{Buffers: []*fwtest.Buffer{src, dst}, Timeout: 1e6}
		for range copies {
			c := fwtest.Copy(dst.Addr, src.Addr, n)
			c.Flags = abi.FlagBarrier
			j.Packets = append(j.Packets, c)
		}
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		start := p.Engine.Now()
		require.NoError(t, p.Finish(q, p.Start(q, j)))
		assert.Greater(t, (p.Engine.Now() - start).Nanoseconds(), int64(5e6), "it runs for several time-outs")
		assert.Zero(t, p.Status(q).ResetCount)
	})
}

// A completion whose interrupt is lost is found when the job's time is up.
func TestLostInterrupt(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		for ring := range 4 {
			p.Bus.FreeIRQ(1 + ring)
		}
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}, Timeout: 3e6})
		require.NoError(t, p.Finish(q, j))
		assert.Zero(t, p.Status(q).ResetCount)
	})
}

// Closing a file ends its jobs in bounded time: those that wait are cancelled,
// one that hangs is reset.
func TestCloseWithJobs(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p, by := d.Open(), d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		p.Start(q, hang(p, 4e6))
		for range 50 {
			p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		}
		bq := by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		j := by.Start(bq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		p.Close()
		assert.NoError(t, by.Finish(bq, j))
		assert.Less(t, d.Engine.Now().Nanoseconds(), int64(20e6))
	})
}

// The handle of a buffer may go while a job uses it: the job ends well, and only
// then the memory is free.
func TestCloseBufferWhileJobRuns(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		const n = 1 << 20
		src, dst := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice)
		back := p.NewBuffer(n, abi.BOHost)
		src.Write(0, pattern(n, 9))
		second := fwtest.Copy(back.Addr, dst.Addr, n)
		second.Flags = abi.FlagBarrier
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(dst.Addr, src.Addr, n), second}, Buffers: []*fwtest.Buffer{src, dst, back}})
		available := free(p)
		dst.Close()
		j.Commands.Close()
		assert.Equal(t, available, free(p), "the job holds the memory")
		require.NoError(t, p.Finish(q, j))
		assert.Equal(t, pattern(n, 9), back.Read(0, n))
		p.Bus.Sleep(1e6)
		assert.EqualValues(t, available+n, free(p), "and gives it back")
	})
}

func free(p *fwtest.Program) uint64 {
	raw := make([]byte, abi.SizeOf[abi.DeviceInfo]())
	q := abi.Query{Type: abi.QueryDevice, Size: uint32(len(raw)), Ptr: p.Memory.Map(raw)}
	fwtest.Must(p, abi.NrQuery, &q)
	return abi.Load[abi.DeviceInfo](raw).MemAvailable
}
