package docs_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/fault"
)

func writeFaults(t *testing.T, b *bytes.Buffer) {
	head(b, "Faults on demand", `
Every way in which the device can be made to misbehave: the rows of the table
in `+"`hw/fault/kinds.go`"+`. A fault is armed from a machine's file, as faulty.toml:

`+"```"+`toml
base = "tiny"

[[fault]]
kind  = "dma-error"
count = 3            # the third chance; or at = "1ms", probability = 0.01, …
`+"```"+`

`+"```"+`sh
presi run -c faulty.toml -w gemm:64x64x64 -v
`+"```"+`

`+"`--fault`"+` does the same without a file, again for more:

`+"```"+`sh
presi run -c tiny -w gemm:64x64x64 --fault kind=dma-error,count=3 -v
`+"```"+`

`+"`-v`"+` prints what the driver says of it; the run ends with the job's error. Faults are
armed as well from Go (`+"`npu.Device.Inject(fault.Spec{Kind: \"dma-error\", Count: 3})`"+`, also
while the simulation runs), and by the INJECT block of BAR0 ([registers.md](registers.md)),
which takes the number of the kind. A program that sees only the driver arms them in
debugfs: a directory of `+"`fault_inject/`"+` for each kind, with its settings as files;
`+"`probability`"+`, in percent and written last, arms in the place of what the directory had armed; 0 disarms. The keys
of the file are in [config.md](config.md).

A fault sees a *chance* whenever what its row counts happens to its target within
its addresses, not before `+"`at`"+`. Of its chances `+"`space`"+` pass; of the rest each
`+"`interval`"+`-th is struck, with `+"`probability`"+`, until it has struck `+"`times`"+`. Those are the
kernel's words for the same thing. A fault that names no trigger strikes its first
chance, and without a target anybody's: the first DMA request of the device is the read
of a ring entry, where a `+"`dma-error`"+` costs a reset (ETIME) rather than a job's EIO.
Kinds marked with a star need no chance: with `+"`at`"+` alone they happen at that instant.

The outcome is what the reference driver makes of it, and any driver should: an
errno, a recovery, or nothing. The last column says how the job or call that meets
the fault may end.

Chaos mode is no fault: with `+"`--set chaos.seed=7`"+` every delay that the rules allow
happens. Posted writes become visible late and interrupts come late, each in
order; reads are served late; CPU and device see each other's writes to coherent
memory out of order, but for barriers; invalidations drop translations late; doorbells take effect late; kernels and copies
begin late, so that queues complete in another order; accesses to device memory
pass each other; translations stay cached until they are invalidated; memory holds
noise at power-on. The same seed gives the same delays.
`)
	var groups []string
	for _, r := range fault.Kinds[fault.None+1:] {
		if !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(b, "\n## %s%s\n", string(group[0]&^0x20), group[1:])
		table(b, "kind", "number", "what happens", "chances", "target", "parameters", "outcome", "ends")
		for k, r := range fault.Kinds {
			if k == int(fault.None) || r.Group != group {
				continue
			}
			require.NotEmpty(t, r.Outcome, r.Name)
			star := ""
			if r.Event {
				star = " *"
			}
			row(b, "`"+r.Name+"`"+star, k, r.What, r.Chance, or(r.Target, "–"), parameters(r), r.Outcome, r.Ends)
		}
	}
}

// spans says what a duration means.
var spans = map[fault.Span]string{
	fault.Window: "`duration`: every read within it",
	fault.Delay:  "`duration`: how late",
	fault.Until:  "`duration`: until it works again",
}

func parameters(r fault.Row) string {
	out := ""
	add := func(s string) {
		if out != "" {
			out += "; "
		}
		out += s
	}
	if r.Address != "" {
		add("`from`, `to`: " + r.Address)
	}
	if r.Value != "" {
		add(fmt.Sprintf("`value`: %s (%d)", r.Value, r.Default))
	}
	if s := spans[r.Span]; s != "" {
		if r.Duration > 0 {
			s += " (" + r.Duration.String() + ")"
		}
		add(s)
	}
	if r.Times == fault.Unlimited {
		add("without end")
	}
	return or(out, "–")
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
