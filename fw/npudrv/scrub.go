package npudrv

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// scrubber clears device memory that a program has given back, before another
// gets it: nobody reads what others have left behind. Who gave it back gets it as
// it is. It does so when clean memory runs out, by trusted jobs of its own, which
// evictions use too.
type scrubber struct {
	d     *Device
	self  *client // the kernel's own: context 0
	queue *queue
	lock  hw.Mutex
	cmd   *hw.DMA
	dirty []extent
	now   []extent // being cleared
}

// extent is memory that holds data of one client, or of several (0).
type extent struct{ at, size, owner uint64 }

// initScrubber takes the memory of its commands.
func (d *Device) initScrubber() error {
	x := &d.scrub
	x.d, x.lock = d, d.bus.NewMutex()
	x.self = &client{d: d, file: &fw.File{Dev: d.Device}, space: &space{d: d}}
	cmd, err := d.bus.AllocDMA(pageSize)
	if err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	x.cmd = cmd
	d.ManageBound(func() { d.bus.FreeDMA(cmd) })
	return nil
}

// left returns how many bytes wait to be cleared, or are being cleared.
func (x *scrubber) left() (n uint64) {
	for _, list := range [][]extent{x.dirty, x.now} {
		for _, e := range list {
			n += e.size
		}
	}
	return n
}

// give takes memory back that holds a client's data.
func (x *scrubber) give(at, size, owner uint64) { x.dirty = append(x.dirty, extent{at, size, owner}) }

// reuse returns memory of a size that holds nothing but the same client's data,
// the latest first.
func (x *scrubber) reuse(size, align, owner uint64) (uint64, bool) {
	for i := len(x.dirty) - 1; i >= 0; i-- {
		if e := x.dirty[i]; e.size == size && e.owner == owner && e.at%align == 0 {
			x.dirty = slices.Delete(x.dirty, i, i+1)
			return e.at, true
		}
	}
	return 0, false
}

// run clears all that waits, and awaits what is being cleared. It waits for the
// device, so the caller is in no section.
func (x *scrubber) run() error {
	x.lock.Lock()
	defer x.lock.Unlock()
	const fills = pageSize / 64
	for len(x.dirty) > 0 {
		some := x.dirty[:min(len(x.dirty), fills)]
		x.dirty, x.now = x.dirty[len(some):], some
		err := x.clear(some)
		x.now = nil
		if err != nil {
			x.dirty = append(x.dirty, some...)
			return err
		}
		for _, e := range some {
			x.d.memory.Give(e.at, e.size)
		}
	}
	x.dirty = nil
	return nil
}

// clear fills ranges with zeros by one job.
func (x *scrubber) clear(ranges []extent) error {
	packets := make([]abi.Packet, len(ranges))
	for i, e := range ranges {
		packets[i] = abi.Packet{Op: abi.OpFill, Dst: e.at | abi.DeviceBit, RowBytes: e.size, Counts: [2]uint32{1, 1}}
	}
	return x.jobs(packets)
}

// exec runs packets with physical addresses.
func (x *scrubber) exec(packets []abi.Packet) error {
	x.lock.Lock()
	defer x.lock.Unlock()
	return x.jobs(packets)
}

// scrubTries is how often a job is run that resets end which are not its own. One
// that hangs itself is not run again.
const scrubTries = 4

// jobs is exec with the lock held. Its copies and fills can be run again. Who calls
// has not made them: whatever ends them in error is EIO, or ENODEV.
func (x *scrubber) jobs(packets []abi.Packet) (err error) {
	for range scrubTries {
		resets := x.d.resets.ResetCount
		err = x.job(packets)
		if err == nil || x.queue.guilty || x.d.resets.ResetCount == resets || x.d.resets.State == resetWedged {
			break
		}
	}
	if err == nil || errors.Is(err, unix.ENODEV) {
		return err
	}
	return fmt.Errorf("%v: %w", err, unix.EIO)
}

func (x *scrubber) job(packets []abi.Packet) error {
	if x.queue != nil && x.queue.entity.Killed() != nil {
		x.queue.entity.Close()
		x.queue = nil
	}
	if x.queue == nil {
		r := x.d.ringFor(abi.EngineCopy, fw.PriorityNormal)
		x.queue = &queue{client: x.self, ring: r, entity: r.sched.NewEntity(fw.PriorityNormal)}
	}
	off := 0
	for i := range packets {
		packets[i].Encode(x.cmd.Bytes[off:])
		off += packets[i].Size()
	}
	j := &job{client: x.self, queue: x.queue, command: x.cmd.Addr, length: uint32(off), trusted: true}
	j.Init(x.queue.entity)
	j.Private, j.TimeoutNS = j, x.d.timeout(0)
	x.d.PowerGet() // until the job is freed
	j.Push()
	if err := j.Finished.Wait(1<<63 - 1); err != nil {
		return err
	}
	return j.Finished.Err()
}
