// Package mgmt is the device's management controller: the boot handshake that
// comes before anything else, a mailbox, a heartbeat and the sensors. It is a
// state machine with times, not a processor that runs firmware.
package mgmt

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// FirmwareVersion is what MailVersion answers: major, minor, patch bytes.
const FirmwareVersion = 0x010000

// Config is the section [mgmt].
type Config struct {
	BootTime    sim.Time `toml:"boot_time" doc:"from BOOT_CTRL.START to READY"`
	MailboxTime sim.Time `toml:"mailbox_time" doc:"from a mailbox command to its answer"`
	Heartbeat   sim.Time `toml:"heartbeat" doc:"period of the heartbeat counter"`
}

// What a driver waits for: fw/npudrv gives up behind these.
const (
	maxBoot    = 2 * sim.Second
	maxMailbox = 100 * sim.Millisecond
)

// Validate returns every fault of the section.
func (c *Config) Validate() (faults []error) {
	if c.BootTime < 0 || c.BootTime > maxBoot {
		faults = append(faults, hw.BadConfig("mgmt.boot_time", c.BootTime, "0ps to %v, which the driver waits", maxBoot))
	}
	if c.MailboxTime < 0 || c.MailboxTime > maxMailbox {
		faults = append(faults, hw.BadConfig("mgmt.mailbox_time", c.MailboxTime, "0ps to %v, which the driver waits", maxMailbox))
	}
	if c.Heartbeat < sim.Microsecond || c.Heartbeat > sim.Second {
		faults = append(faults, hw.BadConfig("mgmt.heartbeat", c.Heartbeat, "1us to 1s"))
	}
	return faults
}

// Parts is what the controller works with.
type Parts struct {
	Event   func(cause uint64)                     // sets bits of IRQ_CAUSE
	Sensors func() (temperatureMC, powerMW uint32) // as of now
	CoreHz  sim.Hertz
	Faults  *fault.Injector // nil: none
}

// Stats counts what the controller did.
type Stats struct{ Commands, Refused int64 }

// Controller is the management controller.
type Controller struct {
	e     *sim.Engine
	cfg   Config
	parts Parts
	regs  *reg.File

	status, mailbox, arg, ret reg.Ref

	boot, answer sim.Handler
	revive       sim.Handler
	generation   uint64 // of the boot, so that answers from before a reset are void
	alive        sim.Time
	dead         bool     // a fault: the controller does nothing
	since        sim.Time // dead
	ready        bool
	command      uint32
	stats        Stats
}

// New returns a controller that is off.
func New(e *sim.Engine, cfg Config, parts Parts) *Controller {
	c := &Controller{e: e, cfg: cfg, parts: parts, regs: reg.NewFile(abi.Mgmt)}
	c.status, c.mailbox = c.regs.Ref("BOOT_STATUS"), c.regs.Ref("MBOX_STATUS")
	c.arg, c.ret = c.regs.Ref("MBOX_ARG"), c.regs.Ref("MBOX_RET")
	c.boot = e.Register("mgmt boot", c.booted)
	c.answer = e.Register("mgmt mailbox", c.answered)
	c.revive = e.Register("mgmt revival", c.revived)
	if parts.Faults != nil {
		parts.Faults.On(fault.HeartbeatLost, c.die)
	}
	c.regs.OnWrite("BOOT_CTRL", func(_ int, _, v uint64) { c.start(v) })
	c.regs.OnWrite("MBOX_CMD", func(_ int, _, v uint64) { c.mail(uint32(v)) })
	c.regs.OnRead("HEARTBEAT", func(int) uint64 { return c.beats() })
	c.Reset()
	e.Stats.Add("mgmt",
		sim.Counter{Name: "commands", Help: "mailbox commands answered", Value: &c.stats.Commands},
		sim.Counter{Name: "refused", Help: "mailbox commands refused or unknown", Value: &c.stats.Refused})
	return c
}

// File returns the register file for the BAR map.
func (c *Controller) File() *reg.File { return c.regs }

// Ready reports whether the boot handshake has been completed.
func (c *Controller) Ready() bool { return c.ready }

// Stats returns the counters.
func (c *Controller) Stats() Stats { return c.stats }

// Reset turns the controller off, as at power-on.
func (c *Controller) Reset() {
	c.generation++
	c.ready, c.dead = false, false
	c.regs.Reset()
	c.regs.Set(c.regs.Ref("HEARTBEAT_US"), 0, uint64(c.cfg.Heartbeat/sim.Microsecond))
}

// beats is the heartbeat: computed when asked for, so that an idle device has
// no events.
func (c *Controller) beats() uint64 {
	if !c.ready {
		return 0
	}
	until := c.e.Now()
	if c.dead {
		until = c.since
	}
	return 1 + uint64((until-c.alive)/c.cfg.Heartbeat)
}

func (c *Controller) start(v uint64) {
	if v&1 == 0 || c.regs.Get(c.status, 0) != abi.BootOff {
		return
	}
	c.regs.Set(c.status, 0, abi.BootRunning)
	c.respond(fault.BootHang, c.cfg.BootTime, c.boot)
}

func (c *Controller) booted(generation uint64) {
	if generation != c.generation {
		return
	}
	if s := c.parts.Faults.Hit(fault.BootError, 0, 0); s != nil {
		c.regs.Set(c.status, 0, abi.BootFailed|s.Value<<16)
		return
	}
	c.ready, c.alive = true, c.e.Now()
	c.regs.Set(c.status, 0, abi.BootReady)
}

// mail takes a command; one that comes while another is busy is refused
// without disturbing it.
func (c *Controller) mail(command uint32) {
	if c.regs.Get(c.mailbox, 0) == abi.MailBusy {
		c.stats.Refused++
		return
	}
	if !c.ready {
		c.stats.Refused++
		c.regs.Set(c.mailbox, 0, abi.MailRefused)
		return
	}
	c.command = command
	c.regs.Set(c.mailbox, 0, abi.MailBusy)
	if !c.dead {
		c.respond(fault.MailboxHang, c.cfg.MailboxTime, c.answer)
	}
}

// answers is what each command does, by number; it returns the mailbox state.
var answers = [...]func(c *Controller) uint64{
	abi.MailNop:     func(*Controller) uint64 { return abi.MailDone },
	abi.MailVersion: func(c *Controller) uint64 { return c.reply(FirmwareVersion) },
	abi.MailSensors: (*Controller).sensors,
	abi.MailPower:   (*Controller).setPower,
	abi.MailTime:    (*Controller).time,
}

func (c *Controller) answered(generation uint64) {
	if generation != c.generation || c.dead || c.regs.Get(c.mailbox, 0) != abi.MailBusy {
		return
	}
	state := uint64(abi.MailUnknown)
	if int(c.command) < len(answers) {
		state = answers[c.command](c)
	}
	if s := c.parts.Faults.Hit(fault.MailboxError, 0, 0); s != nil {
		state = s.Value
	}
	if state == abi.MailDone {
		c.stats.Commands++
	} else {
		c.stats.Refused++
	}
	c.regs.Set(c.mailbox, 0, state)
	c.parts.Event(abi.CauseMailbox)
}

func (c *Controller) reply(values ...uint32) uint64 {
	for i, v := range values {
		c.regs.Set(c.ret, i, uint64(v))
	}
	return abi.MailDone
}

func (c *Controller) sensors() uint64 {
	temperature, power := c.parts.Sensors()
	return c.reply(temperature, power, uint32(c.parts.CoreHz/1000))
}

// setPower takes the power state that the driver announces. Nothing follows from
// it: the device's power goes by the function's state and by what it does.
func (c *Controller) setPower() uint64 {
	if c.regs.Get(c.arg, 0) > 2 {
		return abi.MailRefused
	}
	return abi.MailDone
}

func (c *Controller) time() uint64 {
	ns := uint64(c.e.Now().Nanoseconds())
	return c.reply(uint32(ns), uint32(ns>>32))
}
