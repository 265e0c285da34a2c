package rt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// Node is an open accel node: the only way to the device.
type Node interface {
	// Ioctl runs an ioctl on the struct in arg and leaves its answer there. Each
	// ref is memory that the struct points at. Interrupted calls are restarted;
	// errors are errnos or wrap them.
	Ioctl(request uint32, arg []byte, refs ...Ref) error
	// Mmap maps length bytes of the buffer at a fake offset of BO_INFO.
	Mmap(offset uint64, length int64) (Mapping, error)
	Close() error
}

// Ref is memory that an ioctl's struct points at: the node puts the address of
// Data into the u64 field at Offset. Without Data the field stays as it is.
type Ref struct {
	Offset int
	Data   []byte
}

// Mapping is a buffer's bytes as the program sees them.
type Mapping = fw.Mapping

// ErrUnsupported is wrapped by the refusal of an operation that no kernel
// descriptor can express, or that does not fit the machine.
var ErrUnsupported = errors.New("unsupported")

// local is an in-process node.
type local struct {
	file  *fw.File
	arena *fw.Arena
}

// Local returns the node of a file opened in-process. The arena is the user
// memory with which the file was opened.
func Local(file *fw.File, arena *fw.Arena) Node { return &local{file, arena} }

// Ioctl implements Node.
func (n *local) Ioctl(request uint32, arg []byte, refs ...Ref) error {
	var mapped [4]uint64
	addrs := mapped[:0]
	for _, r := range refs {
		if len(r.Data) > 0 {
			at := n.arena.Map(r.Data)
			addrs = append(addrs, at)
			binary.LittleEndian.PutUint64(arg[r.Offset:], at)
		}
	}
	at := n.arena.Map(arg)
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = n.file.Ioctl(request, at)
	}
	n.arena.Unmap(at)
	for i := len(addrs) - 1; i >= 0; i-- {
		n.arena.Unmap(addrs[i])
	}
	return err
}

// Mmap implements Node.
func (n *local) Mmap(offset uint64, length int64) (Mapping, error) {
	return n.file.Mmap(offset, length)
}

// Close implements Node.
func (n *local) Close() error { return n.file.Close() }

// call runs an ioctl on a struct and reads its answer back.
func call[T any](n Node, name string, nr uint32, v *T, refs ...Ref) error {
	arg := make([]byte, abi.SizeOf[T]())
	abi.Store(arg, v)
	if err := n.Ioctl(abi.RequestOf[T](nr), arg, refs...); err != nil {
		return fmt.Errorf("rt: %s: %w", name, err)
	}
	*v = abi.Load[T](arg)
	return nil
}

// words lays u32 values out as an array in memory.
func words(v []uint32) []byte {
	p := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(p[4*i:], x)
	}
	return p
}
