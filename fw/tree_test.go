package fw_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

func TestTree(t *testing.T) {
	tree := fw.NewTree()
	stored := ""
	tree.Add("a/b/plain", fw.Text("%d\n", 42))
	tree.Add("a/b/rw", fw.Attr{Show: func() ([]byte, error) { return []byte(stored), nil },
		Store: func(p []byte) error { stored = string(p); return nil }})
	tree.Add("a/c", fw.Text("c"))
	require.NoError(t, fstest.TestFS(tree, "a/b/plain", "a/b/rw", "a/c"))

	require.NoError(t, tree.Store("a/b/rw", []byte("hello")))
	p, err := fs.ReadFile(tree, "a/b/rw")
	require.NoError(t, err)
	assert.Equal(t, "hello", string(p))
	tree.Add("w", fw.Attr{Store: func([]byte) error { return unix.EBUSY }})
	_, err = tree.Open("w")
	assert.ErrorIs(t, err, unix.EACCES)
	assert.ErrorIs(t, tree.Store("w", nil), unix.EBUSY)
	assert.ErrorIs(t, tree.Store("a/c", nil), unix.EACCES)
	assert.ErrorIs(t, tree.Store("a/none", nil), unix.ENOENT)
	_, err = tree.Open("a/none")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	info, err := fs.Stat(tree, "a/b/rw")
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o644), info.Mode())
	tree.Remove("a/b")
	_, err = fs.Stat(tree, "a/b")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = fs.Stat(tree, "a/c")
	assert.NoError(t, err)
}

func TestWhatEveryDeviceShows(t *testing.T) {
	simulate(t, func(s *system) {
		var events []string
		s.class.OnUevent(func(e fw.Uevent) { events = append(events, e.Action+" "+e.Path) })
		read := func(tree *fw.Tree, name string) string {
			p, err := fs.ReadFile(tree, name)
			require.NoError(t, err)
			return string(p)
		}
		toy := newToy()
		d := s.plug(&toy.Driver)
		assert.Equal(t, "261:0\n", read(s.class.Sys, "class/accel/accel0/dev"))
		assert.Contains(t, read(s.class.Sys, "class/accel/accel0/uevent"), "DEVTYPE=accel_minor")
		assert.Equal(t, "toy dev=0000:02:00.0 unique=0000:02:00.0\n", read(s.class.Debug, "accel/0000:02:00.0/name"))
		f, _ := s.file(d)
		assert.Contains(t, read(s.class.Debug, "accel/0000:02:00.0/clients"), "     1        0         0\n")
		assert.Equal(t, "drm-driver:\ttoy\ndrm-client-id:\t1\ndrm-pdev:\t0000:02:00.0\n", f.FDInfo())
		touched := 0
		d.SysAttr("value", fw.Attr{Show: func() ([]byte, error) { touched++; return nil, nil }, Store: func([]byte) error { touched++; return nil }})
		read(s.class.Sys, "class/accel/accel0/device/value")
		file := s.class.Sys
		d.Unplug()
		_, err := fs.ReadFile(file, "class/accel/accel0/device/value")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, 1, touched)
		assert.Equal(t, []string{"add class/accel/accel0", "remove class/accel/accel0"}, events)
	})
}

// One dump a device: the first stays until it is read and written to, or too old.
func TestCoredump(t *testing.T) {
	simulate(t, func(s *system) {
		d := s.plug(&newToy().Driver)
		read := func(n string) (string, error) {
			p, err := fs.ReadFile(s.class.Sys, "class/devcoredump/"+n+"/data")
			return string(p), err
		}
		d.Coredump([]byte("first"))
		d.Coredump([]byte("second"))
		text, err := read("devcd1")
		require.NoError(t, err)
		assert.Equal(t, "first", text)
		_, err = read("devcd2")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, s.class.Sys.Store("class/devcoredump/devcd1/data", []byte{1}))
		_, err = read("devcd1")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		d.Coredump([]byte("third"))
		s.k.Sleep(300e9)
		_, err = read("devcd2")
		assert.ErrorIs(t, err, unix.ENODEV, "too old")
		d.Coredump([]byte("fourth"))
		text, err = read("devcd3")
		require.NoError(t, err)
		assert.Equal(t, "fourth", text)
	})
}
