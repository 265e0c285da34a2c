package npudrv

import (
	"fmt"

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

// TimedOut implements fw.Backend: a job that makes progress gets more time; one
// that hangs costs a reset. Only its own queue is killed; what else was on the
// device runs again.
func (r *ring) TimedOut(fj *fw.Job) (more bool) {
	d := r.d
	if !d.Enter() {
		return false
	}
	defer d.Exit()
	r.complete() // a lost interrupt is no hang
	if fj.Finished.Done() {
		return false
	}
	progress := d.read(r.reg(regQProgress))
	if progress != r.progress {
		r.progress = progress
		return true
	}
	j := fj.Private.(*job)
	if len(r.flying) > 0 && r.flying[0] != j {
		return true // it only waits behind another
	}
	d.recover(j)
	return false
}

// recover resets engines, queues and TLBs, ends the guilty job and starts what
// else was on the device once more.
func (d *Device) recover(guilty *job) {
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	if guilty.Finished.Done() {
		return // another thread has recovered
	}
	d.log("presi %s: job %d of queue %d hangs: reset", d.Address, guilty.seqno, guilty.queue.number)
	d.resets.State = resetBusy
	for _, r := range d.rings {
		r.sched.Stop()
	}
	err := d.resetCompute()
	d.resets.ResetCount++
	d.resets.LastResetNS = uint64(d.bus.Now())
	d.resets.LastError = -int32(unix.ETIME)
	guilty.queue.guilty = true
	hung := fmt.Errorf("job %d made no progress: %w", guilty.seqno, unix.ETIME)
	guilty.queue.entity.Kill(fw.ErrCanceled)
	if err != nil {
		d.wedge(err)
		return
	}
	d.resets.State = resetOK
	for _, r := range d.rings {
		r.restart(guilty, hung)
	}
}

// resetCompute runs the device's reset and programs again what it has lost.
func (d *Device) resetCompute() error {
	d.write(regResetCtrl, abi.ResetCompute)
	err := d.poll("reset", resetTimeout*d.timeScale(), 10_000, func() (bool, error) {
		switch d.read(regResetStatus) & 3 {
		case abi.ResetDone:
			return true, nil
		case abi.ResetFailed:
			return false, fmt.Errorf("reset failed: %w", unix.EIO)
		}
		return false, nil
	})
	if err == nil {
		d.invSeqno, d.faultSeq = 0, 0
		d.programMMU()
	}
	return err
}

// restart enables the ring again and pushes its jobs, the guilty one apart and
// those of its queue, which end.
func (r *ring) restart(guilty *job, hung error) {
	flying := r.flying
	r.flying = nil
	r.start()
	r.sched.Start()
	for _, j := range flying {
		switch {
		case j == guilty:
			j.hardware.Signal(hung)
		case j.queue == guilty.queue:
			j.hardware.Signal(fw.ErrCanceled)
		default:
			r.flying = append(r.flying, j)
			r.push(j)
		}
	}
}

// wedge gives the device up: every job ends with EIO.
func (d *Device) wedge(err error) {
	d.log("presi %s: the device is lost: %v", d.Address, err)
	d.resets.State = resetWedged
	for _, r := range d.rings {
		flying := r.flying
		r.flying = nil
		for _, j := range flying {
			j.hardware.Signal(fmt.Errorf("%w: %w", err, unix.EIO))
		}
		r.sched.Start()
	}
}
