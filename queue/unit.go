// Package queue is the device's command processor: submission rings in host
// memory, doorbells, command buffers, fences and completion rings.
//
// A queue fetches ring entries in order and some ahead of the one that runs. It
// walks an entry's command buffer packet by packet, hands copies and kernels
// to the engines, and at the end writes, in this order, the entry's fence, its
// completion and the interrupt, after everything the entry did is visible.
// Entries of a queue run one after another; queues run beside each other.
//
// Command buffers and descriptors are fetched ahead, so software must have
// written them before it rings the doorbell, or guard them by a WAIT, behind
// which everything is fetched again.
package queue

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// Parts is what the queues work with.
type Parts struct {
	Port     hw.Target // for rings (BusAddr) and command buffers (Context)
	Source   hw.Source // of the queues' own requests
	Copier   hw.Copier
	Computer hw.Computer
	Raise    func(vector int)   // sends an interrupt, behind earlier writes
	Event    func(cause uint64) // sets bits of IRQ_CAUSE
	Faults   *fault.Injector    // nil: none
	Chaos    *sim.Stream        // of the delays of doorbells; nil: they act at once
}

// Stats counts what the queues did.
type Stats struct {
	Completed, Failed            int64
	Packets, Doorbells, Kicks    int64
	Interrupts, Moderated, Waits int64
	Running                      int64 // ps with an entry running, summed over queues
}

// Unit is all queues of the device.
type Unit struct {
	e      *sim.Engine
	cfg    Config
	parts  Parts
	queues []*queue
	parser sim.Calendar
	halt   halt
	stats  Stats

	moderateCount uint64
	moderateTime  sim.Time

	// Observe, when set, is called with each entry's record as it completes.
	Observe func(*Record)
}

// Record is what an observer learns of a finished entry. Times are the ends of
// its stages, in order.
type Record struct {
	Queue    int
	Seqno    uint64
	Cookie   uint64
	ASID     uint16
	Status   abi.Status
	Doorbell sim.Time // doorbell that announced it arrived
	Fetched  sim.Time // entry has been read
	Ready    sim.Time // first commands have been read
	Started  sim.Time // first packet's turn
	Ended    sim.Time // everything is visible
	Posted   sim.Time // completion entry handed to the link
	Packets  int
	Bill     hw.Bill // critical path from Started to Ended
	Stalled  Stalls
}

// Stalls is what the reads of an entry and of its first commands waited for
// translation, of the times until Fetched and until Ready.
type Stalls struct{ Entry, Commands sim.Time }

// New returns the queues, disabled.
func New(e *sim.Engine, cfg Config, parts Parts) *Unit {
	u := &Unit{e: e, cfg: cfg, parts: parts}
	entry := e.Register("queue entry", func(a uint64) { u.queues[a>>8].entryFetched(int(a & 0xff)) })
	window := e.Register("queue commands", func(a uint64) { u.queues[a>>8].windowFetched(int(a & 0xff)) })
	kernel := e.Register("queue descriptor", func(a uint64) { u.queues[a>>8].descriptorFetched(int(a & 0xff)) })
	calls := callbacks{
		entry: entry, window: window, kernel: kernel,
		parsed:   e.Register("queue packet", func(a uint64) { u.queues[a].parsed() }),
		opDone:   e.Register("queue work", func(a uint64) { u.queues[a>>8].opDone(int(a & 0xff)) }),
		slot:     e.Register("queue fence", func(a uint64) { u.queues[a].slotDone() }),
		fence:    e.Register("queue entry fence", func(a uint64) { u.queues[a>>8].fenceDone(int(a & 0xff)) }),
		posted:   e.Register("queue completion", func(a uint64) { u.queues[a>>8].completionDone(int(a & 0xff)) }),
		moderate: e.Register("queue moderation", func(a uint64) { u.queues[uint32(a)].moderated(uint32(a >> 32)) }),
		watchdog: e.Register("queue watchdog", func(a uint64) { u.queues[uint32(a)].watchdog(uint32(a >> 32)) }),
		goOn:     e.Register("queue goes on", func(a uint64) { u.queues[uint32(a)].goOn(a) }),
	}
	files, bells := reg.NewFiles(limit(abi.Queue, cfg.Count)), reg.NewFiles(limit(abi.Doorbell, cfg.Count))
	for i := range files {
		u.queues = append(u.queues, newQueue(u, i, files[i], bells[i], calls))
	}
	u.declare()
	return u
}

// callbacks are the handlers that all queues share.
type callbacks struct {
	entry, window, kernel, parsed, opDone, slot, fence, posted, moderate, watchdog, goOn sim.Handler
}

func limit(t reg.Table, count int) reg.Table { t.Count = count; return t }

func (u *Unit) declare() {
	s := &u.stats
	u.e.Stats.Add("queue",
		sim.Counter{Name: "completed", Help: "ring entries that ended well", Value: &s.Completed},
		sim.Counter{Name: "failed", Help: "ring entries that ended with an error", Value: &s.Failed},
		sim.Counter{Name: "packets", Help: "packets executed", Value: &s.Packets},
		sim.Counter{Name: "doorbells", Help: "SQ_TAIL writes", Value: &s.Doorbells},
		sim.Counter{Name: "kicks", Help: "FENCE_KICK writes", Value: &s.Kicks},
		sim.Counter{Name: "waits", Help: "WAIT packets that did not pass at once", Value: &s.Waits},
		sim.Counter{Name: "interrupts", Help: "completion interrupts sent", Value: &s.Interrupts},
		sim.Counter{Name: "moderated", Help: "completions whose interrupt was put off", Value: &s.Moderated},
		sim.Counter{Name: "running_ps", Help: "time with an entry running, summed over queues", Value: &s.Running})
}

// Files returns the register files for the BAR map: queues and doorbells.
func (u *Unit) Files() (queues, doorbells []*reg.File) {
	for _, q := range u.queues {
		queues = append(queues, q.regs)
		doorbells = append(doorbells, q.bells)
	}
	return queues, doorbells
}

// Stats returns the counters.
func (u *Unit) Stats() Stats { return u.stats }

// Moderate sets interrupt moderation: IRQ_MODERATION's fields.
func (u *Unit) Moderate(count uint64, within sim.Time) {
	u.moderateCount, u.moderateTime = count, within
}

// ErrBusy is wrapped by Idle's error.
var ErrBusy = errors.New("queues are busy")

// Idle reports the first queue with work, nil if there is none.
func (u *Unit) Idle() error {
	for _, q := range u.queues {
		if q.busy() {
			return fmt.Errorf("%w: queue %d is %s with %d operations in flight",
				ErrBusy, q.index, abi.QueueStates[q.state], q.inFlight)
		}
	}
	return nil
}
