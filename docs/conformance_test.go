package docs_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
)

func writeConformance(t *testing.T, b *bytes.Buffer) {
	head(b, "Conformance", `
What framework-compliant means, in thirty statements, and the tests that hold a
driver to each: `+"`presi conform`"+` runs them on the reference driver,
`+"`fwtest.Run(t, open)`"+` on any. A test marked *uapi* calls ioctls and reads files,
and runs anywhere; *host* also unbinds, resets and injects faults by the host's
own means; *white-box* looks into the framework's process, and is left out where
the driver runs in another.

Behind the statements comes the matrix of faults: every kind of
[faults.md](faults.md) under every workload. A cell passes when the fault strikes,
the struck job ends as its row says, or completes with right data, a bystander
finishes with right data, nothing hangs and nothing is left over. A cell is skipped
only where the matrix says, with the reason, that the workload gives the fault no
chance.

`+"`presi conform -c NAME`"+` takes another machine than tiny.
`)
	table(b, "statement", "what it says", "tests", "mark")
	for _, s := range fwtest.Statements {
		var names, marks []string
		for _, x := range s.Tests {
			names = append(names, "`"+x.Name+"`")
			marks = append(marks, string(x.Mark))
		}
		require.NotEmpty(t, names)
		row(b, s.Number, s.Name, strings.Join(names, ", "), strings.Join(marks, ", "))
	}
}
