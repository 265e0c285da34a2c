package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

func machineFile(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "m.toml")
	require.NoError(t, os.WriteFile(path, []byte("base = \"edge\"\n"+text), 0o644))
	return path
}

func TestFaultsInAFile(t *testing.T) {
	c, err := Machine(machineFile(t, `
[[fault]]
kind = "dma-error"
count = 3
[[fault]]
kind = "irq-late"
target = 2
probability = 0.01
seed = 4
times = -1
at = "1ms"
duration = "30us"
[[fault]]
kind = "page-fault"
target = "any"
from = 0x10000
to = 0x1ffff
`), "chaos.seed=7", "fault[0].times=2")
	require.NoError(t, err)
	assert.EqualValues(t, 7, c.Chaos.Seed)
	assert.Equal(t, []fault.Spec{
		{Kind: "dma-error", Count: 3, Times: 2},
		{Kind: "irq-late", Target: fault.On(2), Probability: 0.01, Seed: 4, Times: fault.Unlimited, At: sim.Millisecond, Duration: 30 * sim.Microsecond},
		{Kind: "page-fault", From: 0x10000, To: 0x1ffff},
	}, c.Faults)
	var text bytes.Buffer
	require.NoError(t, Encode(&text, c))
	path := filepath.Join(t.TempDir(), "resolved.toml")
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o644))
	again, err := Machine(path)
	require.NoErrorf(t, err, "%s", &text)
	assert.Equal(t, c, again)
}

// Without faults and chaos a machine says nothing of them.
func TestNoFaultsByDefault(t *testing.T) {
	for _, m := range List() {
		c, err := Machine(m.Name)
		require.NoError(t, err)
		assert.Empty(t, c.Faults)
		assert.Zero(t, c.Chaos)
	}
}

func TestMistakesInFaults(t *testing.T) {
	_, err := Machine(machineFile(t, `
[[fault]]
kind = "dma-eror"
[[fault]]
kind = "irq-lost"
duration = "1us"
[[fault]]
kind = "irq-lost"
target = -3
[[fault]]
count = 1
`))
	var faults Faults
	require.ErrorAs(t, err, &faults)
	at := map[int]string{}
	for _, f := range faults {
		at[f.Line] = f.Key
	}
	assert.Equal(t, map[int]string{4: "fault[0].kind", 7: "fault[1].duration", 10: "fault[2].target", 11: "fault[3].kind"}, at, "%v", err)
	assert.ErrorContains(t, err, `fault[0].kind = "dma-eror": want one of all-ones`)
}
