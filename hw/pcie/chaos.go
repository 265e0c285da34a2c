package pcie

import (
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// The longest that chaos mode puts things off.
const (
	chaosDMA       = 2 * sim.Microsecond
	chaosInterrupt = 5 * sim.Microsecond
)

// chaos puts off what the rules of ordering let be put off: when posted writes
// become visible and interrupts are delivered, each in order, and when reads
// are served.
type chaos struct {
	dma, irq *sim.Stream
	last     sim.Time // of the latest interrupt
	deliver  sim.Handler
	waiting  sim.FIFO[delivery]
}

type delivery struct {
	vector int
	addr   uint64
	data   uint32
}

// Chaos implements hw.Chaotic.
func (l *Link) Chaos(seed uint64) {
	c := &chaos{dma: sim.NewStream(seed, "chaos: DMA"), irq: sim.NewStream(seed, "chaos: interrupts")}
	c.deliver = l.e.Register("late interrupt", func(uint64) {
		d := c.waiting.Pop()
		l.interrupt(d.vector, d.addr, d.data)
	})
	l.chaos = c
	l.disturb()
}

// disturb puts the late target in front of the root complex.
func (l *Link) disturb() {
	if l.chaos == nil || l.root == nil {
		return
	}
	if _, already := l.root.(*fault.Late); !already {
		l.root = fault.NewLate(l.e, "late DMA", l.root, l.chaos.dma, chaosDMA, l.ordered)
	}
}

// interruptHost delivers a message, late in chaos mode.
func (l *Link) interruptHost(vector int, addr uint64, data uint32) {
	c := l.chaos
	if c == nil {
		l.interrupt(vector, addr, data)
		return
	}
	c.last = max(c.last, l.e.Now()+fault.Pick(c.irq, chaosInterrupt))
	c.waiting.Push(delivery{vector, addr, data})
	l.e.At(c.last, sim.Call{H: c.deliver})
}
