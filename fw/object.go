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

	refs    int
	handles int // open handles, in all files
	offset  uint64
	funcs   ObjectFuncs
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
	h, err := f.objects.add(o)
	if err != nil {
		return 0, err
	}
	o.Get()
	o.handles++
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
	o.handles--
	last := f.objects.find(func(x *Object) bool { return x == o }) == 0
	if fn := f.Dev.driver.CloseObject; fn != nil && last {
		fn(f, o)
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

// Mmap maps length bytes of the object at a fake offset.
func (f *File) Mmap(offset uint64, length int64) (Mapping, error) {
	if f.Dev.unplugged {
		return nil, errnof(unix.ENODEV, "mmap")
	}
	o := f.Dev.offsets.find(offset)
	if o == nil || length <= 0 || length > o.Size {
		return nil, errnof(unix.EINVAL, "mmap of %d bytes at offset %#x", length, offset)
	}
	if f.objects.find(func(x *Object) bool { return x == o }) == 0 {
		return nil, errnof(unix.EACCES, "mmap of another file's buffer")
	}
	return o.funcs.Mapping(o)
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
