package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

func s19Order(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	b := u.NewBuffer(4096, abi.BOHost)
	var last *Job
	for i := range uint64(300) { // rounds of the rings, too
		last = u.Start(q, b.stamp(i))
		require.Equal(c, i+1, last.Seqno)
	}
	require.NoError(c, u.Finish(q, last))
	before := uint64(0)
	for i := range int64(300) {
		at := b.word(i)
		require.NotZero(c, at, "job %d has run", i+1)
		require.GreaterOrEqual(c, at, before, "job %d before the one in front of it", i+1)
		before = at
	}
	u.close()
}

// A chain of jobs goes to and fro between two engines: each waits for the one
// before.
func s19Dependencies(c *Case) {
	u := c.open()
	queues := []uint32{u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.NewQueue(abi.EngineCopy, fw.PriorityHigh)}
	const n = 16 << 10
	from := u.NewBuffer(n, abi.BODevice)
	from.Write(0, pattern(n, 7))
	var done []abi.Sync
	var last *Job
	for i := range 10 {
		to := u.NewBuffer(n, abi.BODevice)
		last = u.Start(queues[i%2], &Job{Packets: []abi.Packet{Copy(to.Addr, from.Addr, n)}, Buffers: []*Buffer{from, to}, In: done})
		done, from = []abi.Sync{{Syncobj: last.Done}}, to
	}
	assert.Zero(c, c.ended(u, last, 1e9))
	assert.Equal(c, pattern(n, 7), from.Read(0, n))
	u.close()
}

func s19Full(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	u.Start(q, u.hang(20e6))
	x := newSpoiled(u)
	x.queue = q
	n := 0
	var err error
	for ; err == nil && n < 1<<16; n++ {
		err = x.submit(func(a *abi.Submit) { a.Flags = abi.SubmitNonblock })
	}
	c.is(err, unix.EAGAIN)
	assert.Greater(c, n, 100)
	assert.EqualValues(c, n, u.Status(q).LastSubmitted, "what was refused has no number")
	u.close()
}

// Realtime priority is for who may have it.
func s19Realtime(c *Case) {
	u, v := c.open(fw.OpenUnprivileged), c.open()
	for engine := range uint32(abi.NumEngines) {
		c.is(Ioctl(u, abi.NrQueueCreate, &abi.QueueCreate{Engine: engine, Priority: fw.PriorityRealtime}), unix.EACCES)
		for priority := range uint32(fw.PriorityRealtime) {
			u.NewQueue(engine, priority)
		}
		q := v.NewQueue(engine, fw.PriorityRealtime)
		assert.Zero(c, c.ended(v, v.Start(q, nop()), 1e9))
	}
	u.close()
	v.close()
}

// A queue's kernels run on its cores, whatever their packets ask for: one that asks
// for others is a bad packet.
func s19Cores(c *Case) {
	u := c.open()
	cores := Query[abi.DeviceInfo](u, abi.QueryDevice).NumCores
	const first, second = 1, 2
	for _, x := range []struct {
		queue, packet uint32
		want          unix.Errno
	}{{0, 0, 0}, {first, 0, 0}, {first, first, 0}, {first, second, unix.EINVAL}, {first, first | second, 0}, {second, second, 0}, {second, first, unix.EINVAL}} {
		create := abi.QueueCreate{Engine: abi.EngineCompute, Priority: fw.PriorityNormal, CoreMask: x.queue}
		if cores < 2 && x.queue&second != 0 {
			c.is(Ioctl(u, abi.NrQueueCreate, &create), unix.EINVAL, "there is one core")
			continue
		}
		Must(u, abi.NrQueueCreate, &create)
		k, held := u.command(abi.OpKernel, nil)
		k.Cores = x.packet
		j := u.Start(create.Queue, &Job{Packets: []abi.Packet{k}, Buffers: held})
		assert.Equal(c, x.want, c.ended(u, j, 1e9), "cores %#x of a queue, %#x of a packet", x.queue, x.packet)
	}
	c.is(Ioctl(u, abi.NrQueueCreate, &abi.QueueCreate{CoreMask: 1 << cores}), unix.EINVAL, "a core that there is not")
	u.close()
}

// Closing a file with jobs queued ends each of them; a bystander is not touched.
func s19Close(c *Case) {
	u, by := c.open(), c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	u.Start(q, u.hang(4e6))
	for range 60 {
		u.Start(q, nop())
	}
	bq := by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	w := by.copying(16<<10, 2)
	by.Start(bq, w.Job)
	start := c.Now()
	u.close()
	assert.Zero(c, c.ended(by, w.Job, 1e9))
	assert.True(c, w.right())
	assert.Less(c, c.Now()-start, int64(100e6))
	by.close()
}

// backend is a Backend whose jobs end when they are told.
type backend struct {
	k        hw.Kernel
	running  []*fw.Fence
	most     int
	finished int
}

func (b *backend) Run(*fw.Job) (*fw.Fence, error) {
	f := fw.NewFence(b.k)
	b.running = append(b.running, f)
	b.most = max(b.most, len(b.running))
	return f, nil
}

func (b *backend) TimedOut(*fw.Job) bool { return true }

func (b *backend) Free(*fw.Job) { b.finished++ }

func s19Credits(c *Case) {
	for _, credits := range []int{1, 3, 8} {
		b := &backend{k: c.Dev.Bus}
		s := fw.NewScheduler(c.Dev.Bus, "credits", credits, b)
		e := s.NewEntity(fw.PriorityNormal)
		for range 20 {
			e.NewJob().Push()
		}
		for b.finished < 20 {
			c.Sleep(1000)
			require.NotEmpty(c, b.running)
			f := b.running[0]
			b.running = b.running[1:]
			f.Signal(nil)
		}
		assert.Equal(c, credits, b.most)
		require.NoError(c, s.Idle())
		s.End(unix.ENODEV)
		c.Sleep(1000)
	}
}

func s20Bystanders(c *Case) {
	guilty, by := c.open(), c.open()
	gq, bq := guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal), by.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	cq := by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	hung := guilty.Start(gq, guilty.hang(4e6))
	behind := guilty.Start(gq, nop())
	w, far := by.copying(64<<10, 3), by.copying(64<<10, 4)
	w.Timeout, far.Timeout = 0, 0
	by.Start(bq, w.Job)
	by.Start(cq, far.Job)
	assert.Zero(c, c.ended(by, far.Job, 4e6), "the other engine goes on")
	assert.Equal(c, unix.ETIME, c.ended(guilty, hung, 1e9))
	assert.Equal(c, unix.ECANCELED, c.ended(guilty, behind, 1e9))
	assert.Zero(c, c.ended(by, w.Job, 1e9))
	assert.True(c, w.right())
	assert.True(c, far.right())
	assert.Zero(c, by.Status(bq).Guilty)
	assert.Zero(c, by.Status(bq).Error)
	guilty.close()
	by.close()
}

// took is how long a job takes that runs alone on a queue of its own.
func (c *Case) took(u *User, engine uint32, j *Job) int64 {
	c.Helper()
	q := u.NewQueue(engine, fw.PriorityNormal)
	start := c.Now()
	require.Zero(c, c.ended(u, u.Start(q, j), 60e9))
	took := c.Now() - start
	Must(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
	return took
}

// A job that makes progress runs for longer than one with the same time-out that
// makes none, and ends well. It copies as often as that takes on this machine.
func s20Progress(c *Case) {
	u, guilty := c.open(), c.open()
	const timeout = 1e6
	start := c.Now()
	hung := guilty.Start(guilty.NewQueue(abi.EngineCopy, fw.PriorityNormal), guilty.hang(timeout))
	assert.Equal(c, unix.ETIME, c.ended(guilty, hung, 60e9))
	hangs := c.Now() - start
	guilty.close()

	const n, some = 256 << 10, 16
	src, dst := u.NewBuffer(n, abi.BOHost), u.NewBuffer(n, abi.BODevice)
	copies := func(times int) *Job {
		j := &Job{Buffers: []*Buffer{src, dst}, Timeout: timeout}
		for range times {
			j.Packets = append(j.Packets, barred(Copy(dst.Addr, src.Addr, n)))
		}
		return j
	}
	one := c.took(u, abi.EngineCopy, copies(some)) / some
	resets := Query[abi.ResetInfo](u, abi.QueryReset).ResetCount
	took := c.took(u, abi.EngineCopy, copies(int(3*hangs/one)+1))
	assert.Greater(c, took, 2*hangs, "it runs for several time-outs")
	assert.Equal(c, resets, Query[abi.ResetInfo](u, abi.QueryReset).ResetCount)
	u.close()
}

// The context of a job that hangs is the open file: what waits on any of its
// queues is cancelled, and later submissions are refused, by new queues too.
// Another file of the same program is another context.
func s20Guilty(c *Case) {
	u := c.open()
	v := c.again(u)
	q, second := u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	hung := u.Start(q, u.hang(2e6))
	waits := nop()
	waits.In = []abi.Sync{{Syncobj: hung.Done}}
	u.Start(second, waits)
	assert.Equal(c, unix.ETIME, c.ended(u, hung, 1e9))
	s := u.Status(q)
	assert.EqualValues(c, 1, s.Guilty)
	assert.EqualValues(c, hung.Seqno, s.FailedSeqno)
	assert.EqualValues(c, -int32(unix.ETIME), s.Error)
	assert.EqualValues(c, 1, s.ResetCount)
	assert.Equal(c, unix.ECANCELED, c.ended(u, waits, 1e9), "what waits on another queue")
	assert.Zero(c, u.Status(second).Guilty, "which has caused no reset")
	fresh := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	for _, queue := range []uint32{q, second, fresh} {
		c.is(u.Submit(queue, nop()), unix.ECANCELED)
	}
	vq := v.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	assert.Zero(c, c.ended(v, v.Start(vq, nop()), 1e9), "a new file of the same program")
	u.close()
	v.close()
}
