package pcie

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Reads are bounded by tags × request ÷ round trip.
func TestTagsBoundReads(t *testing.T) {
	var worst deviation
	for _, gen := range []int{3, 5} {
		for _, rtt := range []sim.Time{600, 2500} {
			for _, size := range []sim.Bytes{64, 512, 4096, 16384} {
				row := Row{Generation: gen, Lanes: 16, MPS: 256, MRRS: 512, RCB: 64, Size: size, RoundTrip: rtt * sim.Nanosecond}
				free, err := Measure(row)
				require.NoError(t, err)
				for _, row.Tags = range []Limit{1, 2, 8, 64, 256, 1024} {
					bound := float64(row.Tags) * float64(min(size, 512)) * 8 / float64(rtt)
					if bound > free.ReadGbps {
						break
					}
					m, err := Measure(row)
					require.NoError(t, err)
					worst.add(m.ReadGbps, bound, fmt.Sprintf("%+v: %.2f instead of %.2f Gb/s", row, m.ReadGbps, bound))
					if size <= 512 {
						require.InDelta(t, float64(row.RoundTrip), float64(m.ReadLatency), 10)
					}
				}
			}
		}
	}
	t.Log(&worst)
	assert.Less(t, worst.worst, 0.02, &worst)
}

// Little's law: requests outstanding are throughput times latency.
func TestLittlesLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.Tags = Limit(rapid.IntRange(1, 256).Draw(t, "tags"))
		size := rapid.SampledFrom([]int64{64, 512, 4096}).Draw(t, "size")
		op := hw.Op(rapid.IntRange(0, 1).Draw(t, "op"))
		d := newSaturator(c, size, []hw.Op{op})
		_, err := d.run()
		require.NoError(t, err)
		s := d.link.Stats()
		total := float64(s.ReadTime + s.WriteTime)
		mean := total / float64(d.last) // time integral of the requests outstanding over the time
		require.LessOrEqual(t, mean, float64(d.window))
		throughput := float64(s.Reads+s.Writes) / float64(d.last)
		latency := total / float64(s.Reads+s.Writes)
		require.InEpsilon(t, mean, throughput*latency, 1e-9)
		require.Greater(t, mean, 0.9*float64(d.window)*float64(d.total-d.window)/float64(d.total))
	})
}

// Two sources share the direction by their weights while both want it, and
// together carry what one would.
func TestSourcesShareAndConserve(t *testing.T) {
	const all = 16 << 20
	for _, tags := range []Limit{16, 256, Unlimited} {
		for _, weights := range [][]int{{1, 1}, {3, 1}} {
			c := DefaultConfig()
			c.Tags = tags
			one := newBench(c, 4096, weights...)
			one.link.Submit(one.request(1, hw.Read, 0, 0, all, nil))
			one.run(t)

			both := newBench(c, 4096, weights...)
			share := int64(all) * int64(weights[0]) / int64(weights[0]+weights[1])
			both.link.Submit(both.request(1, hw.Read, 0, 0, share, nil))
			both.link.Submit(both.request(2, hw.Read, 1, 1<<30, all-share, nil))
			both.run(t)
			assert.InEpsilon(t, float64(one.ends[1]), float64(both.e.Now()), 0.01, "conserved: %v tags", tags)
			assert.InEpsilon(t, float64(both.ends[1]), float64(both.ends[2]), 0.03, "%v tags: shares as weights %v end together", tags, weights)
			assert.Equal(t, int64(all), both.link.Stats().ReadBytes)
		}
	}
}

// A source whose segments need many tags is not starved by one that needs one.
func TestLargeReadsAreNotStarved(t *testing.T) {
	c := DefaultConfig()
	c.Tags = 256
	b := newBench(c, 1<<20)
	small := make([]*hw.Request, 512)
	done := b.e.Register("again", func(i uint64) {
		if b.e.Now() < 100*sim.Microsecond {
			b.link.Submit(small[i])
		}
	})
	for i := range small {
		small[i] = b.request(0, hw.Read, 1, 0, 64, nil)
		small[i].Done = sim.Call{H: done, Arg: uint64(i)}
		b.link.Submit(small[i])
	}
	b.link.Submit(b.request(1, hw.Read, 0, 0, 64<<10, nil))
	b.run(t)
	assert.Less(t, b.ends[1], 50*sim.Microsecond)
}

// A doorbell waits for no more than one quantum of a bulk copy in either
// direction.
func TestDoorbellPassesBulk(t *testing.T) {
	for _, op := range []hw.Op{hw.Read, hw.Write} {
		c := DefaultConfig()
		alone := newBench(c, 4096)
		alone.link.MMIO(0, alone.request(1, hw.Write, 0, 64, 4, []byte{1, 2, 3, 4}))
		alone.run(t)

		b := newBench(c, 4096)
		bulk := b.request(2, op, 0, 0, 64<<20, nil)
		b.link.Submit(bulk)
		require.NoError(t, b.e.RunUntil(700*sim.Microsecond))
		start := b.e.Now()
		b.link.MMIO(0, b.request(1, hw.Write, 0, 64, 4, []byte{1, 2, 3, 4}))
		b.run(t)
		require.Equal(t, hw.OK, bulk.Status)
		require.Greater(t, b.ends[2], b.ends[1])
		quantum := c.TLPRate().TimeFor(c.MPS + 24)
		assert.LessOrEqual(t, b.ends[1]-start, alone.ends[1]+quantum, "%d", op)
	}
}

// A small read, too, passes a bulk one of another source.
func TestSmallReadPassesBulk(t *testing.T) {
	c := DefaultConfig()
	c.Tags = 64
	b := newBench(c, 4096)
	b.link.Submit(b.request(1, hw.Read, 0, 0, 64<<20, nil))
	require.NoError(t, b.e.RunUntil(sim.Millisecond))
	start := b.e.Now()
	b.link.Submit(b.request(2, hw.Read, 1, 64, 64, nil))
	b.run(t)
	assert.Less(t, b.ends[2]-start, 4*sim.Microsecond)
}

// Credits bound writes: credits × payload ÷ (flight there, credit back).
func TestPostedCreditsBoundWrites(t *testing.T) {
	c := DefaultConfig()
	c.PostedCredits = 16
	d := newSaturator(c, 4096, []hw.Op{hw.Write})
	got, err := d.run()
	require.NoError(t, err)
	tlp := c.TLPRate().TimeFor(c.MPS + 24)
	bound := 16 * 256 * 8 / float64(2*c.Latency+tlp) * 1000
	assert.InEpsilon(t, bound, got, 0.02)
	assert.Positive(t, d.link.posted.stalled)
}

func TestCompletionAndReadCredits(t *testing.T) {
	for _, set := range []func(c *Config){
		func(c *Config) { c.NonPostedCredits = 4 },
		func(c *Config) { c.CompletionCredits = 8 },
	} {
		c := DefaultConfig()
		free, err := newSaturator(c, 4096, []hw.Op{hw.Read}).run()
		require.NoError(t, err)
		set(&c)
		d := newSaturator(c, 4096, []hw.Op{hw.Read})
		got, err := d.run()
		require.NoError(t, err)
		assert.Less(t, got, free/2)
		assert.Positive(t, d.link.nonPosted.stalled+d.link.completions.stalled)
	}
}

// Credits that are back at once are as good as those that are back a picosecond later:
// whoever waits for them goes on.
func TestCreditsWithoutLatency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		limits := rapid.SampledFrom([]Limit{1, 2, 3, 5, Unlimited})
		c.PostedCredits, c.NonPostedCredits = limits.Draw(t, "posted"), limits.Draw(t, "non-posted")
		op := rapid.SampledFrom([]hw.Op{hw.Read, hw.Write}).Draw(t, "op")
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 10_000), 1, 20).Draw(t, "sizes")
		serve := rapid.SampledFrom([]sim.Time{1, 300, 1_000_000}).Draw(t, "host")
		ends := func(latency sim.Time) (out []sim.Time) {
			c.Latency = latency
			b := newBench(c, 1<<20)
			b.host.delay = func(*hw.Request) sim.Time { return serve }
			for i, n := range sizes {
				b.link.Submit(b.request(uint64(i), op, 0, uint64(i)<<14, n, nil))
			}
			b.run(t)
			for i := range sizes {
				out = append(out, b.ends[uint64(i)])
			}
			return out
		}
		later := ends(1)
		for i, end := range ends(0) {
			assert.InDelta(t, int64(later[i]), int64(end), 4e4, "request %d", i) // 200,000 bytes in the smallest requests are 1,600 round trips
		}
	})
}

// Cards that were measured lie within a tenth of the model; what MPS and MRRS
// their hosts had is not published.
func TestPublishedCards(t *testing.T) {
	links := map[string][2]int{
		"H2D pinned 1 GiB Gen5 x16": {5, 16}, "H2D pinned Gen4 x16 A100": {4, 16},
		"H2D Gen3 x16": {3, 16}, "H2D Gen3 x8": {3, 8},
	}
	seen := 0
	for _, r := range reference(t, "published.csv") {
		link, ok := links[r["quantity"]]
		if !ok {
			continue
		}
		seen++
		m, err := Measure(Row{Generation: link[0], Lanes: link[1], MPS: 256, MRRS: 512, RCB: 64, Size: 64 << 10})
		require.NoError(t, err)
		card := number(t, r["value"])
		t.Logf("%-28s card %6.2f GB/s, model %6.2f, %+.1f %%", r["quantity"], card, m.ReadGbps/8, 100*(m.ReadGbps/8/card-1))
		assert.InEpsilon(t, card, m.ReadGbps/8, 0.1)
	}
	assert.Equal(t, len(links), seen)
}

func TestMMIOReadWithinPublished(t *testing.T) {
	c := DefaultConfig()
	b := newBench(c, 4096)
	b.link.MMIO(0, b.request(1, hw.Read, 0, 0, 4, make([]byte, 4)))
	b.run(t)
	t.Logf("MMIO read %v; cards 500 to 1000 ns, 0.88 to 1.76 µs", b.ends[1])
	assert.GreaterOrEqual(t, b.ends[1], 500*sim.Nanosecond)
	assert.LessOrEqual(t, b.ends[1], 1760*sim.Nanosecond)
}

func TestBadRows(t *testing.T) {
	good := Row{Generation: 4, Lanes: 8, MPS: 256, MRRS: 512, RCB: 64, Size: 64}
	for _, w := range []struct {
		key string
		bad func(r *Row)
	}{
		{"pcie.gen", func(r *Row) { r.Generation = 0 }},
		{"pcie.gen", func(r *Row) { r.Generation = 7 }},
		{"pcie.lanes", func(r *Row) { r.Lanes = 3 }},
		{"pcie.mps", func(r *Row) { r.MPS = 100 }},
		{"pcie.mrrs", func(r *Row) { r.MRRS = 8192 }},
		{"pcie.rcb", func(r *Row) { r.RCB = 32 }},
		{"pcie.tags", func(r *Row) { r.Tags = -2 }},
		{"size_B", func(r *Row) { r.Size = 0 }},
		{"rtt_ns", func(r *Row) { r.RoundTrip = sim.Nanosecond }},
	} {
		row := good
		w.bad(&row)
		_, err := Measure(row)
		require.ErrorContains(t, err, w.key)
	}
}

func TestValidate(t *testing.T) {
	c := DefaultConfig()
	require.Empty(t, c.Validate())
	c.Tags, c.PostedCredits, c.NonPostedCredits, c.CompletionCredits = 0, 0, 0, 0
	c.Lanes, c.Latency = 12, -1
	c.CompletionTimeout, c.MMIOWriteRate = 1, 0
	var text strings.Builder
	for _, f := range c.Validate() {
		text.WriteString(f.Error() + "\n")
	}
	for _, key := range []string{"tags", "posted_credits", "nonposted_credits", "completion_credits", "lanes", "latency",
		"completion_timeout", "mmio_write_rate"} {
		assert.Contains(t, text.String(), "pcie."+key+" = ")
	}
	c = DefaultConfig()
	c.CompletionCredits = 1
	require.Len(t, c.Validate(), 1, "one read of 512 bytes is two completions of 256")
	c = DefaultConfig()
	c.Latency, c.CompletionTimeout = 30*sim.Microsecond, 60*sim.Microsecond
	require.ErrorContains(t, errors.Join(c.Validate()...), `pcie.completion_timeout = 60us: want more than 60us`)
	c.CompletionTimeout++
	require.Empty(t, c.Validate())
}

func TestLimitText(t *testing.T) {
	for text, want := range map[string]Limit{"unlimited": Unlimited, "256": 256, "0": 0} {
		var l Limit
		require.NoError(t, l.UnmarshalText([]byte(text)))
		assert.Equal(t, want, l)
		back, err := l.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, text, string(back))
	}
	for _, text := range []string{"", "-1", "many", "1e3"} {
		var l Limit
		assert.Error(t, l.UnmarshalText([]byte(text)), text)
	}
}

// peak is the payload that a direction's traffic can carry at best.
type peak struct {
	write, read sim.Rate // device to host and host to device
}

// peak returns the payload rates of bulk DMA: aligned, without limits of tags
// and credits.
func (c *Config) peak() peak {
	w, rate := c.wire(), int64(c.TLPRate())
	payload := func(n, wire int64) sim.Rate { return sim.Rate(rate / wire * n) }
	size := max(int64(c.MRRS), int64(c.MPS))
	writeWire := size + w.write*pieces(0, size, int64(c.MPS))
	readUp := w.read * pieces(0, size, int64(c.MRRS))
	readDown := size + w.completion*pieces(0, size, c.chunk())
	return peak{write: payload(size, writeWire), read: payload(size, max(readUp, readDown))}
}

// The arithmetic of the wire is what the saturated link reaches.
func TestPeak(t *testing.T) {
	for _, gen := range []int{1, 3, 6} {
		c := DefaultConfig()
		c.Generation, c.Tags = gen, Unlimited
		p := c.peak()
		write, err := newSaturator(c, 65536, []hw.Op{hw.Write}).run()
		require.NoError(t, err)
		read, err := newSaturator(c, 65536, []hw.Op{hw.Read}).run()
		require.NoError(t, err)
		assert.InEpsilon(t, float64(p.write)*8e-9, write, 0.001)
		assert.InEpsilon(t, float64(p.read)*8e-9, read, 0.001)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	b := newBench(DefaultConfig(), 1<<20)
	b.done = b.e.Register("end", func(uint64) {})
	requests := []*hw.Request{
		b.request(0, hw.Write, 0, 0, 64, nil), b.request(0, hw.Read, 1, 0, 64, nil),
		b.request(0, hw.Write, 2, 4096, 100_000, nil), b.request(0, hw.Read, 3, 4096, 100_000, nil),
	}
	bell := b.request(0, hw.Write, 0, 0, 4, []byte{1, 2, 3, 4})
	load := b.request(0, hw.Read, 0, 0, 4, make([]byte, 4))
	config := ConfigAccess{Off: 0, Size: 4}
	round := func() {
		for _, r := range requests {
			b.link.Submit(r)
		}
		b.link.Interrupt(1, 0, 0)
		b.link.MMIO(0, bell)
		b.link.MMIO(0, load)
		b.link.AccessConfig(&config)
		b.host.seen, b.fn.log = b.host.seen[:0], b.fn.log[:0]
		if err := b.e.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		round()
	}
	assert.Zero(t, testing.AllocsPerRun(50, round))
	require.NoError(t, b.link.Idle())
}

func BenchmarkReadPair(b *testing.B)  { benchmarkDMA(b, hw.Read, 64) }
func BenchmarkWrite(b *testing.B)     { benchmarkDMA(b, hw.Write, 64) }
func BenchmarkRead64K(b *testing.B)   { benchmarkDMA(b, hw.Read, 64<<10) }
func BenchmarkWrite64K(b *testing.B)  { benchmarkDMA(b, hw.Write, 64<<10) }
func BenchmarkRead64M(b *testing.B)   { benchmarkDMA(b, hw.Read, 64<<20) }
func BenchmarkMMIOWrite(b *testing.B) { benchmarkMMIO(b, hw.Write) }
func BenchmarkMMIORead(b *testing.B)  { benchmarkMMIO(b, hw.Read) }

// benchmarkDMA keeps 32 requests outstanding at a host that takes no time.
func benchmarkDMA(b *testing.B, op hw.Op, size int64) {
	d := newSaturator(DefaultConfig(), size, []hw.Op{op})
	d.window, d.total = 32, int64(b.N)+32
	d.groups = make([]group, d.window)
	b.ReportAllocs()
	b.SetBytes(size)
	b.ResetTimer()
	if _, err := d.run(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(d.e.Events())/float64(b.N), "events/op")
}

func benchmarkMMIO(b *testing.B, op hw.Op) {
	w := newBench(DefaultConfig(), 4096)
	w.done = w.e.Register("end", func(uint64) {})
	r := w.request(1, op, 0, 64, 4, make([]byte, 4))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.link.MMIO(0, r)
		w.fn.log = w.fn.log[:0]
		if err := w.e.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
