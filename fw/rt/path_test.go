package rt_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// A path that leads to no accel node is refused with the errno, and with what is
// there instead.
func TestOpenPathErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.WriteFile(at("accel3"), nil, 0o600))
	require.NoError(t, unix.Mkfifo(at("pipe"), 0o600))
	for _, x := range []struct {
		path  string
		want  unix.Errno
		texts []string
	}{
		{at("accel0"), unix.ENOENT, []string{at("accel0"), "there are " + at("accel3")}},
		{at("none/accel0"), unix.ENOENT, []string{"no node at all", "driver bound"}},
		{at("file/accel0"), unix.ENOTDIR, []string{"no node at all"}},
		{"/dev/null", unix.ENOTTY, []string{"VERSION", "/dev/null", "no accel node"}},
		{"/dev/zero", unix.ENOTTY, []string{"no accel node"}},
		{at("file"), unix.ENOTTY, []string{"is no device but a file"}},
		{at("pipe"), unix.ENOTTY, []string{"is no device but a pipe"}},
		{dir, unix.EISDIR, []string{dir}},
	} {
		d, err := rt.OpenPath(x.path)
		assert.Nil(t, d)
		assert.ErrorIs(t, err, x.want, x.path)
		for _, text := range x.texts {
			assert.ErrorContains(t, err, text)
		}
	}
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(at("file"), 0))
		_, err := rt.OpenPath(at("file"))
		assert.ErrorIs(t, err, unix.EACCES)
		assert.ErrorContains(t, err, "group")
	} else if unix.Mknod(at("gone"), unix.S_IFCHR|0o600, int(unix.Mkdev(fw.Major, 77))) == nil {
		_, err := rt.OpenPath(at("gone"))
		assert.Contains(t, []unix.Errno{unix.ENXIO, unix.ENODEV, unix.EACCES, unix.EPERM}, fw.Errno(err), "a node without a device")
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, fd := range open {
		to, _ := os.Readlink(fd)
		assert.NotContains(t, to, dir, "a descriptor is left open")
	}
}

// What an ioctl's struct points at reaches the kernel, and its answer comes back:
// here by SIOCGIFCONF, whose struct is a size and a pointer.
func TestNodeIoctl(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	n := rt.NewNode(fd)
	arg, data := make([]byte, 16), make([]byte, 400)
	binary.LittleEndian.PutUint32(arg, uint32(len(data)))
	require.NoError(t, n.Ioctl(unix.SIOCGIFCONF, arg, rt.Ref{Offset: 8, Data: data}))
	got := binary.LittleEndian.Uint32(arg)
	assert.LessOrEqual(t, got, uint32(len(data)))
	assert.Equal(t, got > 0, data[0] != 0, "an interface's name")
	assert.ErrorIs(t, n.Ioctl(abi.RequestOf[abi.Query](abi.NrQuery), make([]byte, 24)), unix.ENOTTY)
	require.NoError(t, n.Close())
	assert.ErrorIs(t, n.Ioctl(unix.SIOCGIFCONF, arg), unix.EBADF)
	_, err = n.Mmap(0, 4096)
	assert.ErrorIs(t, err, unix.EBADF)
}

func TestNodeMmap(t *testing.T) {
	fd, err := unix.MemfdCreate("buffer", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	require.NoError(t, unix.Ftruncate(fd, 3*4096))
	n := rt.NewNode(fd)
	m, err := n.Mmap(4096, 8192)
	require.NoError(t, err)
	_, err = m.WriteAt([]byte("by the mapping"), 8000)
	require.NoError(t, err)
	text := make([]byte, 14)
	_, err = unix.Pread(fd, text, 4096+8000)
	require.NoError(t, err)
	assert.Equal(t, "by the mapping", string(text))
	assert.Equal(t, text, m.Bytes()[8000:8014])
	_, err = m.ReadAt(text, 8192-13)
	assert.ErrorIs(t, err, unix.EFAULT)
	_, err = m.WriteAt(text, -1)
	assert.ErrorIs(t, err, unix.EFAULT)

	require.NoError(t, unix.Ftruncate(fd, 0)) // as a device that is unplugged
	_, err = m.ReadAt(text, 0)
	assert.ErrorIs(t, err, unix.EIO)
	_, err = m.WriteAt(text, 4096)
	assert.ErrorIs(t, err, unix.EIO)
	m.(interface{ Unmap() }).Unmap()
	_, err = m.ReadAt(text, 0)
	assert.ErrorIs(t, err, unix.EFAULT)
	_, err = n.Mmap(1<<40+1, 4096)
	assert.ErrorIs(t, err, unix.EINVAL)
	require.NoError(t, n.Close())
}

// The same path in a class leads to an in-process device.
func TestOpenIn(t *testing.T) {
	class := fw.NewClass(still{})
	s := &stub{}
	dev, err := class.NewDevice(s.driver(), "0000:01:00.0")
	require.NoError(t, err)
	require.NoError(t, dev.Register())
	d, err := rt.OpenIn(class, dev.Node())
	require.NoError(t, err)
	assert.NotZero(t, d.Info.NumCores)
	require.NoError(t, d.Close())
	_, err = rt.OpenIn(class, "/dev/accel/accel9")
	assert.ErrorIs(t, err, unix.ENODEV)
	for _, path := range []string{"/dev/accel/accel", "/dev/accel/accel0x", "/dev/accel/accel00", "accel0", "/dev/null", ""} {
		_, err = rt.OpenIn(class, path)
		assert.ErrorIs(t, err, unix.ENOENT, path)
	}
	assert.Empty(t, dev.Files())
}
