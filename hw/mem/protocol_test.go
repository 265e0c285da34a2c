package mem

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/sim"
)

// lonely runs pieces of one transaction at given coordinates, one after the
// other's end, and returns how long each took in ticks.
func lonely(cfg Config, ys ...uint64) (took []int64) {
	cfg.Refresh = refreshNone
	tick := int64(1)
	var work []offered
	for _, y := range ys {
		work = append(work, offered{reads, y, 1, tick})
		_, ends, _ := serveAll(cfg, work, true)
		end := ends[int64(len(work)-1)]
		took = append(took, end-tick)
		tick = end + 999 // odd for odd, and past every recovery
		tick |= 1
	}
	return took
}

// TestLatencyOfALonelyRead checks closed bank, open row and other row against
// the parameters: RCD + CL + BL, CL + BL and RP + RCD + CL + BL.
func TestLatencyOfALonelyRead(t *testing.T) {
	for i := range devices {
		d := &devices[i]
		r := d.t.compile(d.std)
		m, err := parseMap("robabgracoch", d, d.channels)
		require.NoError(t, err)
		otherRow := uint64(1) << (m.bits - uint(d.bits[2]))
		took := lonely(Config{Device: d.name}, 0, 1, otherRow)
		hit := (d.t.CL + d.t.BL) * r.tickDiv
		miss := hit + d.t.RCDRD*r.tickDiv + r.actLen - r.colLen
		conflict := miss + d.t.RP*r.tickDiv + 1 - r.actLen
		if r.split { // the data clock must be started
			hit, miss, conflict = hit+1, miss+1, conflict+1
		}
		if r.rising { // half clocks round up to the next rising edge
			miss, conflict = (miss+1)&^1, (conflict+1)&^1
		}
		assert.Equal(t, []int64{miss, hit, conflict}, took, d.name)
		read := New(sim.New(0), "dram", Config{Device: d.name}, NewStore(d.capacity(1))).ReadLatency()
		assert.InDelta(t, miss*d.tCK/r.tickDiv, int64(read), float64(d.tCK), d.name)
	}
}

// TestFourActivatesWindow probes the fifth activate of a rank: at FAW, not before.
func TestFourActivatesWindow(t *testing.T) {
	for _, name := range []string{"DDR4_2400U", "GDDR6_14000", "HBM2_2000_1ch"} {
		d := deviceNamed(name)
		_, err := parseMap("rocorababgch", d, d.channels)
		require.NoError(t, err)
		var work []offered
		for k := range uint64(5) {
			work = append(work, offered{reads, k, 1, 1}) // five banks of one rank, group lowest
		}
		cfg := Config{Device: name, Map: "rocorababgch", Refresh: refreshNone}
		_, ends, _ := serveAll(cfg, work, true)
		assert.GreaterOrEqual(t, ends[4]-ends[0], d.t.FAW, name)
		cfg.Timing = map[string]int64{"nFAW": d.t.FAW + 40}
		_, later, _ := serveAll(cfg, work, true)
		assert.Equal(t, ends[0], later[0])
		assert.Equal(t, ends[0]+d.t.FAW+40, later[4], name)
	}
}

// TestEachRuleMatters raises one parameter at a time on mixed traffic: it
// costs time, or at least gains none.
func TestEachRuleMatters(t *testing.T) {
	for _, p := range []string{"nCL", "nRCDRD", "nRP", "nCCDL", "nRRDS", "nFAW", "nWTRL", "nWR", "nRFC", "nRTP"} {
		d := deviceNamed("DDR4_2400U")
		i := 0
		for params[i].name != p {
			i++
		}
		base := Config{Device: d.name, Map: "robabgracoch"}
		slow := base
		slow.Timing = map[string]int64{p: *params[i].at(&devices[0].t) * 2}
		if p == "nRCDRD" || p == "nRTP" {
			slow.Timing["nRAS"], slow.Timing["nRC"] = 60, 80
		}
		if p == "nRP" {
			slow.Timing["nRC"] = 80
		}
		if p == "nRRDS" {
			slow.Timing["nRRDL"] = 8
		}
		for _, pattern := range []string{"rand_rw21", "triad_rw21"} {
			a, err := Replay(onward, base, pattern, "sat", 3000)
			require.NoError(t, err)
			b, err := Replay(onward, slow, pattern, "sat", 3000)
			require.NoError(t, err)
			assert.LessOrEqual(t, b.BandwidthGBps, a.BandwidthGBps*1.01, "%s %s", p, pattern)
		}
	}
}

// TestRefreshTax compares a saturated stream with and without refresh, and
// per-bank with all-bank where there is both.
func TestRefreshTax(t *testing.T) {
	bw := func(device, refresh string) float64 {
		m, err := Replay(onward, Config{Device: device, Map: "rocobabgrach", Refresh: refresh}, "seq_rd", "sat", int64(20000*deviceNamed(device).channels))
		require.NoError(t, err)
		return m.BandwidthGBps
	}
	for i := range devices {
		d := &devices[i]
		off, all := bw(d.name, refreshNone), bw(d.name, refreshAllBank)
		tax := float64(d.t.RFC) / float64(d.t.REFI)
		assert.InDelta(t, 1-tax, all/off, 0.05, d.name)
		if d.t.REFIpb > 0 {
			assert.Greater(t, bw(d.name, refreshPerBank), 0.6*all, d.name)
		}
	}
}

// TestPerBankRefreshPutsBusyBanksOff holds the order of banks: each once a
// round, whatever waits, and one that nobody waits for while there is any.
func TestPerBankRefreshPutsBusyBanksOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Device: rapid.SampledFrom([]string{"LPDDR5_6400", "HBM2_2000_1ch", "HBM4_8000_1ch"}).Draw(t, "device"), Refresh: refreshPerBank}.withDefaults()
		dev, rules, amap := cfg.parts()
		c := newChannel(dev, rules, amap, cfg, 0, &recorder{}, &Stats{})
		for range 3 {
			for rank := range c.ranks {
				left := c.inRank[rank]
				for left != 0 {
					c.pending[reads], c.pending[writes] = rapid.Uint64().Draw(t, "read"), rapid.Uint64().Draw(t, "written")
					bank := c.refresher.take(c, rank)
					require.NotZero(t, left>>bank&1, "bank %d twice in a round", bank)
					busy := c.pending[reads] | c.pending[writes]
					require.True(t, busy>>bank&1 == 0 || left&^busy == 0, "bank %d is busy and another idle", bank)
					left &^= 1 << bank
				}
			}
		}
	})
}

// TestStreamsAvoidPerBankRefresh: the refresh of banks in order follows a stream
// through them; off its way it costs little more than that of all.
func TestStreamsAvoidPerBankRefresh(t *testing.T) {
	took := func(refresh string) float64 {
		_, ends, _ := serveAll(Config{Device: "LPDDR5_6400", Refresh: refresh}, []offered{{reads, 0, 1 << 16, 1}}, false)
		return float64(ends[0])
	}
	assert.Less(t, took(refreshPerBank), 1.08*took(refreshAllBank))
}

// TestClosedRowsNeverConflict holds the closed policy with one column a row.
func TestClosedRowsNeverConflict(t *testing.T) {
	cfg := Config{Device: "DDR4_2400U", Policy: "closed", CloseAfter: 1}
	_, _, stats := serveAll(cfg, []offered{{reads, 0, 1, 1}, {reads, 1 << 12, 1, 5000}, {reads, 1, 1, 9000}}, true)
	assert.Zero(t, stats.RowConflicts)
	assert.Equal(t, int64(3), stats.RowMisses)
}

// TestIdleTimeCostsNothing lets a channel rest for an hour: refreshes are
// counted, not stepped through.
func TestIdleTimeCostsNothing(t *testing.T) {
	hour := int64(3600e12) / 833
	c, _, stats := serveAll(Config{Device: "DDR4_2400U"}, []offered{{reads, 0, 1, 1}, {reads, 0, 1, hour}}, true)
	assert.InDelta(t, hour/9360, stats.Refreshes, 2)
	assert.Equal(t, int64(0), stats.RowHits, "refresh has closed the row")
	assert.True(t, c.idle())
}

// TestMixedReadsAndWritesEnd offers what stops other simulators for ever: long
// mixed traffic on few banks with small buffers.
func TestMixedReadsAndWritesEnd(t *testing.T) {
	for _, n := range []int{1, 2, 3, 32} {
		cfg := Config{Device: "DDR4_2400U", ReadEntries: n, WriteEntries: max(n, 2)}
		for _, pattern := range []string{"conflict1_rw21", "seq_rw21", "rand_rw21", "conflict3_wr"} {
			m, err := Replay(onward, cfg, pattern, "sat", 2000)
			require.NoError(t, err)
			assert.Positive(t, m.BandwidthGBps)
		}
	}
}
