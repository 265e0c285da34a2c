package queue

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Addresses of the bench's flat memory, which serves every space alike.
const (
	sqAt      = 0x1000
	cqAt      = 0x3000
	commandAt = 0x8000
	kernelAt  = 0xc000
	slotAt    = 0xe000
	unmapped  = 0xffff0000
	memBytes  = 0x20000
)

// bench is a queue unit with memory, engines and interrupts that the test sees.
type bench struct {
	*testing.T
	e       *sim.Engine
	u       *Unit
	mem     []byte
	latency sim.Time
	stalled sim.Time // of the latency: for translation
	log     []string // order in which writes became visible and interrupts left
	copies  []*hw.Copy
	kernels []*hw.Launch
	hold    bool // engines keep their work until release
	held    []sim.Call
	events  uint64
	records []Record
	serve   sim.Handler
	pending []*hw.Request
	tail    uint32
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, e: sim.New(1), mem: make([]byte, memBytes), latency: 100 * sim.Nanosecond}
	b.serve = b.e.Register("memory", b.served)
	b.u = New(b.e, Config{Count: 2, Depth: 16, Prefetch: 3, Window: 2, Fetch: 256, PacketTime: 10 * sim.Nanosecond}, Parts{
		Port: hw.TargetFunc(b.submit), Copier: copier{b}, Computer: computer{b},
		Raise: func(int) { b.log = append(b.log, "irq") },
		Event: func(c uint64) { b.events |= c },
	})
	b.u.Observe = func(r *Record) { b.records = append(b.records, *r) }
	t.Cleanup(func() {
		if !t.Failed() {
			require.NoError(t, b.u.Idle(), "something is left over")
		}
	})
	return b
}

func (b *bench) submit(r *hw.Request) {
	b.pending = append(b.pending, r)
	b.e.After(b.latency, sim.Call{H: b.serve})
}

func (b *bench) served(uint64) {
	r := b.pending[0]
	b.pending = b.pending[1:]
	r.Stalled = b.stalled
	switch {
	case r.Addr+uint64(r.Bytes) > memBytes:
		r.Status, r.FaultAddr = hw.PageFault, r.Addr
	case r.Op == hw.Read:
		copy(r.Data, b.mem[r.Addr:])
	default:
		copy(b.mem[r.Addr:], r.Data)
		name := "slot"
		if r.Addr >= cqAt && r.Addr < cqAt+0x1000 {
			name = "completion"
		}
		b.log = append(b.log, name)
	}
	b.e.Fire(r.Done)
}

type copier struct{ b *bench }
type computer struct{ b *bench }

func (c copier) Copy(k *hw.Copy) {
	c.b.copies = append(c.b.copies, k)
	k.Result = hw.Result{Bill: hw.Bill{hw.Memory: 50 * sim.Nanosecond}}
	c.b.finish(k.Done)
}

func (c computer) Launch(k *hw.Launch) {
	c.b.kernels = append(c.b.kernels, k)
	k.Result = hw.Result{Bill: hw.Bill{hw.Array: 50 * sim.Nanosecond}}
	c.b.finish(k.Done)
}

func (b *bench) finish(done sim.Call) {
	if b.hold {
		b.held = append(b.held, done)
		return
	}
	b.e.After(50*sim.Nanosecond, done)
}

func (b *bench) write(file interface{ Write(uint64, []byte) bool }, off uint64, v uint32) {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	file.Write(off, p[:])
}

func (b *bench) reg(q int, off uint64) uint64 {
	var p [8]byte
	b.u.queues[q].regs.Read(off, p[:])
	return binary.LittleEndian.Uint64(p[:])
}

func (b *bench) state(q int) int { return int(b.reg(q, 0x40) & 0xf) }

func (b *bench) enable(q int) {
	f := b.u.queues[q].regs
	for _, w := range [][2]uint32{{0x00, sqAt}, {0x08, cqAt}, {0x10, 4}, {0x14, 4}, {0x18, 1}, {0x24, 1}} {
		b.write(f, uint64(w[0]), w[1])
	}
}

func (b *bench) bell(q int, off uint64, v uint32) { b.write(b.u.queues[q].bells, off, v) }

// commands lays packets out at commandAt and returns their bytes.
func (b *bench) commands(at uint64, packets ...abi.Packet) uint32 {
	off := at
	for i := range packets {
		packets[i].Encode(b.mem[off:])
		off += uint64(packets[i].Size())
	}
	return uint32(off - at)
}

// push writes the next ring entry, not yet announced.
func (b *bench) push(s abi.Submission) {
	if s.ASID == 0 && s.Flags&abi.SubmitTrusted == 0 {
		s.ASID = 7
	}
	if s.Seqno == 0 {
		s.Seqno = uint64(b.tail) + 1
	}
	s.Index = b.tail
	s.Flags |= abi.SubmitIRQ
	s.Encode(b.mem[sqAt+uint64(b.tail%16)*abi.SubmissionSize:])
	b.tail++
}

// run submits one command buffer and runs until nothing happens any more.
func (b *bench) run(packets ...abi.Packet) {
	n := b.commands(commandAt, packets...)
	b.push(abi.Submission{Op: abi.RingRun, Command: commandAt, Bytes: n})
	b.bell(0, 0, b.tail)
	require.NoError(b, b.e.Run())
}

func (b *bench) completion(i uint32) (c abi.Completion) {
	c.Decode(b.mem[cqAt+uint64(i%16)*abi.CompletionSize:])
	return c
}

func TestNoOpEntryCompletes(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	require.Equal(t, abi.QueueIdle, b.state(0))
	b.push(abi.Submission{Op: abi.RingNop, Fence: slotAt, FenceValue: 5})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.Run())
	require.Equal(t, []string{"irq", "slot", "completion"}, b.log, "the interrupt is handed to the link behind both writes")
	c := b.completion(0)
	require.Equal(t, abi.Completion{Seqno: 1, EndNS: c.EndNS, Phase: true}, c)
	require.EqualValues(t, 5, b.mem[slotAt])
}

func TestPacketsRunInOrder(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.run(
		abi.Packet{Op: abi.OpCopy, Src: 0x100, Dst: 0x200, RowBytes: 64, Counts: [2]uint32{2, 3},
			SrcStride: [2]uint64{64, 128}, DstStride: [2]uint64{256, 512}},
		abi.Packet{Op: abi.OpFill, Dst: 0x300, Value: 9, RowBytes: 8, Counts: [2]uint32{1, 1}},
		abi.Packet{Op: abi.OpBarrier, Value: abi.BarrierCopy},
		abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize, Cores: 3},
		abi.Packet{Op: abi.OpSignal, Addr: slotAt, Value: 77},
		abi.Packet{Op: abi.OpTimestamp, Addr: slotAt + 8})
	require.Equal(t, abi.StatusOK, b.completion(0).Status)
	require.Len(t, b.copies, 2)
	require.Equal(t, [2]int64{2, 3}, b.copies[0].Counts)
	require.True(t, b.copies[1].Fill)
	require.Len(t, b.kernels, 1)
	require.EqualValues(t, 3, b.kernels[0].Cores)
	require.EqualValues(t, 77, b.mem[slotAt])
	require.NotZero(t, binary.LittleEndian.Uint64(b.mem[slotAt+8:]))
}

func TestBillIsTheWholeTime(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	copyPacket := abi.Packet{Op: abi.OpCopy, RowBytes: 64, Counts: [2]uint32{1, 1}}
	kernel := abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize, Flags: abi.FlagBarrier}
	b.run(copyPacket, copyPacket, copyPacket, kernel)
	r := b.records[0]
	require.Equal(t, r.Ended-r.Started, r.Bill.Total())
	require.Positive(t, r.Bill[hw.Array])
	require.Positive(t, r.Bill[hw.Memory])
	require.Positive(t, r.Bill[hw.Queue])
}

// What an entry waits for its commands and descriptors is the queue's, but for
// what these reads waited for translation.
func TestFetchesThatWaitForTranslation(t *testing.T) {
	path := func(stalled sim.Time) Record {
		b := newBench(t)
		b.stalled = stalled
		b.enable(0)
		kernel := abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize}
		packets := []abi.Packet{kernel}
		for range 20 { // beyond one window of 256 bytes
			packets = append(packets, abi.Packet{Op: abi.OpNop})
		}
		b.run(packets...)
		r := b.records[0]
		require.Equal(t, r.Ended-r.Started, r.Bill.Total())
		require.Equal(t, stalled, r.Stalled.Entry)
		require.Equal(t, stalled, r.Stalled.Commands)
		return r
	}
	none, some := path(0), path(30*sim.Nanosecond)
	require.Zero(t, none.Bill[hw.Translation])
	const windows, descriptors = 1, 1
	require.EqualValues(t, (windows+descriptors)*30*sim.Nanosecond, some.Bill[hw.Translation])
	require.Equal(t, none.Bill[hw.Queue]-some.Bill[hw.Translation], some.Bill[hw.Queue])
}

func TestLongCommandBufferIsFetchedInWindows(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	var packets []abi.Packet
	for range 20 { // 80 bytes each: windows of 256 end in mid-packet
		packets = append(packets, abi.Packet{Op: abi.OpCopy, RowBytes: 64, Counts: [2]uint32{1, 1}})
	}
	b.run(packets...)
	require.Equal(t, abi.StatusOK, b.completion(0).Status)
	require.Len(t, b.copies, 20)
}

func TestIndirectHasDepthOne(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	inner := b.commands(commandAt+0x1000, abi.Packet{Op: abi.OpSignal, Addr: slotAt, Value: 3})
	b.run(abi.Packet{Op: abi.OpIndirect, Addr: commandAt + 0x1000, Value: uint64(inner)},
		abi.Packet{Op: abi.OpSignal, Addr: slotAt + 8, Value: 4})
	require.Equal(t, abi.StatusOK, b.completion(0).Status)
	require.EqualValues(t, []byte{3, 4}, []byte{b.mem[slotAt], b.mem[slotAt+8]})

	b.commands(commandAt+0x1000, abi.Packet{Op: abi.OpIndirect, Addr: commandAt, Value: 16})
	b.run(abi.Packet{Op: abi.OpIndirect, Addr: commandAt + 0x1000, Value: 32})
	require.Equal(t, abi.StatusBadOpcode, b.completion(1).Status)
}

func TestErrorStopsTheQueueAndResumeSkips(t *testing.T) {
	bad := func(p abi.Packet, edit func([]byte)) func(*bench) {
		return func(b *bench) {
			n := b.commands(commandAt, abi.Packet{Op: abi.OpNop}, p)
			if edit != nil {
				edit(b.mem[commandAt+16:])
			}
			b.push(abi.Submission{Op: abi.RingRun, Command: commandAt, Bytes: n})
		}
	}
	nop := abi.Packet{Op: abi.OpNop}
	cases := []struct {
		name   string
		push   func(*bench)
		status abi.Status
		offset uint64
		addr   uint64
	}{
		{"undefined opcode", bad(nop, func(p []byte) { p[0] = 200 }), abi.StatusBadOpcode, 16, 0},
		{"wrong length", bad(nop, func(p []byte) { p[2] = 9 }), abi.StatusBadPacket, 16, 0},
		{"reserved byte", bad(nop, func(p []byte) { p[12] = 1 }), abi.StatusBadPacket, 16, 0},
		{"unknown flag", bad(nop, func(p []byte) { p[1] = 0x80 }), abi.StatusBadPacket, 16, 0},
		{"misaligned slot", bad(abi.Packet{Op: abi.OpSignal, Addr: slotAt}, func(p []byte) { p[8] = 4 }), abi.StatusBadPacket, 16, 0},
		{"unmapped slot", bad(abi.Packet{Op: abi.OpSignal, Addr: unmapped}, nil), abi.StatusPageFault, 16, unmapped},
		{"unmapped wait", bad(abi.Packet{Op: abi.OpWait, Addr: unmapped, Value: 1}, nil), abi.StatusPageFault, 16, unmapped},
		{"unmapped descriptor", bad(abi.Packet{Op: abi.OpKernel, Addr: unmapped, Value: abi.KernelSize}, nil), abi.StatusPageFault, 16, unmapped},
		{"unmapped indirect", bad(abi.Packet{Op: abi.OpIndirect, Addr: unmapped, Value: 16}, nil), abi.StatusPageFault, 16, unmapped},
		{"unmapped commands", func(b *bench) { b.push(abi.Submission{Op: abi.RingRun, Command: unmapped, Bytes: 16}) }, abi.StatusPageFault, 0, unmapped},
		{"undefined ring opcode", func(b *bench) { b.push(abi.Submission{Op: 9}) }, abi.StatusBadOpcode, 0, 0},
		{"context out of range", func(b *bench) { b.push(abi.Submission{ASID: abi.MaxContexts}) }, abi.StatusBadEntry, 0, 0},
		{"stale entry", func(b *bench) {
			b.push(abi.Submission{})
			le := binary.LittleEndian
			at := b.mem[sqAt+uint64((b.tail-1)%16)*abi.SubmissionSize+4:]
			le.PutUint32(at, le.Uint32(at)-16)
		}, abi.StatusStaleEntry, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.enable(0)
			c.push(b)
			b.push(abi.Submission{}) // waits behind the failed one
			b.bell(0, 0, b.tail)
			require.NoError(t, b.e.Run())
			require.Equal(t, c.status, b.completion(0).Status)
			require.Equal(t, abi.QueueError, b.state(0))
			require.EqualValues(t, c.status, b.reg(0, 0x60)&0xffffffff)
			require.EqualValues(t, c.offset, b.reg(0, 0x64)&0xffffffff)
			require.EqualValues(t, 1, b.reg(0, 0x68))
			require.EqualValues(t, c.addr, b.reg(0, 0x70))
			require.EqualValues(t, abi.CauseQueue, b.events)
			require.EqualValues(t, abi.Completion{}, b.completion(1), "nothing runs in ERROR")

			b.write(b.u.queues[0].regs, 0x24, 3) // RESUME
			require.NoError(t, b.e.Run())
			require.Equal(t, abi.StatusOK, b.completion(1).Status)
			require.EqualValues(t, 2, b.completion(1).Seqno)
		})
	}
}

func TestWorkThatFailsNamesItsPacket(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.hold = true
	p := abi.Packet{Op: abi.OpCopy, RowBytes: 64, Counts: [2]uint32{1, 1}}
	b.run(abi.Packet{Op: abi.OpNop}, p, p)
	require.Len(t, b.held, 2)
	b.copies[1].Result = hw.Result{Code: abi.StatusPermFault, Addr: 0xabc}
	b.e.After(0, b.held[1])
	b.e.After(1, b.held[0])
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.StatusPermFault, b.completion(0).Status)
	require.EqualValues(t, (16+80)/16, b.completion(0).Offset)
	require.EqualValues(t, 0xabc, b.reg(0, 0x70))
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.hold = true
	p := abi.Packet{Op: abi.OpCopy, RowBytes: 64, Counts: [2]uint32{1, 1}}
	b.run(p, p, p)
	require.Len(t, b.copies, 2)
	b.hold = false
	for _, h := range b.held {
		b.e.After(0, h)
	}
	require.NoError(t, b.e.Run())
	require.Len(t, b.copies, 3)
}

func TestWaitIsSatisfiedByAnotherQueue(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.run(abi.Packet{Op: abi.OpWait, Addr: slotAt, Value: 10}, abi.Packet{Op: abi.OpSignal, Addr: slotAt + 8, Value: 1})
	require.Equal(t, abi.QueueWaiting, b.state(0))
	require.Zero(t, b.mem[slotAt+8])

	f := b.u.queues[1].regs // a second queue on rings of its own
	for _, w := range [][2]uint32{{0x00, 0x5000}, {0x08, 0x6000}, {0x10, 4}, {0x14, 4}, {0x24, 1}} {
		b.write(f, uint64(w[0]), w[1])
	}
	n := b.commands(commandAt+0x800, abi.Packet{Op: abi.OpSignal, Addr: slotAt, Value: 10})
	s := abi.Submission{Op: abi.RingRun, ASID: 3, Seqno: 1, Command: commandAt + 0x800, Bytes: n}
	s.Encode(b.mem[0x5000:])
	b.bell(1, 0, 1)
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 1, b.mem[slotAt+8])
	require.Equal(t, abi.QueueIdle, b.state(0))
}

func TestWaitLooksAgainOnAKickAndNeverPolls(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.run(abi.Packet{Op: abi.OpWait, Addr: slotAt, Value: 2})
	before := b.e.Events()
	require.NoError(t, b.e.RunUntil(b.e.Now()+sim.Second))
	require.Equal(t, before, b.e.Events(), "a waiting queue has no events")
	b.mem[slotAt] = 2
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.QueueWaiting, b.state(0))
	b.bell(0, 0xc, 0)
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.StatusOK, b.completion(0).Status)
}

func TestWaitAcquires(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.run(abi.Packet{Op: abi.OpWait, Addr: slotAt, Value: 1}, abi.Packet{Op: abi.OpSignal, Addr: slotAt + 8, Value: 1})
	p := abi.Packet{Op: abi.OpSignal, Addr: slotAt + 8, Value: 42} // rewritten while the queue waits
	p.Encode(b.mem[commandAt+32:])
	b.mem[slotAt] = 1
	b.bell(0, 0xc, 0)
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 42, b.mem[slotAt+8])
}

func TestRingWrapsAndPhaseFlips(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	for i := range uint32(40) {
		b.push(abi.Submission{})
		b.bell(0, 0, b.tail)
		require.NoError(t, b.e.Run())
		c := b.completion(i)
		require.Equal(t, i/16%2 == 0, c.Phase)
		require.EqualValues(t, i+1, c.Seqno)
		b.bell(0, 4, i+1)
	}
}

func TestFullCompletionRingStalls(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	for round := range 2 {
		for range 16 {
			b.push(abi.Submission{})
		}
		b.bell(0, 0, b.tail)
		require.NoError(t, b.e.Run())
		require.EqualValues(t, 16, b.u.Stats().Completed, "round %d: nothing is overwritten", round)
	}
	b.bell(0, 4, 16)
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 32, b.u.Stats().Completed)
}

func TestDoorbells(t *testing.T) {
	t.Run("a later one heals a lost one", func(t *testing.T) {
		b := newBench(t)
		b.enable(0)
		b.push(abi.Submission{})
		b.push(abi.Submission{})
		b.bell(0, 0, 2)
		require.NoError(t, b.e.Run())
		require.EqualValues(t, 2, b.u.Stats().Completed)
	})
	t.Run("beyond the depth is an overrun", func(t *testing.T) {
		b := newBench(t)
		b.enable(0)
		b.bell(0, 0, 17)
		require.NoError(t, b.e.Run())
		require.Equal(t, abi.QueueError, b.state(0))
		require.EqualValues(t, abi.StatusRingOverrun, b.reg(0, 0x60)&0xffffffff)
	})
	t.Run("of a disabled queue is discarded", func(t *testing.T) {
		b := newBench(t)
		b.bell(0, 0, 1)
		require.NoError(t, b.e.Run())
		require.Zero(t, b.u.Stats().Doorbells)
	})
	t.Run("anything but an aligned 4-byte write is dropped and counted", func(t *testing.T) {
		b := newBench(t)
		b.enable(0)
		bells := b.u.queues[0].bells
		bells.Write(0, make([]byte, 8))
		bells.Write(2, make([]byte, 4))
		bells.Write(0, make([]byte, 1))
		require.EqualValues(t, 3, bells.Dropped())
	})
}

func TestArmFiresAtOnceIfMoreWasProduced(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.push(abi.Submission{})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.Run())
	b.log = nil
	b.bell(0, 8, 1)
	require.Empty(t, b.log, "nothing beyond 1 yet")
	b.bell(0, 8, 0)
	require.Equal(t, []string{"irq"}, b.log)
}

func TestModeration(t *testing.T) {
	b := newBench(t)
	b.u.Moderate(4, 100*sim.Microsecond)
	b.enable(0)
	for range 6 {
		b.push(abi.Submission{})
	}
	b.bell(0, 0, 6)
	require.NoError(t, b.e.RunUntil(50*sim.Microsecond))
	require.EqualValues(t, 1, b.u.Stats().Interrupts, "four at once")
	require.NoError(t, b.e.Run())
	require.EqualValues(t, 2, b.u.Stats().Interrupts, "the rest when the time is over")
}

func TestCopyQueueRunsNoKernels(t *testing.T) {
	b := newBench(t)
	b.write(b.u.queues[0].regs, 0x1c, abi.EngineCopy)
	b.enable(0)
	b.run(abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize})
	require.Equal(t, abi.StatusBadOpcode, b.completion(0).Status)
}

func TestWatchdogEndsAHungEntry(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.hold = true
	n := b.commands(commandAt, abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize})
	b.push(abi.Submission{Op: abi.RingRun, Command: commandAt, Bytes: n, WatchdogUS: 30})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.Run())
	require.Equal(t, abi.StatusWatchdog, b.completion(0).Status)
	b.e.After(0, b.held[0]) // the engine's reset ends the kernel
	require.NoError(t, b.e.Run())
}

func TestResetAwaitsWhatIsOutstanding(t *testing.T) {
	b := newBench(t)
	b.enable(0)
	b.hold = true
	n := b.commands(commandAt, abi.Packet{Op: abi.OpKernel, Addr: kernelAt, Value: abi.KernelSize})
	b.push(abi.Submission{Op: abi.RingRun, Command: commandAt, Bytes: n})
	b.bell(0, 0, 1)
	require.NoError(t, b.e.Run())
	halted := false
	b.u.Halt(0, sim.Call{H: b.e.Register("halted", func(uint64) { halted = true })})
	require.NoError(t, b.e.Run())
	require.False(t, halted, "a kernel is in flight")
	b.e.After(0, b.held[0])
	require.NoError(t, b.e.Run())
	require.True(t, halted)
	require.EqualValues(t, 1<<7, b.u.Reset(0), "the ASID that was hit")
	require.Equal(t, abi.QueueDisabled, b.state(0))
	require.EqualValues(t, 1, b.reg(0, 0x44)&0xffff, "epoch")
	require.Equal(t, abi.Completion{}, b.completion(0), "no completion of an old epoch")
}

func TestConfigIsValidated(t *testing.T) {
	c := Config{Count: 0, Depth: 3, Prefetch: 0, Window: 0, Fetch: 100, PacketTime: -1}
	require.Len(t, c.Validate(), 6)
	long := Config{PacketTime: sim.Never}
	require.ErrorContains(t, errors.Join(long.Validate()...), "want 0ps to 1s")
}
