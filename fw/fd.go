package fw

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// Descriptor is what a file descriptor of a program refers to, beside an open
// node: an exported buffer, a syncobj, a sync file or an eventfd.
type Descriptor interface {
	// Close is the end of the descriptor.
	Close() error
}

// Descriptors is a caller's table of file descriptors. UserMemory that has one
// too can export and import; Arena has.
type Descriptors interface {
	// Install gives a descriptor its lowest free number.
	Install(d Descriptor) (int32, error)
	// Descriptor returns what a number refers to; EBADF if nothing.
	Descriptor(fd int32) (Descriptor, error)
}

// firstFD follows standard input, output and error.
const firstFD = 3

// Install implements Descriptors.
func (a *Arena) Install(d Descriptor) (int32, error) {
	h, err := a.fds.add(d)
	if err != nil {
		return -1, fmt.Errorf("%w: %w", err, unix.EMFILE)
	}
	return int32(h) - 1 + firstFD, nil
}

// Descriptor implements Descriptors.
func (a *Arena) Descriptor(fd int32) (Descriptor, error) {
	if fd < firstFD || !a.fds.has(uint32(fd-firstFD)+1) {
		return nil, errnof(unix.EBADF, "file descriptor %d", fd)
	}
	return a.fds.get(uint32(fd-firstFD) + 1)
}

// CloseFD closes a descriptor.
func (a *Arena) CloseFD(fd int32) error {
	d, err := a.Descriptor(fd)
	if err != nil {
		return err
	}
	if _, err := a.fds.remove(uint32(fd-firstFD) + 1); err != nil {
		return err
	}
	return d.Close()
}

// Leaks returns an error when descriptors are open that nobody closed.
func (a *Arena) Leaks() error {
	if a.fds.n > 0 {
		return fmt.Errorf("%d file descriptors are open", a.fds.n)
	}
	return nil
}

// descriptors returns the caller's table.
func (f *File) descriptors() (Descriptors, error) {
	if t, ok := f.user.(Descriptors); ok {
		return t, nil
	}
	return nil, errnof(unix.EOPNOTSUPP, "the caller has no file descriptors")
}

// descriptor looks a number up that has to refer to a T: nothing there is
// missing, another kind wrong.
func descriptor[T Descriptor](f *File, fd int32, missing, wrong unix.Errno) (v T, err error) {
	t, err := f.descriptors()
	if err != nil {
		return v, err
	}
	d, err := t.Descriptor(fd)
	if err != nil {
		return v, errnof(missing, "file descriptor %d", fd)
	}
	v, ok := d.(T)
	if !ok {
		return v, errnof(wrong, "file descriptor %d refers to something else", fd)
	}
	return v, nil
}

// export gives the caller a descriptor. When that fails it is still the caller's to
// close.
func (f *File) export(d Descriptor) (int32, error) {
	t, err := f.descriptors()
	if err != nil {
		return -1, err
	}
	return t.Install(d)
}

// Eventfd is a counter that programs wait on (eventfd(2)).
type Eventfd struct {
	count uint64
	wait  hw.WaitQueue
}

// NewEventfd returns one at 0.
func NewEventfd(k hw.Kernel) *Eventfd { return &Eventfd{wait: k.NewWaitQueue()} }

// Signal adds to the counter.
func (e *Eventfd) Signal(n uint64) {
	e.count += n
	e.wait.WakeAll()
}

// Read waits until the counter is above 0 or an absolute time in ns has passed
// (EAGAIN), and takes it to 0.
func (e *Eventfd) Read(until int64) (uint64, error) {
	for e.count == 0 {
		if !e.wait.WaitUntil("an eventfd", until) && e.count == 0 {
			return 0, unix.EAGAIN
		}
	}
	n := e.count
	e.count = 0
	return n, nil
}

// Close implements Descriptor.
func (e *Eventfd) Close() error { return nil }

// SyncFile is a fence that programs hold by a descriptor (sync_file). It outlives
// the device.
type SyncFile struct{ fence *Fence }

// Status is 0 while the fence is pending, then 1, or a negative errno.
func (s *SyncFile) Status() int {
	switch {
	case !s.fence.Done():
		return 0
	case s.fence.Err() != nil:
		return -int(Errno(s.fence.Err()))
	}
	return 1
}

// Poll waits until the fence is signalled; ETIME when an absolute time in ns
// passes first.
func (s *SyncFile) Poll(until int64) error { return s.fence.Wait(until) }

// Close implements Descriptor.
func (s *SyncFile) Close() error { return nil }
