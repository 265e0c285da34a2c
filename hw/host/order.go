package host

import (
	"bytes"
	"slices"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// order is the order in which CPU and device see each other's writes to coherent
// memory, as weak as the barriers of hw.Bus let it be: the CPU has a view of its
// own of each allocation. Its stores reach memory together, at a write barrier or
// some time after a register write, and not before one comes: stores are not
// noticed, only what they have changed in the view is found then. One that leaves
// the view as it is, because it stores what the CPU sees already, is no store: a
// write of the device that the CPU does not see yet stays. What the device writes
// shows in the view in parts of eight bytes, some of them late, unless a read
// barrier comes. A nil order is strict: CPU and device share the bytes.
type order struct {
	e        *sim.Engine
	stream   *sim.Stream
	views    []*view
	count    uint64 // writes of the device so far
	draining bool
	drained  sim.Handler
	shown    sim.Handler
}

// view is coherent memory as the CPU sees it.
type view struct {
	phys   uint64
	cpu    []byte // what the CPU sees and stores to
	agreed []byte // what cpu and memory had in common when they last met
	memory []byte
	late   []part
}

// part is eight bytes that the device has written and the CPU does not see yet.
type part struct {
	off   int
	count uint64
}

// The longest that stores of the CPU, and writes of the device, stay unseen.
const (
	latestStore = 4 * sim.Microsecond
	latestLoad  = 8 * sim.Microsecond
)

var _ hw.Chaotic = (*Host)(nil)

// Chaos implements hw.Chaotic: barriers that a driver forgets are missed. It is
// called before the first AllocDMA.
func (h *Host) Chaos(seed uint64) {
	o := &order{e: h.e, stream: sim.NewStream(seed, "chaos: coherent memory")}
	o.drained = h.e.Register("late stores", func(uint64) { o.draining = false; o.store() })
	o.shown = h.e.Register("late loads", o.load)
	h.order, h.irqs.order, h.memory.written = o, o, o.arrived
}

// view returns the CPU's view of memory that is all zeros.
func (o *order) view(phys uint64, memory []byte) []byte {
	if o == nil {
		return memory
	}
	v := &view{phys: phys, cpu: make([]byte, len(memory)), agreed: make([]byte, len(memory)), memory: memory}
	o.views = append(o.views, v)
	return v.cpu
}

func (o *order) forget(phys uint64) {
	if o != nil {
		o.views = slices.DeleteFunc(o.views, func(v *view) bool { return v.phys == phys })
	}
}

// drain has the stores so far reach memory some time, which a write to a register
// does not wait for.
func (o *order) drain() {
	if o == nil || o.draining {
		return
	}
	o.draining = true
	o.e.After(sim.Time(o.stream.Intn(int64(latestStore))), sim.Call{H: o.drained})
}

// store has all stores reach memory.
func (o *order) store() {
	if o == nil {
		return
	}
	for _, v := range o.views {
		if bytes.Equal(v.cpu, v.agreed) {
			continue
		}
		for i, b := range v.cpu {
			if b != v.agreed[i] {
				v.memory[i], v.agreed[i] = b, b
			}
		}
	}
}

// arrived is a write of the device in memory.
func (o *order) arrived(addr uint64, n int64) {
	for _, v := range o.views {
		first, last := max(addr, v.phys), min(addr+uint64(n), v.phys+uint64(len(v.memory)))
		if first >= last {
			continue
		}
		o.count++
		for off := int(first-v.phys) &^ 7; off < int(last-v.phys); off += 8 {
			if o.stream.Intn(2) == 0 {
				v.show(off)
			} else {
				v.late = append(v.late, part{off, o.count})
			}
		}
		o.e.After(sim.Time(o.stream.Intn(int64(latestLoad))), sim.Call{H: o.shown, Arg: o.count})
	}
}

// written counts the writes of the device so far, for load.
func (o *order) written() uint64 {
	if o == nil {
		return 0
	}
	return o.count
}

// load has the CPU see the first count writes of the device.
func (o *order) load(count uint64) {
	if o == nil {
		return
	}
	for _, v := range o.views {
		v.late = slices.DeleteFunc(v.late, func(p part) bool {
			if p.count > count {
				return false
			}
			v.show(p.off)
			return true
		})
	}
}

// show has the CPU see eight bytes, those apart that it has stored to itself.
func (v *view) show(off int) {
	for i := off; i < min(off+8, len(v.cpu)); i++ {
		if v.cpu[i] == v.agreed[i] {
			v.cpu[i], v.agreed[i] = v.memory[i], v.memory[i]
		}
	}
}
