package edu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/reg"
)

// bind gives registers their behaviour.
func (c *Card) bind() {
	f := c.regs
	c.liveness, c.factorial = f.Ref("LIVENESS"), f.Ref("FACTORIAL")
	c.status, c.causes = f.Ref("STATUS"), f.Ref("INTERRUPT_STATUS")
	c.source, c.destination = f.Ref("DMA_SOURCE"), f.Ref("DMA_DESTINATION")
	c.count, c.command = f.Ref("DMA_COUNT"), f.Ref("DMA_COMMAND")
	f.OnWrite("LIVENESS", func(_ int, _, v uint64) { f.Set(c.liveness, 0, ^v) })
	f.OnWrite("FACTORIAL", func(_ int, old, v uint64) { c.startFactorial(old, v) })
	f.OnWrite("INTERRUPT_RAISE", func(_ int, _, v uint64) { c.raise(v) })
	f.OnWrite("INTERRUPT_ACKNOWLEDGE", func(_ int, _, v uint64) { f.Set(c.causes, 0, f.Get(c.causes, 0)&^v) })
	for _, name := range []string{"DMA_SOURCE", "DMA_DESTINATION", "DMA_COUNT"} {
		r := f.Ref(name)
		f.OnWrite(name, func(_ int, old, _ uint64) {
			if c.running() {
				f.Set(r, 0, old)
			}
		})
	}
	f.OnWrite("DMA_COMMAND", func(_ int, old, v uint64) { c.commandWritten(old, v) })
	for i := range c.rows {
		c.rows[i] = -1
	}
	for i, r := range f.Table().Registers {
		c.rows[r.Offset/4] = int8(i)
	}
}

// row returns the register that an access is to, nil where none answers: beside
// registers, and accesses of another size than they take.
func (c *Card) row(r *hw.Request) *reg.Register {
	if r.Addr%4 != 0 || r.Addr/4 >= uint64(len(c.rows)) || c.rows[r.Addr/4] < 0 {
		return nil
	}
	if r.Bytes == 4 || r.Bytes == 8 && r.Addr >= wideRegister {
		return &c.regs.Table().Registers[c.rows[r.Addr/4]]
	}
	return nil
}

// access serves BAR0.
func (c *Card) access(r *hw.Request) {
	row := c.row(r)
	r.Status = hw.OK
	switch {
	case r.Op == hw.Write && row != nil:
		var p [8]byte // 4 bytes set all of a register of 8
		copy(p[:], r.Data)
		c.regs.Write(row.Offset, p[:row.Size])
	case r.Op == hw.Read && row != nil && row.Access != reg.WO:
		c.regs.Read(row.Offset, r.Data)
	case r.Op == hw.Read:
		for i := range r.Data {
			r.Data[i] = 0xff
		}
	}
	c.e.After(0, r.Done)
}

// raise sets causes and sends the interrupt's message, also when the causes were
// set before.
func (c *Card) raise(causes uint64) {
	causes |= c.regs.Get(c.causes, 0)
	c.regs.Set(c.causes, 0, causes)
	if causes != 0 {
		c.stats.Interrupts++
		c.Raise(0)
	}
}
