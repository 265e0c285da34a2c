package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
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

// A job of the driver's own that hangs is not run again and again: one reset, and
// who asked for memory gets none. The next one works.
func TestHungScrubIsTriedOnce(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 16 * sim.MiB }))
	d.Run(func() {
		p := d.Open()
		for range 15 {
			p.NewBuffer(1<<20, abi.BODevice)
		}
		p.Close()
		other := d.Open()
		_, err := d.NPU.Inject(fault.Spec{Kind: "queue-stuck"})
		require.NoError(t, err)
		create := abi.BOCreate{Size: 1 << 20, Flags: abi.BODevice}
		assert.Error(t, fwtest.Ioctl(other, abi.NrBOCreate, &create))
		assert.Contains(t, recovery(t, d), "queue 1\n")
		q := other.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		assert.EqualValues(t, 1, other.Status(q).ResetCount)
		assert.NoError(t, fwtest.Ioctl(other, abi.NrBOCreate, &create))
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

// What an importer has written is not there when the exporter gets the memory
// again, however the importer reached it.
func TestImporterLeavesNothingToTheExporter(t *testing.T) {
	for name, informed := range map[string]bool{"with BO_INFO": true, "with an offset that the exporter told": false} {
		t.Run(name, func(t *testing.T) {
			d := fwtest.NewDevice(t)
			d.Run(func() {
				const n = 64 << 10
				a := d.Open()
				b := d.OpenIn(a.Memory)
				buf := a.NewBuffer(n, abi.BODevice)
				info := abi.BOInfo{Handle: buf.Handle}
				fwtest.Must(a, abi.NrBOInfo, &info)
				out := abi.PrimeHandle{Handle: buf.Handle, Flags: unix.O_RDWR}
				fwtest.Must(a, abi.NrPrimeHandleToFD, &out)
				in := abi.PrimeHandle{FD: out.FD}
				fwtest.Must(b, abi.NrPrimeFDToHandle, &in)
				require.NoError(t, a.Memory.CloseFD(out.FD))
				buf.Close()
				if informed {
					fwtest.Must(b, abi.NrBOInfo, &abi.BOInfo{Handle: in.Handle})
				}
				v, err := b.File.Mmap(info.MmapOffset, n)
				require.NoError(t, err)
				_, err = v.WriteAt([]byte("secret"), 100)
				require.NoError(t, err)
				v.Unmap()
				fwtest.Must(b, abi.NrGemClose, &abi.GemClose{Handle: in.Handle})
				d.Bus.Sleep(1e6)
				for range 3 {
					assert.NotEqual(t, "secret", string(a.NewBuffer(n, abi.BODevice).Read(100, 6)))
				}
			})
		})
	}
}
