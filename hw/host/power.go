package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Power management capability (PCI Express 5.0, section 7.5.2).
const (
	capPower    = 0x01
	powerStatus = 4 // PMCSR
	stateD3     = 3

	powerDelay = 10e6  // ns that software waits after D3hot is entered or left (5.9)
	resetDelay = 100e6 // and after a conventional reset (6.6.1)
)

// power is the function's power state as the host has set it.
type power struct {
	state hw.PowerState
	saved saved // when D0 was left
}

// SetPower implements hw.Bus.
func (b *Bus) SetPower(to hw.PowerState) error {
	from := b.power.state
	switch {
	case to == from:
		return nil
	case to > hw.D3cold:
		return fmt.Errorf("host: there is no power state %d", to)
	case from == hw.D3cold:
		if err := b.powerOn(); err != nil {
			return err
		}
		b.power.state = hw.D0
		return b.SetPower(to)
	}
	if to == hw.D3cold {
		if from == hw.D3hot {
			if err := b.setState(0); err != nil {
				return err
			}
		}
	}
	if to != hw.D0 {
		b.power.saved = b.saveConfig()
	}
	state := uint32(stateD3)
	if to == hw.D0 {
		state = 0
	}
	if err := b.setState(state); err != nil {
		return err
	}
	if to == hw.D3cold {
		b.link.Down()
		b.restart(true)
	}
	if to == hw.D0 && b.ConfigRead(regCommand, 2) != b.power.saved.command {
		b.restoreConfig(b.power.saved) // the power was lost meanwhile
	}
	b.power.state = to
	return nil
}

// setState writes the state that the function is to have and gives it its time.
func (b *Bus) setState(state uint32) error {
	at := b.capability(capPower)
	if at == 0 {
		return fmt.Errorf("%w: no power management capability", hw.ErrGone)
	}
	b.ConfigWrite(at+powerStatus, 2, b.ConfigRead(at+powerStatus, 2)&^3|state)
	b.Sleep(powerDelay)
	if got := b.ConfigRead(at+powerStatus, 2); got&3 != state {
		return fmt.Errorf("%w: it stays in D%d", hw.ErrGone, got&3)
	}
	return nil
}

// powerOn brings the function back from D3cold.
func (b *Bus) powerOn() error {
	b.link.Up()
	b.Sleep(resetDelay)
	if b.ConfigRead(0, 4) == ^uint32(0) {
		return fmt.Errorf("%w: no answer after the power came back", hw.ErrGone)
	}
	b.restoreConfig(b.power.saved)
	return nil
}

// restart has the function go through a conventional reset.
func (b *Bus) restart(cold bool) {
	if fn := b.link.Function(); fn != nil {
		fn.ConventionalReset(cold, sim.Call{H: b.restarted})
	}
}
