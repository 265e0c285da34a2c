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

// expected says how jobs end under a kind of fault.
type expected struct {
	variant string
	spec    fault.Spec
	when    int
	// ends are those that the struck job, or the call that is struck, may come to: of
	// those that the kind's row in fault.Kinds has, the ones that the spec and the
	// moment lead to. None: all of the row's.
	ends fault.End
	// beside is another kind that has to strike for this one to have a chance.
	beside string
	// collateral says that jobs of others that had begun may end with EIO.
	collateral bool
	// lost says that device memory is lost, and with it the contexts that had
	// buffers there.
	lost bool
	// many is the count under the workload of that name, where the next entry may be
	// fetched before the first one's commands: that one may be struck, too.
	many int
	// again says that the next job on the ring finds the fault once more.
	again bool
	// late says that the data come after the job's end.
	late bool
	// idle are workloads that may give it no chance, each with the reason. Under any
	// other a fault that does not strike is a failure.
	idle map[string]string
}

// documented are the ends that the kind's row has.
func (e *expected) documented() fault.End { return fault.Kinds[fault.Named(e.spec.Kind)].Ends }

// mayEnd are the ends of the struck job under a workload.
func (e *expected) mayEnd(workload string) fault.End {
	if e.ends == 0 || e.many != 0 && workload == "many" {
		return e.documented()
	}
	return e.ends
}

// othersMayEnd are the ends of the other jobs of its context.
func (e *expected) othersMayEnd(workload string) fault.End {
	all := fault.Well
	if e.mayEnd(workload)&fault.ETIME != 0 {
		all |= fault.ECANCELED // the context is killed
	}
	if e.collateral || e.when == losing {
		all |= fault.EIO
	}
	if e.lost {
		all |= fault.EIO | fault.ECANCELED
	}
	return all
}

// endOf is an errno as the table of kinds has it; 0 for one that no row has.
func endOf(errno unix.Errno) fault.End {
	return map[unix.Errno]fault.End{0: fault.Well, unix.EINVAL: fault.EINVAL, unix.EFAULT: fault.EFAULT, unix.EIO: fault.EIO,
		unix.ENODEV: fault.ENODEV, unix.ETIME: fault.ETIME, unix.ECANCELED: fault.ECANCELED}[errno]
}

// matrix has a row for every kind.
var matrix = []expected{
	{spec: fault.Spec{Kind: "all-ones", Target: fault.On(abi.BARRegisters), Duration: 20 * sim.Microsecond}, when: mailing, ends: fault.Well | fault.EIO},
	{spec: fault.Spec{Kind: "link-loss", Duration: 2 * sim.Millisecond}, when: pulling, ends: fault.ENODEV | fault.EIO},
	{variant: "ring entry", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0)}, ends: fault.ETIME},
	{variant: "commands", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0), Count: 2}, many: 3, ends: fault.EIO},
	{variant: "ring entry", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Duration: 60 * sim.Microsecond}, ends: fault.ETIME},
	{variant: "commands", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Count: 2, Duration: 60 * sim.Microsecond}, many: 3, ends: fault.EIO},
	{spec: fault.Spec{Kind: "fewer-vectors"}, when: binding},
	{spec: fault.Spec{Kind: "aer-corrected"}},
	{spec: fault.Spec{Kind: "aer-nonfatal"}},
	{spec: fault.Spec{Kind: "aer-fatal"}, collateral: true, lost: true},

	{spec: fault.Spec{Kind: "aer-permanent", Duration: 2 * sim.Millisecond}, when: losing},

	{spec: fault.Spec{Kind: "irq-lost"}},
	{spec: fault.Spec{Kind: "irq-doubled"}},
	{spec: fault.Spec{Kind: "irq-spurious"}},
	{spec: fault.Spec{Kind: "irq-late"}},
	{spec: fault.Spec{Kind: "irq-storm"}},

	{spec: fault.Spec{Kind: "completion-early"}, late: true},
	{spec: fault.Spec{Kind: "completion-twice"}},
	{spec: fault.Spec{Kind: "completion-unknown"}},
	{spec: fault.Spec{Kind: "completion-missing"}},
	{spec: fault.Spec{Kind: "completion-overflow"}},
	{spec: fault.Spec{Kind: "queue-stuck"}, ends: fault.ETIME},
	{spec: fault.Spec{Kind: "bad-opcode"}},
	{spec: fault.Spec{Kind: "stale-entry"}},

	{spec: fault.Spec{Kind: "page-fault"}},
	{spec: fault.Spec{Kind: "perm-fault"}},
	{spec: fault.Spec{Kind: "walk-abort"}},
	{spec: fault.Spec{Kind: "invalidate-hang"}, when: freeing, ends: fault.Well, collateral: true},
	{spec: fault.Spec{Kind: "stale-tlb"}, when: freeing},
	{spec: fault.Spec{Kind: "wrong-context"}, ends: fault.EFAULT},
	{spec: fault.Spec{Kind: "record-lost"}, when: recordLoss, beside: "page-fault", ends: fault.EFAULT},

	{spec: fault.Spec{Kind: "ecc-corrected"}},
	{spec: fault.Spec{Kind: "ecc-uncorrectable"}},
	{spec: fault.Spec{Kind: "parity"}},

	{spec: fault.Spec{Kind: "boot-error"}, when: binding},
	{spec: fault.Spec{Kind: "boot-hang"}, when: binding},
	{spec: fault.Spec{Kind: "mailbox-error"}, when: mailing, ends: fault.EIO},
	{spec: fault.Spec{Kind: "mailbox-hang", Duration: 500 * sim.Millisecond}, when: mailing, ends: fault.ETIME},
	{spec: fault.Spec{Kind: "heartbeat-lost"}},

	{spec: fault.Spec{Kind: "engine-hang"}, collateral: true},
	{spec: fault.Spec{Kind: "engine-slow"}},
	{spec: fault.Spec{Kind: "not-idle"}, when: resets, beside: "queue-stuck", ends: fault.ETIME, collateral: true, again: true},
	{spec: fault.Spec{Kind: "reset-hang"}, when: resets, beside: "queue-stuck", ends: fault.ETIME, collateral: true},
	{spec: fault.Spec{Kind: "reset-fail"}, when: resets, beside: "queue-stuck", ends: fault.ETIME, collateral: true},
	{spec: fault.Spec{Kind: "surprise-reset"}, collateral: true, lost: true},
	{spec: fault.Spec{Kind: "thermal"}},
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
	r := Execute(x.Kind+" under "+x.Workload, func(t TB) { out.Outcome, out.Status = x.Execute(t, open) })
	if r.Failed {
		out.Status, out.Log = Fail, r.Log
	}
	return out
}

// Execute runs the cell on a system of its own and says how it ended. The status is
// Skipped when the fault had no chance, as the table says of that workload.
func (x Cell) Execute(t TB, open Opener) (outcome, status string) {
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
		outcome, status = m.outcome, Pass
		if m.skipped {
			status = Skipped
		}
	})
	return outcome, status
}

// harmless says that no job shows the fault, and none is reset for it.
func (e *expected) harmless() bool {
	return e.when == running && !e.collateral && e.documented() == fault.Well
}

// Matrix runs every cell.
func Matrix(t TB, open Opener) {
	for _, x := range Cells() {
		if r := x.conform(open); r.Status == Fail {
			t.Errorf("%s under %s: %s\n%s", r.Name(), r.Workload, fmt.Sprint(r.Outcome), strings.Join(r.Log, "\n"))
		}
	}
}
