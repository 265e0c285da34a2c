package edudrv

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// requestInterrupt binds the handler to the card's one vector.
func (d *Device) requestInterrupt() error {
	if _, err := d.bus.AllocVectors(1, 1); err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOSPC)
	}
	d.ManageBound(d.bus.FreeVectors)
	if err := d.bus.RequestIRQ(0, "edu", d.interrupt); err != nil {
		return fmt.Errorf("%w: %w", err, unix.EIO)
	}
	return nil
}

// interrupt is the handler.
func (d *Device) interrupt() {
	if !d.Enter() {
		return // the device is being removed
	}
	defer d.Exit()
	d.service()
}

// service takes what the card has to say. Who waits calls it too, now and then:
// an interrupt may be lost, its cause is not.
func (d *Device) service() {
	d.lock.Lock()
	defer d.lock.Unlock()
	causes := d.read(regCauses)
	if causes == 0 || causes == gone {
		return
	}
	d.write(regAcknowledge, causes)
	d.handle(causes)
}

// handle looks at what may have ended. The lock is held.
func (d *Device) handle(causes uint32) {
	if causes&causeFactorial != 0 {
		d.takeFactorial()
	}
	if causes&causeDMA != 0 {
		d.transferDone()
	}
}
