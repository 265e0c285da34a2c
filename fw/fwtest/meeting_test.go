package fwtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/fault"
)

// never is a system on which no fault strikes.
type never struct{ System }

func (never) Inject(fault.Spec) (Armed, error) { return never{}, nil }
func (never) Struck() int                      { return 0 }
func (never) Disarm()                          {}

// The matrix allows no end that the table of kinds does not document, and says of
// every end it names that there are others.
func TestMatrixIsOfTheTable(t *testing.T) {
	for _, e := range matrix {
		row := e.documented()
		require.NotZero(t, row, e.spec.Kind)
		assert.Zero(t, e.ends&^row, "%s: %s are not documented", e.spec.Kind, e.ends&^row)
		assert.NotEqual(t, e.ends, row, "%s: %s is the row's", e.spec.Kind, row)
	}
}

// A fault that does not strike is a failure, but where the table says that a workload
// gives it no chance.
func TestFaultWithoutChance(t *testing.T) {
	open := func(t TB) System { return never{InProcess()(t)} }
	x := Cell{Kind: "irq-lost", Workload: "copy"}
	assert.Equal(t, Fail, x.conform(open).Status)
	for i := range matrix {
		if matrix[i].spec.Kind == x.Kind {
			matrix[i].idle = map[string]string{x.Workload: "it is polled"}
			defer func() { matrix[i].idle = nil }()
		}
	}
	r := x.conform(open)
	assert.Equal(t, Skipped, r.Status, r.Log)
	assert.Equal(t, "no chance: it is polled", r.Outcome)
	assert.Equal(t, Pass, x.conform(InProcess()).Status, "it has a chance")
	count := Report{}
	count.count(r.Status)
	assert.Equal(t, Report{Skipped: 1}, count)
}
