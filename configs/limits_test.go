package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What follows from an override is its fault, and says what goes with it.
func TestFaultsOfOverrides(t *testing.T) {
	for set, want := range map[string]string{
		"dram.channels=1":          `--set dram.channels=1: dram.size = "4GiB": want at most 2GiB, what 1 × LPDDR5_6400 hold, in units of 32 bytes; set dram.size, too`,
		"dram.channels=0":          "--set dram.channels=0: want 1 or more",
		"dram.timing.nRP=100000":   "--set dram.timing.nRP=100000: want time left between refreshes: nRFC + nRP + nRAS (",
		"dram.map=robabgraxxch":    `--set dram.map=robabgraxxch: want the fields ro, ba, bg, ra, co and ch, from the most to the least significant, such as robabgracoch: "xx" is no field, or stands twice`,
		"base=tiny":                "--set base=tiny: choose a machine with -c NAME or -c FILE",
		"queue.count=1":            "--set queue.count=1: want 2 to 64: an engine has one to itself",
		"dram.size=1MiB":           "--set dram.size=1MiB: want at least 2MiB: the driver's page tables take the first MiB",
		"dram.size=0B":             "--set dram.size=0B: want at least 2MiB",
		"mgmt.boot_time=64s":       "--set mgmt.boot_time=64s: want 0ps to 2s, which the driver waits",
		"mgmt.mailbox_time=1s":     "--set mgmt.mailbox_time=1s: want 0ps to 100ms, which the driver waits",
		"pcie.tags=769":            "--set pcie.tags=769: want 1 to 768, as many as 10-bit tags name, or \"unlimited\"",
		"core.port_bytes=0B":       "--set core.port_bytes=0B: want 1B to 64KiB",
		"array.dataflow=weights":   `--set array.dataflow=weights: no dataflow: want ws, os or is`,
		"scratchpad.bank_bytes=3B": "--set scratchpad.bank_bytes=3B: want a power of two from 1B to 4KiB",
	} {
		_, err := Machine("edge", set)
		require.Error(t, err, set)
		assert.True(t, strings.HasPrefix(err.Error(), want), "got  %s\nwant %s", err, want)
		assert.NotContains(t, err.Error(), "\n", "one fault, one line")
	}
	_, err := Machine("edge", "dram.channels=1", "dram.size=2GiB")
	assert.NoError(t, err)
}

// A mistake hides no other.
func TestAllMistakesAtOnce(t *testing.T) {
	for text, want := range map[string][]string{
		"base = \"edge\"\ndescription = \"x\"\n[dram.timing]\nnCL = 0\nnBOO = 1\n":     {":4: dram.timing.nCL = 0: want 1 to", ":5: dram.timing.nBOO = 1: want another key"},
		"base = \"nosuch\"\ndescription = \"x\"\n[dram]\nchannels = \"2\"\nsice = 3\n": {`:1: base = "nosuch": no such machine`, ":4: dram.channels", ":5: dram.sice"},
	} {
		file := filepath.Join(t.TempDir(), "m.toml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		_, err := Machine(file, "core.cont=2")
		require.Error(t, err)
		for _, w := range append(want, "--set core.cont=2: no such key; did you mean core.count?") {
			assert.Contains(t, err.Error(), w)
		}
		assert.Equal(t, len(want), strings.Count(err.Error(), "\n"), "and no more: %v", err)
	}
}
