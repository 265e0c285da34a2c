package rig

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/sim"
)

func at(t *testing.T, machine *configs.Config, buffer, size sim.Bytes) WindowRate {
	r, err := Window{machine, buffer, size}.Measure()
	require.NoError(t, err)
	return r
}

// Reads slow down once the buffer has more pages than the IOTLB entries, small
// ones most, as on real hosts; with a larger IOTLB the knee moves.
func TestKneeAtTheIOTLB(t *testing.T) {
	m, err := configs.Machine("datacenter", "pcie.gen=3", "pcie.lanes=8", "iommu.iotlb_entries=64", "iommu.iotlb_ways=64")
	require.NoError(t, err)
	for _, size := range []sim.Bytes{64, 256, 512} {
		for w := 64 * sim.KiB; w <= 4*sim.MiB; w *= 2 {
			t.Logf("%v of %v: %+v", size, w, at(t, m, w, size))
		}
	}
	fits, beyond := at(t, m, 128*sim.KiB, 64), at(t, m, 4*sim.MiB, 64)
	assert.Greater(t, fits.IOTLBHitRate, 0.99)
	assert.InDelta(t, 64.0/1024, beyond.IOTLBHitRate, 0.03, "random places of 1024 pages, 64 of them cached")
	assert.Less(t, beyond.ReadGbps, 0.8*fits.ReadGbps)
	assert.Greater(t, beyond.ReadLatency, fits.ReadLatency)
	large := at(t, m, 4*sim.MiB, 512)
	assert.Greater(t, large.ReadGbps, 0.95*at(t, m, 128*sim.KiB, 512).ReadGbps, "large reads hide their walks")

	m.IOMMU.IOTLBEntries, m.IOMMU.IOTLBWays = 2048, 2048
	assert.Greater(t, at(t, m, 4*sim.MiB, 64).ReadGbps, 0.99*fits.ReadGbps)
}

// While all pages are cached, no window is slower than a larger one: what is in
// flight does not depend on where it goes.
func TestWindowsThatFitAreEquallyFast(t *testing.T) {
	m, err := configs.Machine("datacenter", "iommu.iotlb_entries=64", "iommu.iotlb_ways=64")
	require.NoError(t, err)
	first := at(t, m, 4*sim.KiB, 64).ReadGbps
	for w := 8 * sim.KiB; w <= 256*sim.KiB; w *= 2 {
		assert.InEpsilon(t, first, at(t, m, w, 64).ReadGbps, 0.01, "%v", w)
	}
	assert.Less(t, at(t, m, 512*sim.KiB, 64).ReadGbps, first)
}

func TestBadWindow(t *testing.T) {
	m, err := configs.Machine("tiny")
	require.NoError(t, err)
	for _, w := range []Window{{m, 100, 64}, {m, 4096, 0}, {m, 32, 64}, {m, 4096, 100}} {
		_, err := w.Measure()
		require.ErrorContains(t, err, "want powers of two")
	}
}
