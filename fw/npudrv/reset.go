package npudrv

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// Values of ResetInfo.State.
const (
	resetOK     = 0
	resetBusy   = 1
	resetWedged = 2
)

// resetTimeout is what silicon gets, in ns.
const resetTimeout = 100e6

// TimedOut implements fw.Backend: a job that makes progress gets more time, and
// so does one that waits behind another. One that hangs costs a reset, and one
// that nobody waits for any more.
func (r *ring) TimedOut(fj *fw.Job) (more bool) {
	d := r.d
	if !d.Enter() {
		return false
	}
	defer d.Exit()
	if r.complete() { // an interrupt that is lost or late is no hang
		d.log("presi %s: ring %d: completions that no interrupt has told of yet", d.Address, r.index)
	}
	if fj.Finished.Done() {
		return false
	}
	j := fj.Private.(*job)
	if len(r.flying) > 0 && r.flying[0] != j {
		return true
	}
	progress := d.read(r.reg(regQProgress))
	if !j.queue.closing && (!j.looked || progress != j.progress) {
		j.looked, j.progress = true, progress
		return true
	}
	d.recover(r, j)
	return false
}

// recover ends a job that hangs: its ring is reset, its context is killed, and
// what waited behind it is pushed again. When the ring cannot be reset alone,
// the whole compute part is. A job whose queue closes may have made progress until
// its time was up: with it ends its queue alone.
func (d *Device) recover(r *ring, guilty *job) {
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	if guilty.Finished.Done() || d.resets.State == resetWedged {
		return // another thread was faster
	}
	what, hung := "hangs", fmt.Errorf("job %d made no progress: %w", guilty.seqno, unix.ETIME)
	if guilty.queue.closing {
		what, hung = "has had its time, and its queue closes", fmt.Errorf("job %d had no more time: %w", guilty.seqno, unix.ETIME)
	}
	d.log("presi %s: job %d of queue %d of client %d %s: reset", d.Address, guilty.seqno, guilty.queue.number, guilty.client.file.ID, what)
	d.resets.State = resetBusy
	r.sched.Stop()
	d.dump(fmt.Sprintf("job %d of queue %d of client %d (context %d) %s", guilty.seqno, guilty.queue.number,
		guilty.client.file.ID, guilty.client.space.asid, what), r)
	if d.lost() {
		d.stopAll()
		d.recoverAll(nil, nil)
		return
	}
	if err := d.reset(abi.ResetQueue | r.index<<8); err != nil {
		d.log("presi %s: ring %d: %v", d.Address, r.index, err)
		d.stopAll()
		d.drain(r)
		d.recoverAll(guilty, hung)
		return
	}
	d.resets.EngineResets++
	d.recoveries.queue++
	d.hasReset()
	d.goOn(guilty, hung, r)
}

// recoverAll resets engines, queues and TLBs; if that fails, the function. The
// schedulers are stopped.
func (d *Device) recoverAll(guilty *job, hung error) {
	d.mmuLock.Lock() // until a reset helps: the MMU may be in one that does not end
	var err error
	if d.lost() {
		guilty, err = nil, fmt.Errorf("the device has lost its state: %w", unix.EIO)
	} else {
		err = d.resetCompute()
	}
	if err != nil {
		d.recoverFunction(guilty, err)
		return
	}
	d.mmuLock.Unlock()
	d.recoveries.compute++
	d.hasReset()
	d.goOn(guilty, hung, d.rings...)
}

// lost reports that the device has been reset by nobody here: its controller is
// off. Nothing narrower than a function-level reset brings it back.
func (d *Device) lost() bool {
	s := d.read(regBootStatus)
	return s != ^uint32(0) && s&0xf != abi.BootReady
}

// stopAll keeps new jobs off the hardware.
func (d *Device) stopAll() {
	for _, r := range d.rings {
		r.sched.Stop()
	}
}

// hasReset counts a reset that succeeded.
func (d *Device) hasReset() {
	d.resets.State = resetOK
	d.resets.ResetCount++
	d.resets.LastResetNS = uint64(d.bus.Now())
	d.Trace("reset", nil, uint64(d.resets.ResetCount), uint64(d.resets.EngineResets), 0)
	d.resets.LastError = -int32(unix.ETIME)
	d.Uevent("change", "WEDGED=none")
}

// forceReset is debugfs's reset: the whole compute part. What had begun is lost.
func (d *Device) forceReset() error {
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	if d.resets.State == resetWedged {
		return unix.EIO
	}
	d.resets.State = resetBusy
	d.stopAll()
	d.dump("a reset is forced", d.rings...)
	if d.recoverAll(nil, nil); d.resets.State == resetWedged {
		return fmt.Errorf("no reset helps: the device is given up: %w", unix.EIO)
	}
	return nil
}

// drain lets what runs on other rings than the one that hangs come to its end before a
// wider reset takes it, as long as it makes progress. What waits in the rings is
// forgotten, and pushed again behind the reset.
func (d *Device) drain(hung *ring) {
	type running struct {
		*ring
		progress uint32
		since    int64 // when it was first seen
	}
	var left []running
	for _, r := range d.rings {
		if r != hung && r.live {
			d.write(r.reg(regQCtrl), 0)
			left = append(left, running{r, 0, 0})
		}
	}
	err := d.poll("rings to come to rest", defaultTimeout*d.timeScale(), drainLook, func() (bool, error) {
		kept := left[:0]
		for _, r := range left {
			if s := d.read(r.reg(regQState)); s == abi.QueueDisabled || s == ^uint32(0) {
				continue
			}
			if p := d.read(r.reg(regQProgress)); p != r.progress || r.since == 0 {
				r.progress, r.since = p, d.bus.Now()
			}
			if d.bus.Now()-r.since < drainPatience*d.timeScale() {
				kept = append(kept, r)
			}
		}
		left = kept
		return len(left) == 0, nil
	})
	if err != nil {
		d.log("presi %s: %v", d.Address, err)
	}
}

// How often a ring that drains is looked at, and how long it has for some progress, in
// ns; on silicon, the latter.
const (
	drainLook     = 50e3
	drainPatience = 1e6
)

// reset runs one of the device's resets to its end.
func (d *Device) reset(domain uint32) error {
	for _, r := range d.rings {
		if domain&0xff != abi.ResetQueue || r.index == domain>>8 {
			r.live = false
		}
	}
	d.write(regResetCtrl, domain)
	return d.poll("reset", resetTimeout*d.timeScale(), 10_000, func() (bool, error) {
		switch d.read(regResetStatus) & 3 {
		case abi.ResetDone:
			return true, nil
		case abi.ResetFailed:
			return false, fmt.Errorf("reset failed: %w", unix.EIO)
		}
		return false, nil
	})
}

// resetCompute resets engines, queues and TLBs and programs again what the device
// MMU has lost. The caller holds mmuLock, unless nobody else can use the device.
func (d *Device) resetCompute() error {
	if err := d.reset(abi.ResetCompute); err != nil {
		return err
	}
	d.invSeqno = 0
	d.faultSeq = 0
	if d.faults != nil { // in probe the fault ring is not there yet; initFaults programs it
		d.programMMU()
	}
	return nil
}

// goOn lets rings that have been reset go on. The guilty job is judged when all
// of them are read, before one is enabled, so that the outcome does not depend on
// their order.
func (d *Device) goOn(guilty *job, hung error, rings ...*ring) {
	if !d.convict(guilty, rings) {
		guilty = nil
	}
	for _, r := range rings {
		r.restart(guilty, hung)
	}
	for _, r := range rings {
		r.sched.Start()
	}
}

// convict reads what rings have completed, so that what went on until the reset
// took hold counts, and reports whether the guilty job is not among it: then it
// is to blame.
func (d *Device) convict(guilty *job, rings []*ring) bool {
	for _, r := range rings {
		r.reap()
	}
	if guilty == nil || !slices.Contains(guilty.queue.ring.flying, guilty) {
		return false
	}
	guilty.blame()
	return true
}

// restart enables the ring again and pushes its jobs, those apart that end: the
// guilty one with what has died with it, and what had begun, as nobody knows how
// far it came and running it again could apply it twice. The device says what
// had begun.
func (r *ring) restart(guilty *job, hung error) {
	begun := r.d.read64(r.reg(regQSeqno))
	flying := r.flying
	r.flying = nil
	r.start()
	for _, j := range flying {
		switch {
		case j == guilty:
			j.hardware.Signal(hung)
		case guilty != nil && j.client == guilty.client && j.dead() && (r == guilty.queue.ring || j.hwSeqno > begun):
			j.hardware.Signal(fw.ErrCanceled)
		case j.hwSeqno <= begun:
			j.hardware.Signal(fmt.Errorf("job %d was ended by a reset that was not its own: %w", j.seqno, unix.EIO))
		default:
			r.flying = append(r.flying, j)
			r.push(j)
		}
	}
}

// wedge gives the device up: it may do no DMA any more, and every job ends with
// EIO.
func (d *Device) wedge(err error) {
	d.log("presi %s: the device is lost: %v", d.Address, err)
	d.bus.ConfigWrite(pciCommand, 2, commandMemory)
	d.resets.State = resetWedged
	d.recoveries.wedged++
	d.resets.LastError = -int32(unix.EIO)
	d.Uevent("change", "WEDGED=rebind,bus-reset")
	for _, r := range d.rings {
		flying := r.flying
		r.flying = nil
		for _, j := range flying {
			j.hardware.Signal(fmt.Errorf("%w: %w", err, unix.EIO))
		}
		r.sched.Start()
	}
}
