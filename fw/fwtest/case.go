package fwtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// open opens the node for a new program.
func (c *Case) open(flags ...fw.OpenFlags) *User {
	c.Helper()
	n, err := c.OpenNode(flags...)
	require.NoError(c, err)
	return &User{t: c.TB, node: n}
}

// again opens the node once more within a program.
func (c *Case) again(u *User) *User {
	c.Helper()
	n, err := c.AgainNode(u.node)
	require.NoError(c, err)
	return &User{t: c.TB, node: n}
}

// close closes the node and what the program has mapped.
func (u *User) close() {
	u.t.Helper()
	u.unmapAll()
	require.NoError(u.t, u.node.Close())
}

// is holds that a call ends with an errno, 0 for none.
func (c *Case) is(err error, want unix.Errno, what ...any) {
	c.Helper()
	assert.Equal(c, want, fw.Errno(err), what...)
}

// node is the directory of the device in sysfs.
func (c *Case) sysDir() string { return fmt.Sprintf("class/accel/accel%d/", c.Minor()) }

// sys reads a file of the device in sysfs, without the line's end.
func (c *Case) sys(name string) string {
	c.Helper()
	p, err := fs.ReadFile(c.Sysfs(), c.sysDir()+name)
	require.NoError(c, err)
	return strings.TrimSuffix(string(p), "\n")
}

func (c *Case) debugDir() string { return "accel/" + c.Address() + "/" }

// debug reads a file of the device in debugfs.
func (c *Case) debug(name string) string {
	c.Helper()
	p, err := fs.ReadFile(c.Debugfs(), c.debugDir()+name)
	require.NoError(c, err)
	return string(p)
}

// fdinfo returns the value of a key; false if there is none.
func (u *User) fdinfo(key string) (string, bool) {
	for _, line := range strings.Split(u.node.FDInfo(), "\n") {
		if v, ok := strings.CutPrefix(line, key+":\t"); ok {
			return v, true
		}
	}
	return "", false
}

// number is fdinfo's value of a key that has to be there, as a number.
func (u *User) number(key string) (v uint64) {
	u.t.Helper()
	text, ok := u.fdinfo(key)
	require.True(u.t, ok, "fdinfo has no %s", key)
	_, err := fmt.Sscan(text, &v)
	require.NoError(u.t, err, key)
	return v
}

// pattern is n bytes that differ from place to place and by seed.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7+i>>8) + seed
	}
	return p
}

// nop is a job that does nothing.
func nop() *Job { return &Job{Packets: []abi.Packet{{Op: abi.OpNop}}} }

// hang is a job that waits for a slot that nobody writes.
func (u *User) hang(timeout uint64) *Job {
	u.t.Helper()
	slot := u.NewBuffer(4096, abi.BOHost)
	return &Job{Packets: []abi.Packet{WaitFor(slot.Addr, 1)}, Buffers: []*Buffer{slot}, Timeout: timeout}
}

// work is a job with a result: a copy from host memory to the device and back.
type work struct {
	*Job
	src, mid, dst *Buffer
	want          []byte
}

// copying makes such a job of n bytes.
func (u *User) copying(n int, seed byte) *work {
	u.t.Helper()
	w := &work{src: u.NewBuffer(uint64(n), abi.BOHost), mid: u.NewBuffer(uint64(n), abi.BODevice),
		dst: u.NewBuffer(uint64(n), abi.BOHost), want: pattern(n, seed)}
	w.src.Write(0, w.want)
	back := Copy(w.dst.Addr, w.mid.Addr, uint64(n))
	back.Flags = abi.FlagBarrier
	w.Job = &Job{Packets: []abi.Packet{Copy(w.mid.Addr, w.src.Addr, uint64(n)), back},
		Buffers: []*Buffer{w.src, w.mid, w.dst}, Timeout: 3e6}
	return w
}

// right holds that the result is there.
func (w *work) right() bool { return bytes.Equal(w.want, w.dst.Read(0, len(w.want))) }

// healthy holds that a new program's copies end well, on both engines.
func (c *Case) healthy() {
	c.Helper()
	u := c.open()
	for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
		q := u.NewQueue(engine, fw.PriorityNormal)
		w := u.copying(16<<10, byte(engine)+1)
		require.NoError(c, u.Finish(q, u.Start(q, w.Job)), "a healthy job")
		require.True(c, w.right(), "a healthy job's data")
	}
	u.close()
}

// syncFile exports the fence that a syncobj holds.
func (u *User) syncFile(syncobj uint32) int32 {
	u.t.Helper()
	a := abi.SyncobjHandle{Handle: syncobj, Flags: abi.SyncobjSyncFile}
	Must(u, abi.NrSyncobjHandleToFD, &a)
	return a.FD
}

// fenceError is the errno that a job's fence was signalled with, as a sync file
// says it.
func (u *User) fenceError(j *Job) unix.Errno {
	u.t.Helper()
	fd := u.syncFile(j.Done)
	s, err := u.node.FenceStatus(fd)
	require.NoError(u.t, err)
	require.NoError(u.t, u.node.CloseFD(fd))
	require.NotZero(u.t, s, "the fence is pending")
	if s == 1 {
		return 0
	}
	return unix.Errno(-s)
}

// ended waits, a bounded time, for a job to end and returns its fence's errno.
func (c *Case) ended(u *User, j *Job, within int64) unix.Errno {
	c.Helper()
	require.NoError(c, u.Wait(j.Done, c.Now()+within), "a fence has to be signalled within %d ns", within)
	return u.fenceError(j)
}
