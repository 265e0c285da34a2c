package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
)

func TestConformOneStatement(t *testing.T) {
	got := in(t, "conform --statement 7")
	require.Equal(t, 0, got.code, got.out)
	assert.Regexp(t, `(?m)^7 +pass +2 +dispatch: ENOTTY`, got.out)
	assert.Contains(t, got.out, "\n1 passed, 0 failed, 0 skipped\n")
	assert.NotContains(t, got.out, "fault")
}

func TestConformJSON(t *testing.T) {
	got := in(t, "conform --json --statement 21")
	require.Equal(t, 0, got.code, got.out)
	var r struct {
		Statements []struct {
			Number       int
			Name, Status string
		}
		Faults                  []struct{ Kind, Workload, Outcome, Status string }
		Passed, Failed, Skipped int
	}
	d := json.NewDecoder(strings.NewReader(got.out))
	require.NoError(t, d.Decode(&r))
	require.Len(t, r.Statements, 1)
	assert.Equal(t, 21, r.Statements[0].Number)
	assert.Equal(t, "pass", r.Statements[0].Status)
	assert.NotEmpty(t, r.Statements[0].Name)
	assert.NotNil(t, r.Faults)
	assert.Equal(t, 1, r.Passed)
	assert.Zero(t, r.Failed)
	assert.Zero(t, r.Skipped)
}

// Another machine is another's answer.
func TestConformMachine(t *testing.T) {
	got := in(t, "conform -c datacenter --statement 30")
	require.Equal(t, 0, got.code, got.out)
	assert.Contains(t, got.out, "\n1 passed, 0 failed, 0 skipped\n")
	got = in(t, "conform -c datacentre")
	assert.Equal(t, 2, got.code)
	assert.Empty(t, got.out)
	assert.Contains(t, got.err, "datacentre")
}

func TestConformBadStatement(t *testing.T) {
	for _, n := range []string{"0", "31", "-1", "x"} {
		got := in(t, "conform --statement "+n)
		assert.Equal(t, 2, got.code, n)
		assert.Empty(t, got.out)
		assert.Contains(t, got.err, "statement")
	}
}

// An interrupted run prints what it has.
func TestConformInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	got := presi(ctx, "conform")
	assert.Equal(t, 130, got.code)
	assert.Contains(t, got.out, "0 passed, 0 failed, 0 skipped")
	got = presi(ctx, "conform", "--json")
	assert.Equal(t, 130, got.code)
	assert.Contains(t, got.out, `"statements": []`)
}

// What fails is printed with its log.
func TestConformFailure(t *testing.T) {
	var b strings.Builder
	r := fwtest.Report{Statements: []fwtest.StatementReport{{Number: 3, Name: "nodes", Status: fwtest.Fail, Tests: 1, Log: []string{"no node"}}},
		Faults: []fwtest.CellReport{{Kind: "irq-lost", Workload: "copy", Status: fwtest.Pass, Outcome: "completed"},
			{Kind: "irq-late", Workload: "copy", Status: fwtest.Skipped, Outcome: "no chance: it is polled"}}, Passed: 1, Failed: 1, Skipped: 1}
	require.NoError(t, writeConform(&b, &r))
	assert.Equal(t, `statement  status  tests  what it says
3          fail    1      nodes

fault     workload  status   outcome
irq-lost  copy      pass     completed
irq-late  copy      skipped  no chance: it is polled

statement 3: no node
1 passed, 1 failed, 1 skipped
`, b.String())
	r2 := fwtest.Execute("x", func(t fwtest.TB) { t.Errorf("wrong %d", 1); t.FailNow(); panic("not reached") })
	assert.Equal(t, fwtest.Result{Failed: true, Log: []string{"wrong 1"}}, r2)
	r2 = fwtest.Execute("x", func(fwtest.TB) { panic(errors.New("a defect")) })
	assert.True(t, r2.Failed)
	assert.Contains(t, r2.Log[0], "a defect")
}
