// Package edu is a second device: the educational PCI card that QEMU emulates, for
// which many have written their first driver. It identifies itself, inverts a
// register to show that it lives, computes factorials, raises interrupts, and
// copies between the host's memory and a buffer of its own by DMA with 28-bit
// addresses. It follows QEMU's "EDU device" specification (docs/specs/edu.rst);
// DEVIATIONS.md lists what differs.
package edu

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// Config is the time that the card takes.
type Config struct {
	Multiply sim.Time `toml:"multiply" doc:"a multiplication of the factorial unit"`
	DMAStart sim.Time `toml:"dma_start" doc:"from the DMA command to the first request on the bus"`
	MaskBits int      `toml:"mask_bits" doc:"bits of DMA addresses that the card drives; those above are dropped"`
}

// DefaultConfig returns a card that multiplies once a nanosecond and drives 28
// address bits.
func DefaultConfig() Config {
	return Config{Multiply: sim.Nanosecond, DMAStart: sim.Microsecond, MaskBits: MaskBits}
}

// Validate returns every fault of the configuration.
func (c *Config) Validate() (faults []error) {
	if c.Multiply <= 0 || c.Multiply > sim.Millisecond {
		faults = append(faults, hw.BadConfig("edu.multiply", c.Multiply, "1ps to 1ms"))
	}
	if c.DMAStart < 0 || c.DMAStart > sim.Second {
		faults = append(faults, hw.BadConfig("edu.dma_start", c.DMAStart, "0ps to 1s"))
	}
	if c.MaskBits < 12 || c.MaskBits > 64 {
		faults = append(faults, hw.BadConfig("edu.mask_bits", c.MaskBits, "12 to 64"))
	}
	return faults
}

// Stats counts what the card has done.
type Stats struct {
	Factorials int64
	Transfers  int64 // ended, failed ones too
	Refused    int64 // of these: out of the buffer's bounds, so that nothing moved
	Failed     int64 // of these: the bus answered with an error
	Interrupts int64 // raised
}

// Card is the device. It implements hw.Function by its Function.
type Card struct {
	*pcie.Function
	e     *sim.Engine
	cfg   Config
	regs  *reg.File
	rows  [0xa0 / 4]int8 // index of the register at offset 4·i, −1 for none
	stats Stats

	liveness, factorial, status, causes reg.Ref
	source, destination, count, command reg.Ref

	factorialEnd *sim.Timer
	dmaStart     *sim.Timer
	dmaEnd       sim.Handler
	buffer       [BufferBytes]byte
	transfer     hw.Request
	outstanding  bool      // the transfer is on the bus
	resetting    *sim.Call // to be fired when it is not
}

// New returns a card at power-on, behind host.
func New(e *sim.Engine, cfg Config, link pcie.Config, host hw.Host) *Card {
	c := &Card{e: e, cfg: cfg, regs: reg.NewFile(Registers)}
	c.Function = pcie.NewFunction(e, "edu function", pcie.FunctionConfig{
		Vendor: VendorID, Device: DeviceID, SubsystemVendor: 0x1af4, Subsystem: 0x1100, Revision: 0x10,
		Class: 0x00ff00, Vectors: 1, Link: link},
		pcie.FunctionParts{Host: host, Reset: c.functionReset, Pending: func() bool { return c.outstanding && c.transfer.Op == hw.Read }})
	c.BAR(0, BARSize, false, c.access)
	c.factorialEnd = e.NewTimer("edu factorial", func(uint64) { c.endFactorial() })
	c.dmaStart = e.NewTimer("edu DMA starts", func(uint64) { c.startTransfer() })
	c.dmaEnd = e.Register("edu DMA ends", func(uint64) { c.transferDone() })
	c.bind()
	c.declare()
	return c
}

func (c *Card) declare() {
	s := &c.stats
	c.e.Stats.Add("edu",
		sim.Counter{Name: "factorials", Help: "factorials computed", Value: &s.Factorials},
		sim.Counter{Name: "transfers", Help: "DMA transfers ended", Value: &s.Transfers},
		sim.Counter{Name: "refused", Help: "transfers outside the card's buffer", Value: &s.Refused},
		sim.Counter{Name: "failed", Help: "transfers that the bus answered with an error", Value: &s.Failed},
		sim.Counter{Name: "interrupts", Help: "interrupts raised", Value: &s.Interrupts},
	)
}

// Stats returns the counters.
func (c *Card) Stats() Stats { return c.stats }

// Idle returns an error when the card is at work.
func (c *Card) Idle() error {
	if c.factorialEnd.Pending() || c.running() || c.resetting != nil {
		return fmt.Errorf("edu: factorial under way: %v, transfer: %v, reset: %v", c.factorialEnd.Pending(), c.running(), c.resetting != nil)
	}
	return nil
}

// functionReset returns the card to its power-on state. A transfer that is on the
// bus ends first.
func (c *Card) functionReset(done sim.Call) {
	c.factorialEnd.Stop()
	c.dmaStart.Stop()
	if c.outstanding {
		c.resetting = &done
		return
	}
	c.reset(done)
}

func (c *Card) reset(done sim.Call) {
	c.resetting = nil
	c.regs.Reset()
	clear(c.buffer[:])
	c.e.After(0, done)
}
