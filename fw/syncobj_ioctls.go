package fw

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// maxSyncobjs bounds the arrays of one ioctl.
const maxSyncobjs = 1 << 16

func syncobjCreate(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjCreate](arg)
	if a.Flags&^abi.SyncobjCreateSignaled != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_CREATE flags %#x", a.Flags)
	}
	s := NewSyncobj(f.Kernel())
	if a.Flags&abi.SyncobjCreateSignaled != 0 {
		s.Attach(0, SignaledFence(f.Kernel()))
	}
	var err error
	if a.Handle, err = f.syncobjs.add(s); err != nil {
		return err
	}
	s.get()
	abi.Store(arg, &a)
	return nil
}

func syncobjDestroy(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjCreate](arg)
	if a.Flags != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_DESTROY pad %#x", a.Flags)
	}
	s, err := f.syncobjs.remove(a.Handle)
	if err != nil {
		return errnof(unix.EINVAL, "SYNCOBJ_DESTROY of handle %d", a.Handle)
	}
	s.put()
	return nil
}

// Syncobj looks a handle up; ENOENT if there is none.
func (f *File) Syncobj(handle uint32) (*Syncobj, error) { return f.syncobjs.get(handle) }

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

// maxKept bounds the syncobjs of a wait whose memory is kept for the next.
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
	if cap(w.objs) <= maxKept {
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

func syncobjReset(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjArray](arg)
	if a.Pad != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_RESET pad %#x", a.Pad)
	}
	objs, _, err := f.syncobjArray(a.Handles, 0, a.Count)
	if err != nil {
		return err
	}
	for _, s := range objs {
		s.Reset()
	}
	return nil
}

func syncobjSignal(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjArray](arg)
	if a.Pad != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_SIGNAL pad %#x", a.Pad)
	}
	objs, _, err := f.syncobjArray(a.Handles, 0, a.Count)
	if err != nil {
		return err
	}
	for _, s := range objs {
		s.Attach(0, SignaledFence(f.Kernel()))
	}
	return nil
}

func syncobjTimelineSignal(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjTimelineArray](arg)
	if a.Flags != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_TIMELINE_SIGNAL flags %#x", a.Flags)
	}
	objs, values, err := f.syncobjArray(a.Handles, a.Points, a.Count)
	if err != nil {
		return err
	}
	for i, s := range objs {
		s.Attach(values[i], SignaledFence(f.Kernel()))
	}
	return nil
}

func syncobjQuery(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjTimelineArray](arg)
	if a.Flags&^abi.SyncobjQueryLastSubmitted != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_QUERY flags %#x", a.Flags)
	}
	objs, _, err := f.syncobjArray(a.Handles, 0, a.Count)
	if err != nil {
		return err
	}
	out := make([]byte, 8*len(objs))
	for i, s := range objs {
		reached, submitted := s.Payload()
		if a.Flags&abi.SyncobjQueryLastSubmitted != 0 {
			reached = submitted
		}
		binary.LittleEndian.PutUint64(out[8*i:], reached)
	}
	return f.user.CopyOut(a.Points, out)
}

func syncobjTransfer(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjTransfer](arg)
	if a.Pad != 0 || a.Flags&^abi.SyncobjWaitForSubmit != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_TRANSFER flags %#x", a.Flags)
	}
	src, err := f.syncobjs.get(a.Src)
	if err != nil {
		return err
	}
	dst, err := f.syncobjs.get(a.Dst)
	if err != nil {
		return err
	}
	if submitted, _ := src.now.state(a.SrcPoint); !submitted {
		if a.Flags&abi.SyncobjWaitForSubmit == 0 {
			return errnof(unix.EINVAL, "nothing is submitted for point %d", a.SrcPoint)
		}
		if err := f.awaitSubmit(src, a.SrcPoint); err != nil {
			return err
		}
	}
	dst.Attach(a.DstPoint, src.At(a.SrcPoint))
	return nil
}

// submitTimeout is how long TRANSFER waits for a fence to be submitted, in ns
// (DRM_SYNCOBJ_WAIT_FOR_SUBMIT_TIMEOUT).
const submitTimeout = 5e9

func (f *File) awaitSubmit(s *Syncobj, value uint64) error {
	k := f.Kernel()
	q := k.NewWaitQueue()
	woken := &watcher{q.WakeAll}
	s.watchers.add(woken)
	defer s.watchers.remove(woken)
	until := k.Now() + submitTimeout
	for {
		if submitted, _ := s.now.state(value); submitted {
			return nil
		}
		if err := f.Wait(q, "a fence to be submitted", until); err != nil {
			return err
		}
	}
}
