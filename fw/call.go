package fw

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// call is an ioctl that a thread is in.
type call struct {
	file     *File
	thread   hw.Thread
	waits    hw.WaitQueue // in which it waits, if it does
	signaled bool
}

// enter notes that the calling thread is in an ioctl of a file.
func (c *Class) enter(f *File) *call {
	var x *call
	if n := len(c.spare); n > 0 {
		x, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		x = new(call)
	}
	*x = call{file: f, thread: c.kernel.Self()}
	c.calls = append(c.calls, x)
	return x
}

func (c *Class) leave(x *call) {
	for i := len(c.calls) - 1; i >= 0; i-- {
		if c.calls[i] == x {
			last := len(c.calls) - 1
			c.calls[i], c.calls[last] = c.calls[last], nil
			c.calls = c.calls[:last]
			break
		}
	}
	c.spare = append(c.spare, x)
}

// call returns the ioctl of a file that the calling thread is in, nil if in none.
func (f *File) call() *call {
	self := f.Dev.kernel.Self()
	for _, x := range f.Dev.class.calls {
		if x.file == f && x.thread == self {
			return x
		}
	}
	return nil
}

// wake has those calls look again that wait and satisfy is.
func (c *Class) wake(is func(*call) bool) {
	for _, x := range c.calls {
		if x.waits != nil && is(x) {
			x.waits.WakeAll()
		}
	}
}

// Signal is a signal to a thread of a program: an ioctl that it is in and that
// waits, or comes to wait, for what programs decide ends with EINTR, its struct as
// it was, and the program may call it again. False: the thread is in no ioctl, and
// the signal does not concern the class.
func (c *Class) Signal(t hw.Thread) bool {
	in := false
	for _, x := range c.calls {
		if x.thread == t {
			x.signaled, in = true, true
		}
	}
	c.wake(func(x *call) bool { return x.thread == t })
	return in
}

// Wait waits in a queue, within an ioctl, for what programs decide. Like a queue's
// it returns nil as a hint; else the ioctl changes nothing and returns the error:
// EINTR after a signal to the calling thread, ENODEV when the device is gone, EBADF
// when the file is closed, ETIME when an absolute time in ns has passed.
func (f *File) Wait(q hw.WaitQueue, why string, until int64) error {
	return f.wait(q, why, until, false)
}

// wait is Wait, also for what ends by itself when the device goes: then it is
// waited for until the end.
func (f *File) wait(q hw.WaitQueue, why string, until int64, ends bool) error {
	x := f.call()
	if err := f.interrupted(x, ends); err != nil {
		return err
	}
	if x != nil {
		x.waits = q
		defer func() { x.waits = nil }()
	}
	if !q.WaitUntil(why, until) {
		return unix.ETIME
	}
	return f.interrupted(x, ends)
}

// interrupted says why a call waits no longer.
func (f *File) interrupted(x *call, ends bool) error {
	switch {
	case f.Dev.unplugged && !ends:
		return errnof(unix.ENODEV, "the device of a wait is gone")
	case f.closed:
		return errnof(unix.EBADF, "the file of a wait is closed")
	case x != nil && x.signaled:
		return unix.EINTR
	}
	return nil
}
