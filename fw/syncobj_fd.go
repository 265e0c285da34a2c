package fw

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// syncobjFD is a syncobj shared by a descriptor.
type syncobjFD struct{ s *Syncobj }

// Close implements Descriptor.
func (d syncobjFD) Close() error {
	d.s.put()
	return nil
}

func (f *File) syncobjHandle(arg []byte) (abi.SyncobjHandle, error) {
	a := abi.Load[abi.SyncobjHandle](arg)
	if a.Pad != 0 || a.Flags&^(abi.SyncobjSyncFile|abi.SyncobjTimeline) != 0 {
		return a, errnof(unix.EINVAL, "syncobj descriptor: flags %#x, pad %#x", a.Flags, a.Pad)
	}
	if a.Flags&abi.SyncobjTimeline == 0 {
		a.Point = 0
	}
	return a, nil
}

// syncobjHandleToFD exports a syncobj itself, or the fence it holds now.
func syncobjHandleToFD(f *File, arg []byte) error {
	a, err := f.syncobjHandle(arg)
	if err != nil {
		return err
	}
	s, err := f.syncobjs.get(a.Handle)
	if err != nil {
		return errnof(missingSyncobj(a.Flags), "syncobj %d", a.Handle)
	}
	if a.Flags&abi.SyncobjSyncFile != 0 {
		fence := s.At(a.Point)
		if fence == nil {
			return errnof(unix.EINVAL, "syncobj %d holds no fence", a.Handle)
		}
		a.FD, err = f.export(&SyncFile{fence})
	} else if a.FD, err = f.export(syncobjFD{s}); err == nil {
		s.get()
	}
	if err != nil {
		return err
	}
	abi.Store(arg, &a)
	return nil
}

// missingSyncobj is what a handle of nothing gives: the kernel's two ways differ.
func missingSyncobj(flags uint32) unix.Errno {
	if flags&abi.SyncobjSyncFile != 0 {
		return unix.ENOENT
	}
	return unix.EINVAL
}

// syncobjFDToHandle imports a syncobj, or puts a sync file's fence into one.
func syncobjFDToHandle(f *File, arg []byte) error {
	a, err := f.syncobjHandle(arg)
	if err != nil {
		return err
	}
	if a.Flags&abi.SyncobjSyncFile != 0 {
		file, err := descriptor[*SyncFile](f, a.FD, unix.EINVAL, unix.EINVAL)
		if err != nil {
			return err
		}
		s, err := f.syncobjs.get(a.Handle)
		if err != nil {
			return err
		}
		s.Attach(a.Point, file.fence)
		return nil
	}
	d, err := descriptor[syncobjFD](f, a.FD, unix.EINVAL, unix.EINVAL)
	if err != nil {
		return err
	}
	if a.Handle, err = f.syncobjs.add(d.s); err != nil {
		return err
	}
	d.s.get()
	abi.Store(arg, &a)
	return nil
}

// syncobjEventfd has an eventfd signalled when a point is signalled, or, with
// WAIT_AVAILABLE, submitted: at once if it is.
func syncobjEventfd(f *File, arg []byte) error {
	a := abi.Load[abi.SyncobjEventfd](arg)
	if a.Pad != 0 || a.Flags&^abi.SyncobjWaitAvailable != 0 {
		return errnof(unix.EINVAL, "SYNCOBJ_EVENTFD flags %#x, pad %#x", a.Flags, a.Pad)
	}
	s, err := f.syncobjs.get(a.Handle)
	if err != nil {
		return err
	}
	e, err := descriptor[*Eventfd](f, a.FD, unix.EBADF, unix.EINVAL)
	if err != nil {
		return err
	}
	wait := syncWait{syncArray: syncArray{objs: []*Syncobj{s}, values: []uint64{a.Point}}, found: make([]*payload, 1),
		flags: a.Flags | abi.SyncobjWaitForSubmit}
	w := &watcher{}
	w.changed = func() {
		if done, _ := wait.look(); done {
			s.watchers.remove(w)
			wait.end()
			e.Signal(1)
		}
	}
	s.watchers.add(w)
	w.changed()
	return nil
}
