package fw_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// allocated returns the bytes that fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What a program can do with one fence that is pending, again and again, costs
// the same each time, and what nobody can ask for any more is not kept.
func TestPendingFenceIsNoAmplifier(t *testing.T) {
	k := host.NewKernel(sim.New(1), host.Config{})
	for name, step := range map[string]func(s *fw.Syncobj, job *fw.Fence, i uint64){
		"a timeline to itself":      func(s *fw.Syncobj, _ *fw.Fence, i uint64) { s.Attach(10+i, s.At(0)) },
		"its latest point":          func(s *fw.Syncobj, _ *fw.Fence, i uint64) { s.Attach(10+i, s.At(9+i)) },
		"the job to a new point":    func(s *fw.Syncobj, job *fw.Fence, i uint64) { s.Attach(10+i, job) },
		"signalled by the program":  func(s *fw.Syncobj, _ *fw.Fence, i uint64) { s.Attach(10+i, fw.SignaledFence(k)) },
		"its first point":           func(s *fw.Syncobj, _ *fw.Fence, i uint64) { s.Attach(10+i, s.At(1)) },
		"first and latest in turn":  func(s *fw.Syncobj, _ *fw.Fence, i uint64) { s.Attach(10+i, s.At(i%2*(9+i))) },
		"the job to a binary one":   func(s *fw.Syncobj, job *fw.Fence, i uint64) { s.Attach(0, job) },
		"a timeline that is reset":  func(s *fw.Syncobj, job *fw.Fence, i uint64) { s.Reset(); s.Attach(9, job) },
		"a syncobj that is dropped": func(_ *fw.Syncobj, job *fw.Fence, i uint64) { x := fw.NewSyncobj(k); x.Attach(3, job); x.Reset() },
	} {
		s, job, second := fw.NewSyncobj(k), fw.NewFence(k), fw.NewFence(k)
		s.Attach(1, job)
		s.Attach(9, second)
		i := uint64(0)
		some := func(n int) uint64 {
			return allocated(func() {
				for range n {
					step(s, job, i)
					i++
				}
			}) / uint64(n)
		}
		some(1000)
		assert.Less(t, some(10_000), uint64(700), "%s: bytes a call", name)
		second.Signal(nil)
		job.Signal(nil)
		assert.True(t, s.At(0).Done(), name)
	}
}

// A chain through a hundred thousand timelines ends when the fence at its root
// does, without a stack as deep.
func TestDeepChainEnds(t *testing.T) {
	k := host.NewKernel(sim.New(1), host.Config{})
	const levels = 100_000
	job := fw.NewFence(k)
	line, x := fw.NewSyncobj(k), fw.NewSyncobj(k)
	x.Attach(0, job)
	per := allocated(func() {
		for range levels {
			line.Attach(0, job)
			line.Attach(2, x.At(0))
			line.Attach(3, fw.SignaledFence(k))
			line.Attach(3, job)
			x.Attach(0, line.At(3))
		}
	}) / levels
	assert.Less(t, per, uint64(1500), "bytes a level")
	all, stack := x.At(0), uint64(0)
	line.At(0).OnSignal(func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		stack = m.StackInuse
	})
	job.Signal(unix.EIO)
	assert.True(t, all.Done())
	assert.ErrorIs(t, all.Err(), unix.EIO)
	assert.NotZero(t, stack)
	assert.Less(t, stack, uint64(8<<20))
}

// A chain has the first error of what it waits for, in order of signalling, and
// none of what was over before.
func TestChainsError(t *testing.T) {
	k := host.NewKernel(sim.New(1), host.Config{})
	s := fw.NewSyncobj(k)
	f := make([]*fw.Fence, 6)
	for i := range f {
		f[i] = fw.NewFence(k)
		s.Attach(uint64(i+1), f[i])
	}
	early := s.At(6)
	f[0].Signal(unix.EIO)
	late := s.At(5)
	f[1].Signal(nil)
	f[2].Signal(unix.ETIME)
	f[3].Signal(unix.ECANCELED)
	assert.False(t, late.Done())
	f[4].Signal(unix.ECANCELED)
	assert.True(t, late.Done())
	f[5].Signal(unix.ECANCELED)
	assert.Equal(t, unix.EIO, early.Err())
	assert.Equal(t, unix.ETIME, late.Err())
}

// The same through ioctls: a self-transfer of a timeline to rising points with a
// job pending.
func TestTransferToItself(t *testing.T) {
	withClient(t, func(c *client) {
		line := c.create(0)
		job := c.attach(line, 1)
		for i := range uint64(5000) {
			require.NoError(t, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: line, Dst: line, DstPoint: 10 + i}))
		}
		assert.EqualValues(t, 5009, c.query(line, abi.SyncobjQueryLastSubmitted))
		assert.Zero(t, c.query(line, 0))
		job.Signal(nil)
		assert.EqualValues(t, 5009, c.query(line, 0))
	})
}
