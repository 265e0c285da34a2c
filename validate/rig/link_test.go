package rig

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

func link(size sim.Bytes) Link {
	c := pcie.DefaultConfig()
	c.Tags = pcie.Unlimited
	return Link{Config: c, Size: size}
}

// The engine saturates the link: what arrives is what the wire's TLPs leave for
// payload.
func TestEngineSaturatesTheLink(t *testing.T) {
	for _, gen := range []int{2, 3, 5} {
		for _, lanes := range []int{1, 16} {
			for _, size := range []sim.Bytes{8, 64, 513, 4096, 65536, 300_000} {
				l := link(size)
				l.Generation, l.Lanes = gen, lanes
				got, err := l.Measure()
				require.NoError(t, err)
				ceil := func(n sim.Bytes) sim.Bytes { return (size + n - 1) / n }
				write, requests, completions := size+24*ceil(l.MPS), 24*ceil(l.MRRS), size+20*ceil(l.MPS)
				rate := float64(l.TLPRate()) * 8e-9 * float64(size)
				assert.InEpsilon(t, rate/float64(write), got.WriteGbps, 0.01, "gen%d x%d %v", gen, lanes, size)
				assert.InEpsilon(t, rate/float64(max(requests, completions)), got.ReadGbps, 0.01, "gen%d x%d %v", gen, lanes, size)
				assert.InEpsilon(t, rate/float64(max(write+requests, completions)), got.BothGbps, 0.02, "gen%d x%d %v", gen, lanes, size)
			}
		}
	}
}

// A round trip that is asked for is what one read takes, and what tags divide.
func TestRoundTripAndTags(t *testing.T) {
	l := link(512)
	l.RoundTrip, l.Tags = 900*sim.Nanosecond, 16
	m, err := l.Measure()
	require.NoError(t, err)
	assert.InDelta(t, 900, m.ReadLatencyNs, 0.01)
	assert.InEpsilon(t, 16*512*8/900.0, m.ReadGbps, 0.02)

	l.Size = 2048 // four requests of MRRS, each a tag; 16 of them per round trip still
	m, err = l.Measure()
	require.NoError(t, err)
	assert.InEpsilon(t, 16*512*8/900.0, m.ReadGbps, 0.05)
	l.RoundTrip = 0
	slow := l
	slow.Latency *= 3
	a, err := l.Measure()
	require.NoError(t, err)
	b, err := slow.Measure()
	require.NoError(t, err)
	assert.Less(t, b.ReadGbps, a.ReadGbps)
	assert.InEpsilon(t, a.WriteGbps, b.WriteGbps, 0.001, "posted writes do not wait for the round trip")
}

func TestBadPoints(t *testing.T) {
	l := link(0)
	l.Lanes, l.MPS = 3, 100
	_, err := l.Measure()
	var fault *hw.ConfigFault
	require.ErrorAs(t, err, &fault)
	for _, key := range []string{"pcie.size_B", "pcie.lanes", "pcie.mps"} {
		assert.ErrorContains(t, err, key)
	}
}

// A round trip below the request's own time on the wire is as short as the link
// can: there is no latency beside it.
func TestRoundTripBelowTheWire(t *testing.T) {
	l := link(4096)
	l.RoundTrip, l.Tags = 10*sim.Nanosecond, 32
	got, err := l.Measure()
	require.NoError(t, err)
	l.RoundTrip, l.Latency = 0, 0
	want, err := l.Measure()
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
