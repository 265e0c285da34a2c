package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Device memory that a program gives back is zero when another gets it, in pieces
// or joined.
func TestMemoryIsClearedBetweenPrograms(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 16 * sim.MiB }))
	d.Run(func() {
		const piece = 1 << 20
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		for range 15 {
			b := p.NewBuffer(piece, abi.BODevice)
			j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, 0x5ec2e75ec2e7, piece)}, Buffers: []*fwtest.Buffer{b}})
			require.NoError(t, p.Finish(q, j))
		}
		require.Zero(t, free(p))
		p.Close()

		other := d.Open()
		big := other.NewBuffer(14*piece, abi.BODevice)
		oq := other.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		host := other.NewBuffer(14*piece, abi.BOHost)
		require.NoError(t, other.Finish(oq, other.Start(oq, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(host.Addr, big.Addr, 14*piece)},
			Buffers: []*fwtest.Buffer{big, host}})))
		left := 0
		for _, v := range host.Map().Bytes() {
			if v != 0 {
				left++
			}
		}
		assert.Zero(t, left, "bytes that the first program left behind")
	})
}

// Memory that was never used costs nothing to get.
func TestFreshMemoryIsNotCleared(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		before := p.Telemetry().MemWriteByte
		for range 10 {
			p.NewBuffer(1<<20, abi.BODevice).Close()
		}
		assert.Less(t, p.Telemetry().MemWriteByte-before, uint64(1<<20), "page tables alone")
	})
}
