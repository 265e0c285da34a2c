package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// irqs delivers MSI-X messages to interrupt threads, one a vector.
type irqs struct {
	k       kernel
	vectors []*vector
}

type vector struct {
	name    string
	handler func()
	pending bool
	wake    *sim.WaitQueue
	freed   bool
	count   int64
}

func (x *irqs) resize(n int) { x.vectors = make([]*vector, n) }

// message is the arrival of a device's message. One that nobody asked for is
// dropped, as an interrupt controller with the vector masked would.
func (x *irqs) message(v int) {
	if v < 0 || v >= len(x.vectors) || x.vectors[v] == nil {
		return
	}
	w := x.vectors[v]
	w.count++
	w.pending = true
	w.wake.WakeAll()
}

func (x *irqs) request(v int, name string, handler func()) error {
	if v < 0 || v >= len(x.vectors) {
		return fmt.Errorf("%w: vector %d of %d", hw.ErrNoVector, v, len(x.vectors))
	}
	if x.vectors[v] != nil {
		return fmt.Errorf("%w: vector %d belongs to %s", hw.ErrNoVector, v, x.vectors[v].name)
	}
	w := &vector{name: name, handler: handler, wake: x.k.engine.NewWaitQueue()}
	x.vectors[v] = w
	x.k.Spawn("irq/"+name, true, func() { x.serve(w) })
	return nil
}

// serve is a vector's interrupt thread.
func (x *irqs) serve(w *vector) {
	for !w.freed {
		if !w.pending {
			w.wake.Wait("an interrupt")
			continue
		}
		w.pending = false
		x.k.Charge(hw.CostIRQ)
		if !w.freed {
			w.handler()
		}
	}
}

func (x *irqs) release(v int) {
	if v >= 0 && v < len(x.vectors) && x.vectors[v] != nil {
		w := x.vectors[v]
		x.vectors[v] = nil
		w.freed = true
		w.wake.WakeAll()
	}
}
