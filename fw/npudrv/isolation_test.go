package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// A context reaches nothing of another: not by the other's addresses, not by
// physical ones, whether it reads, writes, waits, signals or runs commands. Each
// attempt fails exactly its own job, with a record in the fault ring, and the
// victim's data stay as they were.
func TestContextsCannotReachEachOther(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		victim, thief := d.Open(), d.Open()
		const n = 8192
		var secret *fwtest.Buffer
		for range 100 { // an address beyond those that the thief maps
			secret = victim.NewBuffer(n, abi.BODevice)
		}
		host := victim.NewBuffer(n, abi.BOHost)
		secret.Write(0, pattern(n, 1))
		host.Write(0, pattern(n, 2))
		loot := thief.NewBuffer(n, abi.BODevice)
		for _, c := range []struct {
			name   string
			packet abi.Packet
		}{
			{"read", fwtest.Copy(loot.Addr, secret.Addr, 64)},
			{"write", fwtest.Copy(secret.Addr, loot.Addr, 64)},
			{"read of host memory", fwtest.Copy(loot.Addr, host.Addr, 64)},
			{"fill", fwtest.Fill(secret.Addr, 0xdead, 64)},
			{"read beyond its own buffer", fwtest.Copy(loot.Addr, loot.Addr+n-32, 64)},
			{"wait", fwtest.WaitFor(secret.Addr, 1)},
			{"signal", abi.Packet{Op: abi.OpSignal, Addr: secret.Addr, Value: 1}},
			{"timestamp", abi.Packet{Op: abi.OpTimestamp, Addr: secret.Addr}},
			{"commands", abi.Packet{Op: abi.OpIndirect, Addr: secret.Addr, Value: 16}},
			{"physical address of device memory", fwtest.Copy(loot.Addr, abi.DeviceBit, 64)},
			{"bus address", fwtest.Copy(loot.Addr, d.Bus.Mapped[0].Bus, 64)},
			{"address 0", fwtest.Copy(loot.Addr, 0, 8)},
		} {
			q := thief.NewQueue(abi.EngineCompute, fw.PriorityNormal)
			good := thief.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(loot.Addr, 7, 64)}, Buffers: []*fwtest.Buffer{loot}})
			bad := thief.Start(q, &fwtest.Job{Packets: []abi.Packet{c.packet}, Buffers: []*fwtest.Buffer{loot}})
			after := thief.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
			records := d.Driver.Faults()
			require.NoError(t, thief.Finish(q, good), c.name)
			require.ErrorIs(t, thief.Finish(q, bad), unix.EFAULT, c.name)
			require.NoError(t, thief.Wait(after.Done, fwtest.Forever))
			s := thief.Status(q)
			assert.EqualValues(t, 2, s.FailedSeqno, c.name)
			assert.EqualValues(t, 3, s.LastCompleted, "%s: the jobs behind it run", c.name)
			d.Bus.Sleep(100e3)
			assert.Greater(t, d.Driver.Faults(), records, "%s: a record in the fault ring", c.name)
		}
		assert.Equal(t, pattern(n, 1), secret.Read(0, n))
		assert.Equal(t, pattern(n, 2), host.Read(0, n))
		assert.Contains(t, d.Log()[1], "cause 13 (type 2) of context 2", "the record names the thief")
	})
}

// Permissions of a buffer hold on the device: what is read-only is not written,
// and commands come from command buffers alone.
func TestPermissions(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		for _, place := range []uint32{abi.BODevice, abi.BOHost} {
			ro, rw := p.NewBuffer(4096, place|abi.BOReadOnly), p.NewBuffer(4096, place)
			cmd := p.NewBuffer(4096, place|abi.BOCommand)
			rw.Write(0, pattern(4096, 4))
			ro.Write(0, pattern(4096, 5))
			try := func(k abi.Packet) error {
				q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
				return p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{k}, Buffers: []*fwtest.Buffer{ro, rw, cmd}}))
			}
			assert.ErrorIs(t, try(fwtest.Copy(ro.Addr, rw.Addr, 8)), unix.EFAULT)
			assert.ErrorIs(t, try(fwtest.Copy(cmd.Addr, rw.Addr, 8)), unix.EFAULT)
			assert.ErrorIs(t, try(abi.Packet{Op: abi.OpSignal, Addr: ro.Addr, Value: 1}), unix.EFAULT)
			assert.NoError(t, try(fwtest.Copy(rw.Addr, ro.Addr, 4096)))
			assert.Equal(t, pattern(4096, 5), rw.Read(0, 4096))
			assert.Equal(t, pattern(4096, 5), ro.Read(0, 4096))
		}
	})
}

// A DMA outside what the host's IOMMU maps is refused there: one record in its
// fault queue, an error on exactly that job.
func TestDMAOutsideTheIOMMUsMapping(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		const n = 4096
		host, dev := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice)
		pages := d.Bus.Mapped[len(d.Bus.Mapped)-1]
		host.Write(0, pattern(n, 6))
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		cmd := p.NewBuffer(n, abi.BOHost|abi.BOCommand) // none is made while the bus address is free
		job := func() *fwtest.Job {
			return p.Start(q, &fwtest.Job{Commands: cmd, Packets: []abi.Packet{fwtest.Copy(dev.Addr, host.Addr, n)}, Buffers: []*fwtest.Buffer{host, dev}})
		}
		require.NoError(t, p.Finish(q, job()))
		assert.Empty(t, d.Host.Faults())

		iova := pages.Bus
		d.Host.UnmapDMA(pages) // behind the driver's back
		assert.ErrorIs(t, p.Finish(q, job()), unix.EIO)
		faults := d.Host.Faults()
		require.NotEmpty(t, faults)
		for _, f := range faults {
			assert.False(t, f.Write)
			assert.GreaterOrEqual(t, f.IOVA, iova)
			assert.Less(t, f.IOVA, iova+n)
			assert.EqualValues(t, 13, f.Cause, "load page fault")
		}

		at, err := d.Host.MapDMA(pages, hw.Bidirectional)
		require.NoError(t, err)
		require.Equal(t, iova, at)
		again := job()
		require.NoError(t, p.Wait(again.Done, fwtest.Forever))
		s := p.Status(q)
		assert.EqualValues(t, 2, s.FailedSeqno)
		assert.EqualValues(t, 3, s.LastCompleted)
		assert.Empty(t, d.Host.Faults(), "the job behind it reaches the page again")
		assert.Equal(t, pattern(n, 6), dev.Read(0, n))
	})
}

// What a program writes into its command buffer is answered by errors of its job.
func TestBadCommands(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		data := p.NewBuffer(4096, abi.BODevice)
		raw := func(change func(b []byte)) []byte {
			b := make([]byte, 80)
			k := fwtest.Copy(data.Addr, data.Addr, 8)
			k.Encode(b)
			change(b)
			return b
		}
		for name, c := range map[string][]byte{
			"undefined opcode":    raw(func(b []byte) { b[0] = 0x7f }),
			"undefined flag":      raw(func(b []byte) { b[1] = 0x80 }),
			"wrong length":        raw(func(b []byte) { b[2] = 9 }),
			"length 0":            raw(func(b []byte) { b[2] = 0 }),
			"reserved field":      raw(func(b []byte) { b[79] = 1 }),
			"no rows":             raw(func(b []byte) { clear(b[32:36]) }),
			"cut off by the end":  raw(func([]byte) {})[:64],
			"descriptor of zeros": descriptorOfZeros(data.Addr),
		} {
			q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
			cmd := p.NewBuffer(4096, abi.BOHost|abi.BOCommand)
			cmd.Write(0, c)
			so := p.NewSyncobj()
			a := abi.Submit{Queue: q, CommandBO: cmd.Handle, Length: uint64(len(c)), NumBOs: 1, BOs: p.Array(data.Handle),
				OutSyncs: p.Array(so, 0, 0, 0), NumOutSync: 1}
			fwtest.Must(p, abi.NrSubmit, &a)
			assert.ErrorIs(t, p.Finish(q, &fwtest.Job{Done: so, Seqno: 1}), unix.EINVAL, name)
			ok := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}})
			require.NoError(t, p.Wait(ok.Done, fwtest.Forever))
			assert.EqualValues(t, 2, p.Status(q).LastCompleted, "%s: the queue goes on", name)
		}
		// A kernel on a copy queue is no packet of it.
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		j := p.Start(q, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpKernel, Addr: data.Addr, Value: abi.KernelSize}}, Buffers: []*fwtest.Buffer{data}})
		assert.ErrorIs(t, p.Finish(q, j), unix.EINVAL)
	})
}

// descriptorOfZeros runs a kernel whose descriptor is all zeros: no kind.
func descriptorOfZeros(data uint64) []byte {
	fill, run := fwtest.Fill(data, 0, 4096), abi.Packet{Op: abi.OpKernel, Flags: abi.FlagBarrier, Addr: data, Value: abi.KernelSize}
	b := make([]byte, fill.Size()+run.Size())
	fill.Encode(b)
	run.Encode(b[fill.Size():])
	return b
}
