package npudrv_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
)

// A buffer that one file exports and another imports is one memory in two address
// spaces; it lives until the last of both and of the descriptor.
func TestSharedBuffer(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		other := d.OpenIn(p.Memory)
		for range 3 {
			other.NewBuffer(4096, abi.BODevice)
		}
		const n = 128 << 10
		b := p.NewBuffer(n, abi.BODevice)
		out := abi.PrimeHandle{Handle: b.Handle}
		fwtest.Must(p, abi.NrPrimeHandleToFD, &out)
		in := abi.PrimeHandle{FD: out.FD}
		fwtest.Must(other, abi.NrPrimeFDToHandle, &in)
		info := abi.BOInfo{Handle: in.Handle}
		fwtest.Must(other, abi.NrBOInfo, &info)
		assert.NotEqual(t, b.Addr, info.DeviceAddr, "each file has its own address space")
		pq, oq := p.NewQueue(abi.EngineCopy, fw.PriorityNormal), other.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		require.NoError(t, p.Finish(pq, p.Start(pq, &fwtest.Job{Packets: []abi.Packet{fwtest.Fill(b.Addr, 0xabcdef, n)}, Buffers: []*fwtest.Buffer{b}})))
		p.Close()
		require.NoError(t, p.Memory.CloseFD(out.FD))
		shared := &fwtest.Buffer{Handle: in.Handle, Addr: info.DeviceAddr, Size: n}
		host := other.NewBuffer(n, abi.BOHost)
		require.NoError(t, other.Finish(oq, other.Start(oq, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(host.Addr, shared.Addr, n)},
			Buffers: []*fwtest.Buffer{shared, host}})))
		for _, off := range []int64{0, n - 8} {
			assert.EqualValues(t, 0xabcdef, le.Uint64(host.Read(off, 8)))
		}
	})
}

// Work of one file waits for work of another through a shared syncobj.
func TestSharedTimeline(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		other := d.OpenIn(p.Memory)
		so := p.NewSyncobj()
		out := abi.SyncobjHandle{Handle: so}
		fwtest.Must(p, abi.NrSyncobjHandleToFD, &out)
		in := abi.SyncobjHandle{FD: out.FD}
		fwtest.Must(other, abi.NrSyncobjFDToHandle, &in)
		gate := p.NewSyncobj()
		hold := p.NewSyncobj()
		pq, oq := p.NewQueue(abi.EngineCompute, fw.PriorityNormal), other.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		slot := p.NewBuffer(4096, abi.BOHost)
		slot.Write(0, make([]byte, 8))
		first := p.Start(pq, &fwtest.Job{Packets: []abi.Packet{fwtest.WaitFor(slot.Addr, 1)}, Buffers: []*fwtest.Buffer{slot},
			Out: []abi.Sync{{Syncobj: so, Point: 10}, {Syncobj: gate}, {Syncobj: hold, Point: 1}}})
		second := other.Start(oq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}, In: []abi.Sync{{Syncobj: in.Handle, Point: 7}},
			Out: []abi.Sync{{Syncobj: in.Handle, Point: 20}}})
		third := p.Start(pq, &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}, In: []abi.Sync{{Syncobj: so, Point: 20}, {Syncobj: gate}}})
		d.Bus.Sleep(1e6)
		assert.Zero(t, other.Status(oq).LastCompleted)
		one := make([]byte, 8)
		one[0] = 1
		slot.Write(0, one)
		for ring := range uint64(4) { // whichever ring it runs on looks again
			d.Bus.Write32(abi.BARRegisters, abi.Offset(&abi.Doorbell, "FENCE_KICK")+ring*abi.DoorbellStride, 1)
		}
		require.NoError(t, p.Finish(pq, third))
		require.NoError(t, other.Finish(oq, second))
		require.NoError(t, p.Finish(pq, first))
		require.NoError(t, p.Memory.CloseFD(out.FD))
	})
}
