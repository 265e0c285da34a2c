package npudrv_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// Unplug with jobs running, queued and waited for: the waits end, everything
// after is ENODEV, mappings give EIO, descriptors close, and a device that is
// plugged in again is a new one, while an old file is still open.
func TestUnplugAndReplug(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p, idle := d.Open(), d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		dev := idle.NewBuffer(4096, abi.BODevice)
		host := idle.NewBuffer(4096, abi.BOHost)
		dev.Write(0, pattern(4096, 1))
		host.Map()
		hung := p.Start(q, hang(p, 0))
		queued := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
		never := p.NewSyncobj()
		out := abi.SyncobjHandle{Handle: hung.Done, Flags: abi.SyncobjSyncFile}
		fwtest.Must(p, abi.NrSyncobjHandleToFD, &out)
		file, err := p.Memory.Descriptor(out.FD)
		require.NoError(t, err)
		ended := 0
		for _, so := range []uint32{hung.Done, queued.Done} {
			d.Go("waiter", func() {
				assert.NoError(t, p.Wait(so, fwtest.Forever))
				ended++
			})
		}
		forSubmit := d.Go("wait for submit", func() {
			a := abi.SyncobjWait{Handles: p.Array(never), Count: 1, TimeoutNS: 500e6, Flags: abi.SyncobjWaitForSubmit}
			assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrSyncobjWait, &a), unix.ENODEV, "nobody will submit anything")
		})
		d.Bus.Sleep(1e6)
		start := d.Engine.Now().Nanoseconds()
		old := d.Driver.Minor
		d.Remove()
		d.Bus.Sleep(1e6)
		assert.Equal(t, 2, ended, "fences are signalled")
		assert.Less(t, d.Engine.Now().Nanoseconds()-start, int64(200e6), "without waiting for the hung job's time-out")

		assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrQuery, &abi.Query{}), unix.ENODEV)
		assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrVersion, &abi.VersionInfo{}), unix.ENODEV)
		assert.Equal(t, -int(unix.ENODEV), file.(*fw.SyncFile).Status())
		require.NoError(t, p.Memory.CloseFD(out.FD))
		_, err = d.Class.Open(old, &fw.Arena{})
		assert.ErrorIs(t, err, unix.ENODEV)
		_, err = idle.File.Mmap(4<<30, 4096)
		assert.ErrorIs(t, err, unix.ENODEV)
		_, err = dev.Map().ReadAt(make([]byte, 8), 0)
		assert.ErrorIs(t, err, unix.EIO)
		_, err = host.Map().WriteAt(make([]byte, 8), 0)
		assert.ErrorIs(t, err, unix.EIO)
		assert.Nil(t, host.Map().Bytes())
		p.Close()

		require.NoError(t, d.Probe())
		assert.Equal(t, old, d.Driver.Minor, "the lowest free minor")
		fresh := d.Open()
		fq := fresh.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		b := fresh.NewBuffer(4096, abi.BODevice)
		assert.NoError(t, fresh.Finish(fq, fresh.Start(fq, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, 9, 4096)}, Buffers: []*fwtest.Buffer{b}})))
		idle.Close()
		assert.NoError(t, fresh.Finish(fq, fresh.Start(fq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})),
			"the new device's interrupts survive the old one's last file")
		forSubmit.Join()
	})
}

// A device that is pulled out of its slot reads all ones: everything ends.
func TestSurpriseRemoval(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		p.NewBuffer(4096, abi.BODevice)
		j := p.Start(q, hang(p, 0))
		waiter := d.Go("waiter", func() { assert.NoError(t, p.Wait(j.Done, fwtest.Forever)) })
		d.Bus.Sleep(1e6)
		d.Link.Down()
		drv := d.Driver
		d.Remove()
		p.Close() // takes effect when the waiter's ioctl has ended
		waiter.Join()
		assert.NoError(t, drv.Leaks())
	})
}

// The driver takes fewer interrupt vectors than it would like, down to one.
func TestFewerVectors(t *testing.T) {
	for _, vectors := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(vectors), func(t *testing.T) {
			d := fwtest.NewDevice(t, fwtest.Unbound())
			d.Bus.Vectors = vectors
			d.Run(func() {
				require.NoError(t, d.Probe())
				p := d.Open()
				for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
					for prio := range uint32(fw.NumPriorities) {
						q := p.NewQueue(engine, prio)
						start := d.Engine.Now()
						require.NoError(t, p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})))
						assert.Less(t, (d.Engine.Now() - start).Nanoseconds(), int64(1e6), "by interrupt, not by time-out")
					}
				}
			})
		})
	}
}

// failing is a bus on which the nth allocation fails.
type failing struct {
	*fwtest.Recorder
	left int
}

func (f *failing) AllocDMA(n int64) (*hw.DMA, error) {
	if f.left--; f.left < 0 {
		return nil, hw.ErrNoMemory
	}
	return f.Recorder.AllocDMA(n)
}

// A probe that fails at any step undoes what it did before: no minor, no
// interrupt, no memory, and the next probe succeeds.
func TestProbeFailsClean(t *testing.T) {
	reg := func(table, name string) uint64 {
		for i := range abi.Tables {
			if abi.Tables[i].Name == table {
				return abi.Offset(&abi.Tables[i], name)
			}
		}
		panic(table)
	}
	for _, c := range []struct {
		name string
		want unix.Errno
		off  uint64
		v    uint64
	}{
		{"wrong device behind the BAR", unix.ENODEV, reg("IDENT", "ID"), 0xffffffff},
		{"another interface version", unix.ENODEV, reg("IDENT", "ABI_VERSION"), 9},
		{"boot fails", unix.EIO, reg("MGMT", "BOOT_STATUS"), abi.BootFailed},
		{"boot hangs", unix.ETIME, reg("MGMT", "BOOT_STATUS"), abi.BootRunning},
		{"reset fails", unix.EIO, reg("IDENT", "RESET_STATUS"), abi.ResetFailed},
		{"reset hangs", unix.ETIME, reg("IDENT", "RESET_STATUS"), abi.ResetBusy},
		{"too few queues", unix.ENODEV, reg("IDENT", "CAP_QUEUES"), 1},
		{"no memory", unix.ENOSPC, reg("IDENT", "CAP_MEM_SIZE"), 4096},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := fwtest.NewDevice(t, fwtest.Unbound())
			d.Bus.OnRead = func(off, v uint64) uint64 {
				if off == c.off {
					return c.v
				}
				return v
			}
			d.Run(func() {
				require.ErrorIs(t, d.Probe(), c.want)
				require.NoError(t, d.Host.Leaks())
				_, err := d.Class.Open(0, &fw.Arena{})
				require.ErrorIs(t, err, unix.ENODEV)
				d.Bus.OnRead = nil
				require.NoError(t, d.Probe())
			})
		})
	}
	t.Run("allocations", func(t *testing.T) {
		d := fwtest.NewDevice(t, fwtest.Unbound())
		d.Run(func() {
			for n := range 10 { // the scrubber's commands, the fault ring and two a ring
				require.ErrorIs(t, d.ProbeOn(&failing{d.Bus, n}), unix.ENOMEM, "allocation %d", n)
				require.NoError(t, d.Host.Leaks(), "allocation %d", n)
			}
			require.NoError(t, d.ProbeOn(&failing{d.Bus, 10}))
		})
	})
}

// Contexts run out: the open that fails leaves nothing, and ids never repeat.
func TestContextsRunOut(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		var held []*fwtest.Program
		for range 1100 {
			f, err := d.Class.Open(d.Driver.Minor, &fw.Arena{})
			if err != nil {
				require.ErrorIs(t, err, unix.ENOSPC)
				break
			}
			held = append(held, &fwtest.Program{Device: d, File: f})
		}
		require.Greater(t, len(held), 1000)
		last := held[len(held)-1].File.ID
		held[0].Close()
		p := d.Open()
		assert.Greater(t, p.File.ID, last)
		for _, h := range held[1:] {
			h.Close()
		}
	})
}

// What mmap allows: the file's own buffers, as long as they are.
func TestMmap(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Machine("edge"))
	d.Run(func() {
		p, other := d.Open(), d.Open()
		b := p.NewBuffer(8192, abi.BODevice)
		info := abi.BOInfo{Handle: b.Handle}
		fwtest.Must(p, abi.NrBOInfo, &info)
		for _, c := range []struct {
			f      *fwtest.Program
			offset uint64
			length int64
			want   unix.Errno
		}{
			{p, info.MmapOffset + 4096, 4096, unix.EINVAL}, {p, 0, 4096, unix.EINVAL}, {p, info.MmapOffset, 8193, unix.EINVAL},
			{p, info.MmapOffset, 0, unix.EINVAL}, {p, info.MmapOffset, -1, unix.EINVAL}, {other, info.MmapOffset, 4096, unix.EACCES},
		} {
			_, err := c.f.File.Mmap(c.offset, c.length)
			assert.ErrorIs(t, err, c.want)
		}
		v, err := p.File.Mmap(info.MmapOffset, 4096)
		require.NoError(t, err)
		_, err = v.WriteAt([]byte{1}, 4096)
		assert.ErrorIs(t, err, unix.EFAULT, "beyond the mapping, within the buffer")
		_, err = v.ReadAt(make([]byte, 2), -1)
		assert.ErrorIs(t, err, unix.EFAULT)
		_, err = v.WriteAt(pattern(64, 8), 128)
		require.NoError(t, err)

		available := free(p)
		b.Close()
		assert.Equal(t, available, free(p), "the mapping keeps the buffer")
		got := make([]byte, 64)
		_, err = v.ReadAt(got, 128)
		require.NoError(t, err)
		assert.Equal(t, pattern(64, 8), got)
		_, err = p.File.Mmap(info.MmapOffset, 4096)
		assert.ErrorIs(t, err, unix.EACCES, "without a handle")
		v.Unmap()
		assert.Equal(t, available+8192, free(p))
		_, err = v.ReadAt(got, 0)
		assert.ErrorIs(t, err, unix.EFAULT)
		_, err = p.File.Mmap(info.MmapOffset, 4096)
		assert.ErrorIs(t, err, unix.EINVAL)
	})
}
