package fwtest

import (
	"encoding/binary"

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
