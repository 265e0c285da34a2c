package fw

import (
	"encoding/binary"

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
	h, err := f.syncobjs.add(s)
	a.Handle = h
	abi.Store(arg, &a)
	return err
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
	s.Put()
	return nil
}

// Syncobj looks a handle up; ENOENT if there is none.
func (f *File) Syncobj(handle uint32) (*Syncobj, error) { return f.syncobjs.get(handle) }

// syncobjArray reads handles, and points if there are any, from the caller.
func (f *File) syncobjArray(handles, points uint64, count uint32) ([]*Syncobj, []uint64, error) {
	if count == 0 || count > maxSyncobjs {
		return nil, nil, errnof(unix.EINVAL, "%d syncobjs", count)
	}
	raw := make([]byte, 4*count)
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
		raw = make([]byte, 8*count)
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
	if a.Flags&^known != 0 || a.Pad != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_WAIT flags %#x", a.Flags)
	}
	first, err := f.waitSyncobjs(a.Handles, 0, a.Count, a.Flags, a.TimeoutNS)
	a.FirstSignaled = first
	abi.Store(arg, &a)
	return err
}

func syncobjTimelineWait(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjTimelineWait](arg)
	const known = abi.SyncobjWaitAll | abi.SyncobjWaitForSubmit | abi.SyncobjWaitAvailable | abi.SyncobjWaitDeadline
	if a.Flags&^known != 0 || a.Pad != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_TIMELINE_WAIT flags %#x", a.Flags)
	}
	first, err := f.waitSyncobjs(a.Handles, a.Points, a.Count, a.Flags, a.TimeoutNS)
	a.FirstSignaled = first
	abi.Store(arg, &a)
	return err
}

// waitSyncobjs waits until all points are signalled, or the first of them;
// ETIME when the absolute time passes. A point for which nothing is submitted
// is EINVAL unless the caller waits for the submission too.
func (f *File) waitSyncobjs(handles, points uint64, count, flags uint32, until int64) (uint32, error) {
	objs, values, err := f.syncobjArray(handles, points, count)
	if err != nil {
		return 0, err
	}
	k := f.Kernel()
	slept := false
	for {
		ready, first := 0, -1
		var pending *Fence
		missing := -1
		for i, s := range objs {
			fence := s.At(values[i])
			switch {
			case fence == nil:
				if flags&(abi.SyncobjWaitForSubmit|abi.SyncobjWaitAvailable) == 0 {
					return 0, errnof(unix.EINVAL, "nothing is submitted for syncobj %d of the wait", i)
				}
				missing = i
				continue
			case fence.Done() || flags&abi.SyncobjWaitAvailable != 0:
				ready++
				if first < 0 {
					first = i
				}
			default:
				pending = fence
			}
		}
		all := flags&abi.SyncobjWaitAll != 0
		if all && ready == len(objs) || !all && ready > 0 {
			if slept {
				k.Charge(hw.CostWake)
			}
			return uint32(max(first, 0)), nil
		}
		slept = true
		if !waitAny(k, objs, pending, missing, all, until) {
			return 0, unix.ETIME
		}
	}
}

// waitAny sleeps until something the wait depends on may have changed.
func waitAny(k hw.Kernel, objs []*Syncobj, pending *Fence, missing int, all bool, until int64) bool {
	if len(objs) == 1 || all {
		if missing >= 0 {
			return objs[missing].waiters.WaitUntil("a fence to be submitted", until)
		}
		return pending.Wait(until) == nil
	}
	q := k.NewWaitQueue()
	for _, s := range objs {
		s.waiters.WakeAll()
		if f := s.fence; f != nil {
			f.OnSignal(q.WakeAll)
		}
	}
	return q.WaitUntil("any of several fences", until)
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
	fence := src.At(a.SrcPoint)
	for fence == nil {
		if a.Flags&abi.SyncobjWaitForSubmit == 0 {
			return errnof(unix.EINVAL, "nothing is submitted for point %d", a.SrcPoint)
		}
		src.waiters.Wait("a fence to transfer")
		fence = src.At(a.SrcPoint)
	}
	dst.Attach(a.DstPoint, fence)
	return nil
}
