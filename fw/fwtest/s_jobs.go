package fwtest

import (
	"encoding/binary"
	"math"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// A SUBMIT that is refused arms nothing: no sequence number, nothing in its
// out-syncs, no buffer held.
func s17Refused(c *Case) {
	u := c.open()
	x := newSpoiled(u)
	for name, change := range map[string]func(a *abi.Submit){
		"queue": func(a *abi.Submit) { a.Queue = 9 }, "buffer": func(a *abi.Submit) { a.BOs = x.Array(999) },
		"in-sync": x.in(abi.Sync{Syncobj: 99}), "address": func(a *abi.Submit) { a.BOs = 8 },
		"second out-sync": func(a *abi.Submit) {
			a.NumOutSync, a.OutSyncs = 2, x.syncs([]abi.Sync{{Syncobj: x.syncobj}, {Syncobj: 99}})
		},
	} {
		sound := x.out(abi.Sync{Syncobj: x.syncobj})
		require.Error(c, x.submit(func(a *abi.Submit) { sound(a); change(a) }), name)
		c.is(u.Wait(x.syncobj, 0), unix.EINVAL, "%s: nothing is in the out-sync", name)
	}
	before := u.available()
	require.NoError(c, x.submit(x.out(abi.Sync{Syncobj: x.syncobj})))
	require.NoError(c, u.Wait(x.syncobj, c.Now()+1e9))
	assert.EqualValues(c, 1, u.Status(x.queue).LastSubmitted)
	assert.Equal(c, before, u.available())
	u.close()
}

// starved is a bus that gives no memory while starving.
type starved struct {
	hw.Bus
	starving bool
	refused  int
}

func (s *starved) AllocDMA(n int64) (*hw.DMA, error) {
	if s.starving {
		s.refused++
		return nil, hw.ErrNoMemory
	}
	return s.Bus.AllocDMA(n)
}

func (s *starved) AllocPages(n int64) (*hw.Pages, error) {
	if s.starving {
		s.refused++
		return nil, hw.ErrNoMemory
	}
	return s.Bus.AllocPages(n)
}

// Jobs that are armed need no more memory: with none to be had, they all run to
// their end, and a hang among them is recovered from.
func s17Allocations(c *Case) {
	c.Dev.Remove()
	bus := &starved{Bus: c.Dev.Bus}
	require.NoError(c, c.Dev.ProbeOn(bus))
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	w := u.copying(32<<10, 3)
	guilty := c.open()
	hung := guilty.hang(2e6)
	bad := guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	w.dst.Map()
	first := guilty.Start(bad, hung)
	u.Start(q, w.Job)
	bus.starving = true
	assert.Equal(c, unix.ETIME, c.ended(guilty, first, 1e9))
	assert.Zero(c, c.ended(u, w.Job, 1e9))
	assert.True(c, w.right())
	_, err := bus.AllocPages(4096)
	require.Error(c, err)
	bus.starving = false
	u.close()
	guilty.close()
}

// Each slot for a job's fence is reserved before anything is armed: when one
// cannot be had, SUBMIT fails and has changed nothing.
func s17Slots(c *Case) {
	u := c.open()
	x := newSpoiled(u)
	more := []*Buffer{u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BOHost)}
	job := func(a *abi.Submit) {
		a.NumBOs, a.BOs = 4, x.Array(x.data.Handle, more[0].Handle, more[1].Handle, more[0].Handle)
		x.out(abi.Sync{Syncobj: x.syncobj})(a)
	}
	const distinct = 4 // the commands' among them
	refused := 0
	for ; ; refused++ {
		require.LessOrEqual(c, refused, distinct)
		n := 0
		c.Dev.Driver.OnReserve(func() error {
			if n++; n > refused {
				return unix.ENOMEM
			}
			return nil
		})
		if err := x.submit(job); err == nil {
			break
		} else {
			c.is(err, unix.ENOMEM, "slot %d", refused+1)
		}
		assert.Zero(c, u.Status(x.queue).LastSubmitted)
		c.is(u.Wait(x.syncobj, 0), unix.EINVAL, "nothing is in the out-sync")
	}
	assert.Equal(c, distinct, refused, "a slot in each of the job's buffers")
	c.Dev.Driver.OnReserve(nil)
	require.NoError(c, u.Wait(x.syncobj, c.Now()+1e9))
	require.NoError(c, x.submit(job), "and nothing is left locked")
	assert.EqualValues(c, 2, u.Status(x.queue).LastSubmitted)
	u.close()
}

// The fence of a job is in the reservations of its buffers, for every file that
// has a handle of them, until it is signalled.
func s17Reservations(c *Case) {
	u := c.open()
	other := c.again(u)
	shared, ro := u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BODevice|abi.BOReadOnly)
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	hung := u.hang(3e6)
	hung.Buffers = append(hung.Buffers, shared, ro)
	u.Start(q, hung)
	out := abi.PrimeHandle{Handle: shared.Handle}
	Must(u, abi.NrPrimeHandleToFD, &out)
	in := abi.PrimeHandle{FD: out.FD}
	Must(other, abi.NrPrimeFDToHandle, &in)
	require.NoError(c, u.node.CloseFD(out.FD))
	of := func(file int, handle uint32, usage fw.Usage) bool {
		o, err := c.Dev.Driver.Files()[file].Object(handle)
		require.NoError(c, err)
		defer o.Put()
		return o.Reservation().Idle(usage)
	}
	idle := func(b *Buffer, usage fw.Usage) bool { return of(0, b.Handle, usage) }
	assert.False(c, of(1, in.Handle, fw.UsageWrite), "the importer sees it")
	for _, x := range []struct {
		b                     *Buffer
		kernel, writes, reads bool // idle
	}{{shared, true, false, false}, {ro, true, true, false}, {hung.Commands, true, true, false}} {
		assert.Equal(c, x.kernel, idle(x.b, fw.UsageKernel))
		assert.Equal(c, x.writes, idle(x.b, fw.UsageWrite))
		assert.Equal(c, x.reads, idle(x.b, fw.UsageRead))
	}
	assert.Equal(c, unix.ETIME, c.ended(u, hung, 1e9))
	for _, b := range []*Buffer{shared, ro, hung.Commands} {
		assert.True(c, idle(b, fw.UsageBookkeep))
	}
	u.close()
	other.close()
}

func s18Timeout(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	assert.Zero(c, c.ended(u, u.Start(q, nop()), 1e9))
	for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
		bad := c.open()
		j := bad.Start(bad.NewQueue(engine, fw.PriorityNormal), bad.hang(2e6))
		assert.Equal(c, unix.ETIME, c.ended(bad, j, 1e9))
		bad.close()
	}
	assert.Zero(c, c.ended(u, u.Start(q, nop()), 1e9), "and goes on")
	u.close()
}

// Each kind of failure has its errno in the fence.
func s18Errors(c *Case) {
	u := c.open()
	b := u.NewBuffer(4096, abi.BODevice)
	ro := u.NewBuffer(4096, abi.BODevice|abi.BOReadOnly)
	for name, x := range map[string]struct {
		k    abi.Packet
		want unix.Errno
	}{
		"address":    {Copy(b.Addr, 1<<40, 64), unix.EFAULT},
		"permission": {Copy(ro.Addr, b.Addr, 64), unix.EFAULT},
		"descriptor": {abi.Packet{Op: abi.OpKernel, Addr: b.Addr, Value: abi.KernelSize}, unix.EINVAL},
		"no rows":    {abi.Packet{Op: abi.OpCopy, Src: b.Addr, Dst: b.Addr, Counts: [2]uint32{1, 1}}, unix.EINVAL},
	} {
		q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		j := u.Start(q, &Job{Packets: []abi.Packet{Fill(b.Addr, 0, 4096), {Op: abi.OpBarrier, Value: 7}, x.k}, Buffers: []*Buffer{b, ro}})
		assert.Equal(c, x.want, c.ended(u, j, 1e9), name)
		assert.EqualValues(c, -int32(x.want), u.Status(q).Error, name)
		assert.Zero(c, c.ended(u, u.Start(q, nop()), 1e9), "%s: the queue goes on", name)
	}
	u.close()
}

func s18Close(c *Case) {
	u := c.open()
	v := c.again(u)
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	var fds []int32
	for i := range 30 {
		j := nop()
		if i == 0 {
			j = u.hang(3e6)
		}
		fds = append(fds, u.syncFile(u.Start(q, j).Done))
	}
	c.Sleep(200e3)
	start := c.Now()
	u.close()
	c.Sleep(50e6)
	assert.Less(c, c.Now()-start, int64(200e6))
	first, err := v.node.FenceStatus(fds[0])
	require.NoError(c, err)
	assert.Equal(c, -int(unix.ETIME), first)
	for _, fd := range fds {
		s, err := v.node.FenceStatus(fd)
		require.NoError(c, err)
		assert.NotZero(c, s, "the fence is pending")
		require.NoError(c, v.node.CloseFD(fd))
	}
	d := v.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	w := v.copying(4096, 1)
	v.Start(d, w.Job)
	Must(v, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: d})
	require.NoError(c, v.Wait(w.Done, c.Now()+1e9))
	v.close()
}

func s18Reset(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	j := u.Start(q, u.hang(0))
	c.Sleep(100e3)
	require.NoError(c, c.StoreDebug(c.debugDir()+"reset", "1"))
	assert.Equal(c, unix.EIO, c.ended(u, j, 1e9), "what had begun is lost")
	w := u.copying(4096, 2)
	u.Start(q, w.Job)
	assert.Zero(c, c.ended(u, w.Job, 1e9))
	assert.True(c, w.right())
	u.close()
}

func s18Unplug(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	var fds []int32
	fds = append(fds, u.syncFile(u.Start(q, u.hang(0)).Done))
	for range 20 {
		fds = append(fds, u.syncFile(u.Start(q, nop()).Done))
	}
	c.Sleep(100e3)
	start := c.Now()
	c.Unbind()
	assert.Less(c, c.Now()-start, int64(190e6), "a reset ends what hangs: nobody waits for it to stop by itself")
	for _, fd := range fds {
		s, err := u.node.FenceStatus(fd)
		require.NoError(c, err)
		assert.Equal(c, -int(unix.ENODEV), s)
		require.NoError(c, u.node.CloseFD(fd))
	}
	u.close()
}

// stamp is a job that writes the device's time to a slot.
func (b *Buffer) stamp(slot uint64) *Job {
	return &Job{Packets: []abi.Packet{{Op: abi.OpTimestamp, Addr: b.Addr + 8*slot}}, Buffers: []*Buffer{b}}
}

func (b *Buffer) word(slot int64) uint64 { return binary.LittleEndian.Uint64(b.Read(8*slot, 8)) }

// A job that makes progress for ages holds up neither the end of its queue nor
// that of its file. With a queue that is destroyed end its jobs alone: those of
// another queue of the file, behind it on the ring, go on.
func s18Endless(c *Case) {
	by := c.open()
	w := by.copying(16<<10, 6)
	for _, destroy := range []bool{true, false} {
		u := c.open()
		const n = 256 << 10
		src, dst := u.NewBuffer(n, abi.BOHost), u.NewBuffer(n, abi.BOHost)
		k := Copy(dst.Addr, src.Addr, n)
		k.Counts = [2]uint32{math.MaxUint32, math.MaxUint32} // the same row again and again
		q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j := u.Start(q, &Job{Packets: []abi.Packet{k}, Buffers: []*Buffer{src, dst}, Timeout: 1e6})
		c.Sleep(5e6)
		c.is(u.Wait(j.Done, 0), unix.ETIME, "it runs beyond its time-out")
		other := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		mine := u.copying(16<<10, 8)
		u.Start(other, mine.Job)
		start := c.Now()
		if destroy {
			Must(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
			assert.Equal(c, unix.ETIME, u.fenceError(j))
			for range 2 {
				assert.Zero(c, c.ended(u, mine.Job, 1e9), "a job of another queue")
				assert.True(c, mine.right())
				mine = u.copying(16<<10, 9)
				u.Start(other, mine.Job)
			}
			assert.Zero(c, u.Status(other).Guilty)
		}
		u.close()
		bq := by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		assert.Zero(c, c.ended(by, by.Start(bq, w.Job), 1e9))
		assert.Less(c, c.Now()-start, int64(500e6))
		assert.True(c, w.right())
		w = by.copying(16<<10, 7)
	}
	by.close()
}

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
func (b *backend) Free(*fw.Job)          { b.finished++ }

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

func s20Progress(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	const n = 64 << 10
	src, dst := u.NewBuffer(n, abi.BOHost), u.NewBuffer(n, abi.BODevice)
	j := &Job{Buffers: []*Buffer{src, dst}, Timeout: 1e6}
	for range 150 {
		k := Copy(dst.Addr, src.Addr, n)
		k.Flags = abi.FlagBarrier
		j.Packets = append(j.Packets, k)
	}
	start := c.Now()
	require.NoError(c, u.Finish(q, u.Start(q, j)))
	assert.Greater(c, c.Now()-start, int64(3e6), "it runs for several time-outs")
	assert.Zero(c, u.Status(q).ResetCount)
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

func s21Waits(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	j := u.Start(q, u.hang(20e6))
	start := c.Now()
	c.is(u.Wait(j.Done, 0), unix.ETIME, "0 polls")
	assert.Less(c, c.Now()-start, int64(100e3), "at once")
	c.is(u.Wait(j.Done, start-1), unix.ETIME, "a time that has passed")
	until := c.Now() + 3e6
	c.is(u.Wait(j.Done, until), unix.ETIME)
	assert.GreaterOrEqual(c, c.Now(), until)
	assert.Less(c, c.Now(), until+1e6, "absolute, not from the call on")
	require.NoError(c, u.Wait(j.Done, Forever))
	require.NoError(c, u.Wait(j.Done, 0), "a signalled one does not wait")
	never := u.NewSyncobj()
	c.is(u.Wait(never, c.Now()+1e6), unix.EINVAL, "nothing is submitted")
	w := abi.SyncobjWait{Handles: u.Array(j.Done, never), Count: 2, TimeoutNS: c.Now() + 1e6, Flags: abi.SyncobjWaitForSubmit}
	Must(u, abi.NrSyncobjWait, &w)
	assert.Zero(c, w.FirstSignaled)
	w.Flags |= abi.SyncobjWaitAll
	w.TimeoutNS = c.Now() + 1e6
	c.is(Ioctl(u, abi.NrSyncobjWait, &w), unix.ETIME, "all of them")
	u.close()
}

func s21Timelines(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	line := u.NewSyncobj()
	for point := uint64(10); point <= 30; point += 10 {
		j := nop()
		j.Out = []abi.Sync{{Syncobj: line, Point: point}}
		u.Start(q, j)
	}
	wait := func(point uint64, flags uint32, until int64) error {
		a := abi.SyncobjTimelineWait{Handles: u.Array(line), Points: u.Array64(point), Count: 1, TimeoutNS: until, Flags: flags}
		return Ioctl(u, abi.NrSyncobjTimeWait, &a)
	}
	require.NoError(c, wait(25, 0, c.Now()+1e9), "reached by 30")
	require.NoError(c, wait(30, 0, c.Now()+1e9))
	c.is(wait(31, 0, c.Now()+1e6), unix.EINVAL)
	c.is(wait(31, abi.SyncobjWaitForSubmit, c.Now()+1e6), unix.ETIME)
	value := make([]byte, 8)
	Must(u, abi.NrSyncobjQuery, &abi.SyncobjTimelineArray{Handles: u.Array(line), Points: u.node.Map(value), Count: 1})
	assert.EqualValues(c, 30, binary.LittleEndian.Uint64(value))
	Must(u, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: u.Array(line), Points: u.Array64(40), Count: 1})
	require.NoError(c, wait(40, 0, 0))
	other := u.NewSyncobj()
	Must(u, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: line, Dst: other, SrcPoint: 20})
	require.NoError(c, u.Wait(other, c.Now()+1e9))
	Must(u, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: u.Array(other), Count: 1})
	c.is(u.Wait(other, 0), unix.EINVAL)
	u.close()
}

func s21Eventfd(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	done := u.NewSyncobj()
	fd, err := u.node.NewEventfd()
	require.NoError(c, err)
	Must(u, abi.NrSyncobjEventfd, &abi.SyncobjEventfd{Handle: done, FD: fd})
	_, err = u.node.ReadEventfd(fd, c.Now()+1e6)
	c.is(err, unix.EAGAIN)
	j := nop()
	j.Out = []abi.Sync{{Syncobj: done}}
	u.Start(q, j)
	n, err := u.node.ReadEventfd(fd, c.Now()+1e9)
	require.NoError(c, err)
	assert.EqualValues(c, 1, n)
	require.NoError(c, u.node.CloseFD(fd))
	u.close()
}
