package rig

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// published is the model of Neugebauer et al. (SIGCOMM 2018) in its own terms,
// written apart from hw/pcie: what a link carries of payload, in Gbit/s.
type published struct{ write, read, both float64 }

func publish(l Link) published {
	lanes, mps := float64(l.Lanes), float64(l.MPS)
	line, delay := 128.0/130, 115.0
	if l.Generation < 3 {
		line, delay = 0.8, 70
	}
	factor := map[int]float64{1: 1.4, 2: 1.4, 4: 1.4, 8: 2.5, 16: 3}[l.Lanes]
	if l.MPS > 256 {
		factor = map[int]float64{1: 1, 2: 1, 4: 1, 8: 1, 16: 2}[l.Lanes]
	}
	limit := math.Floor((mps+28)*factor/lanes + delay) // symbols between Acks, and between UpdateFCs
	rate := 2.5 * math.Exp2(float64(l.Generation-1)) * lanes * line
	if l.Generation > 2 {
		rate = math.Exp2(float64(l.Generation)) * lanes * line
	}
	rate *= 1 - 8/limit - 8/limit - 4.0/1538

	size, chunk := float64(l.Size), mps
	if l.RCBChunks {
		chunk = float64(l.RCB)
	}
	write := size + 24*math.Ceil(size/mps)
	request, reply := 24*math.Ceil(size/float64(l.MRRS)), size+20*math.Ceil(size/chunk)
	return published{rate * size / write, rate * size / max(request, reply), rate * size / max(write+request, reply)}
}

// drawLink draws a point of the model's range, credits unlimited.
func drawLink(t *rapid.T) Link {
	power := func(name string, low, high int) sim.Bytes { return 1 << rapid.IntRange(low, high).Draw(t, name) }
	l := Link{Config: pcie.DefaultConfig()}
	l.Generation = rapid.IntRange(2, 5).Draw(t, "generation")
	l.Lanes = int(power("lanes", 0, 4))
	l.MPS, l.MRRS, l.RCB = power("mps", 7, 10), power("mrrs", 7, 12), power("rcb", 6, 7)
	l.RCBChunks = rapid.Bool().Draw(t, "rcb chunks")
	l.Size = min(power("size", 0, 20)+sim.Bytes(rapid.IntRange(-9, 9).Draw(t, "more")*rapid.IntRange(0, 1).Draw(t, "odd")), maxRequest)
	l.Size = max(l.Size, 1)
	l.Tags = pcie.Unlimited
	return l
}

func deviates(got, want float64) float64 { return math.Abs(got-want) / want }

// Without limits on tags and credits the engine on the link reaches what the
// published model says, within 1 %.
func TestLinkFollowsThePublishedModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLink(t)
		got, err := l.Measure()
		require.NoError(t, err)
		want := publish(l)
		require.Less(t, deviates(got.WriteGbps, want.write), 0.01, "writes: %v, want %v: %+v", got.WriteGbps, want.write, l)
		require.Less(t, deviates(got.ReadGbps, want.read), 0.01, "reads: %v, want %v: %+v", got.ReadGbps, want.read, l)
		require.Less(t, deviates(got.BothGbps, want.both), 0.01, "both: %v, want %v: %+v", got.BothGbps, want.both, l)
	})
}

// With tags and a round trip, reads reach the less of what the link and what
// tags × request / round trip allow, within 2 %.
func TestTagsFollowTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLink(t)
		l.Tags = pcie.Limit(rapid.IntRange(1, 768).Draw(t, "tags"))
		l.RoundTrip = sim.Time(rapid.OneOf(rapid.IntRange(100, 3000), rapid.IntRange(3000, 20000)).Draw(t, "round trip")) * sim.Nanosecond
		if l.Size > l.MRRS {
			l.Size -= l.Size % l.MRRS // requests of one size
		}
		got, err := l.Measure()
		require.NoError(t, err)
		want, request := publish(l), min(l.Size, l.MRRS)
		lone := l
		lone.Size = request
		alone, err := lone.Measure()
		require.NoError(t, err)
		// One read cannot be faster than the wire, whatever round trip is asked for.
		trip := max(alone.ReadLatencyNs, l.RoundTrip.Seconds()*1e9)
		tags := float64(l.Tags) * float64(request) * 8 / trip
		limit, within := min(want.read, tags), 0.02
		if l.MRRS < l.MPS { // the published model's completions span requests: the next have no header
			within += 20e9 / float64(l.TLPRate()) / trip
		}
		require.Less(t, deviates(got.ReadGbps, limit), within, "reads: %v, want %v (link %v, tags %v): %+v", got.ReadGbps, limit, want.read, tags, l)
		require.Less(t, deviates(got.WriteGbps, want.write), 0.01, "writes: %v, want %v: %+v", got.WriteGbps, want.write, l)
	})
}
