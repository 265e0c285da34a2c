package edudrv_test

import "github.com/presi-sim/presi/hw"

// tampered is a bus on which a test spoils what the driver does.
type tampered struct {
	hw.Bus
	read  func(off uint64, v uint32) uint32
	write func(off uint64, v uint32) bool // false loses the write
	fail  func(call string) error
	irq   func(handler func()) // instead of calling it

	forgetMask bool        // drops SetDMAMask
	mapped     []*hw.Pages // by MapDMA, so far
}

func (b *tampered) Read32(bar int, off uint64) uint32 {
	v := b.Bus.Read32(bar, off)
	if b.read != nil {
		v = b.read(off, v)
	}
	return v
}

func (b *tampered) Write32(bar int, off uint64, v uint32) {
	if b.write == nil || b.write(off, v) {
		b.Bus.Write32(bar, off, v)
	}
}

func (b *tampered) failure(call string) error {
	if b.fail == nil {
		return nil
	}
	return b.fail(call)
}

func (b *tampered) SetDMAMask(bits int) error {
	if err := b.failure("mask"); err != nil {
		return err
	}
	if b.forgetMask {
		return nil
	}
	return b.Bus.SetDMAMask(bits)
}

func (b *tampered) ResetFunction() error {
	if err := b.failure("reset"); err != nil {
		return err
	}
	return b.Bus.ResetFunction()
}

func (b *tampered) AllocVectors(low, high int) (int, error) {
	if err := b.failure("vectors"); err != nil {
		return 0, err
	}
	return b.Bus.AllocVectors(low, high)
}

func (b *tampered) RequestIRQ(v int, name string, handler func()) error {
	if err := b.failure("irq"); err != nil {
		return err
	}
	return b.Bus.RequestIRQ(v, name, func() {
		if b.irq != nil {
			b.irq(handler)
			return
		}
		handler()
	})
}

func (b *tampered) AllocPages(n int64) (*hw.Pages, error) {
	if err := b.failure("pages"); err != nil {
		return nil, err
	}
	return b.Bus.AllocPages(n)
}

func (b *tampered) MapDMA(p *hw.Pages, dir hw.Direction) (uint64, error) {
	if err := b.failure("map"); err != nil {
		return 0, err
	}
	b.mapped = append(b.mapped, p)
	return b.Bus.MapDMA(p, dir)
}

// tamper puts a tampered bus before the driver.
func (c *computer) tamper() *tampered {
	b := &tampered{Bus: c.host.Bus()}
	c.bus = b
	return b
}

// failing fails one kind of call.
func failing(call string, err error) func(string) error {
	return func(c string) error {
		if c == call {
			return err
		}
		return nil
	}
}
