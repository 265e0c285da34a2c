package fault_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// ends says how a program's copy ends when a fault meets it, through the
// reference driver. Nothing is left over behind any: fwtest holds that.
var ends = []struct {
	spec  fault.Spec
	errno error // nil: the job ends well
	data  bool  // and its data are right
	reset bool  // behind a reset
}{
	{fault.Spec{Kind: "dma-error", Target: firstChannel}, unix.EIO, false, false},
	{fault.Spec{Kind: "dma-error", Target: firstChannel, Value: 1}, unix.EIO, false, false},
	{fault.Spec{Kind: "dma-error", Target: fault.On(0)}, unix.ETIME, false, true},
	{fault.Spec{Kind: "dma-error", Target: fault.On(0), Count: 3}, unix.EIO, false, false},
	{fault.Spec{Kind: "lost-completion", Target: fault.On(0), Duration: 60 * sim.Microsecond}, unix.ETIME, false, true},
	{fault.Spec{Kind: "link-loss", Count: 20, Duration: sim.Millisecond}, unix.ETIME, false, true},
	{fault.Spec{Kind: "lost-completion", Target: firstChannel, Duration: 60 * sim.Microsecond}, unix.EIO, false, false},
	{fault.Spec{Kind: "aer-corrected"}, nil, true, false},
	{fault.Spec{Kind: "irq-lost"}, nil, true, false},
	{fault.Spec{Kind: "irq-doubled"}, nil, true, false},
	{fault.Spec{Kind: "irq-spurious", Target: fault.On(2)}, nil, true, false},
	{fault.Spec{Kind: "irq-late"}, nil, true, false},
	{fault.Spec{Kind: "irq-storm", Target: fault.On(1)}, nil, true, false},
	{fault.Spec{Kind: "completion-twice"}, nil, true, false},
	{fault.Spec{Kind: "completion-early"}, nil, false, false},
	{fault.Spec{Kind: "completion-unknown"}, unix.ETIME, false, true},
	{fault.Spec{Kind: "completion-missing"}, unix.ETIME, false, true},
	{fault.Spec{Kind: "queue-stuck"}, unix.ETIME, false, true},
	{fault.Spec{Kind: "queue-stuck", Duration: 100 * sim.Microsecond}, nil, true, false},
	{fault.Spec{Kind: "bad-opcode"}, unix.EINVAL, false, false},
	{fault.Spec{Kind: "stale-entry"}, unix.EIO, false, false},
	{fault.Spec{Kind: "page-fault"}, unix.EFAULT, false, false},
	{fault.Spec{Kind: "perm-fault"}, unix.EFAULT, false, false},
	{fault.Spec{Kind: "walk-abort"}, unix.EIO, false, false},
	{fault.Spec{Kind: "wrong-context"}, unix.EFAULT, false, false},
	{fault.Spec{Kind: "ecc-corrected"}, nil, true, false},
	{fault.Spec{Kind: "ecc-uncorrectable"}, unix.EIO, false, false},
	{fault.Spec{Kind: "parity"}, unix.EIO, false, false},
	{fault.Spec{Kind: "heartbeat-lost"}, nil, true, false},
	{fault.Spec{Kind: "engine-hang"}, unix.ETIME, false, true},
	{fault.Spec{Kind: "engine-slow"}, nil, true, false},
	{fault.Spec{Kind: "thermal"}, nil, true, false},
	{fault.Spec{Kind: "completion-overflow"}, unix.ETIME, false, true},
}

// firstChannel is the first DMA channel of the machine tiny as a requester: it has
// two cores.
var firstChannel = fault.On(3 + 2)

func TestDriverMeetsFaults(t *testing.T) {
	for _, c := range ends {
		t.Run(c.spec.Kind, func(t *testing.T) {
			d := fwtest.NewDevice(t)
			d.Run(func() {
				p, by := d.Open(), d.Open()
				q, bq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal), by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
				job, dst, want := copyJob(p)
				armed, err := d.NPU.Inject(c.spec)
				require.NoError(t, err)
				err = p.Finish(q, p.Start(q, job))
				require.Equal(t, 1, min(armed.Struck(), 1), "it has happened")
				armed.Disarm()
				require.NotZero(t, documented(err)&fault.Kinds[fault.Named(c.spec.Kind)].Ends, "%v is no end of the table", err)
				if c.errno == nil {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, c.errno)
				}
				if c.data {
					assert.True(t, bytes.Equal(want, dst.Read(0, len(want))))
				}
				assert.Equal(t, c.reset, p.Status(q).ResetCount > 0)
				healthy(t, by, bq)
			})
		})
	}
}

// documented returns what the table calls an end.
func documented(err error) fault.End {
	for errno, end := range map[unix.Errno]fault.End{unix.EINVAL: fault.EINVAL, unix.EFAULT: fault.EFAULT,
		unix.EIO: fault.EIO, unix.ENODEV: fault.ENODEV, unix.ETIME: fault.ETIME} {
		if errors.Is(err, errno) {
			return end
		}
	}
	if err == nil {
		return fault.Well
	}
	return 0
}

// copyJob is a job that copies from the host to the device and back.
func copyJob(p *fwtest.Program) (j *fwtest.Job, dst *fwtest.Buffer, want []byte) {
	const n = 64 << 10
	src, mid, dst := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice), p.NewBuffer(n, abi.BOHost)
	want = make([]byte, n)
	for i := range want {
		want[i] = byte(i*7 + i>>8)
	}
	src.Write(0, want)
	back := fwtest.Copy(dst.Addr, mid.Addr, n)
	back.Flags = abi.FlagBarrier
	return &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(mid.Addr, src.Addr, n), back},
		Buffers: []*fwtest.Buffer{src, mid, dst}, Timeout: 3e6}, dst, want
}

// healthy holds that a program's copy ends well, with right data.
func healthy(t *testing.T, p *fwtest.Program, q uint32) {
	t.Helper()
	j, dst, want := copyJob(p)
	require.NoError(t, p.Finish(q, p.Start(q, j)))
	require.True(t, bytes.Equal(want, dst.Read(0, len(want))))
}

// A controller that does not boot ends the probe; a function-level reset heals it.
func TestProbeMeetsFaults(t *testing.T) {
	for _, c := range []struct {
		spec  fault.Spec
		errno error
	}{
		{fault.Spec{Kind: "boot-error", Value: 7}, unix.EIO},
		{fault.Spec{Kind: "boot-hang"}, unix.ETIME},
		{fault.Spec{Kind: "all-ones", Target: fault.On(abi.BARRegisters)}, unix.ENODEV},
		{fault.Spec{Kind: "link-loss", At: sim.Microsecond, Duration: sim.Millisecond}, unix.ENODEV},
		{fault.Spec{Kind: "link-loss", At: 20 * sim.Microsecond, Duration: 3 * sim.Second}, unix.ETIME},
		{fault.Spec{Kind: "reset-fail", Target: fault.On(abi.ResetCompute)}, unix.EIO},
		{fault.Spec{Kind: "reset-hang", Target: fault.On(abi.ResetCompute)}, unix.ETIME},
	} {
		t.Run(c.spec.Kind, func(t *testing.T) {
			d := fwtest.NewDevice(t, fwtest.Unbound(), fwtest.Config(func(m *configs.Config) { m.Faults = []fault.Spec{c.spec} }))
			d.Run(func() {
				require.ErrorIs(t, d.Probe(), c.errno)
				d.Bus.Sleep(int64(c.spec.Duration / sim.Nanosecond))
				require.NoError(t, d.Bus.ResetFunction())
				require.NoError(t, d.Probe())
				p := d.Open()
				healthy(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
			})
		})
	}
}

// Resets that fail or hang escalate: from a queue to the whole compute part.
func TestResetsMeetFaults(t *testing.T) {
	for _, kind := range []string{"reset-fail", "reset-hang", "not-idle"} {
		t.Run(kind, func(t *testing.T) {
			d := fwtest.NewDevice(t)
			d.Run(func() {
				p := d.Open()
				q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
				stuck, err := d.NPU.Inject(fault.Spec{Kind: "queue-stuck"})
				require.NoError(t, err)
				bad, err := d.NPU.Inject(fault.Spec{Kind: kind})
				require.NoError(t, err)
				j, _, _ := copyJob(p)
				require.ErrorIs(t, p.Finish(q, p.Start(q, j)), unix.ETIME)
				require.Equal(t, 1, stuck.Struck())
				require.Equal(t, 1, bad.Struck())
				if kind == "not-idle" { // found out by the next job of the ring, which hangs
					next := d.Open()
					nq := next.NewQueue(abi.EngineCopy, fw.PriorityNormal)
					j, _, _ := copyJob(next)
					require.ErrorIs(t, next.Finish(nq, next.Start(nq, j)), unix.ETIME)
				}
				by := d.Open()
				healthy(t, by, by.NewQueue(abi.EngineCopy, fw.PriorityNormal))
			})
		})
	}
}

// Fewer vectors than queues: they are shared.
func TestDriverSharesVectors(t *testing.T) {
	for _, n := range []uint64{1, 2, 3} {
		d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) {
			c.Faults = []fault.Spec{{Kind: "fewer-vectors", Value: n}}
		}))
		d.Run(func() {
			p := d.Open()
			healthy(t, p, p.NewQueue(abi.EngineCompute, fw.PriorityNormal))
			healthy(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityHigh))
		})
	}
}

// A mailbox that answers nonsense or not at all costs its caller an errno, and
// nobody else anything.
func TestMailboxFaults(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		mail := func() uint32 {
			d.Bus.Write32(abi.BARRegisters, abi.Offset(&abi.Mgmt, "MBOX_CMD"), abi.MailVersion)
			d.Bus.Sleep(1e6)
			return d.Bus.Read32(abi.BARRegisters, abi.Offset(&abi.Mgmt, "MBOX_STATUS")) & 0xf
		}
		require.EqualValues(t, abi.MailDone, mail())
		_, err := d.NPU.Inject(fault.Spec{Kind: "mailbox-error", Value: 9})
		require.NoError(t, err)
		require.EqualValues(t, 9, mail())
		require.EqualValues(t, abi.MailDone, mail())
		_, err = d.NPU.Inject(fault.Spec{Kind: "mailbox-hang", Duration: 3 * sim.Millisecond})
		require.NoError(t, err)
		require.EqualValues(t, abi.MailBusy, mail())
		d.Bus.Sleep(4e6)
		require.EqualValues(t, abi.MailDone, mail())

		beat := func() uint32 { return d.Bus.Read32(abi.BARRegisters, abi.Offset(&abi.Mgmt, "HEARTBEAT")) }
		_, err = d.NPU.Inject(fault.Spec{Kind: "heartbeat-lost", At: d.Engine.Now() + sim.Millisecond, Duration: 10 * sim.Millisecond})
		require.NoError(t, err)
		d.Bus.Sleep(2e6)
		first := beat()
		d.Bus.Sleep(5e6)
		require.Equal(t, first, beat())
		require.EqualValues(t, abi.MailBusy, mail(), "a dead controller answers nobody")
		d.Bus.Sleep(6e6)
		require.Greater(t, beat(), first)
		require.EqualValues(t, abi.MailDone, mail())
	})
}

// The same faults at the same seed: the same end to the picosecond. Another seed:
// others are struck.
func TestFaultsAreDeterministic(t *testing.T) {
	run := func(seed uint64) (now sim.Time, struck int64) {
		d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) {
			c.Faults = []fault.Spec{{Kind: "irq-late", Probability: 0.5, Times: fault.Unlimited, Seed: seed},
				{Kind: "ecc-corrected", Probability: 0.1, Times: fault.Unlimited, Seed: seed}}
		}))
		d.Run(func() {
			p := d.Open()
			q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			for range 5 {
				healthy(t, p, q)
			}
			now = d.Engine.Now()
		})
		return now, d.NPU.Faults().Struck()
	}
	a, n := run(5)
	b, m := run(5)
	assert.Equal(t, a, b)
	assert.Equal(t, n, m)
	assert.Positive(t, n)
	c, k := run(6)
	assert.NotEqual(t, [2]int64{int64(a), n}, [2]int64{int64(c), k})
}

// Chaos mode changes when things happen, never what: programs end well, the same
// way each time for a seed.
func TestChaosMode(t *testing.T) {
	run := func(seed uint64) sim.Time {
		d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) { c.Chaos.Seed = seed }))
		var end sim.Time
		d.Run(func() {
			p, by := d.Open(), d.Open()
			q, bq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal), by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
			for range 5 {
				healthy(t, p, q)
				healthy(t, by, bq)
			}
			end = d.Engine.Now()
		})
		return end
	}
	calm := run(0)
	assert.Equal(t, calm, run(0))
	seen := map[sim.Time]bool{calm: true}
	for seed := range uint64(6) {
		end := run(seed + 1)
		assert.Equal(t, end, run(seed+1))
		assert.False(t, seen[end], "seed %d delays as another", seed+1)
		assert.Greater(t, end, calm)
		seen[end] = true
	}
}

// A link that is lost for good in mid-job: the resets fail, so the device is given
// up, and the job ends with EIO, as do the submissions that follow. From its
// removal on every call gives ENODEV, and so does a probe until the link is back.
func TestLinkLoss(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j, _, _ := copyJob(p)
		lost, err := d.NPU.Inject(fault.Spec{Kind: "link-loss", Count: 20})
		require.NoError(t, err)
		j = p.Start(q, j)
		require.ErrorIs(t, p.Finish(q, j), unix.EIO)
		require.Equal(t, 1, lost.Struck())
		require.True(t, d.Link.IsDown())
		assert.Equal(t, ^uint32(0), d.Bus.Read32(abi.BARRegisters, 0))
		for range 2 {
			next := &fwtest.Job{Packets: j.Packets, Buffers: j.Buffers, Commands: j.Commands}
			assert.ErrorIs(t, p.Submit(q, next), unix.EIO)
		}
		d.Remove()
		require.True(t, d.Link.IsDown())
		assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrBOCreate, &abi.BOCreate{Size: 4096, Flags: abi.BOHost}), unix.ENODEV)
		assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrSubmit, &abi.Submit{Queue: q}), unix.ENODEV)
		assert.ErrorIs(t, d.Probe(), unix.ENODEV)
		require.NoError(t, p.File.Close())

		d.Link.Up()
		require.NoError(t, d.Bus.ResetFunction())
		require.NoError(t, d.Probe())
		p = d.Open()
		healthy(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
	})
}
