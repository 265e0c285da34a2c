package rt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

func TestOpen(t *testing.T) {
	f, d := opened(t)
	assert.Equal(t, f.info, d.Info)
	assert.Equal(t, abi.Query{Type: abi.QueryDevice, Size: 120}, abi.Load[abi.Query](f.log[0].arg))

	telemetry, err := d.Telemetry()
	require.NoError(t, err)
	assert.EqualValues(t, 3, telemetry.Faults)
	reset, err := d.ResetInfo()
	require.NoError(t, err)
	assert.EqualValues(t, 2, reset.State)

	require.NoError(t, d.Close())
	assert.True(t, f.closed)
}

func TestOpenRefuses(t *testing.T) {
	f := newFake(t)
	f.info.ABIVersion++
	_, err := rt.Open(f)
	assert.ErrorContains(t, err, "version 2, want 1")

	f = newFake(t)
	f.info.ArrayCols = 0
	_, err = rt.Open(f)
	assert.ErrorContains(t, err, "128×0")

	f = newFake(t)
	f.fail[abi.NrQuery] = unix.ENODEV
	_, err = rt.Open(f)
	assert.ErrorIs(t, err, unix.ENODEV)
	assert.ErrorContains(t, err, "QUERY")
}

func TestBuffer(t *testing.T) {
	f, d := opened(t)
	b, err := d.NewBuffer(5000, abi.BODevice|abi.BOReadOnly)
	require.NoError(t, err)
	assert.Equal(t, abi.BOCreate{Size: 5000, Flags: abi.BODevice | abi.BOReadOnly}, abi.Load[abi.BOCreate](f.last(abi.NrBOCreate).arg))
	assert.EqualValues(t, 8192, b.Size)
	assert.EqualValues(t, 1<<32, b.Addr)

	_, err = b.WriteAt([]byte{1, 2, 3}, 4096)
	require.NoError(t, err)
	p := make([]byte, 3)
	_, err = b.ReadAt(p, 4096)
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 2, 3}, p)
	assert.Equal(t, 1, f.count(abi.NrBOInfo), "mapped once")

	require.NoError(t, b.Close())
	assert.Empty(t, f.open)
	assert.ErrorIs(t, b.Close(), unix.EINVAL)

	f.fail[abi.NrBOCreate] = unix.ENOSPC
	_, err = d.NewBuffer(1, abi.BODevice)
	assert.ErrorIs(t, err, unix.ENOSPC)
}

func TestSyncobj(t *testing.T) {
	f, d := opened(t)
	a, err := d.NewSyncobj(true)
	require.NoError(t, err)
	assert.Equal(t, abi.SyncobjCreate{Flags: abi.SyncobjCreateSignaled}, abi.Load[abi.SyncobjCreate](f.last(abi.NrSyncobjCreate).arg))
	b, err := d.NewSyncobj(false)
	require.NoError(t, err)

	require.NoError(t, d.Wait(77, rt.Point{Syncobj: a}, rt.Point{Syncobj: b, Value: 9}))
	w := f.last(abi.NrSyncobjTimeWait)
	assert.Equal(t, abi.SyncobjTimelineWait{TimeoutNS: 77, Count: 2, Flags: abi.SyncobjWaitAll | abi.SyncobjWaitForSubmit},
		abi.Load[abi.SyncobjTimelineWait](w.arg))
	assert.Equal(t, []byte{byte(a.Handle), 0, 0, 0, byte(b.Handle), 0, 0, 0}, w.refs[0])
	assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}, w.refs[1])

	first, err := d.WaitAny(rt.Forever, rt.Point{Syncobj: a}, rt.Point{Syncobj: b, Value: 9})
	require.NoError(t, err)
	assert.Equal(t, 1, first)
	require.NoError(t, d.Wait(0), "of nothing")

	f.fail[abi.NrSyncobjTimeWait] = unix.ETIME
	assert.ErrorIs(t, d.Wait(5, rt.Point{Syncobj: b, Value: 10}), unix.ETIME)

	require.NoError(t, b.Signal(4))
	assert.Equal(t, [][]byte{{byte(b.Handle), 0, 0, 0}, {4, 0, 0, 0, 0, 0, 0, 0}}, f.last(abi.NrSyncobjTimeSignal).refs)
	require.NoError(t, b.Signal(0))
	require.NoError(t, b.Reset())
	assert.Equal(t, 1, f.count(abi.NrSyncobjSignal))
	assert.Equal(t, 1, f.count(abi.NrSyncobjReset))

	f.reached = 1 << 40
	got, err := b.Reached()
	require.NoError(t, err)
	assert.EqualValues(t, 1<<40, got)
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	assert.Empty(t, f.syncs)
}

// submitted reads what was submitted last.
func (f *fake) submitted() (abi.Submit, memory) {
	a := abi.Load[abi.Submit](f.last(abi.NrSubmit).arg)
	return a, f.mem[f.offsets[a.CommandBO]]
}

func TestSubmit(t *testing.T) {
	f, d := opened(t)
	q, err := d.NewQueue(rt.Compute, rt.PriorityHigh, 0b101)
	require.NoError(t, err)
	assert.Equal(t, abi.QueueCreate{Priority: 2, CoreMask: 0b101}, abi.Load[abi.QueueCreate](f.last(abi.NrQueueCreate).arg))
	assert.Equal(t, 2, q.NumCores())
	x, err := d.NewBuffer(1, abi.BODevice)
	require.NoError(t, err)
	s, err := d.NewSyncobj(false)
	require.NoError(t, err)

	cmd := q.Commands()
	kernel := abi.Kernel{Kind: abi.KernelGEMM, Scale: 2}
	cmd.CopyBytes(1<<20, 2<<20, 64)
	cmd.Then().Kernel(&kernel, 0b1)
	cmd.Barrier(abi.BarrierCompute)
	kernel.Scale = 3
	cmd.Kernel(&kernel, 0)
	ticket, err := q.Submit(&rt.Job{Commands: cmd, Buffers: []*rt.Buffer{x}, Wait: []rt.Point{{Syncobj: s, Value: 6}},
		Signal: []rt.Point{{Syncobj: s, Value: 7}}, TimeoutNS: 99, NonBlock: true})
	require.NoError(t, err)
	assert.EqualValues(t, 1, ticket.Seqno)

	a, mem := f.submitted()
	packets := 80 + 32 + 16 + 32
	want := abi.Submit{Queue: q.Handle, Flags: abi.SubmitNonblock, CommandBO: a.CommandBO, NumBOs: 1, Length: uint64(packets),
		NumInSyncs: 1, NumOutSync: 2, TimeoutNS: 99}
	assert.Equal(t, want, a)
	refs := f.last(abi.NrSubmit).refs
	assert.Equal(t, []byte{byte(x.Handle), 0, 0, 0}, refs[0])
	assert.Equal(t, []abi.Sync{{Syncobj: s.Handle, Point: 6}}, decodeSyncs(refs[1]))
	assert.Equal(t, []abi.Sync{{Syncobj: s.Handle, Point: 7}, {Syncobj: ticket.Point.Syncobj.Handle, Point: 1}}, decodeSyncs(refs[2]))

	// packets, then the descriptors that they name, 64-byte aligned
	base := f.addrs[a.CommandBO]
	first := uint64(192)
	var ops []uint8
	var p abi.Packet
	for off := 0; off < packets; {
		n, st := p.Decode(mem[off:packets])
		require.Equal(t, abi.StatusOK, st)
		if p.Op == abi.OpKernel {
			require.Equal(t, base+first, p.Addr)
			var k abi.Kernel
			require.Equal(t, abi.StatusOK, k.Decode(mem[first:]))
			assert.EqualValues(t, 2+len(ops)/3, k.Scale, "the first descriptor has scale 2, the second 3")
			first += abi.KernelSize
		}
		if p.Flags != 0 {
			assert.Len(t, ops, 1, "Then marks the kernel alone")
			assert.EqualValues(t, 1, p.Cores)
		}
		ops = append(ops, p.Op)
		off += n
	}
	assert.Equal(t, []uint8{abi.OpCopy, abi.OpKernel, abi.OpBarrier, abi.OpKernel}, ops)
}

func decodeSyncs(p []byte) (out []abi.Sync) {
	for ; len(p) > 0; p = p[16:] {
		out = append(out, abi.Load[abi.Sync](p))
	}
	return out
}

// Command buffers are used again once their jobs are known to be done, and the
// device is asked only when there is no other way.
func TestCommandPool(t *testing.T) {
	f, d := opened(t)
	q, err := d.NewQueue(rt.Compute, rt.PriorityNormal, 0)
	require.NoError(t, err)
	cmd := q.Commands()
	cmd.Nop()
	submit := func() (rt.Ticket, uint32) {
		ticket, err := q.Submit(&rt.Job{Commands: cmd})
		require.NoError(t, err)
		a, _ := f.submitted()
		return ticket, a.CommandBO
	}
	t1, first := submit()
	assert.Zero(t, f.count(abi.NrSyncobjQuery))
	_, second := submit()
	assert.NotEqual(t, first, second)
	assert.Equal(t, 1, f.count(abi.NrSyncobjQuery))

	require.NoError(t, q.Wait(t1, rt.Forever))
	_, third := submit()
	assert.Equal(t, first, third)
	assert.Equal(t, 1, f.count(abi.NrSyncobjQuery), "the wait told")

	f.reached = 2
	_, fourth := submit()
	assert.Equal(t, second, fourth)

	f.fail[abi.NrSubmit] = unix.EAGAIN
	f.reached = 3
	_, err = q.Submit(&rt.Job{Commands: cmd})
	assert.ErrorIs(t, err, unix.EAGAIN)
	ticket, fifth := submit()
	assert.Equal(t, third, fifth, "given back by the submission that failed")
	assert.EqualValues(t, 5, ticket.Point.Value)

	require.NoError(t, q.Close())
	assert.Empty(t, f.open)
	assert.Empty(t, f.syncs)
	assert.Empty(t, f.queues)
}

func TestWaitTellsFailure(t *testing.T) {
	f, d := opened(t)
	q, err := d.NewQueue(rt.Copy, rt.PriorityLow, 0)
	require.NoError(t, err)
	cmd := q.Commands()
	cmd.Nop()
	good, err := q.Submit(&rt.Job{Commands: cmd})
	require.NoError(t, err)
	bad, err := q.Submit(&rt.Job{Commands: cmd})
	require.NoError(t, err)
	f.status = abi.QueueStatus{Error: -int32(unix.EFAULT), FailedSeqno: 2}
	require.NoError(t, q.Wait(good, rt.Forever))
	err = q.Wait(bad, rt.Forever)
	var job *rt.JobError
	require.ErrorAs(t, err, &job)
	assert.EqualValues(t, 2, job.Seqno)
	assert.ErrorIs(t, err, unix.EFAULT)
}

func TestCommandMistakes(t *testing.T) {
	_, d := opened(t)
	q, err := d.NewQueue(rt.Compute, 0, 0)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		build func(*rt.Commands)
		want  string
	}{
		"empty":      {func(*rt.Commands) {}, "without commands"},
		"misaligned": {func(c *rt.Commands) { c.Nop(); c.Signal(4, 1) }, "SIGNAL packet at offset 16"},
		"no bytes":   {func(c *rt.Commands) { c.CopyBytes(0, 0, 0) }, "COPY packet at offset 0"},
		"types":      {func(c *rt.Commands) { c.CopyRows(1, 1, rt.Matrix(0, abi.F32, 1), rt.Matrix(0, abi.BF16, 1)) }, "from bf16 of step 1 to f32"},
		"barrier":    {func(c *rt.Commands) { c.Barrier(8) }, "BARRIER"},
		"long": {func(c *rt.Commands) {
			for range abi.MaxCommandBytes/16 + 1 {
				c.Nop()
			}
		}, "longer than 2097152 bytes"},
	} {
		cmd := q.Commands()
		c.build(cmd)
		_, err := q.Submit(&rt.Job{Commands: cmd})
		assert.ErrorContains(t, err, c.want, name)
		cmd.Reset()
		assert.NoError(t, cmd.Err())
	}
}

// The remaining packets, field by field.
func TestPackets(t *testing.T) {
	f, d := opened(t)
	q, err := d.NewQueue(rt.Compute, 0, 0)
	require.NoError(t, err)
	c := q.Commands()
	c.Copy(rt.Region{Src: 1, Dst: 2, RowBytes: 3, Counts: [2]uint32{4, 5}, SrcStride: [2]uint64{6, 7}, DstStride: [2]uint64{8, 9}})
	c.Fill(rt.Region{Dst: 2, RowBytes: 3, DstStride: [2]uint64{8, 9}}, 0xabcd)
	c.CopyRows(3, 5, rt.Matrix(1<<20, abi.I32, 8), rt.Matrix(2<<20, abi.I32, 5))
	c.CopyRows(3, 5, rt.Matrix(1<<20, abi.I32, 5), rt.Matrix(2<<20, abi.I32, 5))
	c.Signal(16, 5)
	c.Wait(24, 6)
	c.Timestamp(32)
	_, err = q.Submit(&rt.Job{Commands: c})
	require.NoError(t, err)
	_, mem := f.submitted()
	want := []abi.Packet{
		{Op: abi.OpCopy, Src: 1, Dst: 2, RowBytes: 3, Counts: [2]uint32{4, 5}, SrcStride: [2]uint64{6, 7}, DstStride: [2]uint64{8, 9}},
		{Op: abi.OpFill, Dst: 2, Value: 0xabcd, RowBytes: 3, Counts: [2]uint32{1, 1}, DstStride: [2]uint64{8, 9}},
		{Op: abi.OpCopy, Src: 2 << 20, Dst: 1 << 20, RowBytes: 20, Counts: [2]uint32{3, 1}, SrcStride: [2]uint64{20}, DstStride: [2]uint64{32}},
		{Op: abi.OpCopy, Src: 2 << 20, Dst: 1 << 20, RowBytes: 60, Counts: [2]uint32{1, 1}, SrcStride: [2]uint64{20}, DstStride: [2]uint64{20}},
		{Op: abi.OpSignal, Addr: 16, Value: 5}, {Op: abi.OpWait, Addr: 24, Value: 6}, {Op: abi.OpTimestamp, Addr: 32},
	}
	at := 0
	for _, w := range want {
		var p abi.Packet
		n, st := p.Decode(mem[at:c.Len()])
		require.Equal(t, abi.StatusOK, st)
		assert.Equal(t, w, p)
		at += n
	}
	assert.Equal(t, c.Len(), at)
}
