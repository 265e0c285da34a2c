package rt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// OpenPath opens the device of a node of this machine, "/dev/accel/accel0" say,
// by system calls. The errno is in the error: ENOENT, there is no such node;
// EACCES, it is not for the caller; ENXIO or ENODEV, its device has gone; ENOTTY,
// it is no accel node; ENODEV, another driver has the device.
func OpenPath(path string) (*Device, error) {
	n, err := openNode(path)
	if err != nil {
		return nil, err
	}
	return opened(n, path)
}

// OpenIn is OpenPath in a class of the framework, where the same paths lead to
// in-process devices. Processes of their simulation use the device.
func OpenIn(class *fw.Class, path string) (*Device, error) {
	var minor int
	if _, err := fmt.Sscanf(path, "/dev/accel/accel%d", &minor); err != nil || path != fmt.Sprintf("/dev/accel/accel%d", minor) {
		return nil, fmt.Errorf("rt: %s: a node's path is /dev/accel/accel and a number: %w", path, unix.ENOENT)
	}
	arena := &fw.Arena{}
	f, err := class.Open(minor, arena)
	if err != nil {
		return nil, fmt.Errorf("rt: %w", err)
	}
	return opened(Local(f, arena), path)
}

// opened is Open, behind a path.
func opened(n Node, path string) (*Device, error) {
	d, err := Open(n)
	if err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return d, nil
}

// node is an open node of this machine.
type node struct{ file *os.File }

func openNode(path string) (*node, error) {
	fd, err := openRetrying(path)
	if err != nil {
		return nil, fmt.Errorf("rt: %s: %w%s", path, err, advice(path, err))
	}
	n := newNode(fd, path)
	if err := n.identify(path); err != nil {
		_ = n.Close()
		return nil, err
	}
	return n, nil
}

// openRetrying opens a file, which becomes nobody's terminal, however many signals
// come.
func openRetrying(path string) (fd int, err error) {
	for {
		if fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0); err != unix.EINTR {
			return fd, err
		}
	}
}

// newNode makes a node of a descriptor, which is the node's from then on.
func newNode(fd int, path string) *node { return &node{os.NewFile(uintptr(fd), path)} }

// advice says what to do about an open that has failed.
func advice(path string, err error) string {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		others, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "accel[0-9]*"))
		if len(others) == 0 {
			return fmt.Sprintf(": %s has no node at all: is the device there, and a driver bound to it?", filepath.Dir(path))
		}
		return ": there are " + strings.Join(others, ", ")
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return ": it belongs to root and a group, as a rule render: is the user in that group?"
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return ": the node is left over from a device that has gone"
	}
	return ""
}

// driverName is what VERSION says of the driver that this runtime knows.
const driverName = "presi"

// identify holds that the file is an accel node of the right driver.
func (n *node) identify(path string) error {
	i, err := n.file.Stat()
	if err != nil {
		return fmt.Errorf("rt: %s: %w", path, err)
	}
	if i.Mode()&fs.ModeCharDevice == 0 {
		return fmt.Errorf("rt: %s is no device but %s: %w", path, kindOf(i.Mode()), unix.ENOTTY)
	}
	name := make([]byte, 64)
	v := abi.VersionInfo{NameLen: uint64(len(name))}
	if err := call(n, "VERSION", abi.NrVersion, &v, Ref{int(unsafe.Offsetof(v.Name)), name}); err != nil {
		return fmt.Errorf("%w: %s is a device, but no accel node", err, path)
	}
	if got := string(name[:min(v.NameLen, uint64(len(name)))]); got != driverName {
		return fmt.Errorf("rt: %s is a device of the driver %q, not of %q: %w", path, got, driverName, unix.ENODEV)
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m&fs.ModeDevice != 0:
		return "a block device"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "something else"
}

// do runs fn with the descriptor, which stays open meanwhile.
func (n *node) do(fn func(fd uintptr) error) error {
	c, err := n.file.SyscallConn()
	if err != nil {
		return unix.EBADF
	}
	result := error(unix.EBADF)
	if err := c.Control(func(fd uintptr) { result = fn(fd) }); err != nil {
		return unix.EBADF
	}
	return result
}

// Ioctl implements Node.
func (n *node) Ioctl(request uint32, arg []byte, refs ...Ref) error {
	var pins runtime.Pinner // addresses are in memory that the collector does not read as such
	defer pins.Unpin()
	for _, r := range refs {
		if len(r.Data) > 0 {
			p := unsafe.SliceData(r.Data)
			pins.Pin(p)
			binary.LittleEndian.PutUint64(arg[r.Offset:], uint64(uintptr(unsafe.Pointer(p))))
		}
	}
	return n.do(func(fd uintptr) error {
		for {
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(unsafe.Pointer(unsafe.SliceData(arg))))
			switch errno {
			case 0:
				return nil
			case unix.EINTR:
				continue
			}
			return errno
		}
	})
}

// Mmap implements Node.
func (n *node) Mmap(offset uint64, length int64) (m Mapping, err error) {
	err = n.do(func(fd uintptr) error {
		b, err := unix.Mmap(int(fd), int64(offset), int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		m = &mapped{b}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Close implements Node.
func (n *node) Close() error { return n.file.Close() }

// mapped is memory that a kernel has mapped.
type mapped struct{ bytes []byte }

// ReadAt implements Mapping.
func (m *mapped) ReadAt(p []byte, off int64) (int, error) {
	b, err := m.part(off, len(p))
	if err != nil {
		return 0, err
	}
	return guarded(p, b)
}

// WriteAt implements Mapping.
func (m *mapped) WriteAt(p []byte, off int64) (int, error) {
	b, err := m.part(off, len(p))
	if err != nil {
		return 0, err
	}
	return guarded(b, p)
}

func (m *mapped) part(off int64, n int) ([]byte, error) {
	if off < 0 || off > int64(len(m.bytes)) || int64(n) > int64(len(m.bytes))-off {
		return nil, fmt.Errorf("rt: %d bytes at %d of a mapping of %d: %w", n, off, len(m.bytes), unix.EFAULT)
	}
	return m.bytes[off : off+int64(n)], nil
}

// guarded copies; EIO when the memory has gone with its device, for which a kernel
// sends SIGBUS.
func guarded(dst, src []byte) (n int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			if _, fault := v.(interface{ Addr() uintptr }); !fault {
				panic(v)
			}
			n, err = 0, fmt.Errorf("rt: access to a mapping that has gone: %w", unix.EIO)
		}
	}()
	return copy(dst, src), nil
}

// Bytes implements Mapping.
func (m *mapped) Bytes() []byte { return m.bytes }

// Unmap ends the mapping.
func (m *mapped) Unmap() {
	if m.bytes != nil {
		_ = unix.Munmap(m.bytes) // it was mapped
		m.bytes = nil
	}
}
