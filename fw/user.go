package fw

import (
	"sort"

	"golang.org/x/sys/unix"
)

// UserMemory is a calling program's memory as ioctls reach it. A bad address
// is EFAULT.
type UserMemory interface {
	CopyIn(addr uint64, p []byte) error
	CopyOut(addr uint64, p []byte) error
}

// Arena is a program in-process, as far as a kernel sees one: its memory, Go
// slices under made-up addresses with holes between them, and its file
// descriptors. Files that are opened with the same Arena belong to one program.
type Arena struct {
	areas []area // by address
	next  uint64
	fds   handles[Descriptor]
}

type area struct {
	addr uint64
	p    []byte
}

// arenaBase is where an arena's addresses start; 0 is never valid.
const arenaBase = 0x10000

// Map gives p an address.
func (a *Arena) Map(p []byte) uint64 {
	at := max(a.next, arenaBase)
	a.next = (at + uint64(len(p)) + 4096) &^ 63
	a.areas = append(a.areas, area{at, p})
	return at
}

// Unmap takes the latest mapping at addr away.
func (a *Arena) Unmap(addr uint64) {
	for i := len(a.areas) - 1; i >= 0; i-- {
		if a.areas[i].addr == addr {
			a.areas = append(a.areas[:i], a.areas[i+1:]...)
			break
		}
	}
	if len(a.areas) == 0 {
		a.next = arenaBase
	}
}

// find returns n bytes at addr, nil if they are not all mapped by one area.
func (a *Arena) find(addr uint64, n int) []byte {
	i := sort.Search(len(a.areas), func(i int) bool { return a.areas[i].addr > addr }) - 1
	if i < 0 {
		return nil
	}
	off := addr - a.areas[i].addr
	if off > uint64(len(a.areas[i].p)) || uint64(n) > uint64(len(a.areas[i].p))-off {
		return nil
	}
	return a.areas[i].p[off : off+uint64(n)]
}

// CopyIn implements UserMemory.
func (a *Arena) CopyIn(addr uint64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	src := a.find(addr, len(p))
	if src == nil {
		return unix.EFAULT
	}
	copy(p, src)
	return nil
}

// CopyOut implements UserMemory.
func (a *Arena) CopyOut(addr uint64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	dst := a.find(addr, len(p))
	if dst == nil {
		return unix.EFAULT
	}
	copy(dst, p)
	return nil
}
