package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// A driver that fills the ring up to HEAD plus its depth is never stopped, and
// never writes over an entry that is still being read.
func TestHeadIsWhatMayBeWrittenAgain(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	head := func() uint32 { return uint32(b.reg(0, 0x48)) }
	b.push(abi.Submission{})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.RunUntil(b.e.Now()+b.latency-1))
	require.Zero(t, head(), "the entry is still being read")
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 1, head())

	for done := uint32(1); done < 100; {
		for b.tail < head()+16 {
			b.push(abi.Submission{})
		}
		b.bell(0, 0, b.tail)
		b.bell(0, 4, done) // completions so far
		require.NoError(t, b.e.Run())
		require.NotEqual(t, abi.QueueError, b.state(0))
		done = uint32(b.u.Stats().Completed)
	}
}

func TestAnOldTailIsIgnored(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	for range 3 {
		b.push(abi.Submission{})
	}
	b.bell(0, 0, 3)
	b.bell(0, 0, 2)
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 3, b.u.Stats().Completed)
	require.Equal(t, abi.QueueIdle, b.state(0))
}

// DISABLED means that the rings may be freed: nothing is on its way to them.
func TestDisabledIsQuiet(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.push(abi.Submission{Fence: slotAt, FenceValue: 1})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.RunUntil(b.latency+1)) // completed, its writes are flying
	b.write(b.u.queues[0].regs, 0x24, 0)
	for b.state(0) != abi.QueueDisabled {
		require.Equal(t, abi.QueueDraining, b.state(0))
		require.NoError(t, b.e.RunUntil(b.e.Now()+sim.Nanosecond))
	}
	require.Empty(t, b.pending, "nothing is in flight any more")
	require.EqualValues(t, 1, b.u.Stats().Completed)
}

func TestFenceThatCannotBeWrittenIsAnError(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.push(abi.Submission{Fence: unmapped, FenceValue: 1})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.QueueError, b.state(0))
	require.EqualValues(t, abi.StatusPageFault, b.reg(0, 0x60)&0xffffffff)
	require.EqualValues(t, unmapped, b.reg(0, 0x70))
	require.EqualValues(t, abi.CauseQueue, b.events)
}

// What had begun when a reset came is known after it.
func TestResetKeepsTheLastSeqno(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.push(abi.Submission{Seqno: 41})
	b.push(abi.Submission{Seqno: 42})
	b.bell(0, 0, 2)
	require.NoError(t, b.e.Run())
	b.u.Halt(0, sim.Call{})
	b.u.Reset(0)
	require.EqualValues(t, 42, b.reg(0, 0x50))
}

// One long operation shows progress while it runs.
func TestProgressWithinOneOperation(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.hold = true
	b.run(abi.Packet{Op: abi.OpCopy, RowBytes: 1 << 30, Counts: [2]uint32{1, 1}})
	before := uint32(b.reg(0, 0x4c))
	*b.copies[0].Progress++ // what an engine does at each request
	require.Equal(t, before+1, uint32(b.reg(0, 0x4c)))
	b.copies[0].Result = hw.Result{}
	b.e.After(0, b.held[0])
	require.NoError(t, b.e.Run())
}
