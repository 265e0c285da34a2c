package fwtest

import (
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

// Program is a User in-process, with what the simulation knows of it. Its methods
// run in a process.
type Program struct {
	*Device
	*User
	File   *fw.File
	Memory *fw.Arena
}

// Open opens the device's node for a new program.
func (d *Device) Open(flags ...fw.OpenFlags) *Program {
	d.T.Helper()
	return d.OpenIn(&fw.Arena{}, flags...)
}

// OpenIn opens the node once more within a program that has memory already.
func (d *Device) OpenIn(memory *fw.Arena, flags ...fw.OpenFlags) *Program {
	d.T.Helper()
	p, err := d.open(memory, flags...)
	require.NoError(d.T, err)
	return p
}

func (d *Device) open(memory *fw.Arena, flags ...fw.OpenFlags) (*Program, error) {
	f, err := d.Class.Open(d.minor, memory, flags...)
	if err != nil {
		return nil, err
	}
	p := &Program{Device: d, User: &User{t: d.T, node: newLocal(f, memory, d)}, File: f, Memory: memory}
	d.programs = append(d.programs, p)
	return p, nil
}

// Close closes the file.
func (p *Program) Close() {
	p.T.Helper()
	require.NoError(p.T, p.File.Close())
}

// Peek reads n bytes of the program's memory.
func (p *Program) Peek(addr uint64, n int) []byte {
	b := make([]byte, n)
	require.NoError(p.T, p.Memory.CopyIn(addr, b))
	return b
}

// local is an in-process Node: a descriptor, one of those of its file.
type local struct {
	*fw.File
	arena       *fw.Arena
	d           *Device
	descriptors *int
	closed      bool
}

func newLocal(f *fw.File, arena *fw.Arena, d *Device) *local {
	one := 1
	return &local{File: f, arena: arena, d: d, descriptors: &one}
}

// Dup implements Node.
func (n *local) Dup() (Node, error) {
	*n.descriptors++
	return &local{File: n.File, arena: n.arena, d: n.d, descriptors: n.descriptors}, nil
}

// Close implements Node.
func (n *local) Close() error {
	if n.closed {
		return unix.EBADF
	}
	n.closed = true
	if *n.descriptors--; *n.descriptors > 0 {
		return nil
	}
	return n.File.Close()
}

func (n *local) Map(p []byte) uint64 { return n.arena.Map(p) }
func (n *local) Unmap(addr uint64)   { n.arena.Unmap(addr) }

// Mmap implements Node.
func (n *local) Mmap(offset uint64, length int64) (View, error) {
	v, err := n.File.Mmap(offset, length)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// NewEventfd implements Node.
func (n *local) NewEventfd() (int32, error) { return n.arena.Install(fw.NewEventfd(n.d.Bus)) }

// ReadEventfd implements Node.
func (n *local) ReadEventfd(fd int32, until int64) (uint64, error) {
	d, err := n.arena.Descriptor(fd)
	if err != nil {
		return 0, err
	}
	return d.(*fw.Eventfd).Read(until)
}

// FenceStatus implements Node.
func (n *local) FenceStatus(fd int32) (int, error) {
	d, err := n.arena.Descriptor(fd)
	if err != nil {
		return 0, err
	}
	return d.(*fw.SyncFile).Status(), nil
}

// CloseFD implements Node.
func (n *local) CloseFD(fd int32) error { return n.arena.CloseFD(fd) }
