package edudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// client is the driver's state of an open file.
type client struct {
	copies *fw.Entity
	busyNS int64 // of the DMA unit, for it
}

// maxPending bounds the copies that a file may have queued.
const maxPending = 64

func open(f *fw.File) error {
	f.Private = &client{copies: deviceOf(f).copies.NewEntity(fw.PriorityNormal)}
	return nil
}

func postClose(f *fw.File) {
	e := f.Private.(*client).copies
	e.Kill(fw.ErrCanceled) // what is queued
	e.Flush()              // what the card is at
	e.Close()
}

// copyBytes checks everything, then arms a job: from there on nothing fails.
func copyBytes(f *fw.File, arg []byte) error {
	a := abi.Load[Copy](arg)
	if a.Pad != 0 {
		return fmt.Errorf("EDU_COPY pad %#x: %w", a.Pad, unix.EINVAL)
	}
	c := f.Private.(*client)
	in, out, err := syncs(f, &a)
	if err != nil {
		return err
	}
	t := &transfer{client: c, left: a.Length}
	if t.dst, t.to, err = span(f, a.Dst, a.DstOffset, a.Length); err != nil {
		return err
	}
	if t.src, t.from, err = span(f, a.Src, a.SrcOffset, a.Length); err != nil {
		release(t.dst)
		return err
	}
	if t.from < t.to+t.left && t.to < t.from+t.left {
		t.put()
		return fmt.Errorf("EDU_COPY of overlapping ranges: %w", unix.EINVAL)
	}
	f.Kernel().Charge(hw.CostSubmit)
	deviceOf(f).Trace("copy", f, t.from, t.to, t.left)
	if err := c.copies.AwaitRoom(f, maxPending); err != nil {
		t.put()
		return err
	}
	j := c.copies.NewJob()
	j.Private, j.TimeoutNS = t, lookNS
	j.DependOn(in)
	if out != nil {
		out.Attach(0, j.Finished)
	}
	j.Push()
	return nil
}

// syncs looks up the fence to wait for and the syncobj to signal; nil for none.
func syncs(f *fw.File, a *Copy) (in *fw.Fence, out *fw.Syncobj, err error) {
	if a.InSync != 0 {
		s, err := f.Syncobj(a.InSync)
		if err != nil {
			return nil, nil, err
		}
		if in = s.At(0); in == nil {
			return nil, nil, fmt.Errorf("syncobj %d holds no fence: %w", a.InSync, unix.EINVAL)
		}
	}
	if a.OutSync != 0 {
		out, err = f.Syncobj(a.OutSync)
	}
	return in, out, err
}

// span returns a buffer, held for a copy, and the bus address of a range of it.
func span(f *fw.File, handle uint32, off, n uint64) (*fw.Object, uint64, error) {
	o, err := f.Object(handle)
	if err != nil {
		return nil, 0, err
	}
	if size := uint64(o.Size); n == 0 || off > size || n > size-off {
		o.Put()
		return nil, 0, fmt.Errorf("%d bytes at %d of a buffer of %d: %w", n, off, size, unix.EINVAL)
	}
	b := o.Private.(*buffer)
	b.jobs++
	return o, b.pages.Bus + off, nil
}
