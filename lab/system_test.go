package lab

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// caller is a program that calls ioctls as C would.
type caller struct {
	*testing.T
	s     *System
	f     *fw.File
	arena fw.Arena
}

func ioctl[T any](p *caller, nr uint32, arg *T) error {
	buf := make([]byte, abi.SizeOf[T]())
	abi.Store(buf, arg)
	at := p.arena.Map(buf)
	defer p.arena.Unmap(at)
	err := p.f.Ioctl(abi.RequestOf[T](nr), at)
	*arg = abi.Load[T](buf)
	return err
}

func withCaller(t *testing.T, fn func(p *caller)) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	s := NewSystem(cfg, nil, 1, false)
	require.NoError(t, s.Run("test", func() error {
		d, err := s.Probe(t.Logf)
		if err != nil {
			return err
		}
		p := &caller{T: t, s: s}
		if p.f, err = s.Class.Open(d.Minor, &p.arena); err != nil {
			return err
		}
		fn(p)
		return p.f.Close()
	}))
	require.NoError(t, s.Idle())
}

func TestJobCopiesBetweenMemories(t *testing.T) {
	withCaller(t, func(p *caller) {
		const n = 100_000
		src := abi.BOCreate{Size: n, Flags: abi.BOHost}
		dev := abi.BOCreate{Size: n, Flags: abi.BODevice}
		dst := abi.BOCreate{Size: n, Flags: abi.BOHost}
		cmd := abi.BOCreate{Size: 4096, Flags: abi.BOHost | abi.BOCommand}
		for _, b := range []*abi.BOCreate{&src, &dev, &dst, &cmd} {
			require.NoError(t, ioctl(p, abi.NrBOCreate, b))
		}
		view := func(handle uint32) []byte {
			info := abi.BOInfo{Handle: handle}
			require.NoError(t, ioctl(p, abi.NrBOInfo, &info))
			m, err := p.f.Mmap(info.MmapOffset, int64(info.Size))
			require.NoError(t, err)
			return m.Bytes()
		}
		for i := range view(src.Handle) {
			view(src.Handle)[i] = byte(i * 7)
		}
		commands := view(cmd.Handle)
		off := 0
		for _, k := range []abi.Packet{
			{Op: abi.OpCopy, Src: src.DeviceAddr, Dst: dev.DeviceAddr, RowBytes: n, Counts: [2]uint32{1, 1}},
			{Op: abi.OpCopy, Src: dev.DeviceAddr, Dst: dst.DeviceAddr, RowBytes: n, Counts: [2]uint32{1, 1}, Flags: abi.FlagBarrier},
		} {
			k.Encode(commands[off:])
			off += k.Size()
		}
		q := abi.QueueCreate{}
		require.NoError(t, ioctl(p, abi.NrQueueCreate, &q))
		so := abi.SyncobjCreate{}
		require.NoError(t, ioctl(p, abi.NrSyncobjCreate, &so))
		out := make([]byte, 16)
		binary.LittleEndian.PutUint32(out, so.Handle)
		handles := make([]byte, 12)
		for i, h := range []uint32{src.Handle, dev.Handle, dst.Handle} {
			binary.LittleEndian.PutUint32(handles[4*i:], h)
		}
		sub := abi.Submit{Queue: q.Queue, CommandBO: cmd.Handle, Length: uint64(off), NumBOs: 3,
			BOs: p.arena.Map(handles), OutSyncs: p.arena.Map(out), NumOutSync: 1}
		start := p.s.Engine.Now()
		require.NoError(t, ioctl(p, abi.NrSubmit, &sub))
		require.EqualValues(t, 1, sub.Seqno)
		w := abi.SyncobjWait{Handles: p.arena.Map(out[:4]), Count: 1, TimeoutNS: 1 << 62}
		require.NoError(t, ioctl(p, abi.NrSyncobjWait, &w))
		t.Logf("job took %v", p.s.Engine.Now()-start)
		status := abi.QueueStatus{Queue: q.Queue}
		require.NoError(t, ioctl(p, abi.NrQueueStatus, &status))
		require.Zero(t, status.Error)
		require.Equal(t, view(src.Handle)[:n], view(dst.Handle)[:n])
		var tele abi.TelemetryInfo
		raw := make([]byte, abi.SizeOf[abi.TelemetryInfo]())
		qry := abi.Query{Type: abi.QueryTelemetry, Size: uint32(len(raw)), Ptr: p.arena.Map(raw)}
		require.NoError(t, ioctl(p, abi.NrQuery, &qry))
		tele = abi.Load[abi.TelemetryInfo](raw)
		t.Logf("%+v", tele)
		require.EqualValues(t, 1, tele.JobsCompleted)
	})
}
