package fwtest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// lengthy are the tests that fill or copy as much as a machine's memory or link
// lets them: on large machines they take seconds each, which only a soak has.
var lengthy = []string{"S16_MemoryIsClearedBetweenFiles", "S16_EvictedBufferKeepsItsData", "S18_CloseEndsEndlessProgress", "S19_CopiesOfEverySize", "S28_EvictedIsNotResident"}

// The statements hold on machines that are larger and faster, too.
func TestLargeMachines(t *testing.T) { onLargeMachines(t, false) }

// onLargeMachines runs the lengthy tests, or the others.
func onLargeMachines(t *testing.T, long bool) {
	for _, machine := range []string{"edge", "datacenter"} {
		t.Run(machine, func(t *testing.T) {
			for _, s := range Statements {
				for _, x := range s.Tests {
					if slices.Contains(lengthy, x.Name) == long {
						t.Run(x.Name, func(t *testing.T) { assert.True(t, x.Execute(t, InProcess(Machine(machine)))) })
					}
				}
			}
		})
	}
}
