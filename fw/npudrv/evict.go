package npudrv

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// errNoneIdle says that no buffer can be moved out of device memory now.
var errNoneIdle = fmt.Errorf("jobs use all buffers that are there: %w", unix.ENOSPC)

// makeRoom moves a buffer out of device memory. When jobs use all that are there it
// waits instead, within an ioctl of a file, for those of the one to move first. The
// caller is in no section.
func (d *Device) makeRoom(f *fw.File) error {
	had := d.available()
	if err := d.evictOne(); err != errNoneIdle {
		return err
	}
	if d.available() != had {
		return nil // others have made room meanwhile
	}
	o := d.oldest(func(*fw.Object) bool { return true })
	if o == nil {
		return unix.ENOSPC
	}
	o.Get()
	defer o.Put()
	return o.Reservation().Await(f, fw.UsageBookkeep)
}

// evictOne moves the buffer in device memory that was used longest ago to host
// memory, at the same addresses of every context. Buffers of jobs that have not
// ended stay. It waits for the device: the caller is in no section.
//
// The residency lock keeps everybody else away meanwhile: who submits, maps,
// unmaps, closes a context or accesses a buffer through BAR2.
func (d *Device) evictOne() error {
	d.residency.Lock()
	defer d.residency.Unlock()
	o := d.oldest(func(o *fw.Object) bool { return o.Reservation().Idle(fw.UsageBookkeep) })
	if o == nil {
		return errNoneIdle
	}
	return d.evict(o)
}

// expose moves a buffer that lies beyond the part of device memory that the CPU
// reaches to host memory, when jobs have left it. The caller is in no section.
func (d *Device) expose(o *fw.Object) error {
	b := o.Private.(*bo)
	d.PowerGet()
	defer d.PowerPut()
	for {
		if err := o.Reservation().Wait(fw.UsageBookkeep, math.MaxInt64); err != nil {
			return err
		}
		d.residency.Lock()
		if b.visible() {
			d.residency.Unlock()
			return nil
		}
		if o.Reservation().Idle(fw.UsageBookkeep) {
			err := d.evict(o)
			d.residency.Unlock()
			return err
		}
		d.residency.Unlock()
	}
}

// evict moves a buffer that no job uses. The caller has the residency lock.
func (d *Device) evict(o *fw.Object) error {
	o.Get()
	defer o.Put()
	var locked fw.Reservations
	if err := locked.Lock(1, o); err != nil {
		return err
	}
	defer locked.Unlock()
	locked.Wait(fw.UsageBookkeep)
	move := fw.NewFence(d.bus)
	locked.Add(o, move, fw.UsageKernel)
	err := d.moveOut(o.Private.(*bo), d.viewsOf(o))
	move.Signal(err)
	return err
}

// place is a buffer in one of the contexts.
type place struct {
	c *client
	v *view
	// leaving says that the mapping is on its way out: it is not made again.
	leaving bool
}

// viewsOf returns all mappings of an object.
func (d *Device) viewsOf(o *fw.Object) (out []place) {
	for _, f := range d.Files() {
		c := f.Private.(*client)
		if v := c.mapped[o]; v != nil {
			out = append(out, place{c, v, false})
		}
		for _, v := range c.leaving {
			if v.o == o {
				out = append(out, place{c, v, true})
			}
		}
	}
	return out
}

// oldest returns the buffer in device memory that was used longest ago of those that
// will do, nil if none does.
func (d *Device) oldest(will func(*fw.Object) bool) (best *fw.Object) {
	for _, o := range d.objects {
		b := o.Private.(*bo)
		if b.pages != nil || best != nil && best.Private.(*bo).used <= b.used {
			continue
		}
		if will(o) {
			best = o
		}
	}
	return best
}

// moveOut takes the mappings away, copies, and makes them again.
func (d *Device) moveOut(b *bo, places []place) error {
	to := bo{d: d, flags: b.flags&^abi.BODevice | abi.BOHost, size: b.size, evicted: true}
	if err := to.allocateHost(); err != nil {
		return fmt.Errorf("host memory to evict to: %v: %w", err, unix.ENOSPC)
	}
	if !d.Enter() {
		to.release()
		return unix.ENODEV
	}
	for _, p := range places {
		p.c.space.unmapRange(p.v.va, b.size)
	}
	d.Exit()
	err := d.scrub.exec([]abi.Packet{{Op: abi.OpCopy, Src: b.phys(), Dst: to.pages.Bus, RowBytes: b.size, Counts: [2]uint32{1, 1}}})
	if err == nil {
		d.scrub.give(b.at, b.size, b.owner)
		b.pages = to.pages
		d.Trace("evict", nil, b.at, b.size, b.pages.Bus)
	} else {
		to.release()
	}
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	for _, p := range places {
		if p.leaving {
			continue
		}
		if e := p.c.space.mapAt(p.v.va, b.phys(), b.size, b.permissions()); e != nil {
			d.log("presi %s: a buffer of client %d is lost at eviction: %v", d.Address, p.c.file.ID, e)
		}
	}
	return err
}
