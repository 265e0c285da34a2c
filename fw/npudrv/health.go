package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

// healthEvents handles what the device reports of itself: each event is logged,
// counted in debugfs's recovery, and the first two are told by a uevent.
func (d *Device) healthEvents(cause uint32) {
	if cause == ^uint32(0) {
		return // nobody answers
	}
	if cause&abi.CauseThermal != 0 {
		t := d.telemetry().TemperatureMC
		d.recoveries.thermal++
		d.log("presi %s: a thermal limit is crossed: %d m°C", d.Address, t)
		d.Uevent("change", fmt.Sprintf("THERMAL=%d", t))
	}
	if cause&abi.CauseMemory != 0 {
		d.recoveries.memory++
		d.log("presi %s: an error of memory that cannot be corrected", d.Address)
	}
	if cause&abi.CauseMgmt != 0 {
		d.lookAtHeart()
	}
}

// lookAtHeart has a thread see whether the management controller's heartbeat goes
// on. Jobs need no controller: a lost heartbeat is told, and no more. One that was
// lost and has come back can be lost again.
func (d *Device) lookAtHeart() {
	d.bus.Spawn("presi heartbeat", false, func() {
		if !d.EnterActive() {
			return
		}
		defer d.Exit()
		if d.frozen || d.dark || d.listen() {
			return
		}
		beat, still := d.still()
		if !still || d.silent || d.frozen || d.dark { // a reset may have come meanwhile
			return
		}
		d.silent, d.lastBeat = true, beat
		d.recoveries.heartbeat++
		d.log("presi %s: the heartbeat of the management controller is lost", d.Address)
		d.Uevent("change", "HEARTBEAT=lost")
	})
}

// still waits two periods of the heartbeat and reports where it stands, and
// whether it stood still.
func (d *Device) still() (beat uint32, still bool) {
	first := d.read(regHeartbeat)
	d.bus.Sleep(2 * 1000 * int64(min(d.read(regHeartbeatUS), 1e6)))
	last := d.read(regHeartbeat)
	return last, first == last && last != ^uint32(0)
}

// listen reports whether the heartbeat is lost and has not come back. Nobody waits
// for that: whoever asks for the heartbeat finds it out.
func (d *Device) listen() (lost bool) {
	if !d.silent {
		return false
	}
	if beat := d.read(regHeartbeat); beat == d.lastBeat || beat == ^uint32(0) || !d.silent {
		return d.silent
	}
	d.silent = false
	d.log("presi %s: the heartbeat of the management controller is back", d.Address)
	d.Uevent("change", "HEARTBEAT=ok")
	return false
}

// showHeartbeat is sysfs's heartbeat: of a device that cannot be asked now, what
// was known last.
func (d *Device) showHeartbeat() ([]byte, error) {
	_, _ = d.awake(func() ([]byte, error) { d.listen(); return nil, nil }).Show()
	return fmt.Appendf(nil, "%s\n", beats[d.silent]), nil
}

// heal resets the function of a device whose heartbeat is lost before the first
// program opens it: nobody has anything to lose.
func (d *Device) heal() {
	if !d.silent {
		return
	}
	d.resetLock.Lock()
	defer d.resetLock.Unlock()
	if len(d.Files()) > 0 || d.resets.State != resetOK || !d.listen() {
		return
	}
	d.resets.State = resetBusy
	d.dump("the heartbeat is lost", d.rings...)
	d.mmuLock.Lock()
	d.recoverFunction(nil, fmt.Errorf("the heartbeat is lost: %w", unix.ETIME))
}
