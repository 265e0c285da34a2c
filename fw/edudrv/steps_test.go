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
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/sim"
)

// The tests of the tutorial, docs/drivers.md, a step each.

const forever = math.MaxInt64

func TestProbe(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		assert.Equal(t, "/dev/accel/accel0", c.driver.Node())
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
