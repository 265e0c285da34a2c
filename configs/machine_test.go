package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
)

func TestShippedMachinesAreSound(t *testing.T) {
	list := List()
	require.GreaterOrEqual(t, len(list), 3)
	for _, m := range list {
		c, err := Machine(m.Name)
		require.NoError(t, err)
		assert.Equal(t, m.Name, c.Name)
		assert.Equal(t, m.Description, c.Description)
		assert.NotEmpty(t, m.Description)
	}
}

func TestShippedMachinesAreWhatTheySay(t *testing.T) {
	edge, err := Machine("edge")
	require.NoError(t, err)
	assert.Equal(t, [3]int{1, 16, 16}, [3]int{edge.Core.Count, edge.Array.Rows, edge.Array.Cols})
	assert.Equal(t, [2]int{3, 4}, [2]int{edge.PCIe.Generation, edge.PCIe.Lanes})
	assert.Contains(t, edge.DRAM.Device, "LPDDR5")
	datacenter, err := Machine("datacenter")
	require.NoError(t, err)
	assert.Equal(t, [3]int{4, 128, 128}, [3]int{datacenter.Core.Count, datacenter.Array.Rows, datacenter.Array.Cols})
	assert.Equal(t, [2]int{4, 16}, [2]int{datacenter.PCIe.Generation, datacenter.PCIe.Lanes})
	assert.Contains(t, datacenter.DRAM.Device, "HBM2E")
}

func TestEncodedMachinesRoundTrip(t *testing.T) {
	for _, m := range List() {
		want, err := Machine(m.Name, "dram.timing.nRFC=300", "core.clock=933MHz", "pcie.tags=unlimited")
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, Encode(&text, want))
		path := filepath.Join(t.TempDir(), "resolved.toml")
		require.NoError(t, os.WriteFile(path, text.Bytes(), 0o644))
		got, err := Machine(path)
		require.NoErrorf(t, err, "%s", &text)
		assert.Equal(t, want, got)
	}
}

func TestAMachineOnTopOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wide.toml")
	require.NoError(t, os.WriteFile(path, []byte("base = \"edge\"\ndescription = \"edge with a wider memory\"\n[dram]\nchannels = 4\nsize = \"8GiB\"\n"), 0o644))
	c, err := Machine(path, "vector.lanes=32")
	require.NoError(t, err)
	assert.Equal(t, "wide", c.Name)
	assert.Empty(t, c.Base)
	assert.Equal(t, 4, c.DRAM.Channels)
	assert.Equal(t, 8*sim.GiB, c.DRAM.Size)
	assert.Equal(t, 32, c.Vector.Lanes)
	assert.Equal(t, 16, c.Array.Rows)
}

// A fault of every section comes back with its line, all at once.
func TestFaultsOfEverySection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.toml")
	require.NoError(t, os.WriteFile(path, []byte(`base = "edge"
core.count = 0
array.rows = 0
vector.lanes = 0
scratchpad.banks = 3
dram.channels = -1
pcie.lanes = 3
mmu.walkers = 0
iommu.walkers = 0
dma.channels = 0
queue.depth = 3
mgmt.heartbeat = "1ns"
host.memory_rate = "0B/s"
array.dataflow = "xs"
dram.device = "DDR9"
`), 0o644))
	_, err := Machine(path, "core.clock=5")
	var faults Faults
	require.ErrorAs(t, err, &faults)
	lines := map[int]string{}
	for _, f := range faults {
		lines[f.Line] = f.Key
	}
	assert.Equal(t, map[int]string{0: "core.clock", 2: "core.count", 3: "array.rows", 4: "vector.lanes", 5: "scratchpad.banks",
		6: "dram.channels", 7: "pcie.lanes", 8: "mmu.walkers", 9: "iommu.walkers", 10: "dma.channels", 11: "queue.depth",
		12: "mgmt.heartbeat", 13: "host.memory_rate", 14: "array.dataflow", 15: "dram.device"}, lines, "%v", err)
}

// The reference has a sentence for every key.
func TestEveryKeyIsDescribed(t *testing.T) {
	for _, k := range Keys(Config{}) {
		assert.NotEmptyf(t, k.Doc, "%s has no doc tag", k.Path)
	}
}
