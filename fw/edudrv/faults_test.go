package edudrv_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/edudrv"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// A probe that fails at any step undoes what it did, and the next one succeeds.
func TestProbeFailsClean(t *testing.T) {
	for _, f := range []struct {
		call string
		err  error
		want unix.Errno
	}{
		{"mask", hw.ErrMask, unix.EIO}, {"reset", hw.ErrGone, unix.EIO}, {"vectors", hw.ErrNoVector, unix.ENOSPC}, {"irq", hw.ErrNoVector, unix.EIO},
	} {
		t.Run(f.call, func(t *testing.T) {
			c := newComputer(t)
			b := c.tamper()
			b.fail = failing(f.call, f.err)
			c.run(func() {
				err := c.probe()
				require.ErrorIs(t, err, f.want)
				require.ErrorIs(t, err, f.err)
				c.probedNothing()
				b.fail = nil
				require.NoError(t, c.probe())
			})
		})
	}
	for _, f := range []struct {
		name string
		off  uint64
		v    uint32
		want unix.Errno
	}{
		{"another card", 0, 0x010000ee, unix.ENODEV}, {"nothing there", 0, 0xffffffff, unix.ENODEV}, {"dead", 4, 0, unix.EIO},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := newComputer(t)
			b := c.tamper()
			b.read = func(off uint64, v uint32) uint32 {
				if off == f.off {
					return f.v
				}
				return v
			}
			c.run(func() {
				require.ErrorIs(t, c.probe(), f.want)
				c.probedNothing()
				b.read = nil
				require.NoError(t, c.probe())
			})
		})
	}
	t.Run("link down", func(t *testing.T) {
		c := newComputer(t)
		c.link.Down()
		c.run(func() {
			require.ErrorIs(t, c.probe(), unix.ENODEV)
			c.link.Up()
			c.probedNothing()
		})
	})
}

// probedNothing holds that a failed probe has left nothing.
func (c *computer) probedNothing() {
	c.Helper()
	c.driver = nil
	require.NoError(c, c.host.Leaks())
	_, err := c.class.Open(0, &fw.Arena{})
	require.ErrorIs(c, err, unix.ENODEV)
	require.Zero(c, c.bus.ConfigRead(4, 2), "bus mastering and decoding are off")
}

// A driver that does not set the mask gets addresses that the card cannot drive:
// the IOMMU refuses what is left of them.
func TestForgottenMask(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	b.forgetMask = true
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		x, _ := p.buffer(8192)
		done := p.syncobj()
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 4096, Length: 4096, OutSync: done})
		require.NoError(t, p.wait(done, forever))
		require.NotZero(t, b.mapped[0].Bus>>28)
		faults := c.host.Faults()
		require.NotEmpty(t, faults)
		assert.Equal(t, b.mapped[0].Bus&(1<<28-1), faults[0].IOVA)
	})
}

// Lost interrupts cost time, not results.
func TestLostInterrupts(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	b.irq = func(func()) {}
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		a := edudrv.Factorial{N: 6, TimeoutNS: forever}
		must(p, edudrv.NrFactorial, &a)
		assert.EqualValues(t, 720, a.Result)
		src, from := p.buffer(8192)
		dst, to := p.buffer(8192)
		copy(from[8000:], "the end")
		done := p.syncobj()
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, Length: 8192, OutSync: done})
		require.NoError(t, p.wait(done, forever))
		assert.Equal(t, from, to)
	})
}

// Spurious interrupts, causes that nobody raised, and interrupts in threes change
// nothing.
func TestSpuriousInterrupts(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	b.irq = func(handler func()) {
		for range 2 {
			c.engine.Go("another handler", func(*sim.Proc) { handler() })
		}
		handler()
	}
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		src, from := p.buffer(64 << 10)
		dst, to := p.buffer(64 << 10)
		for i := range from {
			from[i] = byte(i * 7)
		}
		done := p.syncobj()
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, Length: 64 << 10, OutSync: done})
		storm := c.engine.Go("storm", func(*sim.Proc) {
			for range 200 {
				c.bus.Write32(0, 0x60, 0x7ffff101)
				c.bus.Sleep(700)
			}
		})
		a := edudrv.Factorial{N: 50_000, TimeoutNS: forever}
		must(p, edudrv.NrFactorial, &a)
		assert.Zero(t, a.Result)
		require.NoError(t, p.wait(done, forever))
		assert.Equal(t, from, to)
		storm.Join()
		c.bus.Write32(0, 0x60, 0x101) // with nothing under way
		c.bus.Sleep(1e6)
		assert.Zero(t, c.bus.Read32(0, 0x24), "all causes are acknowledged")
	})
}

// A card that does not come back from its reset fails every copy, each in bounded
// time, and lets itself be removed.
func TestResetFails(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	b.write = func(off uint64, _ uint32) bool { return off != 0x98 }
	c.run(func() {
		require.NoError(t, c.probe())
		b.fail = failing("reset", hw.ErrGone)
		p := c.program()
		x, _ := p.buffer(8192)
		for range 3 {
			done := p.syncobj()
			start := c.bus.Now()
			must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 4096, Length: 4096, OutSync: done})
			require.NoError(t, p.wait(done, forever))
			assert.Less(t, c.bus.Now()-start, int64(30e6))
		}
		assert.Equal(t, "3\n", c.text(c.class.Sys, "class/accel/accel0/device/reset_count"))
		b.fail = nil
	})
}

// Unplug with copies running, queued and waiting for another: all end with ENODEV.
func TestUnplugWithCopiesPending(t *testing.T) {
	for after := int64(0); after < 20_000; after += 730 {
		c := newComputer(t)
		c.run(func() {
			require.NoError(t, c.probe())
			p := c.program()
			src, _ := p.buffer(1 << 20)
			dst, _ := p.buffer(1 << 20)
			var files []fw.Descriptor
			previous := uint32(0)
			for range 3 {
				out := abi.SyncobjHandle{Handle: p.syncobj(), Flags: abi.SyncobjSyncFile}
				must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, Length: 1 << 20, InSync: previous, OutSync: out.Handle})
				must(p, abi.NrSyncobjHandleToFD, &out)
				f, err := p.memory.Descriptor(out.FD)
				require.NoError(t, err)
				files = append(files, f)
				previous = out.Handle
			}
			p.unmap()
			must(p, abi.NrGemClose, &abi.GemClose{Handle: src}) // from here on the copies alone
			must(p, abi.NrGemClose, &abi.GemClose{Handle: dst}) // hold them
			c.bus.Sleep(after)
			c.remove()
			for i, f := range files {
				assert.Equal(t, -int(unix.ENODEV), f.(*fw.SyncFile).Status(), "copy %d after %d ns", i, after)
			}
			p.close()
			require.NoError(t, c.host.Leaks())
			assert.Empty(t, c.host.Faults(), "the card moved nothing after its memory had gone")
		})
	}
}

// A card whose DMA does not end is removed all the same, and bus mastering with it.
func TestRemoveUnderStuckDMA(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	c.run(func() {
		require.NoError(t, c.probe())
		b.read = func(off uint64, v uint32) uint32 {
			if off == 0x98 {
				return v | 1
			}
			return v
		}
		start := c.bus.Now()
		c.remove()
		assert.Less(t, c.bus.Now()-start, int64(20e6))
		assert.Zero(t, c.bus.ConfigRead(4, 2))
	})
}

// A card that is pulled out reads all ones: everything ends.
func TestSurpriseRemoval(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		x, _ := p.buffer(1 << 20)
		done := p.syncobj()
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 1 << 19, Length: 1 << 19, OutSync: done})
		waiter := c.engine.Go("waiter", func(*sim.Proc) {
			a := edudrv.Factorial{N: math.MaxUint32, TimeoutNS: forever}
			assert.ErrorIs(t, ioctl(p, edudrv.NrFactorial, &a), unix.ENODEV)
		})
		copied := c.engine.Go("wait for the copy", func(*sim.Proc) { assert.NoError(t, p.wait(done, forever)) })
		c.bus.Sleep(50_000)
		c.link.Down()
		c.bus.Sleep(1e6)
		start := c.bus.Now()
		c.remove()
		assert.Less(t, c.bus.Now()-start, int64(1e6), "nobody waits for a card that is gone")
		waiter.Join()
		copied.Join()
	})
}

// With every minor taken the probe fails at its last step, and undoes all others.
func TestNoMinorIsFree(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		var taken []*fw.Device
		for range fw.MaxMinors {
			d, err := c.class.NewDevice(&fw.Driver{Name: "other", Features: fw.FeatureAccel}, "0000:02:00.0")
			require.NoError(t, err)
			require.NoError(t, d.Register())
			taken = append(taken, d)
		}
		require.ErrorIs(t, c.probe(), unix.ENOSPC)
		c.driver = nil
		require.NoError(t, c.host.Leaks())
		taken[0].Unplug()
		require.NoError(t, c.probe())
	})
}

// Memory and bus addresses run out: ENOMEM, and nothing is left over.
func TestBuffersRunOut(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		for _, call := range []string{"pages", "map"} {
			b.fail = failing(call, hw.ErrNoMemory)
			assert.ErrorIs(t, ioctl(p, edudrv.NrBOCreate, &edudrv.BOCreate{Size: 4096}), unix.ENOMEM)
		}
		b.fail = nil
		var held []uint32
		for {
			a := edudrv.BOCreate{Size: 32 << 20}
			if err := ioctl(p, edudrv.NrBOCreate, &a); err != nil {
				assert.ErrorIs(t, err, unix.ENOMEM)
				break
			}
			held = append(held, a.Handle)
		}
		assert.Len(t, held, 7, "256 MiB below the mask, less what the host keeps and the alignment of large buffers")
		must(p, abi.NrGemClose, &abi.GemClose{Handle: held[3]})
		must(p, edudrv.NrBOCreate, &edudrv.BOCreate{Size: 32 << 20})
	})
}
