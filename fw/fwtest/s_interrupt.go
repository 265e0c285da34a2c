package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// calling is a thread in an ioctl.
type calling struct {
	Thread
	arg   []byte
	err   error
	ended bool
}

// calls has a thread call an ioctl with bytes; it waits by the time this returns.
func (c *Case) calls(u *User, request uint32, arg []byte) *calling {
	x := &calling{arg: arg}
	x.Thread = c.Thread(func() {
		x.err = u.raw(request, arg)
		x.ended = true
	})
	c.Sleep(1e6)
	return x
}

// A wait that a signal ends gives EINTR and has changed nothing: called again with
// the same struct it goes on, until the same absolute time.
func s11Interrupted(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	never := u.NewSyncobj()
	waits, timelineWaits := abi.RequestOf[abi.SyncobjWait](abi.NrSyncobjWait), abi.RequestOf[abi.SyncobjTimelineWait](abi.NrSyncobjTimeWait)
	for _, x := range []struct {
		name    string
		request uint32
		arg     func(until int64) []byte
	}{
		{"SYNCOBJ_WAIT for a submission", waits, func(until int64) []byte {
			return bytesOf(&abi.SyncobjWait{Handles: u.Array(never), Count: 1, TimeoutNS: until, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99})
		}},
		{"SYNCOBJ_WAIT for a job", waits, func(until int64) []byte {
			return bytesOf(&abi.SyncobjWait{Handles: u.Array(u.Start(q, u.hang(30e6)).Done), Count: 1, TimeoutNS: until, FirstSignaled: 99})
		}},
		{"SYNCOBJ_TIMELINE_WAIT", timelineWaits, func(until int64) []byte {
			return bytesOf(&abi.SyncobjTimelineWait{Handles: u.Array(never), Points: u.Array64(7), Count: 1, TimeoutNS: until, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99})
		}},
	} {
		until := c.Now() + 10e6
		arg := x.arg(until)
		before := append([]byte(nil), arg...)
		for range 2 {
			w := c.calls(u, x.request, arg)
			require.False(c, w.ended, "%s waits", x.name)
			start := c.Now()
			w.Signal()
			w.Join()
			c.is(w.err, unix.EINTR, x.name)
			assert.Less(c, c.Now()-start, int64(1e6), "%s: at once", x.name)
			assert.Equal(c, before, arg, "%s: its struct is as it was", x.name)
		}
		c.is(u.raw(x.request, arg), unix.ETIME, "%s, again", x.name)
		assert.InDelta(c, until, c.Now(), 1e6, "%s: until the time that was given first", x.name)
	}
	// Called again it sees what has come meanwhile.
	again := bytesOf(&abi.SyncobjWait{Handles: u.Array(never), Count: 1, TimeoutNS: Forever, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99})
	w := c.calls(u, abi.RequestOf[abi.SyncobjWait](abi.NrSyncobjWait), again)
	w.Signal()
	w.Join()
	c.is(w.err, unix.EINTR)
	Must(u, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: u.Array(never), Count: 1})
	require.NoError(c, u.raw(abi.RequestOf[abi.SyncobjWait](abi.NrSyncobjWait), again))
	assert.Zero(c, abi.Load[abi.SyncobjWait](again).FirstSignaled)
	// TRANSFER waits for a submission too.
	move := bytesOf(&abi.SyncobjTransfer{Src: u.NewSyncobj(), Dst: u.NewSyncobj(), DstPoint: 3, Flags: abi.SyncobjWaitForSubmit})
	before := append([]byte(nil), move...)
	w = c.calls(u, abi.RequestOf[abi.SyncobjTransfer](abi.NrSyncobjTransfer), move)
	w.Signal()
	w.Join()
	c.is(w.err, unix.EINTR)
	assert.Equal(c, before, move)
	// One that does not wait for a program is not concerned.
	idle := c.Thread(func() { c.Sleep(2e6); Must(u, abi.NrVersion, &abi.VersionInfo{}) })
	c.Sleep(1e6)
	idle.Signal()
	idle.Join()
	u.close()
}

// A SUBMIT that waits for a place in its queue and is interrupted has armed
// nothing; called again it gets the number that comes next.
func s11InterruptedSubmit(c *Case) {
	u := c.open()
	x := newSpoiled(u)
	u.Start(x.queue, u.hang(40e6))
	var err error
	for err == nil {
		err = x.submit(func(a *abi.Submit) { a.Flags = abi.SubmitNonblock })
	}
	c.is(err, unix.EAGAIN)
	n := u.Status(x.queue).LastSubmitted
	arg := bytesOf(&abi.Submit{Queue: x.queue, CommandBO: x.cmd.Handle, Length: 16, NumBOs: 1, BOs: x.Array(x.data.Handle), Seqno: 77,
		OutSyncs: x.syncs([]abi.Sync{{Syncobj: x.syncobj}}), NumOutSync: 1})
	before := append([]byte(nil), arg...)
	w := c.calls(u, abi.RequestOf[abi.Submit](abi.NrSubmit), arg)
	require.False(c, w.ended)
	w.Signal()
	w.Join()
	c.is(w.err, unix.EINTR)
	assert.Equal(c, before, arg)
	assert.Equal(c, n, u.Status(x.queue).LastSubmitted)
	c.is(u.Wait(x.syncobj, 0), unix.EINVAL, "nothing is in the out-sync")
	u.close()
}

// Nobody waits for ever on a device that is gone, or on a file that another
// thread has closed.
func s11WaitsEnd(c *Case) {
	u, v := c.open(), c.open()
	wait := func(u *User) *calling {
		return c.calls(u, abi.RequestOf[abi.SyncobjWait](abi.NrSyncobjWait),
			bytesOf(&abi.SyncobjWait{Handles: u.Array(u.NewSyncobj()), Count: 1, TimeoutNS: Forever, Flags: abi.SyncobjWaitForSubmit}))
	}
	closed, unplugged := wait(u), wait(v)
	require.False(c, closed.ended)
	u.close()
	closed.Join()
	c.is(closed.err, unix.EBADF)
	assert.Len(c, c.Dev.Driver.Files(), 1, "with the wait the last of the file has gone")
	require.False(c, unplugged.ended)
	c.Unbind()
	unplugged.Join()
	c.is(unplugged.err, unix.ENODEV)
	v.close()
}
