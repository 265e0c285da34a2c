package fwtest

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

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
	wait := func(point uint64, flags uint32, until int64) error { return u.timelineWait(line, point, flags, until) }
	require.NoError(c, wait(25, 0, c.Now()+1e9), "reached by 30")
	require.NoError(c, wait(30, 0, c.Now()+1e9))
	c.is(wait(31, 0, c.Now()+1e6), unix.EINVAL)
	c.is(wait(31, abi.SyncobjWaitForSubmit, c.Now()+1e6), unix.ETIME)
	assert.EqualValues(c, 30, u.timelinePoint(line, 0))
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

// gated starts a job on the compute engine that ends when open is called.
func (u *User) gated() (j *Job, open func()) {
	u.t.Helper()
	slot := u.NewBuffer(4096, abi.BOHost)
	j = u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), &Job{Packets: []abi.Packet{WaitFor(slot.Addr, 1)}, Buffers: []*Buffer{slot}, Timeout: 10e9})
	return j, func() {
		u.t.Helper()
		u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityHigh), &Job{Packets: []abi.Packet{{Op: abi.OpSignal, Addr: slot.Addr, Value: 1}}, Buffers: []*Buffer{slot}})
	}
}

// timelineWait is SYNCOBJ_TIMELINE_WAIT for one point.
func (u *User) timelineWait(syncobj uint32, point uint64, flags uint32, until int64) error {
	a := abi.SyncobjTimelineWait{Handles: u.Array(syncobj), Points: u.Array64(point), Count: 1, TimeoutNS: until, Flags: flags}
	return Ioctl(u, abi.NrSyncobjTimeWait, &a)
}

// timelinePoint is what SYNCOBJ_QUERY says of a timeline.
func (u *User) timelinePoint(syncobj, flags uint32) uint64 {
	u.t.Helper()
	value := make([]byte, 8)
	Must(u, abi.NrSyncobjQuery, &abi.SyncobjTimelineArray{Handles: u.Array(syncobj), Points: u.node.Map(value), Count: 1, Flags: flags})
	return binary.LittleEndian.Uint64(value)
}

// events are eventfds that are told of points, by name.
type events struct {
	c   *Case
	u   *User
	fds map[string]int32
}

func (e *events) of(name string, syncobj uint32, point uint64, flags uint32) {
	e.c.Helper()
	fd, err := e.u.node.NewEventfd()
	require.NoError(e.c, err)
	Must(e.u, abi.NrSyncobjEventfd, &abi.SyncobjEventfd{Handle: syncobj, Flags: flags, Point: point, FD: fd})
	e.fds[name] = fd
}

// are holds which of them have been told since they were asked last.
func (e *events) are(want ...string) {
	e.c.Helper()
	told := map[string]bool{}
	for name, fd := range e.fds {
		patience := int64(1e6)
		if slices.Contains(want, name) {
			patience = 1e9
		}
		if _, err := e.u.node.ReadEventfd(fd, e.c.Now()+patience); err == nil {
			told[name] = true
		}
	}
	assert.ElementsMatch(e.c, want, sorted(told), "eventfds")
}

// A point is signalled with all in front of it, and not with those behind it, for
// whoever asks: waits, eventfds, queries and jobs. That it is submitted is another
// question.
func s21Order(c *Case) {
	u := c.open()
	line := u.NewSyncobj()
	Must(u, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: u.Array(line), Points: u.Array64(10), Count: 1})
	gate, open := u.gated()
	Must(u, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: gate.Done, Dst: line, DstPoint: 20})
	ended := nop()
	ended.Out = []abi.Sync{{Syncobj: line, Point: 30}}
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	require.Zero(c, c.ended(u, u.Start(q, ended), 1e9))
	told := &events{c, u, map[string]int32{}}
	for _, point := range []uint64{10, 20, 30, 40} {
		told.of(fmt.Sprint("reached ", point), line, point, 0)
	}
	told.of("submitted 30", line, 30, abi.SyncobjWaitAvailable)
	told.of("submitted 40", line, 40, abi.SyncobjWaitAvailable)
	behind := map[uint64]*Job{}
	for _, point := range []uint64{10, 20, 30} {
		j := nop()
		j.In = []abi.Sync{{Syncobj: line, Point: point}}
		behind[point] = u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityNormal), j)
	}

	assert.Zero(c, c.ended(u, behind[10], 1e9), "a job behind point 10")
	require.NoError(c, u.timelineWait(line, 10, 0, 0))
	told.are("reached 10", "submitted 30")
	for _, point := range []uint64{20, 30} {
		c.is(u.timelineWait(line, point, 0, c.Now()+1e6), unix.ETIME, "point %d", point)
		c.is(u.Wait(behind[point].Done, 0), unix.ETIME, "a job behind point %d", point)
		require.NoError(c, u.timelineWait(line, point, abi.SyncobjWaitAvailable, 0), "point %d is submitted", point)
	}
	c.is(u.timelineWait(line, 40, abi.SyncobjWaitAvailable, c.Now()+1e6), unix.ETIME, "point 40 is not")
	assert.EqualValues(c, 10, u.timelinePoint(line, 0))
	assert.EqualValues(c, 30, u.timelinePoint(line, abi.SyncobjQueryLastSubmitted))
	none := nop()
	none.In = []abi.Sync{{Syncobj: line, Point: 40}}
	c.is(u.Submit(q, none), unix.EINVAL, "a job behind point 40")

	open()
	require.NoError(c, u.timelineWait(line, 30, 0, c.Now()+1e9))
	for _, point := range []uint64{20, 30} {
		assert.Zero(c, c.ended(u, behind[point], 1e9), "a job behind point %d", point)
	}
	assert.EqualValues(c, 30, u.timelinePoint(line, 0))
	told.are("reached 20", "reached 30")
	Must(u, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: u.Array(line), Points: u.Array64(40), Count: 1})
	told.are("reached 40", "submitted 40")

	other := u.NewSyncobj()
	Must(u, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: line, Dst: other, SrcPoint: 20, DstPoint: 5})
	require.NoError(c, u.timelineWait(other, 5, 0, 0))
	assert.EqualValues(c, 5, u.timelinePoint(other, 0), "the point that TRANSFER was to make")
	for _, fd := range told.fds {
		require.NoError(c, u.node.CloseFD(fd))
	}
	u.close()
}

// A wait for any says which was signalled; one that is created signalled is.
func s21Any(c *Case) {
	u := c.open()
	create := abi.SyncobjCreate{Flags: abi.SyncobjCreateSignaled}
	Must(u, abi.NrSyncobjCreate, &create)
	require.NoError(c, u.Wait(create.Handle, 0), "created signalled")
	gate, open := u.gated()
	wait := func(until int64, all ...uint32) (uint32, error) {
		a := abi.SyncobjWait{Handles: u.Array(all...), Count: uint32(len(all)), TimeoutNS: until, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99}
		err := Ioctl(u, abi.NrSyncobjWait, &a)
		t := abi.SyncobjTimelineWait{Handles: u.Array(all...), Points: u.Array64(make([]uint64, len(all))...), Count: uint32(len(all)),
			TimeoutNS: until, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99}
		assert.Equal(c, err, Ioctl(u, abi.NrSyncobjTimeWait, &t))
		assert.Equal(c, a.FirstSignaled, t.FirstSignaled)
		return a.FirstSignaled, err
	}
	for _, x := range []struct {
		all  []uint32
		want uint32
	}{
		{[]uint32{create.Handle, gate.Done}, 0}, {[]uint32{gate.Done, create.Handle}, 1},
		{[]uint32{u.NewSyncobj(), gate.Done, create.Handle, create.Handle}, 2},
	} {
		first, err := wait(0, x.all...)
		require.NoError(c, err)
		assert.Equal(c, x.want, first)
	}
	_, err := wait(c.Now()+1e6, u.NewSyncobj(), gate.Done)
	c.is(err, unix.ETIME)
	var first uint32
	join := c.Spawn(func() { first, err = wait(c.Now()+1e9, u.NewSyncobj(), gate.Done) })
	c.Sleep(1e6)
	open()
	join()
	require.NoError(c, err)
	assert.EqualValues(c, 1, first, "of a wait that has waited")
	u.close()
}

// A wait goes on for the fence that it has found, though RESET takes it out of the
// syncobj, and SIGNAL or a job puts another there.
func s21Kept(c *Case) {
	u := c.open()
	gate, open := u.gated()
	begin := c.Now()
	var ended int64
	var err error
	join := c.Spawn(func() { err = u.Wait(gate.Done, begin+2e9); ended = c.Now() })
	c.Sleep(1e6)
	objs := &abi.SyncobjArray{Handles: u.Array(gate.Done), Count: 1}
	Must(u, abi.NrSyncobjReset, objs)
	c.is(u.Wait(gate.Done, 0), unix.EINVAL, "nothing is in it")
	c.Sleep(1e6)
	Must(u, abi.NrSyncobjSignal, objs)
	require.NoError(c, u.Wait(gate.Done, 0), "the new one is signalled")
	c.Sleep(1e6)
	opened := c.Now()
	open()
	join()
	require.NoError(c, err)
	assert.GreaterOrEqual(c, ended, opened, "the wait is for the job")
	u.close()
}

// A descriptor of a syncobj is that syncobj, in whichever file; a sync file is the
// fence that was in it.
func s21Shared(c *Case) {
	u := c.open()
	v := c.again(u)
	gate, open := u.gated()
	out := abi.SyncobjHandle{Handle: gate.Done}
	Must(u, abi.NrSyncobjHandleToFD, &out)
	in := abi.SyncobjHandle{FD: out.FD}
	Must(v, abi.NrSyncobjFDToHandle, &in)
	fence := u.syncFile(gate.Done)
	other := v.NewSyncobj()
	c.is(v.Wait(other, 0), unix.EINVAL)
	Must(v, abi.NrSyncobjFDToHandle, &abi.SyncobjHandle{Handle: other, Flags: abi.SyncobjSyncFile, FD: fence})
	for _, x := range []uint32{in.Handle, other} {
		c.is(v.Wait(x, c.Now()+1e6), unix.ETIME, "the job runs")
	}
	Must(u, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: u.Array(gate.Done), Count: 1})
	c.is(v.Wait(in.Handle, 0), unix.EINVAL, "it is one syncobj")
	c.is(v.Wait(other, 0), unix.ETIME, "the sync file's fence is another's, too")
	Must(v, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: v.Array(in.Handle), Count: 1})
	require.NoError(c, u.Wait(gate.Done, 0))
	open()
	require.NoError(c, v.Wait(other, c.Now()+1e9))
	for _, fd := range []int32{out.FD, fence} {
		require.NoError(c, u.node.CloseFD(fd))
	}
	u.close()
	v.close()
}
