package fwtest

import (
	"io/fs"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

func s22Mappings(c *Case) {
	u := c.open()
	dev, host := u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BOHost)
	dev.Write(0, pattern(4096, 1))
	host.Write(0, pattern(4096, 2))
	c.Unbind()
	for _, b := range []*Buffer{dev, host} {
		_, err := b.Map().ReadAt(make([]byte, 8), 0)
		c.is(err, unix.EIO)
		_, err = b.Map().WriteAt(make([]byte, 8), 0)
		c.is(err, unix.EIO)
	}
	assert.Nil(c, host.Map().Bytes())
	u.close()
}

// Whatever programs and those who look on do after remove, no register is touched.
func s22NoAccess(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	b := u.NewBuffer(4096, abi.BODevice)
	b.Map()
	u.Start(q, u.hang(5e6))
	c.Sleep(100e3)
	sysfs, debugfs := names(c.Sysfs()), names(c.Debugfs())
	d := c.Dev
	c.Unbind()
	before := d.Bus.n
	_ = Ioctl(u, abi.NrQuery, &abi.Query{Type: abi.QueryTelemetry})
	_ = Ioctl(u, abi.NrGemClose, &abi.GemClose{Handle: b.Handle})
	_, _ = b.Map().ReadAt(make([]byte, 8), 0)
	for _, name := range sysfs {
		_, _ = fs.ReadFile(c.Sysfs(), name)
	}
	for _, name := range debugfs {
		_, _ = fs.ReadFile(c.Debugfs(), name)
	}
	u.close()
	c.Sleep(100e6)
	assert.Equal(c, before, d.Bus.n, "accesses to registers after remove: %v", d.Bus.Last())
}

// names lists the readable files of a tree.
func names(tree fs.FS) (out []string) {
	_ = fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, name)
		}
		return nil
	})
	return out
}

// Whatever needs a mapping makes it in a section: a handle that another file has
// exported is mapped by the first call that names it. The bus is watched.
func s22Imported(c *Case) {
	u := c.open()
	b := u.NewBuffer(64<<10, abi.BODevice)
	fd := b.export()
	for _, use := range []func(v *User, handle uint32){
		func(v *User, handle uint32) { Must(v, abi.NrBOInfo, &abi.BOInfo{Handle: handle}) },
		func(v *User, handle uint32) {
			q := v.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			j := nop()
			j.Buffers = []*Buffer{{p: v, Handle: handle}}
			assert.Zero(c, c.ended(v, v.Start(q, j), 1e9))
		},
	} {
		v := c.again(u)
		a := abi.PrimeHandle{FD: fd}
		Must(v, abi.NrPrimeFDToHandle, &a)
		use(v, a.Handle)
		v.close()
	}
	require.NoError(c, u.node.CloseFD(fd))
	u.close()
}

// A register read that is under way holds the remove up.
func s22Sections(c *Case) {
	u := c.open()
	d := c.Dev
	inside, ended := false, false
	snapshot := abi.Offset(&abi.Telemetry, "SNAPSHOT")
	d.Bus.OnWrite = func(off uint64, _ uint32) bool {
		if off == snapshot && !inside {
			inside = true
			d.Bus.Sleep(5e6)
			ended = true
		}
		return true
	}
	join := c.Spawn(func() { assert.NoError(c, Ioctl(u, abi.NrQuery, &abi.Query{Type: abi.QueryTelemetry})) })
	c.Sleep(1e6)
	require.True(c, inside)
	require.False(c, ended)
	c.Unbind()
	assert.True(c, ended, "remove has waited for the section")
	join()
	u.close()
}

func s23Fences(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	hung := u.Start(q, u.hang(0))
	queued := u.Start(q, nop())
	files := []int32{u.syncFile(hung.Done), u.syncFile(queued.Done)}
	event, err := u.node.NewEventfd()
	require.NoError(c, err)
	Must(u, abi.NrSyncobjEventfd, &abi.SyncobjEventfd{Handle: hung.Done, FD: event})
	waits := 0
	join := c.Spawn(func() {
		assert.NoError(c, u.Wait(hung.Done, Forever))
		waits++
	})
	c.Sleep(1e6)
	c.Unbind()
	join()
	assert.Equal(c, 1, waits, "a wait that was under way ends")
	_, err = u.node.ReadEventfd(event, c.Now()+1e9)
	require.NoError(c, err)
	for _, fd := range files {
		s, err := u.node.FenceStatus(fd)
		require.NoError(c, err)
		assert.Equal(c, -int(unix.ENODEV), s)
	}
	for _, fd := range append(files, event) {
		require.NoError(c, u.node.CloseFD(fd))
	}
	u.close()
}

func s23Replug(c *Case) {
	u := c.open()
	old, _ := u.fdinfo("drm-client-id")
	u.NewBuffer(1<<20, abi.BODevice)
	minor := c.Minor()
	for range 3 {
		c.Unbind()
		require.NoError(c, c.Bind())
		assert.Equal(c, minor, c.Minor(), "the lowest free minor")
		c.is(Ioctl(u, abi.NrVersion, &abi.VersionInfo{}), unix.ENODEV, "the old file stays dead")
		v := c.open()
		id, _ := v.fdinfo("drm-client-id")
		assert.NotEqual(c, old, id)
		v.close()
		c.healthy()
	}
	u.close()
	c.healthy()
	var actions []string
	for _, e := range c.Uevents() {
		actions = append(actions, e.Action)
	}
	assert.Equal(c, []string{"add", "remove", "add", "remove", "add", "remove", "add"}, actions)
}

// What programs have left in device memory is gone when the driver comes back.
func s23Data(c *Case) {
	const secret = 0x5ec2e75ec2e75ec2
	u := c.open()
	_, size := c.pieces(u, secret)
	u.close()
	c.Unbind()
	require.NoError(c, c.Bind())
	v := c.open()
	out := v.NewBuffer(4096, abi.BOHost)
	for i := range v.available() / size {
		b := v.NewBuffer(size, abi.BODevice)
		require.Zero(c, c.one(v, Copy(out.Addr, b.Addr, 4096), b, out))
		for word := range int64(512) {
			require.NotEqualValues(c, uint64(secret), out.word(word), "piece %d", i)
		}
	}
	v.close()
}
