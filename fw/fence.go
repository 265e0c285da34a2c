package fw

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// Fence is the promise that something ends: once signalled, with or without an
// error, it stays so.
type Fence struct {
	Seqno uint64 // in its context, for people

	kernel hw.Kernel
	done   bool
	err    error
	at     int64 // when it was signalled, ns
	first  func()
	calls  []func() // beyond the first
	wait   hw.WaitQueue
	points pointList // of timelines that wait for it
	job    *Job      // on hardware, whose end it is
}

// NewFence returns a fence that is not signalled.
func NewFence(k hw.Kernel) *Fence { return &Fence{kernel: k} }

// Init makes a fence that is part of something else as NewFence makes one.
func (f *Fence) Init(k hw.Kernel) *Fence {
	*f = Fence{kernel: k}
	return f
}

// SignaledFence returns a fence that is signalled.
func SignaledFence(k hw.Kernel) *Fence {
	f := NewFence(k)
	f.Signal(nil)
	return f
}

// Signal ends the wait of everybody; err is an errno or nil. A second call is
// a driver's bug and is ignored, as the kernel warns and ignores.
func (f *Fence) Signal(err error) {
	if f.done {
		return
	}
	f.end(err)
	f.tell()
}

// end makes the fence signalled; to tell everybody is next.
func (f *Fence) end(err error) { f.done, f.err, f.at = true, err, f.kernel.Now() }

// tell tells everybody of a fence that is signalled, and of those that end by it:
// timelines of timelines can be any number deep.
func (f *Fence) tell() {
	var ended []*Fence
	for {
		for f.points.first != nil {
			pt := f.points.first
			f.points.remove(pt)
			ended = pt.of.advance(ended)
		}
		if j := f.job; j != nil {
			f.job = nil
			j.entity.sched.end(j, f.err)
		}
		first, calls := f.first, f.calls
		f.first, f.calls = nil, nil
		if first != nil {
			first()
		}
		for _, fn := range calls {
			fn()
		}
		if f.wait != nil {
			f.wait.WakeAll()
		}
		n := len(ended)
		if n == 0 {
			return
		}
		f, ended = ended[n-1], ended[:n-1]
	}
}

// Done reports whether the fence is signalled.
func (f *Fence) Done() bool { return f.done }

// Err returns the error it was signalled with.
func (f *Fence) Err() error { return f.err }

// SignaledAt returns when it was signalled, in ns.
func (f *Fence) SignaledAt() int64 { return f.at }

// OnSignal calls fn when the fence is signalled, at once if it is.
func (f *Fence) OnSignal(fn func()) {
	switch {
	case f.done:
		fn()
	case f.first == nil:
		f.first = fn
	default:
		f.calls = append(f.calls, fn)
	}
}

// Wait waits until an absolute time in ns; ETIME if it passes first.
func (f *Fence) Wait(until int64) error {
	for !f.done {
		if !f.waiters().WaitUntil("a fence", until) && !f.done {
			return unix.ETIME
		}
	}
	return nil
}

func (f *Fence) waiters() hw.WaitQueue {
	if f.wait == nil {
		f.wait = f.kernel.NewWaitQueue()
	}
	return f.wait
}

// WaitFence waits, within an ioctl, for a fence that is sure to be signalled, also
// when the device goes. A signal to the calling thread ends it: EINTR.
func (f *File) WaitFence(x *Fence) error {
	for !x.done {
		if err := f.wait(x.waiters(), "a fence", math.MaxInt64, true); err != nil && !x.done {
			return err
		}
	}
	return nil
}
