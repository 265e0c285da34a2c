package npudrv_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// calls is what the fuzzer chooses from: the ioctls with their structs' sizes.
var calls = []struct {
	nr   uint32
	size int
}{
	{abi.NrVersion, 64}, {abi.NrGetCap, 16}, {abi.NrGemClose, 8}, {abi.NrPrimeHandleToFD, 12}, {abi.NrPrimeFDToHandle, 12},
	{abi.NrSyncobjCreate, 8}, {abi.NrSyncobjDestroy, 8}, {abi.NrSyncobjHandleToFD, 24}, {abi.NrSyncobjFDToHandle, 24},
	{abi.NrSyncobjWait, 40}, {abi.NrSyncobjTimeWait, 48}, {abi.NrSyncobjReset, 16}, {abi.NrSyncobjSignal, 16},
	{abi.NrSyncobjTimeSignal, 24}, {abi.NrSyncobjQuery, 24}, {abi.NrSyncobjTransfer, 32}, {abi.NrSyncobjEventfd, 24},
	{abi.NrQuery, 24}, {abi.NrBOCreate, 32}, {abi.NrBOInfo, 40}, {abi.NrQueueCreate, 24}, {abi.NrQueueDestroy, 8},
	{abi.NrSubmit, 80}, {abi.NrQueueStatus, 40},
}

// More than ioctls that the structured fuzzer does.
const (
	stepPackets = iota // sound packets into a buffer
	stepBytes          // any bytes
	stepEventfd
	stepMmap
	stepSleep
	numSteps
)

// answers are the errnos that programs may get.
var answers = map[unix.Errno]bool{0: true, unix.EINVAL: true, unix.ENOENT: true, unix.ENOSPC: true, unix.ENOMEM: true, unix.ETIME: true,
	unix.EBADF: true, unix.EMFILE: true, unix.ECANCELED: true, unix.EAGAIN: true, unix.EACCES: true, unix.EFAULT: true, unix.ENOTTY: true,
	unix.EOPNOTSUPP: true, unix.EINTR: true}

// rig is a device that fuzz inputs use one after another, each on a clean one.
type rig struct {
	*testing.T
	d        *fwtest.Device
	cleanups []func()
	uses     int
	held     string // of the host, with no program open
}

// Cleanup implements fwtest.TB: what it is given runs when the device goes.
func (r *rig) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }

// theRig is that of this process: a fuzzer's worker, or a test's.
var theRig rig

// rigUses is how many inputs a device serves before it is taken apart, with all of
// its invariants held.
const rigUses = 500

// secret is what a victim's memory is full of.
var secret = []byte("victim's")

// against runs attack as a program with two files of a device, beside a victim, and
// holds that the victim has noticed nothing, that no DMA was refused, that nothing
// the programs had is left, and that the device works.
func against(t *testing.T, attack func(a *attacker)) {
	r := &theRig
	if r.T = t; r.d == nil {
		r.d = fwtest.NewDevice(r, fwtest.Config(func(c *configs.Config) { c.DRAM.Size = 32 * sim.MiB }))
		r.held = fmt.Sprint(r.d.Host.Leaks())
	}
	defer func() {
		if r.uses++; t.Failed() || r.uses == rigUses {
			r.end()
		}
	}()
	d := r.d
	stop := d.Bus.Timer("watchdog", 600e9, func() { t.Error("an input hangs"); d.Engine.Stop() })
	d.Run(func() {
		v := newVictim(d)
		p := d.Open()
		a := &attacker{T: t, d: d, p: p, files: [2]*fw.File{p.File, d.OpenIn(p.Memory).File}}
		attack(a)
		a.search()
		v.check(t)
		d.Bus.Sleep(20_000) // posted writes arrive
		require.NoError(t, d.Driver.CheckTables(d.NPU.Memory().Peek))
		for fd := int32(3); p.Memory.Leaks() != nil; fd++ {
			_ = p.Memory.CloseFD(fd)
		}
		for _, m := range a.mappings {
			m.Unmap()
		}
		for _, f := range a.files {
			if !f.Closed() {
				require.NoError(t, f.Close())
			}
		}
		v.check(t)
		v.work(t)
		require.NoError(t, d.Clean())
		require.Empty(t, d.Host.Faults(), "DMA outside of what was mapped")
		require.Equal(t, r.held, fmt.Sprint(d.Host.Leaks()), "what the driver has of the host")
		require.Equal(t, 1, d.Driver.PowerUsers())
	})
	stop()
}

// end takes the device apart.
func (r *rig) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	*r = rig{}
}

// victim is a program that fuzzed ones must not reach.
type victim struct {
	p         *fwtest.Program
	dev, host *fwtest.Buffer
	want      []byte
}

func newVictim(d *fwtest.Device) *victim {
	p := d.Open()
	v := &victim{p: p, dev: p.NewBuffer(4096, abi.BODevice), host: p.NewBuffer(4096, abi.BOHost), want: bytes.Repeat(secret, 512)}
	v.dev.Write(0, v.want)
	v.host.Write(0, v.want)
	for _, flags := range []uint32{abi.BODevice, abi.BOHost} {
		for _, pages := range []uint64{1, 4} { // left behind
			b := p.NewBuffer(pages*4096, flags)
			b.Write(0, v.want)
			b.Unmap()
			b.Close()
		}
	}
	return v
}

func (v *victim) check(t *testing.T) {
	require.True(t, bytes.Equal(v.want, v.dev.Read(0, 4096)), "a victim's device memory is as it was")
	require.True(t, bytes.Equal(v.want, v.host.Read(0, 4096)), "and its host memory")
}

// work has the victim's own job run to a right end.
func (v *victim) work(t *testing.T) {
	to := v.p.NewBuffer(4096, abi.BOHost)
	q := v.p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	j := v.p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(to.Addr, v.dev.Addr, 4096)}, Buffers: []*fwtest.Buffer{to, v.dev}})
	require.NoError(t, v.p.Finish(q, j), "a bystander's job")
	require.True(t, bytes.Equal(v.want, to.Read(0, 4096)))
}

// attacker is a program that does anything.
type attacker struct {
	*testing.T
	d        *fwtest.Device
	p        *fwtest.Program
	files    [2]*fw.File
	mappings []*fw.VMA
}

// did holds that a call has ended with an errno that programs may get.
func (a *attacker) did(err error, what string, args ...any) {
	if !answers[fw.Errno(err)] {
		a.Fatalf("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// info asks for a buffer.
func (a *attacker) info(f *fw.File, handle uint32) (abi.BOInfo, error) {
	arg := make([]byte, abi.SizeOf[abi.BOInfo]())
	abi.Store(arg, &abi.BOInfo{Handle: handle})
	at := a.p.Memory.Map(arg)
	defer a.p.Memory.Unmap(at)
	err := f.Ioctl(abi.RequestOf[abi.BOInfo](abi.NrBOInfo), at)
	return abi.Load[abi.BOInfo](arg), err
}

// mmap maps a buffer, nil if there is none to be mapped.
func (a *attacker) mmap(f *fw.File, handle uint32) *fw.VMA {
	info, err := a.info(f, handle)
	if err != nil {
		return nil
	}
	m, err := f.Mmap(info.MmapOffset, int64(info.Size))
	if err != nil {
		return nil // beyond BAR2
	}
	return m
}

// search looks for the victim's secret in everything that the program has.
func (a *attacker) search() {
	p := make([]byte, 4096)
	for _, f := range a.files {
		for h := range uint32(12) {
			if m := a.mmap(f, h); m != nil {
				n, err := m.ReadAt(p, 0)
				require.NoError(a, err)
				require.False(a, bytes.Contains(p[:n], secret), "a victim's data in buffer %d", h)
				m.Unmap()
			}
		}
	}
}

// fuzzer turns bytes into calls. Values are small numbers, so that handles, flags
// and counts are often valid, the address of its memory, or anything.
type fuzzer struct {
	in   []byte
	base uint64
}

func (z *fuzzer) next() byte {
	if len(z.in) == 0 {
		return 0
	}
	v := z.in[0]
	z.in = z.in[1:]
	return v
}

// field fills one 8-byte field, or its halves.
func (z *fuzzer) field(p []byte) {
	var b [8]byte
	switch c := z.next(); c % 8 {
	case 0, 1, 2, 3: // two small numbers
		b[0], b[4] = c>>3, z.next()%8
	case 4:
		le.PutUint64(b[:], z.base+uint64(z.next()%16)*64)
	case 5:
		le.PutUint64(b[:], uint64(z.next())<<12)
	case 6:
		le.PutUint64(b[:], uint64(z.next())*16)
	default:
		for i := range b {
			b[i] = z.next()
		}
	}
	copy(p, b[:])
}

// address is one of the program's buffers, of a hole between them, or anything.
func (z *fuzzer) address() uint64 {
	switch c := z.next(); c % 4 {
	case 0, 1, 2:
		return 1<<32 + uint64(z.next()%24)<<16 + uint64(c>>2)*64
	default:
		var b [8]byte
		z.field(b[:])
		return le.Uint64(b[:])
	}
}

// packet is one that the device takes, with arguments that may be wrong.
func (z *fuzzer) packet() []byte {
	k := abi.Packet{Op: z.next() % abi.NumOps, Flags: z.next() & abi.FlagBarrier, Addr: z.address()}
	var value [8]byte
	z.field(value[:])
	k.Value = le.Uint64(value[:])
	switch k.Op {
	case abi.OpCopy, abi.OpFill:
		k.Src, k.Dst, k.RowBytes = k.Addr, z.address(), 1+k.Value%(1<<20)
		shape := z.next()
		k.Counts = [2]uint32{1 + uint32(shape%4), 1 + uint32(shape>>2%4)}
		k.SrcStride = [2]uint64{uint64(z.next()) << 3, uint64(z.next()) << 6}
		k.DstStride = k.SrcStride
	case abi.OpKernel:
		k.Addr, k.Value, k.Cores = k.Addr&^63, abi.KernelSize, 1
	case abi.OpBarrier:
		k.Value %= 8
	case abi.OpIndirect:
		k.Addr, k.Value = k.Addr&^15, k.Value%4096&^15
	default:
		k.Addr &^= 7
	}
	p := make([]byte, k.Size())
	k.Encode(p)
	return p
}

// write puts bytes into a buffer, by mmap.
func (a *attacker) write(f *fw.File, handle uint32, off int64, p []byte) {
	if m := a.mmap(f, handle); m != nil {
		_, err := m.WriteAt(p, off)
		a.did(err, "write of %d bytes at %d", len(p), off)
		m.Unmap()
	}
}

// step is one that is no ioctl.
func (a *attacker) step(z *fuzzer, kind int, f *fw.File) {
	switch kind {
	case stepPackets:
		handle, off := uint32(z.next()%8), int64(z.next()%16)*64
		var p []byte
		for range 1 + z.next()%6 {
			p = append(p, z.packet()...)
		}
		a.write(f, handle, off, p)
	case stepBytes:
		handle, off, n := uint32(z.next()%8), int64(z.next())*16, int(z.next())
		p := make([]byte, n)
		for i := range p {
			p[i] = z.next()
		}
		a.write(f, handle, off, p)
	case stepEventfd:
		_, err := a.p.Memory.Install(fw.NewEventfd(a.d.Bus))
		a.did(err, "eventfd")
	case stepMmap:
		m, err := f.Mmap(uint64(4<<30)+uint64(z.next())<<12, int64(z.next())<<10)
		if a.did(err, "mmap"); err == nil {
			a.mappings = append(a.mappings, m)
		}
	case stepSleep:
		a.d.Bus.Sleep(int64(z.next()) * 4000)
	}
}

// script makes the bytes of a structured input: seeds.
type script []byte

func (s *script) call(nr uint32, fields ...[]byte) {
	for i, c := range calls {
		if c.nr == nr {
			*s = append(*s, byte(i))
		}
	}
	*s = append(*s, bytes.Join(fields, nil)...)
}

func (s *script) other(kind int, v ...byte) {
	*s = append(append(*s, byte(len(calls)+kind)), v...)
}

func pair(low, high byte) []byte { return []byte{low << 3, high} }
func pages(n byte) []byte        { return []byte{5, n} }
func sixteens(n byte) []byte     { return []byte{6, n} }

// submitting makes a command buffer (1), a data buffer (2), a queue (1) and a
// syncobj (1), has packets written and submits them, all in the file of even steps.
func submitting(x seed) (s script) {
	idle := func() { s.call(abi.NrVersion, make([]byte, 16)) } // in the other file
	zero := pair(0, 0)
	s.call(abi.NrBOCreate, pages(1), pair(abi.BOHost|abi.BOCommand, 0), zero, zero)
	idle()
	s.call(abi.NrBOCreate, pages(4), pair(abi.BODevice, 0), zero, zero)
	idle()
	s.call(abi.NrQueueCreate, pair(abi.EngineCopy, 1), zero, zero)
	idle()
	s.call(abi.NrSyncobjCreate, zero) // leaves {1, 0} in the memory
	idle()
	s.other(stepEventfd)
	idle()
	s.other(stepPackets, x.packets...)
	idle()
	s.call(abi.NrSubmit, pair(1, 0), pair(1, 0), zero, sixteens(x.sixteens), zero, zero, zero, zero, pages(255), zero)
	idle()
	s.other(stepSleep, 250)
	idle()
	s.call(abi.NrQueueStatus, pair(1, 0), zero, zero, zero, zero)
	return s
}

// Whatever a program calls and has the device do: nothing panics, nothing hangs,
// nobody else's memory is read or written, and after it has closed nothing is left
// over.
func FuzzIoctls(f *testing.F) {
	f.Add([]byte{18, 0, 8, 1, 1, 22, 0, 1, 2, 3})
	f.Add([]byte{5, 0, 0, 18, 5, 16, 2, 0, 20, 0, 0, 22, 8, 8, 8, 8, 4, 4, 4})
	f.Add([]byte{18, 5, 4, 16, 0, 3, 8, 0, 4, 24, 0, 2, 8, 19, 8, 0, 20, 0, 0, 0, 22, 8, 0, 8, 8, 6, 1, 6, 1, 4, 0})
	for _, x := range seeds {
		f.Add([]byte(submitting(x)))
	}
	f.Cleanup(theRig.end)
	f.Fuzz(func(t *testing.T, in []byte) {
		against(t, func(a *attacker) { a.play(in) })
	})
}

// play does what the bytes of an input say.
func (a *attacker) play(in []byte) {
	memory := make([]byte, 4096)
	z := &fuzzer{in: in, base: a.p.Memory.Map(memory)}
	for n := 0; len(z.in) > 0 && n < 60; n++ {
		what := int(z.next()) % (len(calls) + numSteps)
		file := a.files[n%2]
		if what >= len(calls) {
			a.step(z, what-len(calls), file)
			continue
		}
		c := calls[what]
		arg := make([]byte, (c.size+7)&^7)
		for off := 0; off < len(arg); off += 8 {
			z.field(arg[off:])
		}
		bound(c.nr, arg)
		at := a.p.Memory.Map(arg[:c.size])
		a.did(file.Ioctl(abi.Request(abi.IoctlRead|abi.IoctlWrite, c.nr, c.size), at), "ioctl %#x of %x", c.nr, arg)
		a.p.Memory.Unmap(at)
		copy(memory[n*8:], arg[:8]) // what came back serves as input
	}
}

// The seeds reach the device: their jobs are taken, and the first ones end well.
func TestFuzzSeedsRunJobs(t *testing.T) {
	for _, x := range seeds {
		var before, after abi.TelemetryInfo
		against(t, func(a *attacker) {
			before = a.p.Telemetry()
			a.play(submitting(x))
			a.d.Bus.Sleep(100e6)
			after = a.p.Telemetry()
		})
		assert.EqualValues(t, 1, after.JobsCompleted+after.JobsFailed-before.JobsCompleted-before.JobsFailed, "jobs of %v", x.packets)
		assert.Equal(t, x.fails, after.JobsFailed > before.JobsFailed, "%v", x.packets)
	}
	theRig.end()
}

// seed is packets for a command buffer: the buffer, where in it, how many but one,
// and what fuzzer.packet makes of the rest.
type seed struct {
	packets  []byte
	sixteens byte // their length
	fails    bool
}

var seeds = []seed{
	{[]byte{1, 0, 0, abi.OpCopy, 0, 0, 1, 5, 1, 0, 1, 0, 0, 0}, 5, false},
	{[]byte{1, 0, 0, abi.OpFill, 0, 0, 0, 6, 200, 0, 1, 0, 0, 0}, 4, false},
	{[]byte{1, 0, 0, abi.OpFill, 0, 0, 0, 6, 200, 0, 0, 0, 0, 0}, 4, true}, // over the commands
	{[]byte{1, 0, 1, abi.OpTimestamp, 0, 0, 1, 0, 0, abi.OpSignal, 0, 0, 1, 8, 1}, 3, false},
	{[]byte{1, 0, 1, abi.OpNop, 0, 0, 1, 0, 0, abi.OpCopy, 0, 0, 9, 5, 1, 0, 1, 0, 0, 0}, 6, true}, // from a hole
	{[]byte{1, 0, 1, abi.OpIndirect, 0, 0, 0, 6, 4, abi.OpBarrier, 0, 0, 0, 8, 0}, 3, true},        // itself
	{[]byte{1, 0, 0, abi.OpKernel, 0, 0, 1, 0, 0}, 2, true},
}

// bound keeps what would only take long from taking long: time-outs of waits and
// jobs, sizes of buffers.
func bound(nr uint32, arg []byte) {
	limit := func(off int, v uint64) {
		if len(arg) >= off+8 {
			le.PutUint64(arg[off:], le.Uint64(arg[off:])%v)
		}
	}
	switch nr {
	case abi.NrSyncobjWait:
		limit(8, 1e9)
	case abi.NrSyncobjTimeWait:
		limit(16, 1e9)
	case abi.NrSubmit:
		limit(64, 5e6)
	case abi.NrBOCreate:
		limit(0, 8<<20)
	}
}

// Pointers of the raw fuzzer.
const (
	whole   = iota // as many bytes as the number says
	cut            // fewer
	nowhere        // a hole
	null
	numPointers
)

// raw is the bytes of a raw call: the encoded number, a pointer's kind with what it
// is cut by, and how many bytes of contents follow.
func raw(request uint32, pointer, by byte, contents ...byte) []byte {
	return append([]byte{byte(request), byte(request >> 8), byte(request >> 16), byte(request >> 24), pointer, by, byte(len(contents))}, contents...)
}

// Whatever number, type, size, direction and pointer a program calls with: the
// errno is one that programs may get, memory behind the struct stays as it was, and
// what is written only comes back changed with IOC_READ.
func FuzzRaw(f *testing.F) {
	for _, c := range calls {
		f.Add(raw(abi.Request(abi.IoctlRead|abi.IoctlWrite, c.nr, c.size), whole, 0))
		f.Add(raw(abi.Request(abi.IoctlRead|abi.IoctlWrite, c.nr, c.size), cut, 1, 1, 0, 0, 0, 1))
		f.Add(raw(abi.Request(abi.IoctlWrite, c.nr, 4), whole, 0, 1))
		f.Add(raw(abi.Request(abi.IoctlRead, c.nr, 200), whole, 0, 1))
	}
	f.Add(raw(abi.Request(abi.IoctlNone, abi.NrSetMaster, 0), null, 0))
	f.Add(raw(0xc0186640, whole, 0))
	f.Add(raw(0xffffffff, nowhere, 0))
	f.Cleanup(theRig.end)
	f.Fuzz(func(t *testing.T, in []byte) {
		against(t, func(a *attacker) {
			z := &fuzzer{in: in}
			for n := 0; len(z.in) > 0 && n < 100; n++ {
				request := uint32(z.next()) | uint32(z.next())<<8 | uint32(z.next())<<16 | uint32(z.next())<<24
				pointer, by := z.next()%numPointers, z.next()
				size := int(request >> 16 & (1<<14 - 1))
				arg := bytes.Repeat([]byte{0}, size)
				for i := range min(int(z.next()), len(arg), len(z.in)) {
					arg[i] = z.next()
				}
				bound(request&0xff, arg)
				a.raw(a.files[n%2], request, pointer, int(by), arg)
			}
		})
	})
}

// raw calls an ioctl whose struct lies between bytes that have to stay. Behind the
// kernel's struct the caller's comes back as it was read, as zeros if it was not.
func (a *attacker) raw(f *fw.File, request uint32, pointer byte, by int, arg []byte) {
	const guard = 64
	area := bytes.Repeat([]byte{0xa5}, len(arg)+2*guard)
	copy(area[guard:], arg)
	mapped := area
	if pointer == cut {
		mapped = area[:max(guard, len(area)-guard-1-by)]
	}
	at := a.p.Memory.Map(mapped)
	p := at + guard
	switch pointer {
	case nowhere:
		p = at + uint64(len(area)) + 1<<20 + uint64(by)
	case null:
		p = uint64(by) & 7
	}
	err := f.Ioctl(request, p)
	a.p.Memory.Unmap(at)
	a.did(err, "ioctl %#x", request)
	before := slices.Clone(arg)
	if request>>30&abi.IoctlWrite == 0 {
		clear(arg[min(128, len(arg)):])
	}
	for i, b := range area {
		inside := i >= guard && i < guard+len(arg)
		switch {
		case !inside && b != 0xa5:
			a.Fatalf("ioctl %#x writes byte %d of a struct of %d", request, i-guard, len(arg))
		case inside && b != before[i-guard] && (request>>30&abi.IoctlRead == 0 || pointer != whole):
			a.Fatalf("ioctl %#x changes byte %d of a struct of %d that is not its to change (pointer %d)", request, i-guard, len(arg), pointer)
		case inside && i-guard >= 128 && b != arg[i-guard] && b != before[i-guard]:
			a.Fatalf("ioctl %#x changes byte %d of a struct of %d that is not its to change (pointer %d)", request, i-guard, len(arg), pointer)
		}
	}
}
