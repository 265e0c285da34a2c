package edu_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// bench is a card on a host, with a vector whose messages are counted.
type bench struct {
	*edu.Card
	e          *sim.Engine
	h          *host.Host
	bus        *host.Bus
	link       *pcie.Link
	interrupts int
}

// within runs fn as a process of a computer with a card.
func within(t testing.TB, cfg edu.Config, fn func(b *bench)) {
	m, err := configs.Machine("tiny")
	require.NoError(t, err)
	e := sim.New(1)
	defer e.Shutdown()
	link := pcie.New(e, "pcie", m.PCIe, []int{1})
	b := &bench{e: e, link: link, h: host.New(e, m.Host, m.IOMMU, link), Card: edu.New(e, cfg, m.PCIe, link)}
	b.bus = b.h.Bus()
	link.SetFunction(b.Card)
	ended := false
	e.Go("test", func(*sim.Proc) {
		b.bus.ConfigWrite(4, 2, 6)
		_, err := b.bus.AllocVectors(1, 1)
		require.NoError(t, err)
		require.NoError(t, b.bus.RequestIRQ(0, "edu", func() { b.interrupts++ }))
		require.NoError(t, b.bus.SetDMAMask(28))
		fn(b)
		b.bus.FreeVectors()
		ended = true
	})
	require.NoError(t, e.Run())
	require.True(t, ended)
	require.NoError(t, b.Idle())
	require.NoError(t, link.Idle())
	require.NoError(t, b.h.Leaks())
}

func (b *bench) read(off uint64) uint32     { return b.bus.Read32(0, off) }
func (b *bench) write(off uint64, v uint32) { b.bus.Write32(0, off, v) }

// await waits until bits of a register are clear.
func (b *bench) await(off uint64, bits uint32) {
	for b.read(off)&bits != 0 {
		b.bus.Sleep(100)
	}
}

// transfer runs a DMA command to its end.
func (b *bench) transfer(src, dst, n uint64, command uint32) {
	b.bus.Write64(0, 0x80, src)
	b.bus.Write64(0, 0x88, dst)
	b.bus.Write64(0, 0x90, n)
	b.write(0x98, command)
	b.await(0x98, 1)
}

func TestRegisterTable(t *testing.T) {
	require.Empty(t, reg.Check(edu.Registers))
}

func TestConfigValidate(t *testing.T) {
	c := edu.DefaultConfig()
	assert.Empty(t, c.Validate())
	c = edu.Config{Multiply: 0, DMAStart: -1, MaskBits: 65}
	assert.Len(t, c.Validate(), 3)
}

func TestIdentity(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		assert.EqualValues(t, 0x11e81234, b.bus.ConfigRead(0, 4))
		assert.EqualValues(t, 0x00ff0010, b.bus.ConfigRead(8, 4))
		assert.EqualValues(t, 1<<20, b.bus.BARSize(0))
		assert.EqualValues(t, 0x010000ed, b.read(0))
		b.write(0, 5)
		assert.EqualValues(t, 0x010000ed, b.read(0), "read-only")
	})
}

func TestLiveness(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		rapid.Check(t, func(r *rapid.T) {
			v := rapid.Uint32().Draw(r, "v")
			b.write(4, v)
			require.Equal(r, ^v, b.read(4))
		})
	})
}

// What is no register, or not of the size it takes, reads all ones and ignores
// writes.
func TestAccesses(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		for _, off := range []uint64{0x0c, 0x1c, 0x28, 0x60, 0x64, 0x68, 0x84, 0x8c, 0x9c, 0xa0, edu.Buffer, edu.BARSize - 4} {
			b.write(off, 0)
			assert.EqualValues(t, 0xffffffff, b.read(off), "%#x", off)
		}
		assert.EqualValues(t, ^uint64(0), b.bus.Read64(0, 0), "8 bytes below 0x80")
		b.bus.Write64(0, 4, 7)
		assert.Zero(t, b.read(4), "likewise")
		for _, n := range []int{1, 2, 3, 5, 16} {
			p := make([]byte, n)
			b.bus.ReadBAR(0, 0x80, p)
			for _, v := range p {
				assert.EqualValues(t, 0xff, v, "%d bytes", n)
			}
			b.bus.WriteBAR(0, 0x80, make([]byte, n))
		}
		b.bus.Write64(0, 0x80, 0x1122334455667788)
		assert.EqualValues(t, 0x55667788, b.read(0x80))
		assert.EqualValues(t, uint64(0x1122334455667788), b.bus.Read64(0, 0x80))
		b.write(0x80, 3)
		assert.EqualValues(t, 3, b.bus.Read64(0, 0x80), "4 bytes set the whole register")
	})
}

func TestFactorial(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		for _, c := range [][2]uint32{{0, 1}, {1, 1}, {2, 2}, {5, 120}, {12, 479001600}, {13, 1932053504}, {33, 0x80000000}, {34, 0}, {1000, 0}} {
			b.write(8, c[0])
			b.await(0x20, 1)
			assert.Equal(t, c[1], b.read(8), "%d!", c[0])
		}
		assert.Zero(t, b.interrupts)
		assert.EqualValues(t, 9, b.Stats().Factorials)
	})
}

// The picosecond before its end a factorial is under way; then it is not.
func TestFactorialTiming(t *testing.T) {
	cfg := edu.DefaultConfig()
	cfg.Multiply = 3 * sim.Nanosecond
	within(t, cfg, func(b *bench) {
		beside := func(op hw.Op, off uint64, v uint32) uint32 { // the link, in no time
			p := binary.LittleEndian.AppendUint32(nil, v)
			r := hw.Request{Op: op, Addr: off, Bytes: 4, Data: p}
			b.e.Await("access", func(done sim.Call) {
				r.Done = done
				b.MMIO(0, &r)
			})
			return binary.LittleEndian.Uint32(p)
		}
		beside(hw.Write, 8, 99_999)
		require.Equal(t, 300*sim.Microsecond, b.FactorialTime(99_999))
		b.e.Sleep(b.FactorialTime(99_999) - 1)
		assert.EqualValues(t, 1, beside(hw.Read, 0x20, 0))
		assert.EqualValues(t, 99_999, beside(hw.Read, 8, 0))
		b.e.Sleep(1)
		assert.EqualValues(t, 0, beside(hw.Read, 0x20, 0))
		assert.EqualValues(t, 0, beside(hw.Read, 8, 0))
	})
}

func TestFactorialUnderWay(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		b.write(8, 20_000)
		b.write(8, 5)
		assert.EqualValues(t, 1, b.read(0x20))
		assert.EqualValues(t, 20_000, b.read(8), "the second was ignored")
		b.await(0x20, 1)
		assert.Zero(t, b.read(8))
		b.write(0x20, 0xffffffff)
		assert.EqualValues(t, 0x80, b.read(0x20), "COMPUTING is read-only, the rest does not exist")
	})
}

func TestInterrupts(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		b.write(0x20, 0x80)
		b.write(8, 10)
		b.bus.Sleep(10_000)
		assert.Equal(t, 1, b.interrupts)
		assert.EqualValues(t, edu.CauseFactorial, b.read(0x24))
		b.write(0x24, 0)
		assert.EqualValues(t, edu.CauseFactorial, b.read(0x24), "read-only")
		b.write(0x60, 0x8000_0010)
		b.bus.Sleep(10_000)
		assert.Equal(t, 2, b.interrupts)
		assert.EqualValues(t, 0x8000_0011, b.read(0x24))
		b.write(0x64, 0x11)
		assert.EqualValues(t, 0x8000_0000, b.read(0x24))
		b.write(0x60, 0)
		b.bus.Sleep(10_000)
		assert.Equal(t, 3, b.interrupts, "raised as long as a cause stands")
		b.write(0x64, 0xffffffff)
		b.write(0x60, 0)
		b.write(0x20, 0)
		b.write(8, 3)
		b.bus.Sleep(10_000)
		assert.Equal(t, 3, b.interrupts)
		assert.Zero(t, b.read(0x24))
	})
}

// Bytes go to the card and back, wherever they lie in memory and buffer.
func TestDMARoundTrip(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4 * 4096)
		require.NoError(t, err)
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(0, edu.BufferBytes).Draw(r, "bytes")
			at := rapid.IntRange(0, edu.BufferBytes-n).Draw(r, "in the buffer")
			from, to := rapid.IntRange(0, 8192-n).Draw(r, "from"), 8192+rapid.IntRange(0, 8192-n).Draw(r, "to")
			seed := rapid.Byte().Draw(r, "seed")
			for i := range n {
				d.Bytes[from+i] = seed + byte(i*i)
			}
			want := append([]byte(nil), d.Bytes[from:from+n]...)
			b.transfer(d.Addr+uint64(from), edu.Buffer+uint64(at), uint64(n), 1)
			b.transfer(edu.Buffer+uint64(at), d.Addr+uint64(to), uint64(n), 3)
			require.Equal(r, want, append([]byte(nil), d.Bytes[to:to+n]...))
		})
		assert.Zero(t, b.interrupts)
		s := b.Stats()
		assert.Zero(t, s.Refused+s.Failed)
		b.bus.FreeDMA(d)
	})
}

func TestDMAInterrupt(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		b.transfer(d.Addr, edu.Buffer, 4096, 1|4)
		b.bus.Sleep(10_000)
		assert.Equal(t, 1, b.interrupts)
		assert.EqualValues(t, edu.CauseDMA, b.read(0x24))
		assert.EqualValues(t, 4, b.read(0x98))
		b.bus.FreeDMA(d)
	})
}

// Registers keep their values while a transfer runs, and a command without RUN
// does nothing.
func TestDMAUnderWay(t *testing.T) {
	cfg := edu.DefaultConfig()
	cfg.DMAStart = 100 * sim.Microsecond
	within(t, cfg, func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		b.write(0x98, 6)
		assert.Zero(t, b.read(0x98))
		b.bus.Write64(0, 0x80, d.Addr)
		b.bus.Write64(0, 0x88, edu.Buffer)
		b.bus.Write64(0, 0x90, 64)
		b.write(0x98, 1)
		for _, off := range []uint64{0x80, 0x88, 0x90, 0x98} {
			b.bus.Write64(0, off, 0xffff)
		}
		assert.EqualValues(t, 1, b.read(0x98))
		assert.EqualValues(t, d.Addr, b.bus.Read64(0, 0x80))
		assert.EqualValues(t, edu.Buffer, b.bus.Read64(0, 0x88))
		assert.EqualValues(t, 64, b.bus.Read64(0, 0x90))
		b.await(0x98, 1)
		assert.Zero(t, b.interrupts)
		b.bus.FreeDMA(d)
	})
}

// What is programmed wrongly moves nothing and ends, with its interrupt.
func TestDMAOutOfBounds(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		for i, c := range []struct{ at, n uint64 }{
			{edu.Buffer - 1, 1}, {edu.Buffer, 4097}, {edu.Buffer + 4096, 1}, {edu.Buffer + 1, 4096}, {0, 8},
			{edu.Buffer + 8, ^uint64(0)}, {^uint64(0), 2}, {d.Addr, 8},
		} {
			b.transfer(d.Addr, c.at, c.n, 1|4)
			b.transfer(c.at, d.Addr, c.n, 3)
			assert.EqualValues(t, 2*(i+1), b.Stats().Refused, "%#x, %d bytes", c.at, c.n)
		}
		b.transfer(d.Addr, edu.Buffer+4096, 0, 1)
		assert.EqualValues(t, 16, b.Stats().Refused, "nothing, at the end, is within bounds")
		assert.Equal(t, 8, b.interrupts)
		assert.Empty(t, b.h.Faults())
		b.bus.FreeDMA(d)
	})
}

// Address bits above the mask are dropped; addresses that nobody mapped are
// refused by the IOMMU, and the buffer keeps what it held.
func TestDMAAddresses(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		copy(d.Bytes, "presi")
		require.Zero(t, d.Addr>>28)
		b.transfer(d.Addr|1<<28|1<<40|1<<63, edu.Buffer, 5, 1)
		b.transfer(edu.Buffer, d.Addr+100, 5, 3)
		assert.Equal(t, "presi", string(d.Bytes[100:105]))

		b.transfer(0xfff0000, edu.Buffer, 5, 1)
		assert.EqualValues(t, 1, b.Stats().Failed)
		b.transfer(edu.Buffer, d.Addr+200, 5, 3)
		assert.Equal(t, "presi", string(d.Bytes[200:205]))
		faults := b.h.Faults()
		require.Len(t, faults, 1)
		assert.EqualValues(t, 0xfff0000, faults[0].IOVA)
		b.bus.ConfigWrite(4, 2, 2)
		b.transfer(d.Addr, edu.Buffer, 5, 1)
		assert.EqualValues(t, 2, b.Stats().Failed, "without bus mastering")
		b.bus.ConfigWrite(4, 2, 6)
		b.bus.FreeDMA(d)
	})
}

// A function-level reset ends work and clears everything, whatever is under way:
// a transfer that waits, is on the bus, or has ended.
func TestReset(t *testing.T) {
	cfg := edu.DefaultConfig()
	cfg.DMAStart = 20 * sim.Microsecond
	within(t, cfg, func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		copy(d.Bytes, "secret")
		const rounds = 200
		for i := range int64(rounds) {
			b.write(4, 1)
			b.write(0x20, 0x80)
			b.write(8, 0xffffffff)
			b.bus.Write64(0, 0x80, d.Addr)
			b.bus.Write64(0, 0x88, edu.Buffer)
			b.bus.Write64(0, 0x90, 4096)
			b.write(0x98, 1|4)
			b.bus.Sleep(100 * i)
			require.NoError(t, b.bus.ResetFunction())
			seen := b.interrupts
			for _, off := range []uint64{4, 8, 0x20, 0x24, 0x80, 0x90, 0x98} {
				assert.Zero(t, b.read(off), "%#x after %d ns", off, 100*i)
			}
			b.bus.Sleep(1e6)
			assert.Equal(t, seen, b.interrupts)
		}
		done := b.Stats().Transfers
		assert.Positive(t, done, "some had ended")
		assert.Less(t, done, int64(rounds), "some had not")
		b.transfer(edu.Buffer, d.Addr+64, 6, 3)
		assert.Equal(t, make([]byte, 6), append([]byte(nil), d.Bytes[64:70]...))
		b.bus.FreeDMA(d)
	})
}

// Power that goes and comes back leaves the card as new, whatever it was at.
func TestPowerCycle(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		for i := range int64(20) {
			b.write(4, 1)
			b.write(8, 1_000_000)
			b.bus.Write64(0, 0x80, d.Addr)
			b.bus.Write64(0, 0x88, edu.Buffer)
			b.bus.Write64(0, 0x90, 4096)
			b.write(0x98, 1)
			b.bus.Sleep(200 * i)
			require.NoError(t, b.bus.SetPower(hw.D3cold))
			assert.EqualValues(t, 0xffffffff, b.read(4))
			require.NoError(t, b.bus.SetPower(hw.D0))
			for _, off := range []uint64{4, 8, 0x20, 0x24, 0x80, 0x98} {
				assert.Zero(t, b.read(off), "%#x after %d ns", off, 200*i)
			}
		}
		b.bus.FreeDMA(d)
	})
}

// The link goes down under a transfer: it ends, and the card is idle.
func TestLinkDown(t *testing.T) {
	within(t, edu.DefaultConfig(), func(b *bench) {
		d, err := b.bus.AllocDMA(4096)
		require.NoError(t, err)
		b.bus.Write64(0, 0x80, d.Addr)
		b.bus.Write64(0, 0x88, edu.Buffer)
		b.bus.Write64(0, 0x90, 4096)
		b.write(0x98, 1)
		b.bus.Sleep(1500)
		assert.Equal(t, b.link.ReadsPending(), b.ConfigRead(0x6a, 2)&0x20 != 0, "Transactions Pending")
		b.link.Down()
		assert.EqualValues(t, 0xffffffff, b.read(0x98))
		b.bus.Sleep(100_000)
		assert.EqualValues(t, 1, b.Stats().Transfers)
		b.link.Up()
		b.bus.FreeDMA(d)
	})
}
