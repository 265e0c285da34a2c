package fwtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/fault"
)

// Every kind of fault under every workload ends as it is documented.
func TestMatrix(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range fwtest.Cells() {
		t.Run(x.Kind+"/"+x.Workload, func(t *testing.T) {
			t.Log(x.Execute(t, fwtest.InProcess()))
		})
		seen[x.Kind] = true
	}
	for _, kind := range fault.Names() {
		assert.True(t, seen[kind], "the matrix has no row for %s", kind)
	}
}
