package mem

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
)

const stripedMap = "ro^bacora^chco2bgco1"

var stripedDevices = []string{"HBM2_2000_1ch", "HBM2E_3200_1ch", "HBM2E_3600_1ch", "HBM3_6400_1ch", "HBM4_8000_1ch"}

// streams returns pieces of n transactions from regions of their own, offered
// faster than the channel serves them.
func streams(n int64, of int) (work []offered) {
	from := make([]uint64, of)
	for i := range from {
		from[i] = mix(uint64(i)+uint64(n)<<8+uint64(of)<<16) & (1<<14 - 1) << 5
	}
	for i := range 40 * of {
		s := i % of
		work = append(work, offered{reads, from[s] + uint64(i/of)*uint64(n), n, 1 + int64(i)*3})
	}
	return work
}

// cutUp cuts pieces into single transactions and returns the ends of the
// pieces when those are scheduled one by one.
func cutUp(cfg Config, work []offered) map[int64]int64 {
	var cut []offered
	var of []int64
	for i, w := range work {
		for k := range w.n {
			cut = append(cut, offered{w.kind, w.y + uint64(k), 1, w.tick})
			of = append(of, int64(i))
		}
	}
	_, parts, _ := serveBy(cfg, cut, false, false)
	ends := map[int64]int64{}
	for i, end := range parts {
		ends[of[i]] = max(ends[of[i]], end)
	}
	return ends
}

// TestStripesTakeAsLongAsTheirTransactions compares streams in a crowd with
// their transactions scheduled one by one: the time until the last end and the
// mean time of a piece are within 2 % in the mean over the crowds.
func TestStripesTakeAsLongAsTheirTransactions(t *testing.T) {
	last, mean := errorsOf{name: "time until the last end"}, errorsOf{name: "mean time of a piece"}
	for _, device := range stripedDevices {
		cfg := Config{Device: device, Map: stripedMap, ReadEntries: 128, WriteEntries: 128}
		for _, n := range []int64{16, 32, 64, 128} {
			for of := 2; of <= 6; of++ {
				work := streams(n, of)
				_, got, stats := serveAll(cfg, work, false)
				want := cutUp(cfg, work)
				p := point{device: device, pattern: strconv.Itoa(of), n: n, mode: strconv.FormatInt(n, 10)}
				gotLast, gotMean := summed(work, got)
				wantLast, wantMean := summed(work, want)
				last.add(gotLast, wantLast, p)
				mean.add(gotMean, wantMean, p)
				require.Equal(t, int64(len(work))*n*32, stats.ReadBytes)
			}
		}
	}
	for _, e := range []*errorsOf{&last, &mean} {
		e.log(t)
		assert.LessOrEqual(t, e.mean(), 0.02)
		assert.LessOrEqual(t, e.quantile(0.9), 0.05)
	}
}

func summed(work []offered, ends map[int64]int64) (last, mean float64) {
	for i, w := range work {
		end := ends[int64(i)]
		last = max(last, float64(end))
		mean += float64(end-w.tick) / float64(len(work))
	}
	return last, mean
}

// TestRunOfAStripeAloneIsExact serves each part of a stripe by itself on
// closed rows, and again on open ones: what lies in one bank takes exactly the
// time of its transactions, a whole stripe within four ticks of it.
func TestRunOfAStripeAloneIsExact(t *testing.T) {
	for _, device := range stripedDevices {
		for n := int64(1); n <= 32; n++ {
			cfg := Config{Device: device, Map: "robacorachbgco3", Refresh: refreshNone}
			for from := uint64(0); from < 8; from++ {
				work := []offered{{reads, from, n, 1}, {reads, from, n, 2001}, {writes, from, n, 4001}}
				got, want := lonelyEnds(cfg, work), cutUp(cfg, work)
				for i := range work {
					if from+uint64(n) <= 8 {
						require.Equal(t, want[int64(i)], got[int64(i)], "%s: %d from %d", device, n, from)
					}
				}
			}
			cfg.Map = stripedMap
			work := []offered{{reads, 0, n, 1}}
			require.InDelta(t, cutUp(cfg, work)[0], lonelyEnds(cfg, work)[0], 4, "%s: %d", device, n)
		}
	}
}

func lonelyEnds(cfg Config, work []offered) map[int64]int64 {
	_, ends, _ := serveAll(cfg, work, false)
	return ends
}

// TestStreamsReachTheRateOfHBM has four requesters stream regions of their own
// from a stack of a datacenter's memory: reads reach 85 % of the peak,
// whatever lies between the regions. Reads and writes together reach 65 %, as
// every channel turns between them.
func TestStreamsReachTheRateOfHBM(t *testing.T) {
	for _, apart := range []int64{1<<20 + 1<<17, 1 << 20, 1 << 25, 1 << 28} {
		assert.Greater(t, streamCores(t, 0, apart), 0.85, "reads %#x apart", apart)
		assert.Greater(t, streamCores(t, 2, apart), 0.65, "half writes %#x apart", apart)
	}
}

// streamCores returns the part of the peak that four streams of 4 MiB reach,
// every so many'th request a write to another region.
func streamCores(t testing.TB, writeEvery, apart int64) float64 {
	e := sim.New(1)
	m := New(e, "dram", datacenterMemory, NewStore(datacenterMemory.withDefaults().Size))
	c := newCores(e, m, writeEvery, apart, 4<<20)
	start := e.Now()
	c.start()
	require.NoError(t, e.Run())
	require.NoError(t, m.Idle())
	return float64(c.total*numCores) / (e.Now() - start).Seconds() / float64(m.PeakRate())
}

func TestStripeInTheWriteBufferIsForwarded(t *testing.T) {
	work := []offered{{writes, 0, 64, 1}, {reads, 60, 8, 3}}
	_, ends, stats := serveAll(Config{Device: "HBM2E_3200_1ch", Map: stripedMap}, work, true)
	assert.Equal(t, int64(4), stats.Forwarded)
	assert.Equal(t, int64(4*32), stats.ReadBytes)
	assert.Greater(t, ends[1], ends[0])
	merged := []offered{{writes, 0, 24, 1}, {writes, 16, 16, 2}}
	_, _, stats = serveAll(Config{Device: "HBM2E_3200_1ch", Map: stripedMap}, merged, true)
	assert.Equal(t, int64(32*32), stats.WriteBytes)
}

// TestRefreshOfStripesTaxes compares a long stream with and without refresh.
func TestRefreshOfStripesTaxes(t *testing.T) {
	for _, device := range stripedDevices {
		took := func(refresh string) float64 {
			_, ends, _ := serveAll(Config{Device: device, Map: stripedMap, Refresh: refresh}, []offered{{reads, 0, 1 << 17, 1}}, false)
			return float64(ends[0])
		}
		d := deviceNamed(device)
		tax := float64(d.t.RFC) / float64(d.t.REFI)
		assert.InDelta(t, 1-tax, took(refreshNone)/took(refreshAllBank), 0.03, device)
	}
}

// TestStripesAreFoundInMaps names the transactions of a stripe by map.
func TestStripesAreFoundInMaps(t *testing.T) {
	d := deviceNamed("HBM2E_3200_1ch")
	for text, want := range map[string]uint{
		stripedMap: 5, "robacorachbgco3": 5, "robaracobgchco1": 5, "robacoraco1chbgco1": 4,
		"robabgrachco": 0, "rocobabgrach": 0, "robacobg1rabg1chco2": 0,
	} {
		m, err := parseMap(text, d, 16)
		require.NoError(t, err, text)
		assert.Equal(t, want, m.stripeBits, text)
	}
}

// TestHashedBanksAreAllReached decodes distinct transactions to distinct
// coordinates, in which rows a power of two apart have other banks.
func TestHashedBanksAreAllReached(t *testing.T) {
	d := deviceNamed("HBM2E_3200_1ch")
	m, err := parseMap(stripedMap, d, 16)
	require.NoError(t, err)
	seen := map[coord]bool{}
	for y := range uint64(1 << 14) {
		at := m.decode(y)
		require.False(t, seen[at])
		seen[at] = true
	}
	for k := m.bits - uint(d.bits[2]); k < m.bits; k++ {
		assert.NotEqual(t, m.decode(0).bank, m.decode(1<<k).bank)
	}
}

// TestStripesThatWaitForEachOther: a stripe whose row is open in some banks
// waits for an older one in others, and the older one wants the open banks.
// Without a refresh nothing else would part them.
func TestStripesThatWaitForEachOther(t *testing.T) {
	cfg := Config{Device: "HBM3_6400_16ch", Map: stripedMap, Policy: "open", Refresh: "none"}
	work := []offered{
		{reads, 2906, 31, 2}, {reads, 6, 2, 2}, {reads, 2855, 128, 2}, {writes, 0, 31, 9}, {reads, 122, 64, 9},
		{reads, 1351, 128, 3009}, {writes, 118, 2, 3009}, {reads, 0, 64, 3009}, {reads, 16, 31, 103009},
	}
	_, ends, _ := serveAll(cfg, work, false)
	require.Len(t, ends, len(work))
	for i, w := range work {
		require.Less(t, ends[int64(i)], w.tick+3000, "piece %d", i)
	}
}
