package pcie

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Whatever the host takes, faults, loses or removes: everybody hears once, in
// order where there is one, and every tag and credit comes back.
func TestChaos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := func(name string, min int) Limit {
			if rapid.Bool().Draw(t, name+" unlimited") {
				return Unlimited
			}
			return Limit(rapid.IntRange(min, 40).Draw(t, name))
		}
		c := DefaultConfig()
		c.Tags, c.PostedCredits = limit("tags", 1), limit("posted", 1)
		c.NonPostedCredits, c.CompletionCredits = limit("non-posted", 1), limit("completions", 2)
		c.CompletionTimeout = 50 * sim.Microsecond
		b := newBench(c, 1<<20, 1, 2)
		b.host.ordered = rapid.Bool().Draw(t, "ordered")
		random := sim.NewStream(rapid.Uint64().Draw(t, "seed"), "host")
		b.host.delay = func(*hw.Request) sim.Time {
			d := sim.Time(random.Intn(2000)) * sim.Nanosecond
			if random.Intn(40) == 0 {
				d += sim.Time(random.Intn(100)) * sim.Microsecond
			}
			return d
		}
		b.host.fault = func(uint64) bool { return random.Intn(30) == 0 }

		n := rapid.IntRange(1, 60).Draw(t, "steps")
		var writes []uint64
		asked := 0
		for i := range uint64(n) {
			addr, size := uint64(random.Intn(1<<19)), random.Intn(30_000)
			switch random.Intn(10) {
			case 0, 1, 2:
				b.link.Submit(b.request(i, hw.Read, hw.Source(i%3), addr, size, make([]byte, size)))
			case 3, 4, 5:
				b.link.Submit(b.request(i, hw.Write, hw.Source(i%3), addr, size, nil))
				writes = append(writes, i)
			case 6:
				b.link.MMIO(0, b.request(i, hw.Op(i%2), 0, 0, 4, make([]byte, 4)))
			case 7:
				b.link.AccessConfig(&ConfigAccess{Size: 4, Done: sim.Call{H: b.done, Arg: i}})
			case 8:
				b.link.Interrupt(int(i), 0, 0)
				asked--
			case 9:
				chaosEvent(b, random)
				asked--
			}
			asked++
			require.NoError(t, b.e.RunUntil(b.e.Now()+sim.Time(random.Intn(3000))*sim.Nanosecond))
		}
		b.run(t)
		require.Len(t, b.log, asked)
		require.Len(t, b.ends, asked, "nobody twice")
		if b.link.Stats().Errors == 0 {
			for i := 1; i < len(writes); i++ {
				require.LessOrEqual(t, b.ends[writes[i-1]], b.ends[writes[i]])
			}
		}
		require.Equal(t, b.link.submitted, b.link.visible)
	})
}

// chaosEvent loses a completion, or takes the link down or up.
func chaosEvent(b *bench, random *sim.Stream) {
	switch {
	case b.link.IsDown():
		b.link.Up()
	case random.Intn(3) == 0:
		b.link.Down()
	default:
		b.link.LoseCompletions(1)
	}
}

// Whatever software writes, read-only bits stay, and sizing, capabilities and
// identity survive a reset.
func TestConfigurationWritesKeepReadOnlyBits(t *testing.T) {
	identity := []struct{ off, size int }{{0, 4}, {8, 4}, {0x2c, 4}, {0x34, 1}, {capPM, 4}, {capMSIX, 2}, {capMSIX + 4, 4},
		{capPCIe, 4}, {capPCIe + 4, 4}, {capPCIe + 0x0c, 4}, {capAER, 4}, {capSerial, 4}, {capSerial + 4, 4}, {0x30, 4}}
	rapid.Check(t, func(rt *rapid.T) {
		c := newCard(t, 33)
		want := map[int]uint32{}
		for _, r := range identity {
			want[r.off] = c.ConfigRead(r.off, r.size)
		}
		for range rapid.IntRange(1, 50).Draw(rt, "writes") {
			size := rapid.SampledFrom([]int{1, 2, 4}).Draw(rt, "size")
			off := rapid.IntRange(-1, 0x160/size).Draw(rt, "slot") * size
			before := uint32(0)
			if inside(off, size) {
				before = c.cfg.get(off, size)
			}
			c.ConfigWrite(off, size, rapid.Uint32().Draw(rt, "value"))
			require.NoError(rt, c.e.Run())
			if inside(off, size) && c.Stats().Resets == 0 {
				after := c.cfg.get(off, size)
				for i := range size {
					may := c.cfg.write[off+i] | c.cfg.clear[off+i]
					require.Zero(rt, byte((before^after)>>(8*i))&^may, "read-only bits at %#x", off+i)
				}
			}
		}
		for _, r := range identity {
			require.Equal(rt, want[r.off], c.ConfigRead(r.off, r.size), "%#x", r.off)
		}
		c.ConventionalReset(true, sim.Call{H: c.done})
		require.Equal(rt, uint32(0), c.ConfigRead(regCommand, 2))
	})
}
