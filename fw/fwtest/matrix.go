package fwtest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// Cell is a kind of fault under a workload. Variant says what it strikes, for
// kinds that end differently by that.
type Cell struct{ Kind, Variant, Workload string }

// CellReport is the outcome of a cell.
type CellReport struct {
	Kind     string   `json:"kind"`
	Variant  string   `json:"variant,omitempty"`
	Workload string   `json:"workload"`
	Outcome  string   `json:"outcome"`
	Status   string   `json:"status"`
	Log      []string `json:"log,omitempty"`
}

// Name is the kind, with what it strikes where that matters.
func (r *CellReport) Name() string {
	if r.Variant == "" {
		return r.Kind
	}
	return r.Kind + " (" + r.Variant + ")"
}

// When a fault of a kind is brought about.
const (
	running    = iota // while jobs run
	binding           // while the driver binds
	mailing           // while the management controller is asked
	pulling           // while jobs run, and then the driver is unbound
	freeing           // when buffers are unmapped
	resets            // during the reset that another fault leads to
	recordLoss        // with another fault that makes a record
	losing            // while jobs run, and the device is lost until the driver is bound anew
)

// expected says how jobs end under a kind of fault, by its row in the table of
// kinds.
type expected struct {
	variant string
	spec    fault.Spec
	when    int
	// ends are the errnos that the struck job may end with: 0 is a good end.
	ends []unix.Errno
	// beside is another kind that has to strike for this one to have a chance.
	beside string
	// collateral says that jobs of others that had begun may end with EIO.
	collateral bool
	// lost says that device memory is lost, and with it the contexts that had
	// buffers there.
	lost bool
	// many is the count under the workload of that name, where the next entry is
	// fetched before the first one's commands.
	many int
	// again says that the next job on the ring finds the fault once more.
	again bool
	// late says that the data come after the job's end.
	late bool
}

// matrix has a row for every kind.
var matrix = []expected{
	{spec: fault.Spec{Kind: "all-ones", Target: fault.On(abi.BARRegisters), Duration: 20 * sim.Microsecond}, when: mailing, ends: []unix.Errno{0, unix.EIO}},
	{spec: fault.Spec{Kind: "link-loss", Duration: 2 * sim.Millisecond}, when: pulling, ends: []unix.Errno{unix.ENODEV, unix.EIO}},
	{variant: "ring entry", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0)}, ends: []unix.Errno{unix.ETIME}},
	{variant: "commands", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0), Count: 2}, many: 3, ends: []unix.Errno{unix.EIO}},
	{variant: "ring entry", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Duration: 60 * sim.Microsecond}, ends: []unix.Errno{unix.ETIME}},
	{variant: "commands", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Count: 2, Duration: 60 * sim.Microsecond}, many: 3, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "fewer-vectors"}, when: binding, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "aer-corrected"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "aer-nonfatal"}, ends: []unix.Errno{0, unix.EIO}},
	{spec: fault.Spec{Kind: "aer-fatal"}, ends: []unix.Errno{0, unix.EIO, unix.ECANCELED}, collateral: true, lost: true},

	{spec: fault.Spec{Kind: "aer-permanent", Duration: 2 * sim.Millisecond}, when: losing, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "irq-lost"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-doubled"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-spurious"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-late"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-storm"}, ends: []unix.Errno{0}},

	{spec: fault.Spec{Kind: "completion-early"}, ends: []unix.Errno{0}, late: true},
	{spec: fault.Spec{Kind: "completion-twice"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "completion-unknown"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "completion-missing"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "completion-overflow"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "queue-stuck"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "bad-opcode"}, ends: []unix.Errno{unix.EINVAL}},
	{spec: fault.Spec{Kind: "stale-entry"}, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "page-fault"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "perm-fault"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "walk-abort"}, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "invalidate-hang"}, when: freeing, ends: []unix.Errno{0}, collateral: true},
	{spec: fault.Spec{Kind: "stale-tlb"}, when: freeing, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "wrong-context"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "record-lost"}, when: recordLoss, beside: "page-fault", ends: []unix.Errno{unix.EFAULT}},

	{spec: fault.Spec{Kind: "ecc-corrected"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "ecc-uncorrectable"}, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "parity"}, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "boot-error"}, when: binding, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "boot-hang"}, when: binding, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "mailbox-error"}, when: mailing, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "mailbox-hang", Duration: 500 * sim.Millisecond}, when: mailing, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "heartbeat-lost"}, ends: []unix.Errno{0}},

	{spec: fault.Spec{Kind: "engine-hang"}, ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "engine-slow"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "not-idle"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true, again: true},
	{spec: fault.Spec{Kind: "reset-hang"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "reset-fail"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "surprise-reset"}, ends: []unix.Errno{0, unix.EIO, unix.ECANCELED}, collateral: true, lost: true},
	{spec: fault.Spec{Kind: "thermal"}, ends: []unix.Errno{0}},
}

// Cells returns the matrix: every kind under every workload.
func Cells() (out []Cell) {
	for _, e := range matrix {
		for _, w := range workloads {
			out = append(out, Cell{e.spec.Kind, e.variant, w.name})
		}
	}
	return out
}

func (x Cell) conform(open Opener) CellReport {
	out := CellReport{Kind: x.Kind, Variant: x.Variant, Workload: x.Workload, Status: Pass}
	r := Execute(x.Kind+" under "+x.Workload, func(t TB) { out.Outcome = x.Execute(t, open) })
	if r.Failed {
		out.Status, out.Log = Fail, r.Log
	}
	return out
}

// Execute runs the cell on a system of its own and says how it ended.
func (x Cell) Execute(t TB, open Opener) (outcome string) {
	e := &matrix[slices.IndexFunc(matrix, func(e expected) bool { return e.spec.Kind == x.Kind && e.variant == x.Variant })]
	w := workloads[slices.IndexFunc(workloads, func(w workload) bool { return w.name == x.Workload })]
	s := open(t)
	c := &Case{TB: t, System: s}
	if in, ok := s.(*inProcess); ok {
		c.Dev = in.Device
	}
	s.RunTest(caseLimit, func() {
		m := &meeting{Case: c, e: e, w: w}
		m.run()
		outcome = m.outcome
	})
	return outcome
}

// harmless says that no job shows the fault, and none is reset for it.
func (e *expected) harmless() bool {
	return e.when == running && !e.collateral && slices.Equal(e.ends, []unix.Errno{0})
}

// Matrix runs every cell.
func Matrix(t TB, open Opener) {
	for _, x := range Cells() {
		if r := x.conform(open); r.Status != Pass {
			t.Errorf("%s under %s: %s\n%s", r.Name(), r.Workload, fmt.Sprint(r.Outcome), strings.Join(r.Log, "\n"))
		}
	}
}
