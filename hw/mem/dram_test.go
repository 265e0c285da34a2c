package mem

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
		{Config{Timing: map[string]int64{"nRAS": 60}}, "dram.timing.nRAS = 60: want at most nRC, 56"},
		{Config{Timing: map[string]int64{"nXYZ": 60}}, "dram.timing.nXYZ = 60: want another key"},
		{Config{Timing: map[string]int64{"nCCDR": 3}}, "dram.timing.nCCDR = 3: want it left out: DDR4_2400U has no such rule"},
		{Config{Timing: map[string]int64{"nCL": 0}}, "dram.timing.nCL = 0: want 1 to"},
		{Config{Timing: map[string]int64{"nRFC": 9360}}, "dram.timing.nRFC = 9360: want time left"},
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
