package edudrv_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/edudrv"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/sim"
)

// The tests of the tutorial, docs/drivers.md, a step each.

func TestComputer(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		start := c.bus.Now()
		c.bus.Sleep(1e9)
		assert.EqualValues(t, 1e9, c.bus.Now()-start)
		assert.EqualValues(t, 0x11e81234, c.bus.ConfigRead(0, 4), "device and vendor")
	})
}

// probe binds the driver.
func (c *computer) probe() error {
	d, err := edudrv.Probe(c.class, c.bus, c.Logf)
	if err == nil {
		c.driver = d
	}
	return err
}

func TestProbe(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		assert.Equal(t, "/dev/accel/accel0", c.driver.Node())
		c.program() // can open the node
	})
}

func TestIdentify(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		var v edudrv.Identify
		must(p, edudrv.NrIdentify, &v)
		assert.Equal(t, edudrv.Identify{Major: 1, Minor: 0}, v)
	})
}

func TestLiveness(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		a := edudrv.Liveness{Value: 0x12345678}
		must(p, edudrv.NrLiveness, &a)
		assert.EqualValues(t, 0xedcba987, a.Answer)
	})
}

func TestInterrupt(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		c.bus.Write32(0, 0x60, 0x7ffff101) // INTERRUPT_RAISE
		c.bus.Sleep(1e6)
		assert.EqualValues(t, 1, c.card.Stats().Interrupts)
		assert.Zero(t, c.bus.Read32(0, 0x24), "all causes are acknowledged")
	})
}

func TestFactorial(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		a := edudrv.Factorial{N: 10, TimeoutNS: forever}
		must(p, edudrv.NrFactorial, &a)
		assert.EqualValues(t, 3628800, a.Result)
		assert.EqualValues(t, 1, c.card.Stats().Interrupts)

		late := edudrv.Factorial{N: 1_000_000, TimeoutNS: c.bus.Now() + 500_000} // takes 1 ms
		assert.ErrorIs(t, ioctl(p, edudrv.NrFactorial, &late), unix.ETIME)
		must(p, edudrv.NrFactorial, &a) // waits for the card first
		assert.EqualValues(t, 3628800, a.Result)
	})
}

// buffer makes a buffer and maps it.
func (p *program) buffer(size uint64) (handle uint32, bytes []byte) {
	p.Helper()
	a := edudrv.BOCreate{Size: size}
	must(p, edudrv.NrBOCreate, &a)
	area, err := p.file.Mmap(a.Offset, int64(a.Size))
	require.NoError(p, err)
	p.areas = append(p.areas, area)
	return a.Handle, area.Bytes()
}

func TestBuffer(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		_, b := p.buffer(5000)
		assert.Equal(t, make([]byte, 8192), b, "whole pages of zeros")
	})
}

func TestCopy(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		src, from := p.buffer(10_000)
		dst, to := p.buffer(10_000)
		for i := range from {
			from[i] = byte(i * i)
		}
		done := p.syncobj()
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, DstOffset: 3, SrcOffset: 17, Length: 9_000, OutSync: done})
		assert.NotEqual(t, from[17:9_017], to[3:9_003], "it is only queued")
		require.NoError(t, p.wait(done, forever))
		assert.True(t, bytes.Equal(from[17:9_017], to[3:9_003]))
		assert.EqualValues(t, 6, c.card.Stats().Transfers, "three pieces, in and out")
	})
}

// A card that loses a DMA command is reset: the copy ends with EIO, a factorial
// under way too, and everybody goes on.
func TestHangIsRecovered(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	lose := 3
	b.write = func(off uint64, _ uint32) bool {
		if off == 0x98 {
			lose--
			return lose != 0
		}
		return true
	}
	c.run(func() {
		require.NoError(t, c.probe())
		p, bystander := c.program(), c.program()
		src, from := p.buffer(20_000)
		dst, to := p.buffer(20_000)
		copy(from, "payload")
		bad, good := p.syncobj(), p.syncobj()
		out := abi.SyncobjHandle{Handle: bad, Flags: abi.SyncobjSyncFile}
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, Length: 20_000, OutSync: bad})
		must(p, abi.NrSyncobjHandleToFD, &out)
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: src, Length: 20_000, OutSync: good})
		lost := c.engine.Go("factorial", func(*sim.Proc) {
			a := edudrv.Factorial{N: math.MaxUint32, TimeoutNS: forever}
			assert.ErrorIs(t, ioctl(bystander, edudrv.NrFactorial, &a), unix.EIO)
		})
		require.NoError(t, p.wait(good, forever))
		assert.Equal(t, from, to)
		file, err := p.memory.Descriptor(out.FD)
		require.NoError(t, err)
		assert.Equal(t, -int(unix.EIO), file.(*fw.SyncFile).Status())
		require.NoError(t, p.memory.CloseFD(out.FD))
		lost.Join()
		a := edudrv.Factorial{N: 5, TimeoutNS: forever}
		must(bystander, edudrv.NrFactorial, &a)
		assert.EqualValues(t, 120, a.Result)
		assert.Contains(t, c.text(c.class.Sys, "class/devcoredump/devcd1/data"), "DMA_COMMAND")
	})
}

func TestRemove(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		b, _ := p.buffer(edu.BufferBytes)
		waiter := c.engine.Go("waiter", func(*sim.Proc) {
			a := edudrv.Factorial{N: math.MaxUint32, TimeoutNS: forever} // takes 4 s
			assert.ErrorIs(t, ioctl(p, edudrv.NrFactorial, &a), unix.ENODEV)
		})
		c.bus.Sleep(1e6)
		start := c.bus.Now()
		c.remove()
		waiter.Join()
		assert.Less(t, c.bus.Now()-start, int64(1e6), "nobody waits for the card")
		assert.ErrorIs(t, ioctl(p, edudrv.NrCopy, &edudrv.Copy{Dst: b, Src: b, Length: 1}), unix.ENODEV)
		_, err := c.class.Open(0, &fw.Arena{})
		assert.ErrorIs(t, err, unix.ENODEV)
		p.close() // still works

		require.NoError(t, c.probe(), "the card can be bound again")
		again := edudrv.Factorial{N: 4, TimeoutNS: forever}
		must(c.program(), edudrv.NrFactorial, &again)
		assert.EqualValues(t, 24, again.Result)
	})
}

func TestShow(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		p.buffer(8192)
		for name, want := range map[string]string{"vendor": "0x1234\n", "device": "0x11e8\n", "version": "1.0\n", "reset_count": "0\n"} {
			assert.Equal(t, want, c.text(c.class.Sys, "class/accel/accel0/device/"+name))
		}
		assert.Contains(t, c.text(c.class.Debug, "accel/0000:01:00.0/registers"), "0x00 IDENTIFICATION   0x10000ed\n")
		assert.Contains(t, p.file.FDInfo(), "drm-driver:\tedu\n")
		assert.Contains(t, p.file.FDInfo(), "drm-total-host:\t8192\n")
	})
}

func TestBind(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		r := fw.NewRegistry(c.class)
		require.NoError(t, r.RegisterDriver(edudrv.Entry(c.Logf)))
		f, err := r.AddDevice(c.bus)
		require.NoError(t, err)
		assert.Equal(t, "edu", f.Driver())
		c.program()
		require.NoError(t, c.class.Sys.Store("bus/pci/drivers/edu/unbind", []byte(f.Address())))
		assert.Empty(t, f.Driver())
	})
}
