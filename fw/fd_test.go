package fw_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// A buffer goes from file to file by a descriptor: the same file gets its handle
// back, another one of its own, and the export outlives its exporter.
func TestPrime(t *testing.T) {
	simulate(t, func(s *system) {
		toy := newToy()
		d := s.plug(&toy.Driver)
		f, a := s.file(d)
		g, err := s.class.Open(d.Minor, a) // the same program, another file
		require.NoError(t, err)
		o := d.NewObject(4096, toyObject{toy})
		for range 3 {
			_, err = f.CreateHandle(d.NewObject(4096, toyObject{toy}))
			require.NoError(t, err)
		}
		h, err := f.CreateHandle(o)
		require.NoError(t, err)
		o.Put()
		out := abi.PrimeHandle{Handle: h, Flags: unix.O_CLOEXEC | unix.O_RDWR}
		require.NoError(t, call(f, a, abi.NrPrimeHandleToFD, &out))
		assert.EqualValues(t, 3, out.FD, "the lowest free descriptor")

		back := abi.PrimeHandle{FD: out.FD}
		require.NoError(t, call(f, a, abi.NrPrimeFDToHandle, &back))
		assert.Equal(t, h, back.Handle)
		require.NoError(t, f.Close())
		into := abi.PrimeHandle{FD: out.FD}
		require.NoError(t, call(g, a, abi.NrPrimeFDToHandle, &into))
		again := abi.PrimeHandle{FD: out.FD}
		require.NoError(t, call(g, a, abi.NrPrimeFDToHandle, &again))
		assert.Equal(t, into.Handle, again.Handle)
		got, err := g.Object(into.Handle)
		require.NoError(t, err)
		assert.Same(t, o, got)
		got.Put()
		require.NoError(t, a.CloseFD(out.FD))
		assert.ErrorIs(t, a.CloseFD(out.FD), unix.EBADF)
		require.NoError(t, a.Leaks())
		assert.NotContains(t, toy.trail, "release")
		require.NoError(t, call(g, a, abi.NrGemClose, &abi.GemClose{Handle: into.Handle}))
		assert.Equal(t, "release", toy.trail[len(toy.trail)-1])

		other, b := s.file(s.plug(&newToy().Driver))
		p := other.Dev.NewObject(4096, toyObject{toy})
		ph, err := other.CreateHandle(p)
		require.NoError(t, err)
		exported := abi.PrimeHandle{Handle: ph}
		require.NoError(t, call(other, b, abi.NrPrimeHandleToFD, &exported))
		foreign, err := b.Descriptor(exported.FD)
		require.NoError(t, err)
		fd, err := a.Install(foreign) // handed over, as by a Unix socket
		require.NoError(t, err)
		event, err := a.Install(fw.NewEventfd(s.k))
		require.NoError(t, err)
		for _, c := range []struct {
			name string
			nr   uint32
			arg  abi.PrimeHandle
			want unix.Errno
		}{
			{"export flags", abi.NrPrimeHandleToFD, abi.PrimeHandle{Handle: 1, Flags: 1}, unix.EINVAL},
			{"export handle", abi.NrPrimeHandleToFD, abi.PrimeHandle{Handle: 77}, unix.ENOENT},
			{"import of nothing", abi.NrPrimeFDToHandle, abi.PrimeHandle{FD: 99}, unix.EBADF},
			{"import of a negative number", abi.NrPrimeFDToHandle, abi.PrimeHandle{FD: -1}, unix.EBADF},
			{"import of standard output", abi.NrPrimeFDToHandle, abi.PrimeHandle{FD: 1}, unix.EBADF},
			{"import of an eventfd", abi.NrPrimeFDToHandle, abi.PrimeHandle{FD: event}, unix.EINVAL},
			{"import from another device", abi.NrPrimeFDToHandle, abi.PrimeHandle{FD: fd}, unix.EINVAL},
		} {
			assert.ErrorIs(t, call(g, a, c.nr, &c.arg), c.want, c.name)
		}
	})
}

func (c *client) export(h, flags uint32) int32 {
	a := abi.SyncobjHandle{Handle: h, Flags: flags}
	require.NoError(c, call(c.f, c.a, abi.NrSyncobjHandleToFD, &a))
	return a.FD
}

func TestSyncobjByDescriptor(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		fd := c.export(h, 0)
		in := abi.SyncobjHandle{FD: fd}
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjFDToHandle, &in))
		assert.NotEqual(t, h, in.Handle, "a handle of its own")
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: h}))
		c.attach(in.Handle, 0).Signal(nil)
		_, err := c.wait([]uint32{in.Handle}, nil, 0, 0)
		assert.NoError(t, err)

		event, err := c.a.Install(fw.NewEventfd(c.k))
		require.NoError(t, err)
		empty := c.create(0)
		for _, x := range []struct {
			name string
			nr   uint32
			arg  abi.SyncobjHandle
			want unix.Errno
		}{
			{"export flags", abi.NrSyncobjHandleToFD, abi.SyncobjHandle{Handle: empty, Flags: 4}, unix.EINVAL},
			{"export pad", abi.NrSyncobjHandleToFD, abi.SyncobjHandle{Handle: empty, Pad: 1}, unix.EINVAL},
			{"export handle", abi.NrSyncobjHandleToFD, abi.SyncobjHandle{Handle: 99}, unix.EINVAL},
			{"sync file of no syncobj", abi.NrSyncobjHandleToFD, abi.SyncobjHandle{Handle: 99, Flags: 1}, unix.ENOENT},
			{"sync file of no fence", abi.NrSyncobjHandleToFD, abi.SyncobjHandle{Handle: empty, Flags: 1}, unix.EINVAL},
			{"import flags", abi.NrSyncobjFDToHandle, abi.SyncobjHandle{FD: fd, Flags: 4}, unix.EINVAL},
			{"import of nothing", abi.NrSyncobjFDToHandle, abi.SyncobjHandle{FD: 99}, unix.EINVAL},
			{"import of an eventfd", abi.NrSyncobjFDToHandle, abi.SyncobjHandle{FD: event}, unix.EINVAL},
			{"import of a syncobj as sync file", abi.NrSyncobjFDToHandle, abi.SyncobjHandle{Handle: empty, FD: fd, Flags: 1}, unix.EINVAL},
		} {
			assert.ErrorIs(t, call(c.f, c.a, x.nr, &x.arg), x.want, x.name)
		}
	})
}

// A sync file is the fence of its moment: what the syncobj holds later does not
// change it.
func TestSyncFile(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		f := c.attach(h, 0)
		fd := c.export(h, abi.SyncobjSyncFile)
		c.attach(h, 0)
		d, err := c.a.Descriptor(fd)
		require.NoError(t, err)
		file := d.(*fw.SyncFile)
		assert.Zero(t, file.Status())
		assert.ErrorIs(t, file.Poll(c.k.Now()+100), unix.ETIME)
		other := c.create(0)
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjFDToHandle, &abi.SyncobjHandle{Handle: other, FD: fd, Flags: abi.SyncobjSyncFile}))
		c.later(100, func() { f.Signal(unix.ENODEV) })
		require.NoError(t, file.Poll(forever))
		assert.Equal(t, -int(unix.ENODEV), file.Status())
		_, err = c.wait([]uint32{other}, nil, 0, 0)
		assert.NoError(t, err)
		good := c.attach(h, 0)
		fd = c.export(h, abi.SyncobjSyncFile)
		good.Signal(nil)
		d, err = c.a.Descriptor(fd)
		require.NoError(t, err)
		assert.Equal(t, 1, d.(*fw.SyncFile).Status())
	})
}

func TestSyncobjEventfd(t *testing.T) {
	withClient(t, func(c *client) {
		e := fw.NewEventfd(c.k)
		fd, err := c.a.Install(e)
		require.NoError(t, err)
		h := c.create(0)
		ask := func(point uint64, flags uint32) error {
			return call(c.f, c.a, abi.NrSyncobjEventfd, &abi.SyncobjEventfd{Handle: h, FD: fd, Point: point, Flags: flags})
		}
		require.NoError(t, ask(5, 0), "before anything is submitted")
		require.NoError(t, ask(5, abi.SyncobjWaitAvailable))
		_, err = e.Read(c.k.Now() + 10)
		assert.ErrorIs(t, err, unix.EAGAIN)
		f := c.attach(h, 5)
		n, err := e.Read(c.k.Now() + 10)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n, "available")
		c.later(100, func() { f.Signal(nil) })
		n, err = e.Read(forever)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
		require.NoError(t, ask(5, 0))
		require.NoError(t, ask(4, 0))
		n, err = e.Read(0)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n, "signalled already: at once")
		c.attach(h, 7).Signal(nil)
		_, err = e.Read(0)
		assert.ErrorIs(t, err, unix.EAGAIN, "each tells once")

		file := c.export(h, 0)
		for _, x := range []struct {
			arg  abi.SyncobjEventfd
			want unix.Errno
		}{
			{abi.SyncobjEventfd{Handle: h, FD: fd, Flags: 1}, unix.EINVAL}, {abi.SyncobjEventfd{Handle: h, FD: fd, Pad: 1}, unix.EINVAL},
			{abi.SyncobjEventfd{Handle: 99, FD: fd}, unix.ENOENT}, {abi.SyncobjEventfd{Handle: h, FD: 99}, unix.EBADF},
			{abi.SyncobjEventfd{Handle: h, FD: file}, unix.EINVAL},
		} {
			assert.ErrorIs(t, call(c.f, c.a, abi.NrSyncobjEventfd, &x.arg), x.want)
		}
	})
}
