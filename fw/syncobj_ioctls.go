package fw

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

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
		s.AddPoint(values[i], SignaledFence(f.Kernel()))
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
