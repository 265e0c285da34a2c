package mgmt

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// respond has the controller do what it was asked for, late or never when a
// fault of a kind strikes.
func (c *Controller) respond(k fault.Kind, after sim.Time, what sim.Handler) {
	if s := c.parts.Faults.Hit(k, 0, 0); s != nil {
		if s.Duration == 0 {
			return
		}
		after += s.Duration
	}
	c.e.After(after, sim.Call{H: what, Arg: c.generation})
}

// die stops the controller, for a while or until it is reset.
func (c *Controller) die(s *fault.Strike) {
	if !c.ready || c.dead {
		return
	}
	c.dead, c.since = true, c.e.Now()
	if s.Duration > 0 {
		c.e.After(s.Duration, sim.Call{H: c.revive, Arg: c.generation})
	}
	c.parts.Event(abi.CauseMgmt)
}

// revived goes on where the controller stopped: with its beats, and with the
// command that came meanwhile.
func (c *Controller) revived(generation uint64) {
	if generation != c.generation {
		return
	}
	c.dead = false
	c.alive += c.e.Now() - c.since
	if c.regs.Get(c.mailbox, 0) == abi.MailBusy {
		c.e.After(c.cfg.MailboxTime, sim.Call{H: c.answer, Arg: c.generation})
	}
}
