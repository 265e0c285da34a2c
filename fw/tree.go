package fw

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Attr is a file whose text is made when it is opened, and which may take a text
// (sysfs's show and store). A nil function is a file that is not readable, or not
// writable.
type Attr struct {
	Show  func() ([]byte, error)
	Store func(text []byte) error
}

// Text is an attribute that never changes.
func Text(format string, args ...any) Attr {
	text := fmt.Appendf(nil, format, args...)
	return Attr{Show: func() ([]byte, error) { return text, nil }}
}

// Tree is a file system of attributes, as sysfs and debugfs are: an fs.FS that
// can be written to. Attributes of a device are shown in a process, as they may
// wait for it.
type Tree struct {
	attrs map[string]Attr
}

// NewTree returns an empty one.
func NewTree() *Tree { return &Tree{map[string]Attr{}} }

// Add makes a file; directories come and go with what they hold.
func (t *Tree) Add(name string, a Attr) { t.attrs[name] = a }

// Remove takes away a file, or a directory with everything in it.
func (t *Tree) Remove(name string) {
	for n := range t.attrs {
		if n == name || strings.HasPrefix(n, name+"/") {
			delete(t.attrs, n)
		}
	}
}

// Store writes to a file.
func (t *Tree) Store(name string, text []byte) error {
	a, ok := t.attrs[name]
	switch {
	case !ok:
		return &fs.PathError{Op: "write", Path: name, Err: unix.ENOENT}
	case a.Store == nil:
		return &fs.PathError{Op: "write", Path: name, Err: unix.EACCES}
	}
	if err := a.Store(text); err != nil {
		return &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if a, ok := t.attrs[name]; ok {
		if a.Show == nil {
			return fail(unix.EACCES)
		}
		text, err := a.Show()
		if err != nil {
			return fail(err)
		}
		return &attrFile{entryInfo{path.Base(name), int64(len(text)), mode(a)}, bytes.NewReader(text)}, nil
	}
	entries := t.list(name)
	if entries == nil && name != "." {
		return fail(fs.ErrNotExist)
	}
	return &directory{entryInfo{path.Base(name), 0, fs.ModeDir | 0o555}, entries}, nil
}

func mode(a Attr) (m fs.FileMode) {
	if a.Show != nil {
		m |= 0o444
	}
	if a.Store != nil {
		m |= 0o200
	}
	return m
}

// list returns what a directory holds, by name.
func (t *Tree) list(dir string) (out []fs.DirEntry) {
	seen := map[string]bool{}
	for name, a := range t.attrs {
		rest := name
		if dir != "." {
			var ok bool
			if rest, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
		}
		first, _, deeper := strings.Cut(rest, "/")
		if seen[first] {
			continue
		}
		seen[first] = true
		info := entryInfo{first, 0, mode(a)}
		if deeper {
			info.mode = fs.ModeDir | 0o555
		}
		out = append(out, dirEntry{info, t, path.Join(dir, first)})
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Name() < out[k].Name() })
	return out
}

// entryInfo implements fs.FileInfo. A file's size is that of its text now.
type entryInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (e entryInfo) Name() string       { return e.name }
func (e entryInfo) Size() int64        { return e.size }
func (e entryInfo) Mode() fs.FileMode  { return e.mode }
func (e entryInfo) ModTime() time.Time { return time.Time{} }
func (e entryInfo) IsDir() bool        { return e.mode.IsDir() }
func (e entryInfo) Sys() any           { return nil }

type dirEntry struct {
	info entryInfo
	t    *Tree
	full string
}

func (d dirEntry) Name() string      { return d.info.name }
func (d dirEntry) IsDir() bool       { return d.info.IsDir() }
func (d dirEntry) Type() fs.FileMode { return d.info.mode.Type() }
func (d dirEntry) String() string    { return fs.FormatDirEntry(d) }
func (d dirEntry) Info() (fs.FileInfo, error) {
	if d.IsDir() {
		return d.info, nil
	}
	return fs.Stat(d.t, d.full)
}

type attrFile struct {
	info entryInfo
	*bytes.Reader
}

func (f *attrFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *attrFile) Close() error               { return nil }

type directory struct {
	info entryInfo
	left []fs.DirEntry
}

func (d *directory) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *directory) Close() error               { return nil }
func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: unix.EISDIR}
}

// ReadDir implements fs.ReadDirFile.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.left) {
		if n > 0 && len(d.left) == 0 {
			return nil, io.EOF
		}
		n = len(d.left)
	}
	out := d.left[:n]
	d.left = d.left[n:]
	return out, nil
}
