package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// traces are the files a run writes traces to. They are opened before it, so
// that a bad path costs no run.
type traces []*traceFile

type traceFile struct {
	*bufio.Writer
	file *os.File // nil: it is standard output
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
			ts[i] = &traceFile{Writer: bufio.NewWriter(a.out)}
			continue
		}
		file, err := os.Create(flag.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: cannot write it: %w", flag.name, flag.path, reason(err)))
			continue
		}
		ts[i] = &traceFile{bufio.NewWriter(file), file}
	}
	if errs != nil {
		errs = append(errs, ts.close(false))
	}
	return ts, input(errs...)
}

// reason leaves out of an error the file's name, which its message has already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
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

// close ends the files. Those of a run that has no trace go away.
func (ts traces) close(written bool) error {
	var errs []error
	for _, t := range ts {
		if t == nil {
			continue
		}
		errs = append(errs, t.Flush())
		if t.file == nil {
			continue
		}
		errs = append(errs, t.file.Close())
		if info, err := os.Lstat(t.file.Name()); !written && err == nil && info.Mode().IsRegular() {
			errs = append(errs, os.Remove(t.file.Name()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("trace file: %w", err)
	}
	return nil
}
