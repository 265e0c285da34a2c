package fw

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// syncobjArray reads handles, and points if there are any, from the caller.
func (f *File) syncobjArray(handles, points uint64, count uint32) ([]*Syncobj, []uint64, error) {
	var a syncArray
	err := a.read(f, handles, points, count)
	return a.objs, a.values, err
}

// syncArray is what an ioctl's arrays name. Its memory can be used again.
type syncArray struct {
	objs   []*Syncobj
	values []uint64
	raw    []byte
}

// resize returns a slice of n zeros, in the memory of s if that is enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (a *syncArray) read(f *File, handles, points uint64, count uint32) error {
	if count == 0 || count > maxSyncobjs {
		return errnof(unix.EINVAL, "%d syncobjs", count)
	}
	n := int(count)
	a.raw = resize(a.raw, 8*n)
	if err := f.user.CopyIn(handles, a.raw[:4*n]); err != nil {
		return err
	}
	a.objs, a.values = resize(a.objs, n), resize(a.values, n)
	for i := range a.objs {
		s, err := f.syncobjs.get(binary.LittleEndian.Uint32(a.raw[4*i:]))
		if err != nil {
			return err
		}
		a.objs[i] = s
	}
	if points != 0 {
		if err := f.user.CopyIn(points, a.raw); err != nil {
			return err
		}
		for i := range a.values {
			a.values[i] = binary.LittleEndian.Uint64(a.raw[8*i:])
		}
	}
	return nil
}

func syncobjWait(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjWait](arg)
	const known = abi.SyncobjWaitAll | abi.SyncobjWaitForSubmit | abi.SyncobjWaitDeadline
	if a.Flags&^known != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_WAIT flags %#x", a.Flags)
	}
	first, err := f.waitSyncobjs(a.Handles, 0, a.Count, a.Flags, a.TimeoutNS)
	if err != nil {
		return err
	}
	a.FirstSignaled = first
	abi.Store(arg, &a)
	return nil
}

func syncobjTimelineWait(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjTimelineWait](arg)
	const known = abi.SyncobjWaitAll | abi.SyncobjWaitForSubmit | abi.SyncobjWaitAvailable | abi.SyncobjWaitDeadline
	if a.Flags&^known != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_TIMELINE_WAIT flags %#x", a.Flags)
	}
	first, err := f.waitSyncobjs(a.Handles, a.Points, a.Count, a.Flags, a.TimeoutNS)
	if err != nil {
		return err
	}
	a.FirstSignaled = first
	abi.Store(arg, &a)
	return nil
}

// waitSyncobjs waits until all points are signalled, or any of them, and
// returns the first that is; ETIME when the absolute time passes. A point for
// which nothing is submitted is EINVAL unless the caller waits for that too.
func (f *File) waitSyncobjs(handles, points uint64, count, flags uint32, until int64) (uint32, error) {
	if count == 0 { // asks which flags there are
		return 0, nil
	}
	w := f.takeWait(flags)
	defer f.giveWait(w)
	if err := w.read(f, handles, points, count); err != nil {
		return 0, err
	}
	w.found = resize(w.found, len(w.objs))
	done, err := w.look()
	if done || err != nil {
		return w.first, err
	}
	w.flags |= abi.SyncobjWaitForSubmit // what is missing was allowed to be
	for _, s := range w.objs {
		s.watchers.add(&w.woken)
	}
	w.watches = true
	for !done {
		err := f.wait(w.queue, "fences of syncobjs", until, w.submitted())
		if done, _ = w.look(); !done && err != nil {
			return 0, err
		}
	}
	f.Kernel().Charge(hw.CostWake)
	return w.first, nil
}

// syncWait is what a program waits for.
type syncWait struct {
	syncArray
	found []*payload // where the point was submitted
	flags uint32
	first uint32 // signalled
	queue hw.WaitQueue
	woken watcher
	// watches says that the syncobjs tell woken.
	watches bool
}

// maxKept bounds the syncobjs of a wait whose memory is kept for the next. Handles
// that cannot be read leave bytes without syncobjs.
const maxKept = 64

// takeWait returns an empty wait.
func (f *File) takeWait(flags uint32) *syncWait {
	if n := len(f.waits); n > 0 {
		w := f.waits[n-1]
		f.waits = f.waits[:n-1]
		w.flags, w.first = flags, 0
		return w
	}
	w := &syncWait{flags: flags, queue: f.Kernel().NewWaitQueue()}
	w.woken.changed = w.queue.WakeAll
	return w
}

// giveWait ends a wait.
func (f *File) giveWait(w *syncWait) {
	if w.watches {
		for _, s := range w.objs {
			s.watchers.remove(&w.woken)
		}
	}
	w.end()
	clear(w.objs)
	w.objs, w.found, w.watches = w.objs[:0], w.found[:0], false
	if cap(w.objs) <= maxKept && cap(w.raw) <= 8*maxKept {
		f.waits = append(f.waits, w)
	}
}

// look reports whether the wait is over.
func (w *syncWait) look() (done bool, err error) {
	const lenient = abi.SyncobjWaitForSubmit | abi.SyncobjWaitAvailable
	ready := 0
	for i, s := range w.objs {
		if w.found[i] == nil {
			if submitted, _ := s.now.state(w.values[i]); submitted {
				w.found[i] = s.now
				s.now.waits++
			} else if w.flags&lenient == 0 {
				return false, errnof(unix.EINVAL, "nothing is submitted for syncobj %d of the wait", i)
			} else {
				continue
			}
		}
		if _, signalled := w.found[i].state(w.values[i]); signalled || w.flags&abi.SyncobjWaitAvailable != 0 {
			if ready++; ready == 1 {
				w.first = uint32(i)
			}
		}
	}
	if w.flags&abi.SyncobjWaitAll != 0 {
		return ready == len(w.objs), nil
	}
	return ready > 0, nil
}

// submitted reports whether there is a fence for everything: those end, also when
// the device goes.
func (w *syncWait) submitted() bool { return !slices.Contains(w.found, nil) }

// end lets go of what was found.
func (w *syncWait) end() {
	for i, p := range w.found {
		if p != nil {
			w.found[i] = nil
			if p.waits--; p.unused() && p != p.of.now {
				p.forget()
			}
		}
	}
}
