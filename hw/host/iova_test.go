package host_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// Every mapping ends below the mask; the widest masks get addresses above 4 GiB.
func TestDMAMask(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		b := h.Bus()
		for _, bits := range []int{-1, 0, 12, 20} {
			assert.ErrorIs(t, b.SetDMAMask(bits), hw.ErrMask, "%d bits", bits)
		}
		for _, bits := range []int{21, 24, 28, 31, 32, 33, 37, 38, 52, 63, 64} {
			require.NoError(t, b.SetDMAMask(bits))
			d, err := b.AllocDMA(3 * 4096)
			require.NoError(t, err, "%d bits", bits)
			last := d.Addr + 3*4096 - 1
			assert.Zero(t, last>>min(bits, 38), "%d bits: %#x", bits, last)
			assert.Equal(t, bits > 32, d.Addr >= 4<<30, "%d bits: %#x", bits, d.Addr)
			d.Bytes[5] = 7
			p := make([]byte, 8)
			assert.Equal(t, hw.OK, c.dma(e, hw.Read, d.Addr, p))
			assert.EqualValues(t, 7, p[5])
			b.FreeDMA(d)
		}
	})
}

// A mapping that does not fit below the mask fails, with nothing taken, and fits
// after another has gone.
func TestBusAddressesRunOut(t *testing.T) {
	withHost(t, func(_ *sim.Engine, h *host.Host, _ *card) {
		b := h.Bus()
		require.NoError(t, b.SetDMAMask(24))
		p, err := b.AllocPages(10 << 20)
		require.NoError(t, err)
		q, err := b.AllocPages(10 << 20)
		require.NoError(t, err)
		_, err = b.MapDMA(p, hw.DeviceReads)
		require.NoError(t, err)
		_, err = b.MapDMA(q, hw.DeviceReads)
		assert.ErrorIs(t, err, hw.ErrNoMemory)
		assert.Zero(t, q.Bus)
		b.UnmapDMA(p)
		at, err := b.MapDMA(q, hw.DeviceReads)
		require.NoError(t, err)
		assert.LessOrEqual(t, at+10<<20, uint64(1<<24))

		require.NoError(t, b.SetDMAMask(64))
		_, err = b.MapDMA(p, hw.DeviceReads)
		require.NoError(t, err, "a mapping goes back where it came from")
		b.UnmapDMA(q)
		b.UnmapDMA(p)
		b.FreePages(p)
		b.FreePages(q)
	})
}
