package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// fill writes a pattern to the last bytes of a buffer, or to any address, by a
// job, and returns the job's error.
func fill(p *fwtest.Program, q uint32, at, v uint64, cmd *fwtest.Buffer) error {
	j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(at, v, 8)}, Commands: cmd})
	require.NoError(p.T, p.Wait(j.Done, fwtest.Forever))
	s := p.Status(q)
	fwtest.Must(p, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: j.Done})
	if s.FailedSeqno == j.Seqno {
		return unix.Errno(-s.Error)
	}
	return nil
}

// Buffers of every size come and go, so that large pages take the place of tables
// and tables that of large pages. At each step the device reaches every buffer
// that is there, at both of its ends, and nothing of those that are gone.
func TestAddressSpaceProperty(t *testing.T) {
	d := fwtest.NewDevice(t)
	rapid.Check(t, func(r *rapid.T) {
		d.Run(func() {
			p := d.Open()
			cmd := p.NewBuffer(4096, abi.BOHost|abi.BOCommand)
			var live []*fwtest.Buffer
			var gone []uint64
			for range rapid.IntRange(1, 10).Draw(r, "steps") {
				if len(live) > 0 && rapid.IntRange(0, 2).Draw(r, "close") == 0 {
					i := rapid.IntRange(0, len(live)-1).Draw(r, "which")
					gone = append(gone, live[i].Addr, live[i].Addr+live[i].Size-8)
					live[i].Map().Unmap()
					live[i].Close()
					live = append(live[:i], live[i+1:]...)
				} else {
					place := rapid.SampledFrom([]uint32{abi.BODevice, abi.BOHost}).Draw(r, "place")
					size := rapid.SampledFrom([]uint64{4096, 60 << 10, 64 << 10, 68 << 10, 1 << 20, 2 << 20, 4<<20 + 4096}).Draw(r, "size")
					live = append(live, p.NewBuffer(size, place))
				}
				for i, b := range live {
					q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
					v := uint64(i)<<32 | b.Addr
					require.NoError(r, fill(p, q, b.Addr, v, cmd))
					require.NoError(r, fill(p, q, b.Addr+b.Size-8, ^v, cmd))
					fwtest.Must(p, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
				}
				for i, b := range live { // read after all are written: none overlaps another
					v := uint64(i)<<32 | b.Addr
					require.Equal(r, v, le.Uint64(b.Read(0, 8)))
					require.Equal(r, ^v, le.Uint64(b.Read(int64(b.Size)-8, 8)))
				}
				for _, at := range gone {
					within := false
					for _, b := range live {
						within = within || at >= b.Addr && at < b.Addr+b.Size
					}
					if !within {
						q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
						require.ErrorIs(r, fill(p, q, at, 1, cmd), unix.EFAULT)
						fwtest.Must(p, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
					}
				}
			}
			for _, b := range live {
				b.Map().Unmap()
			}
			cmd.Map().Unmap()
			p.Close()
			require.NoError(r, d.Driver.Leaks())
		})
	})
}

// A large page takes the place of a table, and goes again: neither the table nor
// the page is reached afterwards.
func TestLargePageReplacesTable(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		cmd := p.NewBuffer(4096, abi.BOHost|abi.BOCommand)
		const huge = 2 << 20
		odd := p.NewBuffer(2*huge+4096, abi.BODevice) // two large pages and a table
		end := odd.Addr + 2*huge
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		require.NoError(t, fill(p, q, end, 1, cmd))
		odd.Close()
		var large []*fwtest.Buffer
		for range 3 {
			large = append(large, p.NewBuffer(huge, abi.BODevice))
		}
		require.Equal(t, end, large[2].Addr, "in the table's place")
		require.NoError(t, fill(p, q, end+huge-8, 42, cmd))
		assert.EqualValues(t, 42, le.Uint64(large[2].Read(huge-8, 8)))
		large[2].Close()
		assert.ErrorIs(t, fill(p, q, end+huge-8, 43, cmd), unix.EFAULT)
	})
}

// Host memory runs out when BO_CREATE has the pages of a buffer but needs a page
// table of the IOMMU's: ENOMEM, nothing is left over, and the next one succeeds.
func TestNoMemoryForHostPageTables(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		var held []*hw.Pages
		for {
			pages, err := p.Host.AllocPages(4096)
			if err != nil {
				break
			}
			held = append(held, pages)
		}
		give := func() {
			p.Host.FreePages(held[0])
			held = held[1:]
		}
		refused := 0
		for range 600 { // a table reaches 512 pages
			give()
			a := abi.BOCreate{Size: 4096, Flags: abi.BOHost}
			if err := fwtest.Ioctl(p, abi.NrBOCreate, &a); err != nil {
				require.ErrorIs(t, err, unix.ENOMEM)
				assert.EqualValues(t, 4096, p.Host.FreeMemory(), "the buffer's page is back")
				refused++
				give()
				fwtest.Must(p, abi.NrBOCreate, &a)
			}
		}
		assert.NotZero(t, refused)
		for _, pages := range held {
			p.Host.FreePages(pages)
		}
	})
}

// Two threads of a program make the same buffers known at once: one mapping each.
func TestConcurrentCalls(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		const threads, rounds = 8, 10
		left := threads
		done := p.NewSyncobj()
		for i := range threads {
			p.Go("thread", func() {
				q := p.NewQueue(uint32(i%2), uint32(i%4))
				for k := range rounds {
					b := p.NewBuffer(uint64(1+i*k)*4096, abi.BODevice)
					j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, uint64(i), b.Size)}, Buffers: []*fwtest.Buffer{b, b}})
					b.Close()
					assert.NoError(t, p.Finish(q, j))
				}
				fwtest.Must(p, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
				if left--; left == 0 {
					fwtest.Must(p, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: p.Array(done), Count: 1})
				}
			})
		}
		a := abi.SyncobjWait{Handles: p.Array(done), Count: 1, TimeoutNS: fwtest.Forever, Flags: abi.SyncobjWaitForSubmit}
		fwtest.Must(p, abi.NrSyncobjWait, &a)
		assert.EqualValues(t, threads*rounds, p.Telemetry().JobsCompleted)
	})
}
