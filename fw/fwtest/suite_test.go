package fwtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
)

// unmet are the tests that the reference driver fails, and why. Each is held to
// fail, so that the list shrinks with the first that passes.
var unmet = map[string]string{
	"S26_IdleSuspendsAndIoctlResumes": "the driver does not suspend",
}

// The reference driver meets every statement.
func TestReferenceDriver(t *testing.T) {
	left := len(unmet)
	for _, s := range fwtest.Statements {
		for _, x := range s.Tests {
			t.Run(x.Name, func(t *testing.T) {
				if why := unmet[x.Name]; why != "" {
					left--
					r := fwtest.Execute(x.Name, func(t fwtest.TB) { x.Execute(t, fwtest.InProcess()) })
					assert.True(t, r.Failed, "it passes: take it out of the list (%s)", why)
					return
				}
				assert.True(t, x.Execute(t, fwtest.InProcess()))
			})
		}
	}
	assert.Zero(t, left, "tests of the list that there are not")
}

func TestStatements(t *testing.T) {
	require.Len(t, fwtest.Statements, 30)
	seen := map[string]bool{}
	for i, s := range fwtest.Statements {
		assert.Equal(t, i+1, s.Number)
		assert.NotEmpty(t, s.Tests, "statement %d", s.Number)
		for _, x := range s.Tests {
			assert.True(t, strings.HasPrefix(x.Name, fmt.Sprintf("S%02d_", s.Number)), x.Name)
			assert.False(t, seen[x.Name], x.Name)
			seen[x.Name] = true
		}
	}
}
