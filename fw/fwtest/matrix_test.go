package fwtest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/fault"
)

// Every kind of fault under every workload ends as it is documented.
func TestMatrix(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range fwtest.Cells() {
		t.Run(strings.TrimSuffix(x.Kind+"/"+x.Workload+"/"+x.Variant, "/"), func(t *testing.T) {
			outcome, status := x.Execute(t, fwtest.InProcess())
			t.Log(outcome)
			assert.Equal(t, fwtest.Pass, status)
		})
		seen[x.Kind] = true
	}
	for _, kind := range fault.Names() {
		assert.True(t, seen[kind], "the matrix has no row for %s", kind)
	}
}
