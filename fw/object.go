package fw

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// Object is a buffer object (a GEM object): memory that files refer to by
// handle and programs map. It lives until the last handle, mapping, job and
// export is gone.
type Object struct {
	Dev  *Device
	Size int64 // bytes, whole pages
	// Private is the driver's part.
	Private any

	refs   int
	files  int // that have a handle of it
	offset uint64
	funcs  ObjectFuncs

	reservation Reservation
}

// ObjectFuncs is what the driver does for its objects.
type ObjectFuncs interface {
	// Release frees the memory; nobody refers to it any more.
	Release(o *Object)
	// Mapping returns a program's view of the bytes.
	Mapping(o *Object) (Mapping, error)
}

// Mapping is a buffer's bytes as a program sees them through mmap. Accesses
// outside it are EFAULT; a device that is gone gives EIO.
type Mapping interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	// Bytes is the memory itself where the CPU can have it (host memory), else nil.
	Bytes() []byte
}

// NewObject returns an object with one reference, the caller's.
func (d *Device) NewObject(size int64, funcs ObjectFuncs) *Object {
	o := &Object{Dev: d, Size: size, refs: 1, funcs: funcs}
	o.offset = d.offsets.add(o)
	o.reservation.kernel, o.reservation.fail = d.kernel, &d.onReserve
	d.get()
	return o
}

// Get takes a reference.
func (o *Object) Get() *Object { o.refs++; return o }

// Put drops a reference.
func (o *Object) Put() {
	if o.refs--; o.refs == 0 {
		o.Dev.offsets.remove(o.offset)
		o.funcs.Release(o)
		o.Dev.Put()
	}
}

// MmapOffset is the fake offset by which mmap names the object.
func (o *Object) MmapOffset() uint64 { return o.offset }

// CreateHandle gives the object a handle in the file, which holds a reference.
func (f *File) CreateHandle(o *Object) (uint32, error) {
	h, err := f.objects.add(o.Get())
	if err != nil {
		o.Put()
		return 0, err
	}
	if f.handles[o]++; f.handles[o] == 1 {
		o.files++
		if fn := f.Dev.driver.OpenObject; fn != nil {
			fn(f, o)
		}
	}
	return h, nil
}

// Object looks a handle up and takes a reference; ENOENT if there is none.
func (f *File) Object(handle uint32) (*Object, error) {
	o, err := f.objects.get(handle)
	if err != nil {
		return nil, err
	}
	return o.Get(), nil
}

// closeHandle drops what a handle held; it is out of the table already.
func (f *File) closeHandle(o *Object) {
	if f.handles[o]--; f.handles[o] == 0 {
		delete(f.handles, o)
		o.files--
		if fn := f.Dev.driver.CloseObject; fn != nil {
			fn(f, o)
		}
	}
	o.Put()
}

func gemClose(f *File, arg []byte) error {
	a := abi.Load[abi.GemClose](arg)
	o, err := f.objects.remove(a.Handle)
	if err != nil {
		return errnof(unix.EINVAL, "GEM_CLOSE of handle %d", a.Handle)
	}
	f.closeHandle(o)
	return nil
}

// VMA is a program's mapping of a buffer, which it keeps alive until Unmap,
// beyond the handle and the file. When the device is unplugged accesses fail
// with EIO, as a program would get SIGBUS.
type VMA struct {
	o      *Object
	view   Mapping
	length int64
}

// Mmap maps length bytes of the object at a fake offset of BO_INFO. EINVAL: no
// such object, or more bytes than it has; EACCES: the file has no handle of it;
// ENODEV: the device is gone.
func (f *File) Mmap(offset uint64, length int64) (*VMA, error) {
	if f.closed {
		return nil, unix.EBADF
	}
	if f.Dev.unplugged {
		return nil, errnof(unix.ENODEV, "mmap")
	}
	o := f.Dev.offsets.find(offset)
	if o == nil || length <= 0 || length > o.Size {
		return nil, errnof(unix.EINVAL, "mmap of %d bytes at offset %#x", length, offset)
	}
	if f.handles[o] == 0 {
		return nil, errnof(unix.EACCES, "mmap of another file's buffer")
	}
	view, err := o.funcs.Mapping(o)
	if err != nil {
		return nil, err
	}
	return &VMA{o.Get(), view, length}, nil
}

// Unmap ends the mapping (munmap). Slices from Bytes must not be used any more.
func (v *VMA) Unmap() {
	if v.o != nil {
		v.o.Put()
		v.o = nil
	}
}

func (v *VMA) check(p []byte, off int64) error {
	switch {
	case v.o == nil || off < 0 || off > v.length || int64(len(p)) > v.length-off:
		return errnof(unix.EFAULT, "%d bytes at %d of a mapping of %d", len(p), off, v.length)
	case v.o.Dev.unplugged:
		return errnof(unix.EIO, "mapping of a device that is gone")
	}
	return nil
}

// ReadAt implements Mapping.
func (v *VMA) ReadAt(p []byte, off int64) (int, error) {
	if err := v.check(p, off); err != nil {
		return 0, err
	}
	return v.view.ReadAt(p, off)
}

// WriteAt implements Mapping.
func (v *VMA) WriteAt(p []byte, off int64) (int, error) {
	if err := v.check(p, off); err != nil {
		return 0, err
	}
	return v.view.WriteAt(p, off)
}

// Bytes implements Mapping.
func (v *VMA) Bytes() []byte {
	if v.o == nil || v.o.Dev.unplugged {
		return nil
	}
	if b := v.view.Bytes(); b != nil {
		return b[:v.length]
	}
	return nil
}

// offsets hands out fake mmap offsets.
type offsets struct {
	next    uint64
	objects map[uint64]*Object
}

// offsetBase is the first fake offset: above any 32-bit file offset.
const offsetBase = 4 << 30

func (x *offsets) add(o *Object) uint64 {
	if x.objects == nil {
		x.objects, x.next = map[uint64]*Object{}, offsetBase
	}
	at := x.next
	x.next += uint64(o.Size)
	x.objects[at] = o
	return at
}

func (x *offsets) remove(at uint64) { delete(x.objects, at) }

func (x *offsets) find(at uint64) *Object { return x.objects[at] }
