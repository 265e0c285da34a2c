package npudrv_test

import (
	"testing"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/abi"
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

// Whatever a program calls: nothing panics, nothing hangs, and after it has
// closed nothing is left over.
func FuzzIoctls(f *testing.F) {
	f.Add([]byte{18, 0, 8, 1, 1, 22, 0, 1, 2, 3})
	f.Add([]byte{5, 0, 0, 18, 5, 16, 2, 0, 20, 0, 0, 22, 8, 8, 8, 8, 4, 4, 4})
	f.Add([]byte{18, 5, 4, 16, 0, 3, 8, 0, 4, 24, 0, 2, 8, 19, 8, 0, 20, 0, 0, 0, 22, 8, 0, 8, 8, 6, 1, 6, 1, 4, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := fwtest.NewDevice(t)
		d.Run(func() {
			p := d.Open()
			other := d.OpenIn(p.Memory)
			memory := make([]byte, 4096)
			z := &fuzzer{in: in, base: p.Memory.Map(memory)}
			for n := 0; len(z.in) > 0 && n < 60; n++ {
				c := calls[int(z.next())%len(calls)]
				file := []*fwtest.Program{p, other}[n%2].File
				arg := make([]byte, (c.size+7)&^7)
				for off := 0; off < len(arg); off += 8 {
					z.field(arg[off:])
				}
				bound(c.nr, arg)
				at := p.Memory.Map(arg[:c.size])
				_ = file.Ioctl(abi.Request(abi.IoctlRead|abi.IoctlWrite, c.nr, c.size), at)
				p.Memory.Unmap(at)
				copy(memory[n*8:], arg[:8]) // what came back serves as input
			}
			for fd := int32(3); p.Memory.Leaks() != nil; fd++ {
				_ = p.Memory.CloseFD(fd)
			}
		})
	})
}

// bound keeps what would only take long from taking long: time-outs of waits and
// jobs, sizes of buffers.
func bound(nr uint32, arg []byte) {
	limit := func(off int, v uint64) { le.PutUint64(arg[off:], le.Uint64(arg[off:])%v) }
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
