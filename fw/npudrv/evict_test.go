package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// When device memory is full, what was used longest ago moves to host memory: at
// the same addresses, in every context that knows it, with its data, for device
// and CPU alike. What a job uses stays.
func TestEviction(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 16 * sim.MiB }))
	d.Run(func() {
		const piece = 1 << 20
		p := d.Open()
		other := d.OpenIn(p.Memory)
		var held []*fwtest.Buffer
		for i := range 15 {
			b := p.NewBuffer(piece, abi.BODevice)
			b.Write(0, pattern(64, i))
			b.Write(piece-64, pattern(64, i+100))
			held = append(held, b)
		}
		out := abi.PrimeHandle{Handle: held[1].Handle}
		fwtest.Must(p, abi.NrPrimeHandleToFD, &out)
		in := abi.PrimeHandle{FD: out.FD}
		fwtest.Must(other, abi.NrPrimeFDToHandle, &in)
		require.NoError(t, p.Memory.CloseFD(out.FD))
		shared := abi.BOInfo{Handle: in.Handle}
		fwtest.Must(other, abi.NrBOInfo, &shared)

		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		pinned := hang(p, 0)
		pinned.Buffers = append(pinned.Buffers, held[0])
		p.Start(q, pinned)

		before := d.Host.FreeMemory()
		big := other.NewBuffer(2*piece, abi.BODevice)
		assert.Less(t, d.Host.FreeMemory(), before)
		resident := func(p *fwtest.Program, handle uint32) (uint32, uint64) {
			info := abi.BOInfo{Handle: handle}
			fwtest.Must(p, abi.NrBOInfo, &info)
			return info.Resident, info.DeviceAddr
		}
		evicted := 0
		for i, b := range held {
			r, at := resident(p, b.Handle)
			assert.Equal(t, b.Addr, at, "the address stays")
			if r == 0 {
				evicted++
			}
			assert.Equal(t, pattern(64, i), b.Read(0, 64), "buffer %d", i)
			assert.Equal(t, pattern(64, i+100), b.Read(piece-64, 64))
		}
		assert.GreaterOrEqual(t, evicted, 2)
		r, _ := resident(p, held[0].Handle)
		assert.EqualValues(t, 1, r, "a job uses it")
		r, _ = resident(p, held[1].Handle)
		assert.Zero(t, r, "the one that was used longest ago")
		r, at := resident(other, in.Handle)
		assert.Zero(t, r)
		assert.Equal(t, shared.DeviceAddr, at)

		oq := other.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		b := &fwtest.Buffer{Handle: in.Handle, Addr: at, Size: piece}
		j := other.Start(oq, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(big.Addr, at, piece)}, Buffers: []*fwtest.Buffer{b, big}})
		require.NoError(t, other.Finish(oq, j))
		assert.Equal(t, pattern(64, 1), big.Read(0, 64), "the device reads it where it is now")
		held[1].Write(8, []byte{1, 2, 3})
		assert.Equal(t, []byte{1, 2, 3}, held[1].Read(8, 3))
		assert.ErrorIs(t, (&fixture{Program: other}).create(16<<20, abi.BODevice), unix.ENOSPC, "more than the device has evicts nothing")
	})
}

// While a buffer is moved its reservation has the move, for whoever comes to use
// it.
func TestEvictionIsInTheReservation(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 16 * sim.MiB }))
	d.Run(func() {
		p := d.Open()
		b := p.NewBuffer(14<<20, abi.BODevice)
		o, err := p.File.Object(b.Handle)
		require.NoError(t, err)
		defer o.Put()
		moving := 0
		watch := d.Go("watch", func() {
			for o.Reservation().Idle(fw.UsageKernel) && moving == 0 {
				d.Bus.Sleep(1e3)
			}
			moving++
			require.NoError(t, o.Reservation().Wait(fw.UsageKernel, fwtest.Forever))
		})
		p.NewBuffer(8<<20, abi.BODevice)
		assert.Equal(t, 1, moving)
		watch.Join()
		assert.True(t, o.Reservation().Idle(fw.UsageBookkeep))
	})
}

// When jobs use all that is in device memory, a new buffer waits for the end of one;
// a signal ends the wait, and so does the device when it goes.
func TestRoomIsAwaited(t *testing.T) {
	const (
		piece = 7 << 20
		later = 20e6 // ns
	)
	small := fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 16 * sim.MiB })
	for _, c := range []struct {
		name string
		then func(d *fwtest.Device, flag *fwtest.Buffer, thread hw.Thread)
		want error
	}{
		{"a job ends", func(_ *fwtest.Device, flag *fwtest.Buffer, _ hw.Thread) { flag.Write(0, []byte{1}) }, nil},
		{"a job hangs", func(*fwtest.Device, *fwtest.Buffer, hw.Thread) {}, nil},
		{"signal", func(d *fwtest.Device, _ *fwtest.Buffer, thread hw.Thread) { d.Class.Signal(thread) }, unix.EINTR},
		{"unplug", func(d *fwtest.Device, _ *fwtest.Buffer, _ hw.Thread) { d.Remove() }, unix.ENODEV},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := fwtest.NewDevice(t, small)
			d.Run(func() {
				p, other := d.Open(), d.Open()
				first, second := p.NewBuffer(piece, abi.BODevice), p.NewBuffer(piece, abi.BODevice)
				first.Write(0, pattern(64, 1))
				q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
				j := hang(p, 100e6)
				flag := j.Buffers[0]
				j.Buffers = append(j.Buffers, first, second)
				p.Start(q, j)
				x := &fixture{Program: other}
				thread, began, ended := d.Bus.Self(), d.Bus.Now(), false
				d.Go("later", func() {
					d.Bus.Sleep(later)
					assert.False(t, ended)
					c.then(d, flag, thread)
				})
				err := x.create(piece, abi.BODevice)
				ended = true
				assert.GreaterOrEqual(t, d.Bus.Now()-began, int64(later))
				if c.want != nil {
					assert.ErrorIs(t, err, c.want)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, pattern(64, 1), first.Read(0, 64))
				info := abi.BOInfo{Handle: first.Handle}
				fwtest.Must(p, abi.NrBOInfo, &info)
				assert.Zero(t, info.Resident, "it has made room")
			})
		})
	}
}

// A buffer that lies beyond what the CPU sees of device memory moves to host memory
// when a program maps it, with its data and its address, and behind the jobs that use
// it.
func TestMappingBeyondTheWindow(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Config(func(c *configs.Config) {
		c.DRAM.Device, c.DRAM.Channels, c.DRAM.Size = "DDR4_2400U", 1, 1*sim.GiB
	}))
	d.Run(func() {
		p := d.Open()
		const n = 1 << 20
		p.NewBuffer(300<<20, abi.BODevice) // BAR2 has 256 MiB
		far := abi.BOCreate{Size: n, Flags: abi.BODevice}
		fwtest.Must(p, abi.NrBOCreate, &far)
		src := p.NewBuffer(n, abi.BOHost)
		src.Write(0, pattern(n, 5))
		b := &fwtest.Buffer{Handle: far.Handle, Addr: far.DeviceAddr, Size: n}
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(far.DeviceAddr, src.Addr, n)}, Buffers: []*fwtest.Buffer{src, b}})
		info := abi.BOInfo{Handle: far.Handle}
		fwtest.Must(p, abi.NrBOInfo, &info)
		assert.EqualValues(t, 1, info.Resident)
		view, err := p.File.Mmap(info.MmapOffset, n)
		require.NoError(t, err)
		assert.NoError(t, p.Wait(j.Done, 0), "the job has ended")
		got := make([]byte, n)
		_, err = view.ReadAt(got, 0)
		require.NoError(t, err)
		assert.Equal(t, pattern(n, 5), got)
		fwtest.Must(p, abi.NrBOInfo, &info)
		assert.Zero(t, info.Resident)
		assert.Equal(t, far.DeviceAddr, info.DeviceAddr)
		view.Unmap()
	})
}

// A mapping waits while somebody resets the function, and is not told all ones.
func TestMappingDuringAReset(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		b := p.NewBuffer(4096, abi.BODevice)
		b.Write(0, pattern(64, 1))
		reset := d.Go("reset", func() { assert.NoError(t, d.Host.Bus().ResetDevice()) })
		d.Bus.Sleep(10e3)
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		assert.Zero(t, p.Status(q).ResetCount)
		assert.NotEqual(t, []byte{0xff, 0xff, 0xff, 0xff}, b.Read(0, 4))
		assert.EqualValues(t, 1, p.Status(q).ResetCount, "it is over")
		reset.Join()
	})
}
