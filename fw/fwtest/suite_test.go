package fwtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
)

// The reference driver meets every statement.
func TestReferenceDriver(t *testing.T) {
	for _, s := range fwtest.Statements {
		for _, x := range s.Tests {
			t.Run(x.Name, func(t *testing.T) {
				assert.True(t, x.Execute(t, fwtest.InProcess()))
			})
		}
	}
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
