package npudrv_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
)

var le = binary.LittleEndian

// run runs a test's program on a computer of its own and closes it.
func run(t *testing.T, fn func(p *fwtest.Program), opts ...fwtest.Option) *fwtest.Device {
	d := fwtest.NewDevice(t, opts...)
	d.Run(func() {
		p := d.Open()
		fn(p)
		p.Close()
	})
	return d
}

func pattern(n, seed int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + seed)
	}
	return p
}

func TestJobCopiesThroughDeviceMemory(t *testing.T) {
	for _, n := range []int{1, 8, 4095, 4096, 4097, 70_000, 2<<20 + 5} {
		run(t, func(p *fwtest.Program) {
			src, dst := p.NewBuffer(uint64(n), abi.BOHost), p.NewBuffer(uint64(n), abi.BOHost)
			dev := p.NewBuffer(uint64(n), abi.BODevice)
			src.Write(0, pattern(n, n))
			second := fwtest.Copy(dst.Addr, dev.Addr, uint64(n))
			second.Flags = abi.FlagBarrier
			q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
			j := p.Start(q, &fwtest.Job{Buffers: []*fwtest.Buffer{src, dst, dev},
				Packets: []abi.Packet{fwtest.Copy(dev.Addr, src.Addr, uint64(n)), second}})
			require.NoError(t, p.Finish(q, j))
			assert.Equal(t, pattern(n, n), dst.Read(0, n))
			assert.Equal(t, pattern(n, n), dev.Read(0, n), "through BAR2")
		})
	}
}

func TestSequenceNumbersAndStatus(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		var last *fwtest.Job
		for i := range uint64(40) { // beyond the ring of 16
			last = p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
			assert.Equal(t, i+1, last.Seqno)
		}
		require.NoError(t, p.Finish(q, last))
		s := p.Status(q)
		assert.Equal(t, abi.QueueStatus{Queue: q, LastSubmitted: 40, LastCompleted: 40}, s)
		assert.EqualValues(t, 40, p.Telemetry().JobsCompleted)
	})
}
