package edudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
)

// buffer is the driver's part of a buffer object: host memory that the card
// reaches below its DMA mask.
type buffer struct {
	d     *Device
	pages *hw.Pages
	jobs  int // copies that use it
}

// newBuffer allocates memory and maps it for the card.
func (d *Device) newBuffer(size uint64) (*fw.Object, error) {
	if size == 0 || size > 1<<dmaBits {
		return nil, fmt.Errorf("buffer of %d bytes, the card reaches %d: %w", size, 1<<dmaBits, unix.EINVAL)
	}
	p, err := d.bus.AllocPages(int64(size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	if _, err := d.bus.MapDMA(p, hw.Bidirectional); err != nil {
		d.bus.FreePages(p)
		return nil, fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	b := &buffer{d: d, pages: p}
	o := d.NewObject(p.Size, b)
	o.Private = b
	return o, nil
}

// Release implements fw.ObjectFuncs: nobody refers to the buffer any more.
func (b *buffer) Release(*fw.Object) {
	b.d.bus.UnmapDMA(b.pages)
	b.d.bus.FreePages(b.pages)
}

// Mapping implements fw.ObjectFuncs: a program maps the memory itself.
func (b *buffer) Mapping(*fw.Object) (fw.Mapping, error) { return memory{b.pages}, nil }

// memory is a mapping of host memory; the framework has checked the bounds.
type memory struct{ p *hw.Pages }

// ReadAt implements fw.Mapping.
func (m memory) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.Bytes()[off:]), nil }

// WriteAt implements fw.Mapping.
func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m.Bytes()[off:], p), nil }

// Bytes implements fw.Mapping.
func (m memory) Bytes() []byte { return m.p.Touch() }
