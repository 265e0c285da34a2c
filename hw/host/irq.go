package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// irqs delivers MSI-X messages to interrupt threads, one a vector. Messages that
// arrive while a handler runs make it run once more.
type irqs struct {
	k       kernel
	vectors []*vector // nil: nobody asked for it
	order   *order    // of coherent memory; nil: strict
}

type vector struct {
	name    string
	handler func()
	thread  *sim.Proc
	wake    *sim.WaitQueue
	pending bool
	ended   bool
	seen    uint64 // what the device had written when the message came
}

func (x *irqs) resize(n int) { x.vectors = make([]*vector, n) }

// message is the arrival of a device's message. One that nobody asked for is
// dropped, as an interrupt controller with the vector masked would.
func (x *irqs) message(v int) {
	if v < 0 || v >= len(x.vectors) || x.vectors[v] == nil {
		return
	}
	w := x.vectors[v]
	w.pending = true
	w.seen = x.order.written()
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
	w.thread = x.k.engine.Go("irq/"+name, func(*sim.Proc) { x.serve(w) }).Daemon()
	return nil
}

// serve is a vector's interrupt thread.
func (x *irqs) serve(w *vector) {
	for !w.ended {
		if !w.pending {
			w.wake.Wait("an interrupt")
			continue
		}
		w.pending = false
		x.order.load(w.seen)
		x.k.Charge(hw.CostIRQ)
		if !w.ended {
			w.handler()
		}
	}
}

// release ends a vector's thread and returns when its handler runs no more; a
// handler that releases its own vector does not wait for itself.
func (x *irqs) release(v int) {
	if v < 0 || v >= len(x.vectors) || x.vectors[v] == nil {
		return
	}
	w := x.vectors[v]
	x.vectors[v] = nil
	w.ended = true
	w.wake.WakeAll()
	if p := x.k.engine.Current(); p != nil && p != w.thread {
		w.thread.Join()
	}
}
