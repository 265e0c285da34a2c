package edudrv

import (
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
)

// transfer is a copy on its way through the card's buffer: piece by piece in from
// one buffer object and out to the other, an interrupt each.
type transfer struct {
	client   *client
	dst, src *fw.Object
	to, from uint64 // bus addresses of what is left
	left     uint64 // bytes
	piece    uint64 // bytes under way
	out      bool   // they are on their way out
	since    int64  // when it was started, ns
	steps    int    // DMA commands that have ended
	seen     int    // of these, when the time-out last looked
	hardware *fw.Fence
}

func (t *transfer) put() {
	release(t.dst)
	release(t.src)
}

// release ends a copy's use of a buffer.
func release(o *fw.Object) {
	o.Private.(*buffer).jobs--
	o.Put()
}

// startScheduler makes the queue of copies. The card does one at a time.
func (d *Device) startScheduler() error {
	d.copies = fw.NewScheduler(d.bus, "edu-copies", 1, d)
	d.ManageBound(func() { d.copies.End(unix.ENODEV) })
	return nil
}

// Run implements fw.Backend: the scheduler hands a copy to the card.
func (d *Device) Run(j *fw.Job) (*fw.Fence, error) {
	if !d.Enter() {
		return nil, unix.ENODEV
	}
	defer d.Exit()
	d.lock.Lock()
	defer d.lock.Unlock()
	t := j.Private.(*transfer)
	t.hardware, t.since = fw.NewFence(d.bus), d.bus.Now()
	d.active = t
	d.in(t)
	return t.hardware, nil
}

// in and out start the two halves of a piece. The lock is held.
func (d *Device) in(t *transfer) {
	t.piece, t.out = min(t.left, cardBytes), false
	d.command(t.from, cardBuffer, t.piece, dmaRun|dmaInterrupt)
}

func (d *Device) out(t *transfer) {
	t.out = true
	d.command(cardBuffer, t.to, t.piece, dmaRun|dmaInterrupt|dmaToHost)
}

func (d *Device) command(src, dst, n uint64, command uint32) {
	d.write64(regSource, src)
	d.write64(regDestination, dst)
	d.write64(regCount, n)
	d.write(regCommand, command)
}

// transferDone goes on with the copy when a DMA command has ended. The lock is
// held.
func (d *Device) transferDone() {
	t := d.active
	if t == nil || d.read(regCommand)&dmaRun != 0 {
		return
	}
	t.steps++
	if !t.out {
		d.out(t)
		return
	}
	t.from, t.to, t.left = t.from+t.piece, t.to+t.piece, t.left-t.piece
	if t.left > 0 {
		d.in(t)
		return
	}
	d.finish(nil)
}

// finish takes the active copy off the card.
func (d *Device) finish(err error) {
	if t := d.active; t != nil {
		d.active = nil
		t.client.busyNS += d.bus.Now() - t.since
		t.hardware.Signal(err)
	}
}

// TimedOut implements fw.Backend: a copy that has come further has time; one that
// stands still ends with EIO, and the card is reset.
func (d *Device) TimedOut(j *fw.Job) (more bool) {
	if !d.Enter() {
		return false // Remove ends the job
	}
	defer d.Exit()
	d.service()
	t := j.Private.(*transfer)
	if t.steps != t.seen {
		t.seen = t.steps
		return true
	}
	d.reset()
	return false
}

// reset brings a card that hangs back. What it was at is lost.
func (d *Device) reset() {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.log("edu %s: DMA stands still, resetting", d.Address)
	d.Coredump(d.dump())
	d.resets++
	d.Trace("reset", nil, uint64(d.resets), 0, 0)
	recovery := "WEDGED=none"
	if err := d.bus.ResetFunction(); err != nil {
		d.log("edu %s: %v", d.Address, err)
		recovery = "WEDGED=rebind,bus-reset"
	}
	d.Uevent("change", recovery)
	d.endFactorial(0, unix.EIO)
	d.finish(unix.EIO)
}

// Free implements fw.Backend.
func (d *Device) Free(j *fw.Job) { j.Private.(*transfer).put() }

// stopDMA returns when the card moves nothing any more; nobody starts it again.
func (d *Device) stopDMA() {
	const limit = 10e6 // ns, beyond any transfer of 4 KiB
	for end := d.bus.Now() + limit; ; d.bus.Sleep(1000) {
		c := d.read(regCommand)
		if c&dmaRun == 0 || c == gone {
			return
		}
		if d.bus.Now() > end {
			d.log("edu %s: DMA does not end; bus mastering goes off under it", d.Address)
			return
		}
	}
}
