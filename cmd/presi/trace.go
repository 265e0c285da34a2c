package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// traces are the files a run writes traces to. They are opened before it, so
// that a bad path costs no run.
type traces []*traceFile

// traceFile is a trace on its way to its path: a file beside it, which takes its
// place when it is written to its end, also that of a run that failed, so that an
// earlier one is there until then. What is no regular file is written as it is, and
// so is a file whose folder takes no other.
type traceFile struct {
	flag, path string
	out        *bufio.Writer
	size       int64
	file       *os.File // nil: standard output
	becomes    string   // what the file is called in the end; empty: as it is
}

// Write implements io.Writer. An error stays in out until close, which names it.
func (t *traceFile) Write(p []byte) (int, error) {
	t.size += int64(len(p))
	t.out.Write(p)
	return len(p), nil
}

// openTraces makes the files of two flags; an empty path is none, and - for text
// standard output.
func (a *app) openTraces(perfetto, text string) (traces, error) {
	ts := make(traces, 2)
	var errs []error
	for i, flag := range []struct{ name, path string }{{"--trace", perfetto}, {"--trace-text", text}} {
		if flag.path == "" {
			continue
		}
		if flag.path == "-" {
			ts[i] = &traceFile{flag: flag.name, path: flag.path, out: bufio.NewWriter(a.out)}
			continue
		}
		t, err := openTrace(flag.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: cannot write it: %w", flag.name, flag.path, reason(err)))
			continue
		}
		t.flag, t.path = flag.name, flag.path
		ts[i] = t
	}
	if errs != nil {
		ts.discard()
	}
	return ts, input(errs...)
}

// openTrace opens the file that is to become a path's.
func openTrace(path string) (*traceFile, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() || isDescriptor(path) {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &traceFile{out: bufio.NewWriter(file), file: file}, err
	}
	if err != nil {
		return besideOf(path, 0o666&^umask)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0) // to find out whether one may
	if err != nil {
		return nil, err
	}
	file.Close()
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	t, err := besideOf(path, info.Mode().Perm())
	if errors.Is(err, fs.ErrPermission) {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		return &traceFile{out: bufio.NewWriter(file), file: file}, err
	}
	return t, err
}

// umask is what the process takes from the permissions of new files.
var umask = func() fs.FileMode {
	mask := unix.Umask(0)
	unix.Umask(mask)
	return fs.FileMode(mask)
}()

// isDescriptor reports a path that stands for a descriptor that is open already.
func isDescriptor(path string) bool {
	return path == "/dev/stdout" || path == "/dev/stderr" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

// besideOf opens a new file in a path's folder.
func besideOf(path string, mode fs.FileMode) (*traceFile, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(mode); err != nil {
		file.Close()
		return nil, errors.Join(err, os.Remove(file.Name()))
	}
	return &traceFile{out: bufio.NewWriter(file), file: file, becomes: path}, nil
}

// reason leaves out of an error the files' names, which its message has already.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// writer returns trace i's, nil if nobody wants it.
func (ts traces) writer(i int) io.Writer {
	if ts[i] == nil {
		return nil
	}
	return ts[i]
}

// close gives the files their names. A run that had no trace to write leaves
// nothing behind, and of one that did not come to its end note is told what
// there is.
func (ts traces) close(ended bool, note func(string)) error {
	var errs []error
	for i, t := range ts {
		if t == nil {
			continue
		}
		ts[i] = nil
		switch err := t.close(); {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s %s: cannot write it: %w", t.flag, t.path, reason(err)))
		case !ended && t.size > 0 && t.path != "-":
			note(fmt.Sprintf("%s %s: what happened until then is in it", t.flag, t.path))
		}
	}
	return errors.Join(errs...)
}

func (t *traceFile) close() error {
	err := t.out.Flush()
	if t.file == nil {
		return err
	}
	err = errors.Join(err, t.file.Close())
	switch {
	case t.becomes == "":
		return err
	case err != nil || t.size == 0:
		return errors.Join(err, os.Remove(t.file.Name()))
	}
	if err := os.Rename(t.file.Name(), t.becomes); err != nil {
		return errors.Join(err, os.Remove(t.file.Name()))
	}
	return nil
}

// discard forgets the files that were not closed.
func (ts traces) discard() {
	for _, t := range ts {
		if t != nil && t.file != nil {
			t.file.Close()
			if t.becomes != "" {
				os.Remove(t.file.Name())
			}
		}
	}
}
