package npudrv

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// client is the driver's state of an open file: a context with its mappings and
// queues.
type client struct {
	d      *Device
	file   *fw.File
	space  *space
	lock   hw.Mutex // over making mappings
	mapped map[*fw.Object]*view
	queues []*queue               // by number − 1; nil when destroyed
	killed bool                   // a job of it hung, or a reset took its memory: no job runs any more
	busy   [abi.NumEngines]uint64 // ns of its jobs on the engines
	// leaving are the mappings on their way out; gone wakes who waits for them.
	leaving []*view
	gone    hw.WaitQueue
}

// view is a buffer in a client's address space. Handles and jobs hold it.
type view struct {
	o   *fw.Object
	va  uint64
	use int // jobs that may still touch it
	// closed says that the file has no handle any more: the last job unmaps it.
	closed bool
}

func open(f *fw.File) error {
	d := deviceOf(f)
	d.heal()
	s, err := d.newSpace()
	if err != nil {
		return err
	}
	f.Private = &client{d: d, file: f, space: s, mapped: map[*fw.Object]*view{},
		lock: d.bus.NewMutex(), gone: d.bus.NewWaitQueue()}
	return nil
}

// postClose ends the file's jobs, then takes its context away, and with it all
// mappings at once.
func postClose(f *fw.File) {
	c := f.Private.(*client)
	for _, q := range c.queues {
		if q != nil {
			q.close()
		}
	}
	for len(c.leaving) > 0 {
		c.gone.Wait("buffers to be unmapped")
	}
	d := c.d
	d.residency.Lock()
	defer d.residency.Unlock()
	c.space.detach()
	for _, v := range c.views() {
		delete(c.mapped, v.o)
		v.o.Put()
	}
	c.space.free()
}

// kill ends the context: what waits on any of its queues is cancelled, and every
// later submission.
func (c *client) kill() {
	c.killed = true
	for _, q := range c.queues {
		if q != nil {
			q.entity.Kill(fw.ErrCanceled)
		}
	}
}

// blame kills the context of a job that hung; of one whose queue closes, the queue.
func (j *job) blame() {
	j.queue.guilty = true
	j.queue.entity.Kill(fw.ErrCanceled) // a queue that closes, and the driver's own, are in no list
	if !j.queue.closing {
		j.client.kill()
	}
}

// dead reports whether the job's queue or context was killed.
func (j *job) dead() bool { return j.client.killed || j.queue.guilty }

// views returns the mappings in order of address.
func (c *client) views() []*view {
	var out []*view
	for _, v := range c.mapped {
		i := len(out)
		out = append(out, v)
		for ; i > 0 && out[i-1].va > v.va; i-- {
			out[i] = out[i-1]
		}
		out[i] = v
	}
	return out
}

// deviceOf returns the driver's device of a file.
func deviceOf(f *fw.File) *Device { return f.Dev.Private.(*Device) }

// view returns the place of a buffer that the file has a handle of in the
// client's address space, mapping it there first if need be. The caller is
// inside a section.
func (c *client) view(o *fw.Object) (*view, error) {
	if v := c.mapped[o]; v != nil {
		v.closed = false
		return v, nil
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if v := c.mapped[o]; v != nil {
		return v, nil
	}
	b := o.Private.(*bo)
	va, err := c.space.mapNew(b.phys(), b.size, b.permissions())
	if err != nil {
		return nil, err
	}
	v := &view{o: o.Get(), va: va}
	c.mapped[o] = v
	c.d.Trace("map", c.file, va, b.size, b.phys())
	return v, nil
}

// firstView maps a new buffer.
func (c *client) firstView(o *fw.Object) (*view, error) {
	c.d.residency.Lock()
	defer c.d.residency.Unlock()
	if !c.d.Enter() {
		return nil, unix.ENODEV
	}
	defer c.d.Exit()
	return c.view(o)
}

// openObject is a program's first handle of a buffer. What another than its maker
// can write is cleared before anybody gets the memory, the maker too.
func openObject(f *fw.File, o *fw.Object) {
	if b := o.Private.(*bo); b.owner != f.ID {
		b.owner = 0
	}
}

// closeObject is the end of the last handle: jobs that run keep the mapping. A
// file that closes takes its mappings away in postClose.
func closeObject(f *fw.File, o *fw.Object) {
	c := f.Private.(*client)
	v := c.mapped[o]
	if v == nil || f.Closed() {
		return
	}
	if v.closed = true; v.use == 0 {
		c.forget(v)
		c.unmap(v)
	}
}

// release ends a job's use of a buffer. It runs in interrupt threads, so the
// wait for the device's TLBs has a thread of its own.
func (c *client) release(v *view) {
	if v.use--; v.use > 0 || !v.closed || c.mapped[v.o] != v {
		return
	}
	c.forget(v)
	c.d.bus.Spawn("presi unmap", false, func() { c.unmap(v) })
}

// forget takes a mapping out of the client's books; unmap follows.
func (c *client) forget(v *view) {
	delete(c.mapped, v.o)
	c.leaving = append(c.leaving, v)
}

// unmap takes a forgotten mapping out of the address space. The caller is in no
// section.
func (c *client) unmap(v *view) {
	size := v.o.Private.(*bo).size
	c.d.Trace("unmap", c.file, v.va, size, 0)
	c.d.residency.Lock()
	if c.d.Enter() {
		c.space.unmapRange(v.va, size)
		c.d.Exit()
	}
	c.space.va.Give(v.va, size)
	c.leaving = slices.DeleteFunc(c.leaving, func(x *view) bool { return x == v })
	c.d.residency.Unlock()
	v.o.Put()
	c.gone.WakeAll()
}

// queue looks a queue up.
func (c *client) queue(number uint32) (*queue, error) {
	if number == 0 || int(number) > len(c.queues) || c.queues[number-1] == nil {
		return nil, fmt.Errorf("queue %d: %w", number, unix.ENOENT)
	}
	return c.queues[number-1], nil
}
