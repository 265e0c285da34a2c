package mem

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// bench is a DRAM on an engine of its own.
type bench struct {
	e    *sim.Engine
	m    *DRAM
	done sim.Handler
	ends []sim.Time // by the request's number
}

func newBench(t testing.TB, cfg Config) *bench {
	require.Empty(t, cfg.Validate())
	b := &bench{e: sim.New(1)}
	b.m = New(b.e, "dram", cfg, NewStore(cfg.withDefaults().Size))
	b.done = b.e.Register("test", func(arg uint64) { b.ends[arg] = b.e.Now() })
	return b
}

// submit sends a request now and returns its number.
func (b *bench) submit(r *hw.Request) int {
	b.ends = append(b.ends, -1)
	r.Done = sim.Call{H: b.done, Arg: uint64(len(b.ends) - 1)}
	b.m.Submit(r)
	return len(b.ends) - 1
}

// run lets everything finish and checks that nothing is left.
func (b *bench) run(t testing.TB) {
	require.NoError(t, b.e.Run())
	require.NoError(t, b.m.Idle())
	for i, end := range b.ends {
		require.GreaterOrEqual(t, end, sim.Time(0), "request %d never ended", i)
	}
}

func TestReadSeesWhatWasWritten(t *testing.T) {
	for _, dev := range Devices() {
		b := newBench(t, Config{Device: dev})
		want := make([]byte, 10000)
		for i := range want {
			want[i] = byte(i*7 + 1)
		}
		b.submit(&hw.Request{Op: hw.Write, Addr: 12345, Bytes: int64(len(want)), Data: want})
		b.run(t)
		got := make([]byte, len(want))
		b.submit(&hw.Request{Addr: 12345, Bytes: int64(len(want)), Data: got})
		b.run(t)
		assert.Equal(t, want, got, dev)
	}
}

func TestAddressOutsideIsUnsupported(t *testing.T) {
	b := newBench(t, Config{Device: "DDR4_2400U", Size: sim.MiB})
	r := &hw.Request{Addr: uint64(sim.MiB) - 4, Bytes: 8}
	b.submit(r)
	assert.Equal(t, sim.Time(-1), b.ends[0], "never within Submit")
	b.run(t)
	assert.Equal(t, hw.Unsupported, r.Status)
}

func TestFaultsOfAConfigurationAreAllReported(t *testing.T) {
	faults := Config{Device: "DDR9", Channels: -1, Policy: "half", Refresh: "never", LowWatermark: 0.9}.Validate()
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Error()[:len("dram.")+6])
	}
	assert.Equal(t, []string{"dram.device", "dram.policy", "dram.refres", "dram.low_wa", "dram.channe"}, keys)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Timing: map[string]int64{"nRAS": 60}}, "dram.timing.nRAS = 60: want nRAS (60) at most nRC (56): a row"},
		{Config{Timing: map[string]int64{"nXYZ": 60}}, "dram.timing.nXYZ = 60: want another key"},
		{Config{Timing: map[string]int64{"nCCDR": 3}}, "dram.timing.nCCDR = 3: want it left out: DDR4_2400U has no such rule"},
		{Config{Timing: map[string]int64{"nCL": 0}}, "dram.timing.nCL = 0: want 1 to"},
		{Config{Timing: map[string]int64{"nRFC": 9360}}, "dram.timing.nRFC = 9360: want time left"},
		{Config{Timing: map[string]int64{"nRC": 20}}, "dram.timing.nRC = 20: want nRAS (39) at most nRC (20)"},
		{Config{Timing: map[string]int64{"nRRDL": 3}}, "dram.timing.nRRDL = 3: want nRRDS (4) at most nRRDL (3): another group"},
		{Config{Timing: map[string]int64{"nRRDS": 27}}, "dram.timing.nRRDS = 27: want nRRDS (27) at most nRRDL (6): another group"},
		{Config{Timing: map[string]int64{"nWTRS": 10}}, "dram.timing.nWTRS = 10: want nWTRS (10) at most nWTRL (9): another group"},
		{Config{Timing: map[string]int64{"nBL": 5}}, "dram.timing.nBL = 5: want nBL (5) at most nCCDS (4): a burst"},
		{Config{Timing: map[string]int64{"nRTP": 40}}, "dram.timing.nRTP = 40: want nRTP (40) at most nRAS (39): a read"},
		{Config{Timing: map[string]int64{"nRCDWR": 40}}, "dram.timing.nRCDWR = 40: want nRCDWR (40) at most nRAS (39): the row"},
		{Config{Timing: map[string]int64{"nCCDL": 3}}, "dram.timing.nCCDL = 3: want nCCDS (4) at most nCCDL (3): another group"},
		{Config{Timing: map[string]int64{"nFAW": 5}}, "dram.timing.nFAW = 5: want nRRDL (6) at most nFAW (5): of four"},
		{Config{Timing: map[string]int64{"nCL": 9361}}, "dram.timing.nCL = 9361: want nCL (9361) at most nREFI (9360): no access"},
		{Config{Timing: map[string]int64{"nRP": 9360}}, "dram.timing.nRP = 9360: want time left between refreshes: nRFC + nRP + nRAS ("},
		{Config{Refresh: "per-bank"}, "DDR4_2400U has no per-bank refresh"},
		{Config{Size: 16 * sim.GiB}, "dram.size = 16GiB: want at most"},
		{Config{Map: "roco"}, "dram.map = roco: want the fields"},
	} {
		c.cfg.Device = "DDR4_2400U"
		faults := c.cfg.Validate()
		require.Len(t, faults, 1)
		assert.Contains(t, faults[0].Error(), c.want)
	}
	for _, dev := range Devices() {
		assert.Empty(t, Config{Device: dev}.Validate())
	}
}

// TestLazyWakeUpsAreNeverLate sends requests through an engine and compares
// each end with a channel that is driven tick by tick.
func TestLazyWakeUpsAreNeverLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ofOneChannel := []string{"DDR4_2400U", "DDR5_4800BN", "LPDDR5_6400", "GDDR6_14000", "HBM2_2000_1ch", "HBM3_6400_1ch"}
		cfg, work := drawConfig(t, ofOneChannel), drawWork(t)
		b := &bench{e: sim.New(1)}
		b.m = New(b.e, "dram", cfg, NewStore(cfg.withDefaults().Size))
		b.done = b.e.Register("test", func(arg uint64) { b.ends[arg] = b.e.Now() })
		send := b.e.Register("send", func(arg uint64) {
			w := work[arg]
			op := hw.Read
			if w.kind == writes {
				op = hw.Write
			}
			b.submit(&hw.Request{Op: op, Addr: w.y << b.m.txShift, Bytes: w.n << b.m.txShift})
		})
		for i, w := range work {
			b.e.At(b.m.timeOf(w.tick), sim.Call{H: send, Arg: uint64(i)})
		}
		require.NoError(t, b.e.Run())
		require.NoError(t, b.m.Idle())
		_, want, stats := serveAll(cfg, work, true)
		for i, end := range b.ends {
			require.Equal(t, b.m.timeOf(want[int64(i)]), end, "request %d", i)
		}
		require.Equal(t, stats.RowHits, b.m.Stats.RowHits)
	})
}

// TestEveryByteIsMovedOnce counts bytes on the buses of many channels and
// requests that do not begin or end with a transaction.
func TestEveryByteIsMovedOnce(t *testing.T) {
	for _, cfg := range []Config{
		{Device: "HBM3_6400_16ch"},
		{Device: "HBM2_2000_8ch", Channels: 5, Map: "robaracobgchco3"},
		{Device: "DDR4_3200AA", Channels: 3, Map: "chrobabgraco", Policy: "closed"},
		{Device: "HBM2E_3200_1ch", Channels: 12, Map: stripedMap, ReadEntries: 128, WriteEntries: 128},
		{Device: "LPDDR5_6400", Channels: 4, Map: "robabgra^chco"},
		{Device: "HBM4_8000_1ch", Channels: 8, Refresh: "per-bank"},
	} {
		b := newBench(t, cfg)
		var want int64
		for i := range int64(40) {
			addr, n := uint64(i*77777), 1+i*i*37
			tx := b.m.dev.tx
			want += (int64(addr)+n+tx-1)/tx*tx - int64(addr)/tx*tx
			b.submit(&hw.Request{Addr: addr, Bytes: n})
		}
		b.run(t)
		assert.Equal(t, want, b.m.Stats.ReadBytes, cfg.Device)
		assert.Equal(t, want/b.m.dev.tx, b.m.Stats.RowHits+b.m.Stats.RowMisses+b.m.Stats.RowConflicts)
	}
}

func TestWriteIsSeenByTheReadBehindIt(t *testing.T) {
	for _, dev := range Devices() {
		b := newBench(t, Config{Device: dev})
		data := []byte{1, 2, 3, 4}
		r := &hw.Request{Addr: 64, Bytes: 4, Data: make([]byte, 4)}
		h := b.e.Register("then read", func(uint64) { b.submit(r) })
		b.m.Submit(&hw.Request{Op: hw.Write, Addr: 64, Bytes: 4, Data: data, Done: sim.Call{H: h}})
		b.run(t)
		assert.Equal(t, data, r.Data, dev)
	}
}

func TestReadOfABufferedWriteIsForwarded(t *testing.T) {
	b := newBench(t, Config{Device: "HBM2_2000_1ch"})
	b.submit(&hw.Request{Op: hw.Write, Addr: 0, Bytes: 64})
	h := b.e.Register("read", func(uint64) { b.submit(&hw.Request{Addr: 32, Bytes: 32}) })
	b.e.After(3*sim.Nanosecond, sim.Call{H: h}) // the first write has opened the row, the second waits
	b.run(t)
	assert.Equal(t, int64(1), b.m.Stats.Forwarded)
	assert.Zero(t, b.m.Stats.ReadBytes)
}

// TestMoreChannelsMoreBandwidth doubles the channels of a saturated stream.
func TestMoreChannelsMoreBandwidth(t *testing.T) {
	took := func(channels int) sim.Time {
		b := newBench(t, Config{Device: "HBM2E_3600_1ch", Channels: channels})
		for i := range 64 {
			b.submit(&hw.Request{Addr: uint64(i) << 16, Bytes: 1 << 16})
		}
		b.run(t)
		last := slices.Max(b.ends)
		rate := float64(64<<16) / last.Seconds()
		assert.Less(t, rate, float64(b.m.PeakRate()))
		return last
	}
	assert.InEpsilon(t, 2, float64(took(4))/float64(took(8)), 0.1)
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	b := newBench(t, Config{Device: "HBM3_6400_16ch"})
	reqs := make([]hw.Request, 64)
	round := func() {
		for i := range reqs {
			reqs[i] = hw.Request{Op: hw.Op(i % 3 / 2), Addr: uint64(i*7919) << 10 % (1 << 30), Bytes: 4096}
			b.m.Submit(&reqs[i])
		}
		if err := b.e.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		round()
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(20, round), 1.0)
}

func TestTraceShowsRequests(t *testing.T) {
	e := sim.New(1)
	e.Trace = &sim.Trace{}
	m := New(e, "dram", Config{Device: "DDR4_2400U"}, NewStore(8*sim.GiB))
	m.Submit(&hw.Request{Addr: 0, Bytes: 64})
	require.NoError(t, e.Run())
	require.Len(t, e.Trace.Spans(), 1)
	assert.Equal(t, uint64(64), e.Trace.Spans()[0].Arg)
	assert.Positive(t, e.Trace.Spans()[0].End)
}

// TestAheadIsInTime submits requests when they arrive, and some of them before, each in
// a tick of its own: all are done at the same time.
func TestAheadIsInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t, Devices())
		if cfg.Refresh == refreshPerBank {
			cfg.Refresh = refreshAllBank // how much of an idle time is skipped decides which bank is next
		}
		cfg = cfg.withDefaults()
		require.Empty(t, cfg.Validate())
		type request struct {
			at, ahead sim.Time
			op        hw.Op
			addr      uint64
			bytes     int64
		}
		var all []request
		at := 50 * sim.Nanosecond
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			at += rapid.SampledFrom([]sim.Time{3000, 5000, 40000, 3000000, 60000000}).Draw(t, "gap")
			all = append(all, request{at, rapid.SampledFrom([]sim.Time{0, 1, 4000, 50000}).Draw(t, "ahead"),
				hw.Op(rapid.IntRange(0, 1).Draw(t, "op")), rapid.SampledFrom([]uint64{0, 64, 0x1234, 0x20000, uint64(cfg.Size)}).Draw(t, "addr"),
				rapid.SampledFrom([]int64{1, 64, 4096, 65536}).Draw(t, "bytes")})
		}
		run := func(early bool) []sim.Time {
			e := sim.New(1)
			m := New(e, "dram", cfg, NewStore(cfg.Size))
			ends, requests := make([]sim.Time, len(all)), make([]hw.Request, len(all))
			ended := e.Register("ended", func(i uint64) {
				require.Zero(t, ends[i], "once")
				ends[i] = e.Now()
			})
			submit := e.Register("submit", func(i uint64) {
				if ahead := all[i].ahead; early {
					require.True(t, m.SubmitIn(&requests[i], ahead))
				} else {
					m.Submit(&requests[i])
				}
			})
			for i, r := range all {
				requests[i] = hw.Request{Op: r.op, Addr: r.addr, Bytes: r.bytes, Done: sim.Call{H: ended, Arg: uint64(i)}}
				if early {
					r.at -= r.ahead
				}
				e.At(r.at, sim.Call{H: submit, Arg: uint64(i)})
			}
			require.NoError(t, e.Run())
			require.NoError(t, m.Idle())
			return ends
		}
		require.Equal(t, run(false), run(true))
	})
}
