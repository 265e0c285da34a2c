package npudrv

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// bo is the driver's part of a buffer object.
type bo struct {
	d       *Device
	flags   uint32
	size    uint64
	at      uint64    // device address, for a buffer in device memory
	pages   *hw.Pages // for a buffer in host memory, by wish or by eviction
	evicted bool      // the device itself has copied it there
	used    uint64    // when a job last named it, in jobs
	owner   uint64    // the client that made it; 0 when others have had a handle
}

// maxBO bounds one buffer.
const maxBO = 1 << 40

func roundUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// available is the device memory that nobody holds.
func (d *Device) available() uint64 { return d.memory.Left() + d.scrub.left() }

// newBO allocates the memory, in an ioctl of a file. It may wait for the device: the
// caller is in no section.
func (d *Device) newBO(f *fw.File, size uint64, flags uint32) (*fw.Object, error) {
	place := flags & (abi.BODevice | abi.BOHost)
	if flags&^uint32(abi.BOFlags) != 0 || place == 0 || place == abi.BODevice|abi.BOHost {
		return nil, fmt.Errorf("BO_CREATE flags %#x: exactly one of DEVICE and HOST: %w", flags, unix.EINVAL)
	}
	if size == 0 || size > maxBO {
		return nil, fmt.Errorf("BO_CREATE of %d bytes: %w", size, unix.EINVAL)
	}
	b := &bo{d: d, flags: flags, size: roundUp(size, pageSize), owner: f.ID}
	if err := b.allocate(f); err != nil {
		return nil, err
	}
	o := d.NewObject(int64(b.size), boFuncs{})
	o.Private = b
	if b.pages == nil {
		d.jobs++
		b.used = d.jobs
		d.objects = append(d.objects, o)
	}
	return o, nil
}

func (b *bo) allocate(f *fw.File) error {
	if b.flags&abi.BODevice == 0 {
		return b.allocateHost()
	}
	align := uint64(pageSize)
	if b.size >= bigPage {
		align = bigPage
	}
	if b.size >= hugePage {
		align = hugePage
	}
	at, err := b.d.takeMemory(f, b.size, align)
	if err != nil {
		return err
	}
	b.at = at
	return nil
}

func (b *bo) allocateHost() error {
	p, err := b.d.bus.AllocPages(int64(b.size))
	if err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	dir := hw.Direction(hw.DeviceReads)
	if b.writable() || b.evicted {
		dir = hw.Bidirectional
	}
	if _, err := b.d.bus.MapDMA(p, dir); err != nil {
		b.d.bus.FreePages(p)
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	b.pages = p
	return nil
}

// takeMemory returns device memory that is clean, or the file's own: what others have
// given back is cleared, and other buffers are evicted, until it is found.
func (d *Device) takeMemory(f *fw.File, size, align uint64) (uint64, error) {
	if at, ok := d.scrub.reuse(size, align, f.ID); ok {
		return at, nil
	}
	for {
		if at, ok := d.memory.Take(size, align); ok {
			return at, nil
		}
		err := error(unix.ENOSPC)
		switch {
		case size > d.info.MemSize-d.tableBytes:
		case d.scrub.left() > 0:
			err = d.scrub.run()
		default:
			err = d.makeRoom(f)
		}
		if err != nil {
			return 0, fmt.Errorf("%d bytes of device memory (%d are free): %w", size, d.available(), err)
		}
	}
}

// writable reports whether the device may write the buffer.
func (b *bo) writable() bool { return b.flags&(abi.BOReadOnly|abi.BOCommand) == 0 }

// usage is what a job does with it.
func (b *bo) usage() fw.Usage {
	if b.writable() {
		return fw.UsageWrite
	}
	return fw.UsageRead
}

// phys is the physical address that page tables hold.
func (b *bo) phys() uint64 {
	if b.pages != nil {
		return b.pages.Bus
	}
	return b.at | abi.DeviceBit
}

func (b *bo) permissions() uint64 {
	bits := uint64(mapRead)
	if b.writable() {
		bits |= mapWrite
	}
	if b.flags&abi.BOCommand != 0 {
		bits |= mapExec
	}
	return bits
}

type boFuncs struct{}

// Release implements fw.ObjectFuncs.
func (boFuncs) Release(o *fw.Object) {
	b := o.Private.(*bo)
	if b.flags&abi.BODevice != 0 {
		b.d.objects = slices.DeleteFunc(b.d.objects, func(x *fw.Object) bool { return x == o })
	}
	b.release()
}

// release gives the memory back.
func (b *bo) release() {
	if b.pages == nil {
		b.d.scrub.give(b.at, b.size, b.owner)
		return
	}
	b.d.bus.UnmapDMA(b.pages)
	b.d.bus.FreePages(b.pages)
}

// Mapping implements fw.ObjectFuncs: host memory itself, or device memory through
// BAR2. A buffer beyond that moves to host memory first.
func (boFuncs) Mapping(o *fw.Object) (fw.Mapping, error) {
	b := o.Private.(*bo)
	if !b.visible() {
		if err := b.d.expose(o); err != nil {
			return nil, err
		}
	}
	return mapping{b}, nil
}

// visible reports whether the CPU reaches the whole buffer.
func (b *bo) visible() bool { return b.pages != nil || b.at+b.size <= b.d.windowSize }

// mapping is a program's view of a buffer.
type mapping struct{ b *bo }

func (m mapping) check(p []byte, off int64) error {
	if off < 0 || uint64(off)+uint64(len(p)) > m.b.size {
		return fmt.Errorf("bytes %d to %d of a buffer of %d: %w", off, off+int64(len(p)), m.b.size, unix.EFAULT)
	}
	return nil
}

// holdResidency takes the residency lock at a moment at which device memory answers.
func (d *Device) holdResidency() {
	for {
		d.steady()
		d.residency.Lock()
		if !d.frozen && !d.dark {
			return
		}
		d.residency.Unlock()
	}
}

// ReadAt implements fw.Mapping.
func (m mapping) ReadAt(p []byte, off int64) (int, error) {
	if err := m.check(p, off); err != nil {
		return 0, err
	}
	if m.b.flags&abi.BODevice != 0 {
		m.b.d.holdResidency()
		defer m.b.d.residency.Unlock()
	}
	if m.b.pages != nil {
		return copy(p, m.Bytes()[off:]), nil
	}
	if !m.b.d.Enter() {
		return 0, unix.EIO
	}
	defer m.b.d.Exit()
	m.b.d.bus.ReadBAR(abi.BARMemory, m.b.at+uint64(off), p)
	return len(p), nil
}

// WriteAt implements fw.Mapping.
func (m mapping) WriteAt(p []byte, off int64) (int, error) {
	if err := m.check(p, off); err != nil {
		return 0, err
	}
	if m.b.flags&abi.BODevice != 0 {
		m.b.d.holdResidency()
		defer m.b.d.residency.Unlock()
	}
	if m.b.pages != nil {
		return copy(m.Bytes()[off:], p), nil
	}
	if !m.b.d.Enter() {
		return 0, unix.EIO
	}
	defer m.b.d.Exit()
	m.b.d.bus.WriteBAR(abi.BARMemory, m.b.at+uint64(off), p)
	return len(p), nil
}

// Bytes implements fw.Mapping.
func (m mapping) Bytes() []byte {
	if m.b.pages == nil {
		return nil
	}
	return m.b.pages.Touch()
}
