package dma

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

const memBytes = 1 << 16

// bench is an engine on a flat memory with a fixed latency.
type bench struct {
	e         *sim.Engine
	d         *Engine
	mem       []byte
	pending   []*hw.Request
	serve     sim.Handler
	inFlight  int
	most      int // requests in flight at once
	requests  int
	remote    bool
	finished  []*hw.Copy
	done      sim.Handler
	submitted []*hw.Copy
}

func config() Config {
	return Config{Channels: 2, Outstanding: 4, Chunk: 256, Startup: 20 * sim.Nanosecond}
}

func newBench(cfg Config) *bench {
	b := &bench{e: sim.New(1), mem: make([]byte, memBytes)}
	b.serve = b.e.Register("memory", b.served)
	b.done = b.e.Register("done", func(i uint64) { b.finished = append(b.finished, b.submitted[i]) })
	b.d = New(b.e, cfg, hw.TargetFunc(b.submit), 4)
	return b
}

func (b *bench) submit(r *hw.Request) {
	b.pending = append(b.pending, r)
	b.requests++
	b.inFlight++
	b.most = max(b.most, b.inFlight)
	b.e.After(100*sim.Nanosecond, sim.Call{H: b.serve})
}

func (b *bench) served(uint64) {
	r := b.pending[0]
	b.pending = b.pending[1:]
	b.inFlight--
	r.Remote = b.remote
	switch {
	case r.Addr+uint64(r.Bytes) > memBytes:
		r.Status, r.FaultAddr = hw.PageFault, r.Addr
	case r.Op == hw.Read:
		copy(r.Data, b.mem[r.Addr:])
	case r.Zero:
		clear(b.mem[r.Addr : r.Addr+uint64(r.Bytes)])
	default:
		copy(b.mem[r.Addr:], r.Data)
	}
	b.e.Fire(r.Done)
}

func (b *bench) submitCopy(c hw.Copy) *hw.Copy {
	c.Done = sim.Call{H: b.done, Arg: uint64(len(b.submitted))}
	if c.Counts == [2]int64{} {
		c.Counts = [2]int64{1, 1}
	}
	b.submitted = append(b.submitted, &c)
	b.d.Copy(&c)
	return &c
}

// expected is what a copy leaves in memory, by plain loops.
func expected(mem []byte, c hw.Copy) []byte {
	out := append([]byte(nil), mem...)
	for p := range c.Counts[1] {
		for r := range c.Counts[0] {
			for i := range c.RowBytes {
				dst := int64(c.Dst) + p*c.DstStride[1] + r*c.DstStride[0] + i
				if c.Fill {
					out[dst] = byte(c.Pattern >> (8 * (i % 8)))
				} else {
					out[dst] = mem[int64(c.Src)+p*c.SrcStride[1]+r*c.SrcStride[0]+i]
				}
			}
		}
	}
	return out
}

// Any copy whose sides do not overlap moves exactly its bytes, in bounded
// flight, and its bill is its time.
func TestCopiesAnyShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(config())
		for i := range b.mem {
			b.mem[i] = byte(i*7 + i>>8)
		}
		row := rapid.Int64Range(1, 700).Draw(t, "row")
		counts := [2]int64{rapid.Int64Range(1, 5).Draw(t, "rows"), rapid.Int64Range(1, 3).Draw(t, "planes")}
		stride := func(name string) [2]int64 {
			s0 := row + rapid.SampledFrom([]int64{0, 0, 1, 64, 100}).Draw(t, name)
			s1 := s0*counts[0] + rapid.SampledFrom([]int64{0, 0, 8, 33}).Draw(t, name)
			return [2]int64{s0, s1}
		}
		c := hw.Copy{Fill: rapid.Bool().Draw(t, "fill"), Pattern: rapid.Uint64().Draw(t, "pattern"),
			Src: uint64(rapid.IntRange(0, 500).Draw(t, "src")), Dst: uint64(rapid.IntRange(32768, 33500).Draw(t, "dst")),
			RowBytes: row, Counts: counts, SrcStride: stride("src stride"), DstStride: stride("dst stride")}
		want := expected(b.mem, c)
		got := b.submitCopy(c)
		require.NoError(t, b.e.Run())
		require.Len(t, b.finished, 1)
		require.Zero(t, got.Result.Code)
		require.Equal(t, want, b.mem)
		require.LessOrEqual(t, b.most, 4)
		total := row * counts[0] * counts[1]
		require.Equal(t, total, b.d.Stats().WriteBytes)
		require.EqualValues(t, b.d.Stats().Busy, got.Result.Bill.Total())
		require.NoError(t, b.d.Idle())
	})
}

func TestRowsEndToEndAreOneRow(t *testing.T) {
	b := newBench(config())
	b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 32, Counts: [2]int64{8, 4},
		SrcStride: [2]int64{32, 256}, DstStride: [2]int64{32, 256}})
	require.NoError(t, b.e.Run())
	require.Equal(t, 2*1024/256, b.requests, "1 KiB in chunks of 256, a read and a write each")
}

func TestChannelsRunBesideEachOther(t *testing.T) {
	b := newBench(config())
	for range 3 {
		b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 1024})
	}
	require.NoError(t, b.e.RunUntil(50*sim.Nanosecond))
	require.Equal(t, 8, b.inFlight, "two channels of four")
	require.NoError(t, b.e.Run())
	require.Len(t, b.finished, 3)
}

func TestSimultaneousCopiesAreOrderedByPriorityAndQueue(t *testing.T) {
	cfg := config()
	cfg.Channels = 1
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		b := newBench(cfg)
		jobs := []hw.Copy{{Queue: 1, Priority: 3}, {Queue: 0}, {Queue: 2}}
		for _, i := range order {
			jobs[i].RowBytes = 64
			b.submitCopy(jobs[i])
		}
		require.NoError(t, b.e.Run())
		var got []uint8
		for _, c := range b.finished {
			got = append(got, c.Queue)
		}
		require.Equal(t, []uint8{1, 0, 2}, got)
	}
}

func TestFaultEndsTheCopyAndNamesTheAddress(t *testing.T) {
	b := newBench(config())
	c := b.submitCopy(hw.Copy{Dst: memBytes - 512, RowBytes: 4096})
	ok := b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 64})
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.StatusPageFault, c.Result.Code)
	require.EqualValues(t, memBytes, c.Result.Addr)
	require.Zero(t, ok.Result.Code, "another copy is not hit")
	require.NoError(t, b.d.Idle())
}

func TestHaltEndsEverythingAndResetStartsAgain(t *testing.T) {
	b := newBench(config())
	var jobs []*hw.Copy
	for range 4 {
		jobs = append(jobs, b.submitCopy(hw.Copy{Dst: 16384, RowBytes: 16384}))
	}
	require.NoError(t, b.e.RunUntil(500*sim.Nanosecond))
	halted := false
	b.d.Halt(sim.Call{H: b.e.Register("halted", func(uint64) { halted = true; require.Zero(t, b.inFlight) })})
	require.NoError(t, b.e.Run())
	require.True(t, halted)
	for _, j := range jobs {
		require.Equal(t, abi.StatusAborted, j.Result.Code)
	}
	b.d.Reset()
	c := b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 64})
	require.NoError(t, b.e.Run())
	require.Zero(t, c.Result.Code)
}

func TestBillSaysWhereTheTimeWent(t *testing.T) {
	for remote, resource := range map[bool]hw.Resource{false: hw.Memory, true: hw.Link} {
		b := newBench(config())
		b.remote = remote
		c := b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 2048})
		require.NoError(t, b.e.Run())
		require.Equal(t, resource, c.Result.Bill.Bound())
		require.Equal(t, 20*sim.Nanosecond, c.Result.Bill[hw.Queue], "the start-up")
	}
}

func TestWaitingIsOwedToWhatBlocks(t *testing.T) {
	cfg := config()
	cfg.Channels = 1
	b := newBench(cfg)
	b.remote = true
	b.submitCopy(hw.Copy{Dst: 16384, RowBytes: 8192})
	second := b.submitCopy(hw.Copy{Dst: 4096, RowBytes: 64})
	require.NoError(t, b.e.Run())
	require.Equal(t, hw.Link, second.Result.Bill.Bound())
	require.EqualValues(t, b.e.Now(), second.Result.Bill.Total(), "from the moment it was asked for")
}

func TestConfigIsValidated(t *testing.T) {
	bad := Config{Channels: 0, Outstanding: 0, Chunk: 100, Startup: -1}
	require.Len(t, bad.Validate(), 4)
	good := config()
	require.Empty(t, good.Validate())
	good.Startup = sim.Never
	require.ErrorContains(t, good.Validate()[0], "want 0ps to 1s")
}

func TestProgressCountsRequests(t *testing.T) {
	b := newBench(config())
	var progress uint32
	b.submitCopy(hw.Copy{Dst: 16384, RowBytes: 4096, Progress: &progress})
	require.NoError(t, b.e.RunUntil(600*sim.Nanosecond))
	require.Positive(t, progress)
	require.Less(t, progress, uint32(16), "while it runs")
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 16, progress)
}
