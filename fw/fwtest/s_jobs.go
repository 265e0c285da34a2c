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

// QUEUE_STATUS counts what is submitted and what has ended, and names the first job
// that failed.
func s18Status(c *Case) {
	u := c.open()
	gate, open := u.gated()
	b := u.NewBuffer(4096, abi.BODevice)
	bad := []*Job{nop(), {Packets: []abi.Packet{Copy(b.Addr, 1<<40, 64)}, Buffers: []*Buffer{b}}, nop(),
		{Packets: []abi.Packet{{Op: abi.OpCopy, Src: b.Addr, Dst: b.Addr, Counts: [2]uint32{1, 1}}}, Buffers: []*Buffer{b}}, nop()}
	q := u.NewQueue(abi.EngineCompute, fw.PriorityHigh)
	for _, j := range bad {
		j.In = []abi.Sync{{Syncobj: gate.Done}}
		u.Start(q, j)
	}
	want := abi.QueueStatus{Queue: q, LastSubmitted: 5, ResetCount: Query[abi.ResetInfo](u, abi.QueryReset).ResetCount}
	assert.Equal(c, want, u.Status(q), "nothing has ended")
	open()
	var ends []unix.Errno
	for _, j := range bad {
		ends = append(ends, c.ended(u, j, 1e9))
	}
	assert.Equal(c, []unix.Errno{0, unix.EFAULT, 0, unix.EINVAL, 0}, ends)
	for deadline := c.Now() + 1e9; u.Status(q).LastCompleted < 5 && c.Now() < deadline; {
		c.Sleep(1e5)
	}
	want.LastCompleted, want.FailedSeqno, want.Error = 5, 2, -int32(unix.EFAULT)
	assert.Equal(c, want, u.Status(q), "everything has ended")
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
