package mem

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPatternsByHand(t *testing.T) {
	d := deviceNamed("DDR4_2400U")
	m, err := parseMap("robabgracoch", d, 1)
	require.NoError(t, err)
	get := func(name string, i int64) coord {
		p, err := ParsePattern(name)
		require.NoError(t, err)
		s := newSource(p, m, d)
		var at coord
		for k := range i + 1 {
			_, at = s.next(k)
		}
		return at
	}
	assert.Equal(t, coord{col: 5}, get("seq_rd", 5))
	assert.Equal(t, coord{bank: 4, col: 2}, get("stride26", 5), "130 is column 2 of the next bank group")
	assert.Equal(t, coord{row: 1 << 14, col: 1}, get("triad_rw21", 4), "the second stream begins a quarter up")
	assert.Equal(t, coord{bank: 1<<2 | 1, row: 2}, get("conflict16", 2*16+5), "bank group lowest")
	_, y := m.split(mix(12345+0x9e3779b97f4a7c15) & (1<<m.bits - 1))
	assert.Equal(t, m.decode(y), get("rand_rd", 0))
}

func TestWritesOfAPattern(t *testing.T) {
	for name, want := range map[string][]bool{
		"seq_rd": {false, false, false}, "seq_wr": {true, true, true}, "seq_rw21": {false, false, true},
		"triad": {false, false, true}, "stride4": {false, false, false}, "conflict2_wr": {true, true, true},
	} {
		p, err := ParsePattern(name)
		require.NoError(t, err)
		for i, w := range want {
			assert.Equal(t, w, p.writes.has(int64(i)), name)
		}
	}
}

// onward never stops a replay.
func onward() bool { return false }

func TestFaultsOfAReplayAreNamed(t *testing.T) {
	good := Config{Device: "DDR4_2400U"}
	for _, c := range []struct {
		cfg           Config
		pattern, mode string
		n             int64
		want          string
	}{
		{good, "zigzag_rd", "sat", 10, `"zigzag_rd" is not a pattern`},
		{good, "seq", "sat", 10, "ends in _rd, _wr or _rw21"},
		{good, "seq5_rd", "sat", 10, "take a count, the others none"},
		{good, "stride0", "sat", 10, "0 is no count"},
		{good, "conflict17", "sat", 10, `"conflict17" visits 17 banks of a channel in turn; one of DDR4_2400U has 16`},
		{Config{Device: "HBM2_2000_8ch"}, "conflict33_wr", "sat", 10, "one of HBM2_2000_8ch has 32"},
		{good, "seq_rd", "full", 10, `"full" is not a mode`},
		{good, "seq_rd", "mlp0", 10, "is no count"},
		{good, "seq_rd", "rate-3", 10, "is no count"},
		{good, "seq_rd", "sat", 0, "n: 0 transactions"},
		{Config{Device: "nope"}, "seq_rd", "sat", 10, "dram.device"},
		{Config{Device: "DDR4_2400U", Channels: 3}, "seq_rd", "sat", 10, "power of two of channels"},
	} {
		_, err := Replay(onward, c.cfg, c.pattern, c.mode, c.n)
		require.Error(t, err)
		assert.Contains(t, err.Error(), c.want)
	}
}

// TestConflictsHitNoOpenRow holds the pattern to its word on all banks of a channel.
func TestConflictsHitNoOpenRow(t *testing.T) {
	for device, banks := range map[string]int{"DDR4_2400U": 16, "HBM2_2000_8ch": 32} {
		for _, k := range []int{1, banks / 2, banks - 1, banks} {
			m, err := Replay(onward, Config{Device: device}, fmt.Sprintf("conflict%d", k), "sat", 5000)
			require.NoError(t, err)
			assert.Zero(t, m.RowHitRate, "%s conflict%d", device, k)
		}
	}
}

// TestReplayIsRepeatable runs the same traffic twice.
func TestReplayIsRepeatable(t *testing.T) {
	for _, mode := range []string{"sat", "mlp4", "rate60"} {
		a, err := Replay(onward, Config{Device: "HBM3_6400_16ch"}, "rand_rw21", mode, 5000)
		require.NoError(t, err)
		b, err := Replay(onward, Config{Device: "HBM3_6400_16ch"}, "rand_rw21", mode, 5000)
		require.NoError(t, err)
		assert.Equal(t, a, b)
	}
}

// A replay that is told to stop ends at its next question, with nothing measured.
func TestReplayStops(t *testing.T) {
	asked := 0
	m, err := Replay(func() bool { asked++; return asked == 3 }, Config{Device: "DDR4_2400U"}, "rand_rd", "sat", maxReplay/10)
	require.ErrorIs(t, err, ErrStopped)
	require.Zero(t, m)
	require.Equal(t, 3, asked)
}

// Writes that buffers have taken are no faster than the data buses, however few
// they are, and whatever they are mixed with.
func TestNoTrafficIsAboveThePeak(t *testing.T) {
	measure := func(device, amap, pattern, mode string, n int64) Measurement {
		m, err := Replay(onward, Config{Device: device, Map: amap}, pattern, mode, n)
		require.NoError(t, err)
		return m
	}
	for _, device := range Devices() {
		for _, amap := range []string{"rocobabgrach", "robabgracoch"} {
			for _, pattern := range []string{"seq_wr", "seq_rw21", "triad", "rand_wr", "conflict2_wr", "stride32_wr"} {
				for _, mode := range []string{"sat", "mlp4", "rate100"} {
					for _, n := range []int64{1, 3, 40, 1000, 5000} {
						m := measure(device, amap, pattern, mode, n)
						require.Positive(t, m.BandwidthGBps)
						require.LessOrEqual(t, m.PctPeak, 100.0, "%s %s %s %s %d", device, amap, pattern, mode, n)
					}
				}
			}
		}
	}
	// A thousand bursts on 32 buses: the busiest have 32.
	require.InDelta(t, 100*1000/(32*32.0), measure("HBM3_6400_16ch", "rocobabgrach", "seq_wr", "sat", 1000).PctPeak, 1e-9)
	// One bus of the 32 has them all.
	require.InDelta(t, 100/32.0, measure("HBM3_6400_16ch", "chrarobabgco", "seq_wr", "sat", 40).PctPeak, 1e-9)
}
