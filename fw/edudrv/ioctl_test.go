package edudrv_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/edudrv"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/sim"
)

// The structs are as a C compiler lays them out.
func TestStructs(t *testing.T) {
	assert.Equal(t, 8, abi.SizeOf[edudrv.Identify]())
	assert.Equal(t, 8, abi.SizeOf[edudrv.Liveness]())
	assert.Equal(t, 16, abi.SizeOf[edudrv.Factorial]())
	assert.Equal(t, 24, abi.SizeOf[edudrv.BOCreate]())
	assert.Equal(t, 48, abi.SizeOf[edudrv.Copy]())
}

// What programs pass wrongly is refused, argument by argument, and changes nothing.
func TestBadArguments(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p, other := c.program(), c.program()
		x, _ := p.buffer(8192)
		y, _ := p.buffer(4096)
		empty := p.syncobj()
		theirs := uint32(0)
		for theirs <= y { // a handle that only the other file has
			theirs, _ = other.buffer(4096)
		}
		good := edudrv.Copy{Dst: y, Src: x, Length: 4096}
		for _, b := range []struct {
			what   string
			want   unix.Errno
			change func(a *edudrv.Copy)
		}{
			{"padding", unix.EINVAL, func(a *edudrv.Copy) { a.Pad = 1 }},
			{"no bytes", unix.EINVAL, func(a *edudrv.Copy) { a.Length = 0 }},
			{"beyond the source", unix.EINVAL, func(a *edudrv.Copy) { a.SrcOffset = 4097 }},
			{"beyond the destination", unix.EINVAL, func(a *edudrv.Copy) { a.DstOffset = 1 }},
			{"offset beyond everything", unix.EINVAL, func(a *edudrv.Copy) { a.SrcOffset = math.MaxUint64 }},
			{"length beyond everything", unix.EINVAL, func(a *edudrv.Copy) { a.Length = math.MaxUint64; a.SrcOffset = 1 }},
			{"no source", unix.ENOENT, func(a *edudrv.Copy) { a.Src = 0 }},
			{"no destination", unix.ENOENT, func(a *edudrv.Copy) { a.Dst = 77 }},
			{"another file's handle", unix.ENOENT, func(a *edudrv.Copy) { a.Dst = theirs }},
			{"overlap", unix.EINVAL, func(a *edudrv.Copy) { a.Dst = x; a.DstOffset = 4095 }},
			{"no such syncobj", unix.ENOENT, func(a *edudrv.Copy) { a.InSync = 9 }},
			{"a syncobj that holds nothing", unix.EINVAL, func(a *edudrv.Copy) { a.InSync = empty }},
			{"no such syncobj to signal", unix.ENOENT, func(a *edudrv.Copy) { a.OutSync = 9 }},
		} {
			a := good
			b.change(&a)
			assert.ErrorIs(t, ioctl(p, edudrv.NrCopy, &a), b.want, b.what)
		}
		for _, a := range []edudrv.BOCreate{{}, {Size: 1<<28 + 1}, {Size: math.MaxUint64}, {Size: 4096, Pad: 1}} {
			assert.ErrorIs(t, ioctl(p, edudrv.NrBOCreate, &a), unix.EINVAL)
		}
		assert.ErrorIs(t, p.file.Ioctl(abi.RequestOf[edudrv.Copy](abi.CommandBase+5), 0), unix.EINVAL)
		assert.ErrorIs(t, p.file.Ioctl(abi.RequestOf[edudrv.Copy](edudrv.NrCopy), 8), unix.EFAULT)
		c.bus.Sleep(1e6)
		assert.Zero(t, c.card.Stats().Transfers, "nothing has run")
		must(p, edudrv.NrCopy, &good)
	})
}

// Factorials of many programs: each gets its own result, whatever the others do
// and however long they wait.
func TestManyFactorials(t *testing.T) {
	c := newComputer(t)
	want := []uint32{1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600}
	c.run(func() {
		require.NoError(t, c.probe())
		var all []*sim.Proc
		for i := range 40 {
			p := c.program()
			all = append(all, c.engine.Go(fmt.Sprint("program ", i), func(*sim.Proc) {
				for k := range 5 {
					n := (i*5 + k) % len(want)
					a := edudrv.Factorial{N: uint32(n), TimeoutNS: forever}
					if i%4 == 3 { // impatient
						a = edudrv.Factorial{N: 3000, TimeoutNS: c.bus.Now() + 2000}
						assert.ErrorIs(t, ioctl(p, edudrv.NrFactorial, &a), unix.ETIME)
						continue
					}
					must(p, edudrv.NrFactorial, &a)
					assert.Equal(t, want[n], a.Result, "%d!", n)
				}
			}))
		}
		for _, p := range all {
			p.Join()
		}
		poll := edudrv.Factorial{N: 5}
		assert.ErrorIs(t, ioctl(c.program(), edudrv.NrFactorial, &poll), unix.ETIME, "0 does not wait")
		c.bus.Sleep(1e6)
	})
}

// A signal ends the wait for a factorial; the program calls again with the same
// struct.
func TestFactorialIsInterrupted(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		a := edudrv.Factorial{N: 100_000, Result: 7, TimeoutNS: forever}
		sent := a
		waiter := c.engine.Go("waiter", func(*sim.Proc) {
			assert.ErrorIs(t, ioctl(p, edudrv.NrFactorial, &a), unix.EINTR)
		})
		c.bus.Sleep(10e3)
		start := c.bus.Now()
		assert.True(t, c.class.Signal(waiter))
		waiter.Join()
		assert.Less(t, c.bus.Now()-start, int64(1e3))
		assert.Equal(t, sent, a)
		must(p, edudrv.NrFactorial, &a)
		assert.Zero(t, a.Result, "modulo 2³²")
	})
}

// Each program gets its own value back, inverted.
func TestManyLiveness(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		var all []*sim.Proc
		for i := range uint32(10) {
			p := c.program()
			all = append(all, c.engine.Go(fmt.Sprint("program ", i), func(*sim.Proc) {
				for k := range uint32(10) {
					a := edudrv.Liveness{Value: i<<16 | k}
					must(p, edudrv.NrLiveness, &a)
					assert.Equal(t, ^(i<<16 | k), a.Answer)
				}
			}))
		}
		for _, p := range all {
			p.Join()
		}
	})
}

// Whatever bytes a program passes: no panic, no leak, no access beyond its buffers.
func TestHostileIoctls(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newComputer(t)
		c.run(func() {
			require.NoError(t, c.probe())
			p := c.program()
			p.buffer(8192)
			p.syncobj()
			small := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(4090, 8200), rapid.Uint64())
			for range rapid.IntRange(1, 20).Draw(r, "calls") {
				arg := make([]byte, rapid.IntRange(0, 64).Draw(r, "bytes"))
				for i := 0; i+8 <= len(arg); i += 8 {
					v := small.Draw(r, "word")
					if rapid.Bool().Draw(r, "two halves") {
						v = v<<32 | small.Draw(r, "half")&0xffffffff
					}
					binary.LittleEndian.PutUint64(arg[i:], v)
				}
				nr := rapid.Uint32Range(edudrv.NrIdentify, edudrv.NrCopy+1).Draw(r, "number")
				if nr == edudrv.NrFactorial && len(arg) >= 16 {
					binary.LittleEndian.PutUint64(arg[8:], uint64(c.bus.Now()+1e6)) // nobody waits for ever
				}
				at := p.memory.Map(arg)
				_ = p.file.Ioctl(abi.Request(abi.IoctlRead|abi.IoctlWrite, nr, len(arg)), at)
				p.memory.Unmap(at)
			}
			p.close()
			assert.Empty(r, c.host.Faults())
			c.bus.Sleep(5e9) // the longest factorial
		})
		c.end()
	})
}

// Copies of any size and place by many programs, some chained by syncobjs, move
// what they should and nothing else.
func TestManyCopies(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newComputer(t)
		c.run(func() {
			require.NoError(t, c.probe())
			for range rapid.IntRange(1, 3).Draw(r, "programs") {
				p := c.program()
				const size = 16 << 10
				src, from := p.buffer(size)
				mid, _ := p.buffer(size)
				dst, to := p.buffer(size)
				for i := range from {
					from[i] = byte(i*i + i>>8)
				}
				n := rapid.IntRange(1, size).Draw(r, "bytes")
				at := func(name string) uint64 { return uint64(rapid.IntRange(0, size-n).Draw(r, name)) }
				a, b, d := at("source"), at("between"), at("destination")
				first, second := p.syncobj(), p.syncobj()
				must(p, edudrv.NrCopy, &edudrv.Copy{Dst: mid, Src: src, SrcOffset: a, DstOffset: b, Length: uint64(n), OutSync: first})
				must(p, edudrv.NrCopy, &edudrv.Copy{Dst: dst, Src: mid, SrcOffset: b, DstOffset: d, Length: uint64(n), InSync: first, OutSync: second})
				must(p, abi.NrGemClose, &abi.GemClose{Handle: mid}) // the copies hold it
				require.NoError(r, p.wait(second, forever))
				want := make([]byte, size)
				copy(want[d:], from[a:a+uint64(n)])
				require.Equal(r, want, to)
			}
		})
		c.end()
	})
}

// A copy waits for another file's, although the card would be free before.
func TestCopyWaitsForAnotherFile(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		q := &program{computer: c}
		var err error
		q.file, err = c.class.Open(0, &p.memory)
		require.NoError(t, err)
		x, _ := p.buffer(1 << 20)
		y := edudrv.BOCreate{Size: 8192}
		require.NoError(t, ioctlIn(q, &p.memory, edudrv.NrBOCreate, &y))
		first := p.syncobj()
		long := edudrv.Copy{Dst: x, Src: x, DstOffset: 1 << 19, Length: 1 << 19}
		must(p, edudrv.NrCopy, &long)
		long.OutSync = first
		must(p, edudrv.NrCopy, &long)
		shared := abi.SyncobjHandle{Handle: first}
		must(p, abi.NrSyncobjHandleToFD, &shared)
		require.NoError(t, ioctlIn(q, &p.memory, abi.NrSyncobjFDToHandle, &shared))
		var done abi.SyncobjCreate
		require.NoError(t, ioctlIn(q, &p.memory, abi.NrSyncobjCreate, &done))
		require.NoError(t, ioctlIn(q, &p.memory, edudrv.NrCopy,
			&edudrv.Copy{Dst: y.Handle, Src: y.Handle, DstOffset: 4096, Length: 4096, InSync: shared.Handle, OutSync: done.Handle}))
		for p.wait(first, 0) != nil {
			before := c.card.Stats().Transfers
			c.bus.Sleep(10_000)
			assert.LessOrEqual(t, c.card.Stats().Transfers, before+4, "one copy at a time")
		}
		assert.EqualValues(t, 2*2*128, c.card.Stats().Transfers, "both long ones before the short one")
		require.NoError(t, p.memory.CloseFD(shared.FD))
		require.NoError(t, q.file.Close())
	})
}

// A file that is closed with copies queued ends each of them in bounded time.
func TestCloseWithCopiesQueued(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p, bystander := c.program(), c.program()
		x, _ := p.buffer(1 << 20)
		for range 40 {
			must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 1 << 19, Length: 1 << 19})
		}
		start := c.bus.Now()
		p.close()
		assert.Less(t, c.bus.Now()-start, int64(5e6), "the one that runs")
		y, b := bystander.buffer(8192)
		copy(b, "still here")
		done := bystander.syncobj()
		must(bystander, edudrv.NrCopy, &edudrv.Copy{Dst: y, Src: y, DstOffset: 4096, Length: 100, OutSync: done})
		require.NoError(t, bystander.wait(done, forever))
		assert.Equal(t, b[:100], b[4096:4196])
	})
}

// A file that queues more than it may waits for room.
func TestQueueIsBounded(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		x, _ := p.buffer(64 << 10)
		for range 200 {
			must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 32 << 10, Length: 32 << 10})
		}
		assert.GreaterOrEqual(t, c.card.Stats().Transfers, int64((200-64)*16))
	})
}

// Bus addresses end below the card's mask, so that it reaches all of every buffer.
func TestBuffersAreBelowTheMask(t *testing.T) {
	c := newComputer(t)
	b := c.tamper()
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		for _, size := range []uint64{1, 4096, 100_000, 4 << 20, 100 << 20} {
			p.buffer(size)
		}
		require.Len(t, b.mapped, 5)
		for _, pages := range b.mapped {
			assert.LessOrEqual(t, pages.Bus+uint64(pages.Size), uint64(1<<edu.MaskBits))
		}
	})
}

// A buffer is shared by its descriptor, and read and written through a mapping.
func TestSharedBuffer(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		q := &program{computer: c}
		x, _ := p.buffer(4096)
		a := abi.PrimeHandle{Handle: x, Flags: unix.O_RDWR}
		must(p, abi.NrPrimeHandleToFD, &a)
		var err error
		q.file, err = c.class.Open(0, &p.memory) // another client of the same program
		require.NoError(t, err)
		in := abi.PrimeHandle{FD: a.FD}
		require.NoError(t, ioctlIn(q, &p.memory, abi.NrPrimeFDToHandle, &in))
		_, err = p.areas[0].WriteAt([]byte("shared"), 4000)
		require.NoError(t, err)
		p.close()
		require.NoError(t, ioctlIn(q, &p.memory, edudrv.NrCopy, &edudrv.Copy{Dst: in.Handle, Src: in.Handle, SrcOffset: 4000, Length: 6}))
		var area *fw.VMA
		for offset := uint64(4 << 30); area == nil; offset += 4096 {
			area, _ = q.file.Mmap(offset, 4096)
		}
		c.bus.Sleep(1e6)
		got := make([]byte, 6)
		_, err = area.ReadAt(got, 0)
		require.NoError(t, err)
		assert.Equal(t, "shared", string(got))
		area.Unmap()
		require.NoError(t, p.memory.CloseFD(a.FD))
		require.NoError(t, q.file.Close())
	})
}

// What a client does is counted and traced while it lasts.
func TestCopyIsCountedAndTraced(t *testing.T) {
	c := newComputer(t)
	c.run(func() {
		require.NoError(t, c.probe())
		p := c.program()
		x, _ := p.buffer(8192)
		done := p.syncobj()
		var traced []fw.Tracepoint
		c.class.OnTrace(func(e fw.Tracepoint) { traced = append(traced, e) })
		must(p, edudrv.NrCopy, &edudrv.Copy{Dst: x, Src: x, DstOffset: 4096, Length: 4096, OutSync: done})
		assert.Contains(t, p.file.FDInfo(), "drm-active-host:\t8192\n")
		require.NoError(t, p.wait(done, forever))
		c.bus.Sleep(1000)
		assert.Contains(t, p.file.FDInfo(), "drm-active-host:\t0\n")
		assert.NotContains(t, p.file.FDInfo(), "drm-engine-dma:\t0 ns")
		require.Len(t, traced, 1)
		assert.Equal(t, "copy", traced[0].Name)
		assert.Equal(t, p.file.ID, traced[0].Client)
		assert.EqualValues(t, 4096, traced[0].Args[2])
		assert.Contains(t, c.text(c.class.Debug, "accel/0000:01:00.0/registers"), "0x90 DMA_COUNT        0x1000\n")
		version := abi.VersionInfo{}
		must(p, abi.NrVersion, &version)
		assert.EqualValues(t, len("edu"), version.NameLen)
	})
}
