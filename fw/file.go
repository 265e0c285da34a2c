package fw

import (
	"github.com/presi-sim/presi/hw"
	"golang.org/x/sys/unix"
)

// File is an open node: a client with its handles.
type File struct {
	Dev *Device
	// ID is the client's id; ids never repeat.
	ID uint64
	// Private is the driver's state of the file.
	Private any

	user     UserMemory
	objects  handles[*Object]
	syncobjs handles[*Syncobj]
	closed   bool
}

func (d *Device) open(user UserMemory) (*File, error) {
	if !d.Enter() {
		return nil, errnof(unix.ENODEV, "%s", d.Node())
	}
	defer d.Exit()
	d.class.clients++
	f := &File{Dev: d, ID: d.class.clients, user: user}
	if d.driver.Open != nil {
		if err := d.driver.Open(f); err != nil {
			return nil, err
		}
	}
	d.files[f] = true
	d.get()
	return f, nil
}

// Close releases the file: handles, syncobjs, the driver's state. It works on a
// device that is gone.
func (f *File) Close() error {
	if f.closed {
		return unix.EBADF
	}
	f.closed = true
	f.objects.drain(f.closeHandle)
	if f.Dev.driver.PostClose != nil {
		f.Dev.driver.PostClose(f)
	}
	f.syncobjs.drain(func(s *Syncobj) { s.Put() })
	delete(f.Dev.files, f)
	f.Dev.Put()
	return nil
}

// User returns the caller's memory, for arrays that an ioctl points at.
func (f *File) User() UserMemory { return f.user }

// Kernel returns the services of the system.
func (f *File) Kernel() hw.Kernel { return f.Dev.kernel }

// handles is a table of non-zero handles; the lowest free one is used.
type handles[T any] struct {
	slots []slot[T]
}

type slot[T any] struct {
	used bool
	v    T
}

// maxHandles bounds a table, so that a hostile program cannot exhaust memory.
const maxHandles = 1 << 20

func (h *handles[T]) add(v T) (uint32, error) {
	for i := range h.slots {
		if !h.slots[i].used {
			h.slots[i] = slot[T]{true, v}
			return uint32(i + 1), nil
		}
	}
	if len(h.slots) == maxHandles {
		return 0, errnof(unix.ENOMEM, "%d handles", maxHandles)
	}
	h.slots = append(h.slots, slot[T]{true, v})
	return uint32(len(h.slots)), nil
}

func (h *handles[T]) get(handle uint32) (v T, err error) {
	if handle == 0 || int(handle) > len(h.slots) || !h.slots[handle-1].used {
		return v, errnof(unix.ENOENT, "handle %d", handle)
	}
	return h.slots[handle-1].v, nil
}

func (h *handles[T]) remove(handle uint32) (v T, err error) {
	if v, err = h.get(handle); err == nil {
		h.slots[handle-1] = slot[T]{}
	}
	return v, err
}

func (h *handles[T]) drain(fn func(T)) {
	for i := range h.slots {
		if h.slots[i].used {
			v := h.slots[i].v
			h.slots[i] = slot[T]{}
			fn(v)
		}
	}
}

// find returns the handle of a value that satisfies is, 0 if there is none.
func (h *handles[T]) find(is func(T) bool) uint32 {
	for i := range h.slots {
		if h.slots[i].used && is(h.slots[i].v) {
			return uint32(i + 1)
		}
	}
	return 0
}
