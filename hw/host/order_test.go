package host_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// withCoherent runs fn with 256 bytes of coherent memory, strict or in chaos mode.
func withCoherent(t *testing.T, seed uint64, fn func(e *sim.Engine, b *host.Bus, c *card, d *hw.DMA)) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		if seed != 0 {
			h.Chaos(seed)
		}
		d, err := h.Bus().AllocDMA(256)
		require.NoError(t, err)
		fn(e, h.Bus(), c, d)
		h.Bus().FreeDMA(d)
	})
}

// What the CPU stores reaches the device in the order of the barriers alone; a
// register write, which comes first without one, orders nothing.
func TestStoresNeedABarrier(t *testing.T) {
	overtaken := 0
	for seed := range uint64(20) {
		withCoherent(t, seed, func(e *sim.Engine, b *host.Bus, c *card, d *hw.DMA) {
			p := make([]byte, 1)
			d.Bytes[0] = 1
			b.WriteBarrier()
			b.Write32(0, 0, 1)
			require.Equal(t, hw.OK, c.dma(e, hw.Read, d.Addr, p))
			require.EqualValues(t, 1, p[0])
			d.Bytes[0] = 2
			b.Write32(0, 0, 2)
			require.Equal(t, hw.OK, c.dma(e, hw.Read, d.Addr, p))
			if p[0] == 1 {
				overtaken++
				require.NotZero(t, seed, "without chaos mode memory is strict")
			}
			b.Sleep(10_000)
			require.Equal(t, hw.OK, c.dma(e, hw.Read, d.Addr, p))
			require.EqualValues(t, 2, p[0], "no store is late for ever")
		})
	}
	assert.NotZero(t, overtaken)
}

// A record that the device writes can show its end before its beginning, unless
// a read barrier or a read of a register stands between the loads.
func TestLoadsNeedABarrier(t *testing.T) {
	torn := 0
	for seed := range uint64(20) {
		withCoherent(t, seed, func(e *sim.Engine, b *host.Bus, c *card, d *hw.DMA) {
			for i, barrier := range []func(){b.ReadBarrier, func() { b.Read32(0, 0) }} {
				p := make([]byte, 32)
				for off := 0; off < len(p); off += 8 {
					binary.LittleEndian.PutUint64(p[off:], uint64(i+1))
				}
				require.Equal(t, hw.OK, c.dma(e, hw.Write, d.Addr, p))
				if d.Bytes[24] == byte(i+1) && d.Bytes[0] != byte(i+1) {
					torn++
					require.NotZero(t, seed, "without chaos mode memory is strict")
				}
				barrier()
				require.Equal(t, p, d.Bytes[:32])
			}
			require.Equal(t, hw.OK, c.dma(e, hw.Write, d.Addr, make([]byte, 32)))
			b.Sleep(10_000)
			require.Equal(t, make([]byte, 32), d.Bytes[:32], "no write is late for ever")
		})
	}
	assert.NotZero(t, torn)
}

// A handler sees what the device wrote before its message.
func TestInterruptsOrderLoads(t *testing.T) {
	for seed := range uint64(10) {
		withCoherent(t, seed+1, func(e *sim.Engine, b *host.Bus, c *card, d *hw.DMA) {
			_, err := b.AllocVectors(1, 1)
			require.NoError(t, err)
			seen := byte(0)
			require.NoError(t, b.RequestIRQ(0, "card", func() { seen = d.Bytes[0] }))
			require.Equal(t, hw.OK, c.dma(e, hw.Write, d.Addr, []byte{7, 1, 2, 3, 4, 5, 6, 7}))
			c.Raise(0)
			b.Sleep(50_000)
			assert.EqualValues(t, 7, seen)
			b.FreeIRQ(0)
			b.FreeVectors()
		})
	}
}
