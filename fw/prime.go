package fw

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// dmaBuf is an exported buffer. It keeps the object alive beyond the handles and
// files that exported it.
type dmaBuf struct{ o *Object }

// Close implements Descriptor.
func (b *dmaBuf) Close() error {
	b.o.Put()
	return nil
}

// Flags of PRIME_HANDLE_TO_FD: O_CLOEXEC and O_RDWR.
const primeFlags = unix.O_CLOEXEC | unix.O_RDWR

func primeHandleToFD(f *File, arg []byte) error {
	a := abi.Load[abi.PrimeHandle](arg)
	if a.Flags&^primeFlags != 0 {
		return errnof(unix.EINVAL, "PRIME_HANDLE_TO_FD flags %#x", a.Flags)
	}
	o, err := f.Object(a.Handle)
	if err != nil {
		return err
	}
	if a.FD, err = f.export(&dmaBuf{o}); err != nil {
		o.Put()
		return err
	}
	abi.Store(arg, &a)
	return nil
}

// primeFDToHandle imports a buffer of the same device. A file that has a handle
// of it gets that one.
func primeFDToHandle(f *File, arg []byte) error {
	a := abi.Load[abi.PrimeHandle](arg)
	b, err := descriptor[*dmaBuf](f, a.FD, unix.EBADF, unix.EINVAL)
	if err != nil {
		return err
	}
	if b.o.Dev != f.Dev {
		return errnof(unix.EINVAL, "import of a buffer of %s into %s", b.o.Dev.Address, f.Dev.Address)
	}
	if f.handles[b.o] > 0 {
		a.Handle = f.objects.find(func(o *Object) bool { return o == b.o })
	} else if a.Handle, err = f.CreateHandle(b.o); err != nil {
		return err
	}
	abi.Store(arg, &a)
	return nil
}
