package npu

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/hw/abi"
)

// Every register of the block has a source: a counter, or the sensors.
func TestTelemetryIsComplete(t *testing.T) {
	have := []string{"SNAPSHOT", "POWER_MW", "TEMPERATURE_MC"}
	for _, c := range counters {
		have = append(have, c.register)
	}
	var want []string
	for _, r := range abi.Telemetry.Registers {
		want = append(want, r.Name)
	}
	assert.ElementsMatch(t, want, have)
}
