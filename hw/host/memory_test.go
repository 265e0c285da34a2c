package host

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// TestAheadIsInTime submits requests when they arrive, and some of them before, unless
// they are refused: each is done at the same time.
func TestAheadIsInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type request struct {
			at, ahead sim.Time
			bytes     int64
		}
		var all []request
		at := 20 * sim.Nanosecond
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			at += sim.Time(rapid.SampledFrom([]int{1, 3000, 15000, 80000}).Draw(t, "gap"))
			all = append(all, request{at, rapid.SampledFrom([]sim.Time{0, 5000, 20000}).Draw(t, "ahead"),
				rapid.SampledFrom([]int64{0, 64, 500, 4096}).Draw(t, "bytes")})
		}
		run := func(early bool) []sim.Time {
			e := sim.New(1)
			m := newMemory(e, Config{Memory: 16 * sim.MiB, MemoryRate: 20e9, MemoryTime: 90 * sim.Nanosecond})
			ends := make([]sim.Time, len(all))
			ended := e.Register("ended", func(i uint64) {
				require.Zero(t, ends[i], "once")
				ends[i] = e.Now()
			})
			requests := make([]hw.Request, len(all))
			submit := e.Register("submit", func(i uint64) { m.Submit(&requests[i]) })
			tell := e.Register("tell", func(i uint64) {
				if !m.SubmitIn(&requests[i], all[i].ahead) {
					e.After(all[i].ahead, sim.Call{H: submit, Arg: i})
				}
			})
			for i, r := range all {
				requests[i] = hw.Request{Op: hw.Op(i % 2), Space: hw.BusAddr, Addr: uint64(i) << 12, Bytes: r.bytes,
					Done: sim.Call{H: ended, Arg: uint64(i)}}
				if early && r.ahead > 0 {
					e.At(r.at-r.ahead, sim.Call{H: tell, Arg: uint64(i)})
				} else {
					e.At(r.at, sim.Call{H: submit, Arg: uint64(i)})
				}
			}
			require.NoError(t, e.Run())
			require.Len(t, m.free, len(m.slots), "nothing is held")
			return ends
		}
		require.Equal(t, run(false), run(true))
	})
}
