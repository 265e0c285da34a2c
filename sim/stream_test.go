package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// The reference answers of splitmix64.c (Vigna, 2015) for seeds 1234567 and 0.
func TestStreamIsSplitMix64(t *testing.T) {
	for seed, want := range map[uint64][]uint64{
		1234567: {6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821},
		0:       {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f},
	} {
		s := Stream{seed}
		for i, w := range want {
			assert.Equal(t, w, s.Uint64(), "seed %d, answer %d", seed, i)
		}
	}
}

func TestStreamsDependOnSeedAndName(t *testing.T) {
	a := New(1).Stream("weights").Uint64()
	assert.Equal(t, a, NewStream(1, "weights").Uint64())
	assert.NotEqual(t, a, New(2).Stream("weights").Uint64())
	assert.NotEqual(t, a, New(1).Stream("weightt").Uint64())
	assert.NotEqual(t, a, New(1).Stream("").Uint64())
}

// TestStreamsDoNotOverlap: the streams of neighbouring seeds must not be one
// sequence, shifted.
func TestStreamsDoNotOverlap(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(100) {
		s := NewStream(seed, "x")
		for range 100 {
			v := s.Uint64()
			assert.False(t, seen[v])
			seen[v] = true
		}
	}
}

func TestStreamRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewStream(rapid.Uint64().Draw(t, "seed"), "x")
		n := rapid.Int64Range(1, int64(Never)).Draw(t, "n")
		v := s.Intn(n)
		assert.True(t, 0 <= v && v < n)
		f := s.Float64()
		assert.True(t, 0 <= f && f < 1)
	})
	s, sum, counts := NewStream(1, "uniform"), 0.0, [8]int{}
	for range 80000 {
		sum += s.Float64()
		counts[s.Intn(8)]++
	}
	assert.InDelta(t, 40000, sum, 500)
	for _, c := range counts {
		assert.InDelta(t, 10000, c, 500)
	}
}
