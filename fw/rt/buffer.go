package rt

import (
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// Buffer is a buffer object: memory that the device reaches at Addr.
type Buffer struct {
	Handle uint32
	Addr   uint64 // in the device's view of this program, constant
	Size   int64  // bytes, whole pages

	dev     *Device
	mapping Mapping
}

// NewBuffer creates a buffer of at least size bytes; flags are abi.BO…, exactly
// one of BODevice and BOHost among them. ENOSPC when device memory is full.
func (d *Device) NewBuffer(size int64, flags uint32) (*Buffer, error) {
	a := abi.BOCreate{Size: uint64(size), Flags: flags}
	if err := call(d.node, "BO_CREATE", abi.NrBOCreate, &a); err != nil {
		return nil, fmt.Errorf("%w (%d bytes, flags %#x)", err, size, flags)
	}
	return &Buffer{Handle: a.Handle, Addr: a.DeviceAddr, Size: int64(a.Size), dev: d}, nil
}

// Info asks where the buffer is now.
func (b *Buffer) Info() (abi.BOInfo, error) {
	a := abi.BOInfo{Handle: b.Handle}
	err := call(b.dev.node, "BO_INFO", abi.NrBOInfo, &a)
	return a, err
}

// Map maps the whole buffer, once.
func (b *Buffer) Map() (Mapping, error) {
	if b.mapping != nil {
		return b.mapping, nil
	}
	info, err := b.Info()
	if err != nil {
		return nil, err
	}
	m, err := b.dev.node.Mmap(info.MmapOffset, b.Size)
	if err != nil {
		return nil, fmt.Errorf("rt: mmap: %w", err)
	}
	b.mapping = m
	return m, nil
}

// WriteAt copies p into the buffer through its mapping.
func (b *Buffer) WriteAt(p []byte, off int64) (int, error) {
	m, err := b.Map()
	if err != nil {
		return 0, err
	}
	return m.WriteAt(p, off)
}

// ReadAt copies from the buffer through its mapping.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	m, err := b.Map()
	if err != nil {
		return 0, err
	}
	return m.ReadAt(p, off)
}

// Close drops the handle and the mapping: slices of its Bytes must not be used any
// more. The memory lives on while jobs use it.
func (b *Buffer) Close() error {
	if m, ok := b.mapping.(interface{ Unmap() }); ok {
		m.Unmap()
	}
	b.mapping = nil
	a := abi.GemClose{Handle: b.Handle}
	return call(b.dev.node, "GEM_CLOSE", abi.NrGemClose, &a)
}
