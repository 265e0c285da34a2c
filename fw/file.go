package fw

import (
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// File is an open node: a client with its handles. It stands for the open file
// of a kernel: an ioctl that is under way keeps it alive.
type File struct {
	Dev *Device
	// ID is the client's id; ids never repeat.
	ID uint64
	// Private is the driver's state of the file.
	Private any
	// Privileged says that the caller has CAP_SYS_NICE.
	Privileged bool

	user     UserMemory
	objects  handles[*Object]
	handles  map[*Object]int // handles an object has in this file
	syncobjs handles[*Syncobj]
	calls    int // ioctls under way
	structs  [][]byte
	waits    []*syncWait
	closed   bool
}

// OpenFlags are what open(2) was given.
type OpenFlags uint32

// Flags of Open.
const (
	OpenExclusive    OpenFlags = 1 << iota // O_EXCL: refused
	OpenUnprivileged                       // the caller lacks CAP_SYS_NICE
)

func (d *Device) open(user UserMemory, flags OpenFlags) (*File, error) {
	if !d.Enter() {
		return nil, errnof(unix.ENODEV, "%s", d.Node())
	}
	defer d.Exit()
	if flags&OpenExclusive != 0 {
		return nil, errnof(unix.EBUSY, "exclusive open of %s", d.Node())
	}
	d.class.clients++
	f := &File{Dev: d, ID: d.class.clients, Privileged: flags&OpenUnprivileged == 0, user: user, handles: map[*Object]int{}}
	if d.driver.Open != nil {
		if err := d.driver.Open(f); err != nil {
			f.closed = true
			f.drain()
			return nil, err
		}
	}
	d.files = append(d.files, f)
	d.get()
	return f, nil
}

// Close closes the descriptor. Handles, syncobjs and the driver's state go with
// it, or with the end of the last ioctl that is under way: those that wait for
// what programs decide end. It works on a device that is gone.
func (f *File) Close() error {
	if f.closed {
		return unix.EBADF
	}
	f.closed = true
	f.Dev.class.wake(func(x *call) bool { return x.file == f })
	if f.calls == 0 {
		f.release()
	}
	return nil
}

// Closed reports whether the descriptor is closed.
func (f *File) Closed() bool { return f.closed }

func (f *File) release() {
	f.drain()
	if f.Dev.driver.PostClose != nil {
		f.Dev.driver.PostClose(f)
	}
	f.Dev.forget(f)
	f.Dev.Put()
}

// drain lets all handles go.
func (f *File) drain() {
	f.objects.drain(f.closeHandle)
	f.syncobjs.drain((*Syncobj).put)
}

// begin and end bracket a call on the file.
func (f *File) begin() error {
	if f.closed {
		return unix.EBADF
	}
	f.calls++
	return nil
}

func (f *File) end() {
	if f.calls--; f.calls == 0 && f.closed {
		f.release()
	}
}

// User returns the caller's memory, for arrays that an ioctl points at.
func (f *File) User() UserMemory { return f.user }

// Kernel returns the services of the system.
func (f *File) Kernel() hw.Kernel { return f.Dev.kernel }

// handles is a table of non-zero handles; the lowest free one is used.
type handles[T any] struct {
	used []uint64 // a bit a slot
	v    []T
	low  int // every word below is full
	n    int
}

// maxHandles bounds a table, so that a hostile program cannot exhaust memory.
const maxHandles = 1 << 20

func (h *handles[T]) add(v T) (uint32, error) {
	for h.low < len(h.used) && h.used[h.low] == ^uint64(0) {
		h.low++
	}
	if h.low == len(h.used) {
		if len(h.v) == maxHandles {
			return 0, errnof(unix.ENOMEM, "%d handles", maxHandles)
		}
		h.used = append(h.used, 0)
		h.v = append(h.v, make([]T, 64)...)
	}
	bit := bits.TrailingZeros64(^h.used[h.low])
	slot := h.low*64 + bit
	h.used[h.low] |= 1 << bit
	h.v[slot] = v
	h.n++
	return uint32(slot + 1), nil
}

func (h *handles[T]) has(handle uint32) bool {
	i := int(handle) - 1
	return i >= 0 && i < len(h.v) && h.used[i/64]>>(i%64)&1 != 0
}

func (h *handles[T]) get(handle uint32) (v T, err error) {
	if !h.has(handle) {
		return v, errnof(unix.ENOENT, "handle %d", handle)
	}
	return h.v[handle-1], nil
}

func (h *handles[T]) remove(handle uint32) (v T, err error) {
	if v, err = h.get(handle); err != nil {
		return v, err
	}
	var none T
	i := int(handle) - 1
	h.v[i] = none
	h.used[i/64] &^= 1 << (i % 64)
	h.low = min(h.low, i/64)
	h.n--
	return v, nil
}

// drain empties the table, lowest handle first.
func (h *handles[T]) drain(fn func(T)) {
	for i := range h.v {
		if v, err := h.remove(uint32(i + 1)); err == nil {
			fn(v)
		}
	}
}

// find returns the lowest handle of a value that satisfies is, 0 if there is none.
func (h *handles[T]) find(is func(T) bool) uint32 {
	for i := range h.v {
		if h.has(uint32(i+1)) && is(h.v[i]) {
			return uint32(i + 1)
		}
	}
	return 0
}
