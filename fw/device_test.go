package fw_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

func TestAccelExcludesRenderAndModeset(t *testing.T) {
	simulate(t, func(s *system) {
		for _, also := range []uint32{fw.FeatureRender, fw.FeatureModeset} {
			d := newToy()
			d.Features |= also
			_, err := s.class.NewDevice(&d.Driver, "")
			assert.ErrorIs(t, err, unix.EINVAL)
		}
	})
}

func TestMinors(t *testing.T) {
	simulate(t, func(s *system) {
		var devices []*fw.Device
		for i := range fw.MaxMinors {
			d := s.plug(&newToy().Driver)
			assert.Equal(t, i, d.Minor)
			devices = append(devices, d)
		}
		assert.Equal(t, "/dev/accel/accel255", devices[255].Node())
		extra, err := s.class.NewDevice(&newToy().Driver, "")
		require.NoError(t, err)
		assert.ErrorIs(t, extra.Register(), unix.ENOSPC)
		devices[17].Unplug()
		devices[9].Unplug()
		require.NoError(t, extra.Register())
		assert.Equal(t, 9, extra.Minor, "the lowest free one")
	})
}

func TestOpenErrors(t *testing.T) {
	simulate(t, func(s *system) {
		toy := newToy()
		open := func(minor int, flags ...fw.OpenFlags) error {
			_, err := s.class.Open(minor, &fw.Arena{}, flags...)
			return err
		}
		for _, minor := range []int{-1, 0, 255, 256} {
			assert.ErrorIs(t, open(minor), unix.ENODEV)
		}
		d, err := s.class.NewDevice(&toy.Driver, "")
		require.NoError(t, err)
		assert.ErrorIs(t, open(0), unix.ENODEV, "before it is registered")
		require.NoError(t, d.Register())
		assert.ErrorIs(t, open(0, fw.OpenExclusive), unix.EBUSY)
		toy.fail = unix.ENOSPC
		assert.ErrorIs(t, open(0), unix.ENOSPC)
		assert.Empty(t, d.Files(), "an open that the driver fails leaves nothing")
		toy.fail = nil
		f, _ := s.file(d)
		g, _ := s.file(d)
		assert.Greater(t, g.ID, f.ID)
		require.NoError(t, f.Close())
		assert.ErrorIs(t, f.Close(), unix.EBADF)
		assert.ErrorIs(t, call(f, &fw.Arena{}, abi.NrVersion, &abi.VersionInfo{}), unix.EBADF)
		h, _ := s.file(d)
		assert.Greater(t, h.ID, g.ID, "ids never repeat")
		d.Unplug()
		assert.ErrorIs(t, open(0), unix.ENODEV)
	})
}

// Managed actions run in reverse order after the last file is closed; bound ones
// when the driver lets go.
func TestManagedActions(t *testing.T) {
	simulate(t, func(s *system) {
		toy := newToy()
		d, err := s.class.NewDevice(&toy.Driver, "")
		require.NoError(t, err)
		for _, name := range []string{"first", "second"} {
			d.Manage(func() { toy.note("managed " + name) })
			d.ManageBound(func() { toy.note("bound " + name) })
		}
		require.NoError(t, d.Register())
		f, _ := s.file(d)
		o := d.NewObject(4096, toyObject{toy})
		_, err = f.CreateHandle(o)
		require.NoError(t, err)
		o.Put()
		d.Unplug()
		d.Unbind()
		d.Put()
		assert.Equal(t, []string{"open", "bound second", "bound first"}, toy.trail)
		require.NoError(t, f.Close())
		assert.Equal(t, []string{"close object", "release", "postclose", "managed second", "managed first"}, toy.trail[3:])
	})
}

// Unplug waits for those inside, lets nobody in, and is done once.
func TestUnplugWaitsForSections(t *testing.T) {
	simulate(t, func(s *system) {
		d := s.plug(&newToy().Driver)
		require.True(t, d.Enter())
		require.True(t, d.Enter())
		var ended sim.Time
		s.e.Go("unplug", func(*sim.Proc) { d.Unplug(); ended = s.e.Now() })
		s.k.Sleep(10)
		assert.True(t, d.Unplugged())
		assert.False(t, d.Enter())
		d.Exit()
		s.k.Sleep(10)
		assert.Zero(t, ended)
		d.Exit()
		s.k.Sleep(10)
		assert.Equal(t, 20*sim.Nanosecond, ended)
		d.Unplug()
	})
}

func TestDispatch(t *testing.T) {
	simulate(t, func(s *system) {
		d := s.plug(&newToy().Driver)
		f, a := s.file(d)
		buf := make([]byte, 64)
		at := a.Map(buf)
		both := uint32(abi.IoctlRead | abi.IoctlWrite)
		for _, c := range []struct {
			name    string
			request uint32
			arg     uint64
			want    error
		}{
			{"another type", both<<30 | 16<<16 | 'e'<<8 | toyNr, at, unix.ENOTTY},
			{"a number of the driver's that it has not", abi.Request(both, toyNr+1, 16), at, unix.EINVAL},
			{"a number of the core's that it has not", abi.Request(both, 0x3f, 16), at, unix.EINVAL},
			{"a driver's number beyond its range", abi.Request(both, 0xa0, 16), at, unix.EINVAL},
			{"a bad pointer", abi.Request(both, toyNr, 16), 8, unix.EFAULT},
			{"a null pointer", abi.Request(both, toyNr, 16), 0, unix.EFAULT},
			{"a struct that ends outside", abi.Request(both, toyNr, 65), at, unix.EFAULT},
			{"master only", abi.Request(both, abi.NrAuthMagic, 4), at, unix.EACCES},
			{"SET_MASTER", abi.Request(abi.IoctlNone, abi.NrSetMaster, 0), 0, unix.EACCES},
			{"DROP_MASTER", abi.Request(abi.IoctlNone, abi.NrDropMaster, 0), 0, unix.EACCES},
			{"GET_UNIQUE", abi.Request(both, abi.NrGetUnique, 16), at, unix.EINVAL},
			{"GET_MAGIC", abi.Request(both, abi.NrGetMagic, 4), at, unix.EINVAL},
			{"SET_CLIENT_CAP", abi.Request(abi.IoctlWrite, abi.NrSetClientCap, 16), at, unix.EOPNOTSUPP},
			{"good", abi.Request(both, toyNr, 16), at, nil},
		} {
			assert.ErrorIs(t, f.Ioctl(c.request, c.arg), c.want, c.name)
		}
		assert.Equal(t, append(append([]byte(nil), bytesOf(16, 1)...), make([]byte, 48)...), buf, "only the good one ran")
		d.Unplug()
		assert.ErrorIs(t, f.Ioctl(abi.Request(both, toyNr, 16), at), unix.ENODEV)
		assert.ErrorIs(t, f.Ioctl(0, 0), unix.ENODEV, "gone comes before everything else")
	})
}

func bytesOf(n int, v byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = v
	}
	return p
}

// A short struct is extended with zeros, the tail of a long one left alone, and
// the direction bits say what is copied.
func TestStructSizes(t *testing.T) {
	simulate(t, func(s *system) {
		d := s.plug(&newToy().Driver)
		f, a := s.file(d)
		for _, c := range []struct {
			dir  uint32
			size int
			in   byte
			want []byte // of 32 bytes
		}{
			{abi.IoctlRead | abi.IoctlWrite, 16, 5, append(bytesOf(16, 6), bytesOf(16, 5)...)},
			{abi.IoctlRead | abi.IoctlWrite, 4, 5, append(bytesOf(4, 6), bytesOf(28, 5)...)},
			{abi.IoctlRead | abi.IoctlWrite, 32, 5, append(bytesOf(16, 6), bytesOf(16, 5)...)},
			{abi.IoctlRead, 16, 5, append(bytesOf(16, 1), bytesOf(16, 5)...)},
			{abi.IoctlWrite, 16, 5, bytesOf(32, 5)},
			{abi.IoctlNone, 16, 5, bytesOf(32, 5)},
			{abi.IoctlRead | abi.IoctlWrite, 0, 5, bytesOf(32, 5)},
		} {
			buf := bytesOf(32, c.in)
			at := a.Map(buf)
			require.NoError(t, f.Ioctl(abi.Request(c.dir, toyNr, c.size), at))
			assert.Equal(t, c.want, buf, "direction %d, %d bytes", c.dir, c.size)
			a.Unmap(at)
		}
		long := bytesOf(9000, 7)
		require.NoError(t, f.Ioctl(abi.Request(abi.IoctlRead|abi.IoctlWrite, toyNr, 9000), a.Map(long)))
		assert.Equal(t, append(bytesOf(16, 8), bytesOf(9000-16, 7)...), long)
	})
}

func TestVersion(t *testing.T) {
	simulate(t, func(s *system) {
		f, a := s.file(s.plug(&newToy().Driver))
		v := abi.VersionInfo{}
		require.NoError(t, call(f, a, abi.NrVersion, &v))
		assert.Equal(t, abi.VersionInfo{Major: 3, Minor: 2, Patch: 1, NameLen: 3, DateLen: 8, DescLen: 25}, v)
		name := make([]byte, 2)
		v = abi.VersionInfo{NameLen: 2, Name: a.Map(name)}
		require.NoError(t, call(f, a, abi.NrVersion, &v))
		assert.EqualValues(t, 3, v.NameLen, "the full length, though the buffer was shorter")
		assert.Equal(t, "to", string(name))
		v = abi.VersionInfo{DescLen: 9, Desc: 1}
		assert.ErrorIs(t, call(f, a, abi.NrVersion, &v), unix.EFAULT)
	})
}

func TestCapabilities(t *testing.T) {
	simulate(t, func(s *system) {
		plain := newToy()
		plain.Features = fw.FeatureAccel
		f, a := s.file(s.plug(&newToy().Driver))
		g, b := s.file(s.plug(&plain.Driver))
		get := func(f *fw.File, a *fw.Arena, c uint64) (uint64, error) {
			v := abi.GetCap{Capability: c}
			err := call(f, a, abi.NrGetCap, &v)
			return v.Value, err
		}
		for _, c := range []struct{ capability, with, without uint64 }{
			{abi.CapPrime, 3, 0}, {abi.CapSyncobj, 1, 0}, {abi.CapSyncobjTimeline, 1, 0},
		} {
			v, err := get(f, a, c.capability)
			require.NoError(t, err)
			assert.Equal(t, c.with, v)
			v, err = get(g, b, c.capability)
			require.NoError(t, err)
			assert.Equal(t, c.without, v)
		}
		_, err := get(f, a, 0x1)
		assert.ErrorIs(t, err, unix.EOPNOTSUPP)
		assert.ErrorIs(t, call(g, b, abi.NrSyncobjCreate, &abi.SyncobjCreate{}), unix.EOPNOTSUPP)
		assert.ErrorIs(t, call(g, b, abi.NrGemClose, &abi.GemClose{}), unix.EOPNOTSUPP)
	})
}

// Handles are non-zero, the lowest free ones, per file, and each holds its
// object.
func TestHandles(t *testing.T) {
	simulate(t, func(s *system) {
		toy := newToy()
		d := s.plug(&toy.Driver)
		f, a := s.file(d)
		o := d.NewObject(4096, toyObject{toy})
		const n = 3000
		for i := range uint32(n) {
			h, err := f.CreateHandle(o)
			require.NoError(t, err)
			require.Equal(t, i+1, h)
		}
		o.Put()
		for _, h := range []uint32{2000, 64, 65, 1} {
			require.NoError(t, call(f, a, abi.NrGemClose, &abi.GemClose{Handle: h}))
			_, err := f.Object(h)
			require.ErrorIs(t, err, unix.ENOENT)
			require.ErrorIs(t, call(f, a, abi.NrGemClose, &abi.GemClose{Handle: h}), unix.EINVAL, "twice")
		}
		for _, want := range []uint32{1, 64, 65, 2000, n + 1} {
			h, err := f.CreateHandle(o)
			require.NoError(t, err)
			require.Equal(t, want, h)
		}
		for _, h := range []uint32{0, n + 2, 1 << 31, ^uint32(0)} {
			_, err := f.Object(h)
			require.ErrorIs(t, err, unix.ENOENT)
		}
		g, _ := s.file(d)
		_, err := g.Object(1)
		require.ErrorIs(t, err, unix.ENOENT, "handles are the file's own")
		require.NoError(t, f.Close())
		assert.Equal(t, []string{"open", "open", "close object", "release", "postclose"}, toy.trail, "the object's last handle counts")
	})
}

// A file that is closed while an ioctl waits is released when that ends.
func TestCloseDuringIoctl(t *testing.T) {
	simulate(t, func(s *system) {
		toy := newToy()
		toy.Ioctls[toyNr] = fw.Ioctl{Size: 16, Fn: func(f *fw.File, _ []byte) error {
			f.Kernel().Sleep(1000)
			toy.note("ioctl ends")
			return nil
		}}
		f, a := s.file(s.plug(&toy.Driver))
		s.e.Go("caller", func(*sim.Proc) {
			assert.NoError(t, f.Ioctl(abi.Request(abi.IoctlWrite, toyNr, 8), a.Map(make([]byte, 8))))
		})
		s.k.Sleep(10)
		require.NoError(t, f.Close())
		assert.ErrorIs(t, f.Ioctl(abi.Request(abi.IoctlWrite, toyNr, 8), 0), unix.EBADF)
		s.k.Sleep(2000)
		assert.Equal(t, []string{"open", "ioctl ends", "postclose"}, toy.trail)
	})
}

func TestArena(t *testing.T) {
	var a fw.Arena
	x, y := []byte{1, 2, 3, 4}, []byte{5, 6}
	ax, ay := a.Map(x), a.Map(y)
	p := make([]byte, 2)
	require.NoError(t, a.CopyIn(ax+2, p))
	assert.Equal(t, []byte{3, 4}, p)
	require.NoError(t, a.CopyOut(ay, []byte{9, 8}))
	assert.Equal(t, []byte{9, 8}, y)
	for _, at := range []uint64{0, ax - 1, ax + 3, ax + 4, ay + 1, ay - 1, ^uint64(0)} {
		assert.ErrorIs(t, a.CopyIn(at, p), unix.EFAULT, "%#x", at)
	}
	assert.NoError(t, a.CopyIn(0, nil), "no bytes are nowhere")
	a.Unmap(ax)
	assert.ErrorIs(t, a.CopyIn(ax, p), unix.EFAULT)
	assert.NoError(t, a.CopyIn(ay, p))
}
