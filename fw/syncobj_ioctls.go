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
	if count == 0 || count > maxSyncobjs {
		return nil, nil, errnof(unix.EINVAL, "%d syncobjs", count)
	}
	raw := make([]byte, 4*count, 8*count)
	if err := f.user.CopyIn(handles, raw); err != nil {
		return nil, nil, err
	}
	objs, values := make([]*Syncobj, count), make([]uint64, count)
	for i := range objs {
		s, err := f.syncobjs.get(binary.LittleEndian.Uint32(raw[4*i:]))
		if err != nil {
			return nil, nil, err
		}
		objs[i] = s
	}
	if points != 0 {
		raw = raw[:8*count]
		if err := f.user.CopyIn(points, raw); err != nil {
			return nil, nil, err
		}
		for i := range values {
			values[i] = binary.LittleEndian.Uint64(raw[8*i:])
		}
	}
	return objs, values, nil
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
	objs, values, err := f.syncobjArray(handles, points, count)
	if err != nil {
		return 0, err
	}
	w := syncWait{objs: objs, values: values, found: make([]*payload, len(objs)), flags: flags}
	defer w.end()
	done, err := w.look()
	if done || err != nil {
		return w.first, err
	}
	w.flags |= abi.SyncobjWaitForSubmit // what is missing was allowed to be
	k := f.Kernel()
	q := k.NewWaitQueue()
	woken := &watcher{q.WakeAll}
	for _, s := range objs {
		s.watchers.add(woken)
	}
	defer func() {
		for _, s := range objs {
			s.watchers.remove(woken)
		}
	}()
	for !done {
		err := f.wait(q, "fences of syncobjs", until, w.submitted())
		if done, _ = w.look(); !done && err != nil {
			return 0, err
		}
	}
	k.Charge(hw.CostWake)
	return w.first, nil
}

// syncWait is what a program waits for.
type syncWait struct {
	objs   []*Syncobj
	values []uint64
	found  []*payload // where the point was submitted
	flags  uint32
	first  uint32 // signalled
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
			p.waits--
			p.drop()
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
