package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// The driver takes the vectors that it can get, down to one, and none is a
// failure of probe.
func s24Vectors(c *Case) {
	for _, vectors := range []int{1, 2, 3, 4} {
		c.Dev.Remove()
		c.Dev.Bus.Vectors = vectors
		require.NoError(c, c.Dev.Probe(), "%d vectors", vectors)
		u := c.open()
		for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
			for priority := range uint32(fw.NumPriorities) {
				q := u.NewQueue(engine, priority)
				start := c.Now()
				require.NoError(c, u.Finish(q, u.Start(q, nop())))
				assert.Less(c, c.Now()-start, int64(1e6), "by interrupt, not by time-out")
			}
		}
		u.close()
	}
}

// Rings that share a vector: a message tells of one of them, and the others are
// looked at while their completions come.
func s24Shared(c *Case) {
	c.Unbind()
	f, err := c.Inject(fault.Spec{Kind: "fewer-vectors", Value: 2})
	require.NoError(c, err)
	require.NoError(c, c.Bind())
	require.Positive(c, f.Struck(), "the function has as many vectors as ever")
	u := c.open()
	var jobs []*Job
	for range 60 {
		for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
			for _, priority := range []uint32{fw.PriorityNormal, fw.PriorityHigh} {
				if len(jobs) < 4 {
					u.NewQueue(engine, priority)
				}
				jobs = append(jobs, u.Start(uint32(len(jobs)%4)+1, nop()))
			}
		}
	}
	for _, j := range jobs {
		require.Zero(c, c.ended(u, j, 1e9))
	}
	u.close()
	f.Disarm()
	c.Unbind()
	require.NoError(c, c.Bind())
}

// maskless is a bus that cannot meet any DMA mask.
type maskless struct{ hw.Bus }

func (maskless) SetDMAMask(int) error { return hw.ErrMask }

func s24Mask(c *Case) {
	c.Dev.Remove()
	assert.Error(c, c.Dev.ProbeOn(maskless{c.Dev.Bus}), "the driver asks for its mask, and heeds the answer")
	require.NoError(c, c.Dev.Host.Leaks())
	assert.Zero(c, c.Dev.Bus.ConfigRead(pciCommand, 2)&masterBit)
	require.NoError(c, c.Dev.Probe())
	c.healthy()
}

const (
	pciCommand = 0x04
	masterBit  = 1 << 2
)

// noMaster holds, in-process, that a device that is given up can do no DMA.
func (c *Case) noMaster() {
	c.Helper()
	if c.Dev != nil {
		assert.Zero(c, c.Dev.Bus.ConfigRead(pciCommand, 2)&masterBit, "the device can do DMA")
	}
}

func s24Quiet(c *Case) {
	d := c.Dev
	assert.NotZero(c, d.Bus.ConfigRead(pciCommand, 2)&masterBit, "bus master while bound")
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	w := u.copying(1<<20, 1)
	u.Start(q, w.Job)
	c.Sleep(20e3)
	c.Unbind()
	assert.Zero(c, d.Bus.ConfigRead(pciCommand, 2)&masterBit)
	rx, tx := d.Link.Idle(), d.NPU.Idle()
	assert.NoError(c, rx)
	assert.NoError(c, tx)
	handled := 0
	n, err := d.Bus.AllocVectors(1, 1)
	require.NoError(c, err)
	for v := range n {
		require.NoError(c, d.Bus.RequestIRQ(v, "spy", func() { handled++ }))
	}
	c.Sleep(50e6)
	assert.Zero(c, handled, "interrupts after remove")
	for v := range n {
		d.Bus.FreeIRQ(v)
	}
	d.Bus.FreeVectors()
	assert.Empty(c, d.Host.Faults(), "DMA after remove")
	u.close()
}
