package edu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// startFactorial begins with n; while one is under way the register keeps what it
// held.
func (c *Card) startFactorial(old, n uint64) {
	status := c.regs.Get(c.status, 0)
	if status&statusComputing != 0 {
		c.regs.Set(c.factorial, 0, old)
		return
	}
	c.regs.Set(c.status, 0, status|statusComputing)
	c.factorialEnd.Set(c.e.Now()+c.FactorialTime(uint32(n)), 0)
}

// FactorialTime returns how long the factorial of n takes: a multiplication a
// factor, and one for the end.
func (c *Card) FactorialTime(n uint32) sim.Time { return c.cfg.Multiply * (sim.Time(n) + 1) }

// factorialOf returns n! modulo 2^32, which is 0 from 34 on.
func factorialOf(n uint64) uint64 {
	v := uint32(1)
	for i := uint64(2); i <= min(n, 34); i++ {
		v *= uint32(i)
	}
	return uint64(v)
}

func (c *Card) endFactorial() {
	c.stats.Factorials++
	c.regs.Set(c.factorial, 0, factorialOf(c.regs.Get(c.factorial, 0)))
	status := c.regs.Get(c.status, 0)
	c.regs.Set(c.status, 0, status&^statusComputing)
	if status&statusInterrupt != 0 {
		c.raise(CauseFactorial)
	}
}

// running reports whether a transfer is under way.
func (c *Card) running() bool { return c.regs.Get(c.command, 0)&commandRun != 0 }

// commandWritten starts a transfer, unless one is under way or none is asked for.
func (c *Card) commandWritten(old, v uint64) {
	if old&commandRun != 0 || v&commandRun == 0 {
		c.regs.Set(c.command, 0, old)
		return
	}
	c.dmaStart.Set(c.e.Now()+c.cfg.DMAStart, 0)
}

// startTransfer sends the transfer to the bus. One that is not within the card's
// buffer moves nothing, and ends as any other: the card has no status for it.
func (c *Card) startTransfer() {
	op, here, there := hw.Read, c.regs.Get(c.destination, 0), c.regs.Get(c.source, 0)
	if c.regs.Get(c.command, 0)&commandToHost != 0 {
		op, here, there = hw.Write, there, here
	}
	n, at := c.regs.Get(c.count, 0), here-Buffer // wraps below the buffer
	if at > BufferBytes || n > BufferBytes-at {
		c.stats.Refused++
		c.endTransfer()
		return
	}
	if n == 0 {
		c.endTransfer()
		return
	}
	c.transfer = hw.Request{Op: op, Space: hw.BusAddr, Addr: there & (1<<c.cfg.MaskBits - 1), Bytes: int64(n),
		Data: c.buffer[at : at+n], Done: sim.Call{H: c.dmaEnd}}
	c.outstanding = true
	c.Submit(&c.transfer)
}

func (c *Card) transferDone() {
	c.outstanding = false
	r := &c.transfer
	switch {
	case r.Status != hw.OK:
		c.stats.Failed++
	case r.Zero:
		clear(r.Data)
	}
	if c.resetting != nil {
		c.reset(*c.resetting)
		return
	}
	c.endTransfer()
}

func (c *Card) endTransfer() {
	c.stats.Transfers++
	command := c.regs.Get(c.command, 0)
	c.regs.Set(c.command, 0, command&^commandRun)
	if command&commandInterrupt != 0 {
		c.raise(CauseDMA)
	}
}
