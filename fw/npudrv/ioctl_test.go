package npudrv_test

import (
	"math"
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

// fixture is what the table of bad arguments refers to.
type fixture struct {
	*fwtest.Program
	queue, syncobj   uint32
	data, cmd, other *fwtest.Buffer // other belongs to another file
}

func newFixture(p *fwtest.Program) *fixture {
	x := &fixture{Program: p, queue: p.NewQueue(abi.EngineCompute, fw.PriorityNormal), syncobj: p.NewSyncobj(),
		data: p.NewBuffer(8192, abi.BOHost), cmd: p.NewBuffer(4096, abi.BOHost|abi.BOCommand)}
	other := p.Open()
	for range 5 { // handles that the fixture's file does not have
		x.other = other.NewBuffer(4096, abi.BODevice)
	}
	return x
}

// submit is a sound SUBMIT of an empty packet; change spoils it.
func (x *fixture) submit(change func(*abi.Submit)) error {
	nop := make([]byte, 16)
	(&abi.Packet{Op: abi.OpNop}).Encode(nop)
	x.cmd.Write(0, nop)
	a := abi.Submit{Queue: x.queue, CommandBO: x.cmd.Handle, Length: 16, NumBOs: 1, BOs: x.Array(x.data.Handle)}
	change(&a)
	return fwtest.Ioctl(x.Program, abi.NrSubmit, &a)
}

// bad is a call with one thing wrong, and the errno that the uAPI gives for it.
var bad = []struct {
	name string
	want unix.Errno
	call func(x *fixture) error
}{
	{"QUERY type", unix.EINVAL, func(x *fixture) error { return fwtest.Ioctl(x.Program, abi.NrQuery, &abi.Query{Type: 3}) }},
	{"QUERY pad", unix.EINVAL, func(x *fixture) error { return fwtest.Ioctl(x.Program, abi.NrQuery, &abi.Query{Pad: 1}) }},
	{"QUERY pointer", unix.EFAULT, func(x *fixture) error { return fwtest.Ioctl(x.Program, abi.NrQuery, &abi.Query{Size: 8, Ptr: 8}) }},

	{"BO_CREATE size 0", unix.EINVAL, func(x *fixture) error { return x.create(0, abi.BOHost) }},
	{"BO_CREATE size beyond all", unix.EINVAL, func(x *fixture) error { return x.create(math.MaxUint64, abi.BOHost) }},
	{"BO_CREATE nowhere", unix.EINVAL, func(x *fixture) error { return x.create(4096, 0) }},
	{"BO_CREATE in both memories", unix.EINVAL, func(x *fixture) error { return x.create(4096, abi.BOHost|abi.BODevice) }},
	{"BO_CREATE unknown flag", unix.EINVAL, func(x *fixture) error { return x.create(4096, abi.BOHost|1<<5) }},
	{"BO_CREATE device memory full", unix.ENOSPC, func(x *fixture) error { return x.create(1<<30, abi.BODevice) }},
	{"BO_CREATE host memory full", unix.ENOMEM, func(x *fixture) error { return x.create(1<<30, abi.BOHost) }},
	{"BO_CREATE pad", unix.EINVAL, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrBOCreate, &abi.BOCreate{Size: 4096, Flags: abi.BOHost, Pad: 1})
	}},

	{"BO_INFO handle 0", unix.ENOENT, func(x *fixture) error { return fwtest.Ioctl(x.Program, abi.NrBOInfo, &abi.BOInfo{}) }},
	{"BO_INFO another file's handle", unix.ENOENT, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrBOInfo, &abi.BOInfo{Handle: x.other.Handle})
	}},
	{"BO_INFO handle beyond all", unix.ENOENT, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrBOInfo, &abi.BOInfo{Handle: math.MaxUint32})
	}},
	{"BO_INFO pad", unix.EINVAL, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrBOInfo, &abi.BOInfo{Handle: x.data.Handle, Pad: 1})
	}},

	{"QUEUE_CREATE engine", unix.EINVAL, func(x *fixture) error { return x.createQueue(abi.QueueCreate{Engine: 2}) }},
	{"QUEUE_CREATE priority", unix.EINVAL, func(x *fixture) error { return x.createQueue(abi.QueueCreate{Priority: 4}) }},
	{"QUEUE_CREATE cores", unix.EINVAL, func(x *fixture) error { return x.createQueue(abi.QueueCreate{CoreMask: 1 << 2}) }},
	{"QUEUE_CREATE flags", unix.EINVAL, func(x *fixture) error { return x.createQueue(abi.QueueCreate{Flags: 1}) }},
	{"QUEUE_CREATE pad", unix.EINVAL, func(x *fixture) error { return x.createQueue(abi.QueueCreate{Pad: 1}) }},
	{"QUEUE_DESTROY queue", unix.ENOENT, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: 9})
	}},
	{"QUEUE_DESTROY pad", unix.EINVAL, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: x.queue, Pad: 1})
	}},
	{"QUEUE_STATUS queue", unix.ENOENT, func(x *fixture) error {
		return fwtest.Ioctl(x.Program, abi.NrQueueStatus, &abi.QueueStatus{Queue: 0})
	}},

	{"SUBMIT queue", unix.ENOENT, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Queue = 7 }) }},
	{"SUBMIT flags", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Flags = 2 }) }},
	{"SUBMIT command handle", unix.ENOENT, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.CommandBO = 99 }) }},
	{"SUBMIT commands in a data buffer", unix.EINVAL, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.CommandBO = x.data.Handle })
	}},
	{"SUBMIT offset misaligned", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Offset = 8 }) }},
	{"SUBMIT offset beyond the buffer", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Offset = 4096 }) }},
	{"SUBMIT offset and length wrap", unix.EINVAL, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.Offset = math.MaxUint64 - 15 })
	}},
	{"SUBMIT length 0", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Length = 0 }) }},
	{"SUBMIT length misaligned", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Length = 24 }) }},
	{"SUBMIT length beyond the buffer", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.Length = 8192 }) }},
	{"SUBMIT length beyond the limit", unix.EINVAL, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.Length = abi.MaxCommandBytes + 16 })
	}},
	{"SUBMIT too many buffers", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.NumBOs = math.MaxUint32 }) }},
	{"SUBMIT buffers' address", unix.EFAULT, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.BOs = 64 }) }},
	{"SUBMIT more buffers than there is memory of", unix.EFAULT, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.NumBOs = 2 })
	}},
	{"SUBMIT another file's buffer", unix.ENOENT, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.BOs = x.Array(x.other.Handle) })
	}},
	{"SUBMIT in-syncs' address", unix.EFAULT, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.NumInSyncs, a.InSyncs = 1, 8 })
	}},
	{"SUBMIT too many in-syncs", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.NumInSyncs = 1 << 20 }) }},
	{"SUBMIT too many out-syncs", unix.EINVAL, func(x *fixture) error { return x.submit(func(a *abi.Submit) { a.NumOutSync = 1 << 20 }) }},
	{"SUBMIT in-sync that holds nothing", unix.EINVAL, func(x *fixture) error { return x.submitIn(abi.Sync{Syncobj: x.syncobj}) }},
	{"SUBMIT in-sync point that nobody submitted", unix.EINVAL, func(x *fixture) error {
		return x.submitIn(abi.Sync{Syncobj: x.syncobj, Point: 5})
	}},
	{"SUBMIT in-sync handle", unix.ENOENT, func(x *fixture) error { return x.submitIn(abi.Sync{Syncobj: 77}) }},
	{"SUBMIT in-sync flags", unix.EINVAL, func(x *fixture) error { return x.submitIn(abi.Sync{Syncobj: x.syncobj, Flags: 1}) }},
	{"SUBMIT out-sync handle", unix.ENOENT, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.NumOutSync, a.OutSyncs = 1, x.Array(77, 0, 0, 0) })
	}},
	{"SUBMIT out-sync flags", unix.EINVAL, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.NumOutSync, a.OutSyncs = 1, x.Array(x.syncobj, 1, 0, 0) })
	}},
	{"SUBMIT out-syncs' address", unix.EFAULT, func(x *fixture) error {
		return x.submit(func(a *abi.Submit) { a.NumOutSync, a.OutSyncs = 1, 8 })
	}},
}

func (x *fixture) create(size uint64, flags uint32) error {
	return fwtest.Ioctl(x.Program, abi.NrBOCreate, &abi.BOCreate{Size: size, Flags: flags})
}

func (x *fixture) createQueue(a abi.QueueCreate) error {
	return fwtest.Ioctl(x.Program, abi.NrQueueCreate, &a)
}

func (x *fixture) submitIn(s abi.Sync) error {
	return x.submit(func(a *abi.Submit) {
		a.NumInSyncs, a.InSyncs = 1, x.Array(s.Syncobj, s.Flags, uint32(s.Point), uint32(s.Point>>32))
	})
}

// Every argument of every driver ioctl, wrong one at a time, gives its errno and
// leaves nothing behind: the sound call after it works, and the leak checks hold.
func TestBadArguments(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		x := newFixture(p)
		for _, c := range bad {
			assert.ErrorIs(t, c.call(x), c.want, c.name)
		}
		require.NoError(t, x.submit(func(*abi.Submit) {}))
		assert.EqualValues(t, 1, p.Status(x.queue).LastSubmitted, "what was refused took no sequence number")
	})
}

func TestQuery(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		q := abi.Query{Type: abi.QueryDevice}
		fwtest.Must(p, abi.NrQuery, &q)
		assert.EqualValues(t, 120, q.Size, "a null pointer asks for the size")

		at := p.Memory.Map(make([]byte, 128))
		q = abi.Query{Type: abi.QueryDevice, Size: 128, Ptr: at}
		require.NoError(t, p.Memory.CopyOut(at, []byte{127: 0xee}))
		fwtest.Must(p, abi.NrQuery, &q)
		assert.EqualValues(t, 120, q.Size)
		raw := p.Peek(at, 128)
		assert.Equal(t, make([]byte, 8), raw[120:], "a larger buffer gets zeros at its end")
		info := abi.Load[abi.DeviceInfo](raw)
		assert.EqualValues(t, abi.PlatformSimulation, info.Platform)
		assert.EqualValues(t, 2, info.NumCores)
		assert.EqualValues(t, 64<<20, info.MemSize)
		assert.EqualValues(t, 8, info.ArrayRows)
		assert.EqualValues(t, 500e6, info.CoreClockHz)

		q = abi.Query{Type: abi.QueryDevice, Size: 4, Ptr: at}
		require.NoError(t, p.Memory.CopyOut(at, make([]byte, 128)))
		fwtest.Must(p, abi.NrQuery, &q)
		raw = p.Peek(at, 8)
		assert.EqualValues(t, info.HWVersion, raw[0])
		assert.Equal(t, make([]byte, 4), raw[4:], "a smaller buffer gets no more than it holds")

		before := info.MemAvailable
		p.NewBuffer(1<<20, abi.BODevice)
		q = abi.Query{Type: abi.QueryDevice, Size: 120, Ptr: at}
		fwtest.Must(p, abi.NrQuery, &q)
		assert.Equal(t, before-1<<20, abi.Load[abi.DeviceInfo](p.Peek(at, 120)).MemAvailable)
	})
}

func TestBufferInfo(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		for _, c := range []struct {
			size, rounded uint64
			flags         uint32
		}{{1, 4096, abi.BODevice}, {4097, 8192, abi.BOHost}, {2 << 20, 2 << 20, abi.BODevice | abi.BOReadOnly}} {
			a := abi.BOCreate{Size: c.size, Flags: c.flags}
			fwtest.Must(p, abi.NrBOCreate, &a)
			assert.Equal(t, c.rounded, a.Size)
			info := abi.BOInfo{Handle: a.Handle}
			fwtest.Must(p, abi.NrBOInfo, &info)
			assert.Equal(t, c.flags, info.Flags)
			assert.Equal(t, c.rounded, info.Size)
			assert.Equal(t, a.DeviceAddr, info.DeviceAddr)
			assert.GreaterOrEqual(t, info.MmapOffset, uint64(4<<30))
			assert.Equal(t, c.flags&abi.BODevice, info.Resident)
		}
	})
}

func TestRealtimeNeedsPrivilege(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		a := abi.QueueCreate{Priority: fw.PriorityRealtime}
		assert.ErrorIs(t, fwtest.Ioctl(d.Open(fw.OpenUnprivileged), abi.NrQueueCreate, &a), unix.EACCES)
		assert.NoError(t, fwtest.Ioctl(d.Open(), abi.NrQueueCreate, &a))
	})
}

func TestQueuesAreBounded(t *testing.T) {
	run(t, func(p *fwtest.Program) {
		for i := range uint32(256) {
			assert.Equal(t, i+1, p.NewQueue(abi.EngineCopy, 0))
		}
		assert.ErrorIs(t, fwtest.Ioctl(p, abi.NrQueueCreate, &abi.QueueCreate{}), unix.ENOSPC)
		fwtest.Must(p, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: 100})
		assert.EqualValues(t, 100, p.NewQueue(abi.EngineCopy, 0), "the lowest free number")
	})
}

// Device memory is given out until it is full, then what is not used is evicted
// until host memory is full too, and all of it comes back.
func TestMemoryFills(t *testing.T) {
	small := func(c *configs.Config) { c.DRAM.Size, c.Host.Memory = 16*sim.MiB, 64*sim.MiB }
	run(t, func(p *fwtest.Program) {
		x := &fixture{Program: p}
		last := uint32(0)
		for range 2 {
			n := uint32(0)
			var err error
			for err == nil {
				if err = x.create(1<<20, abi.BODevice); err == nil {
					n++
				}
				if n == 15 {
					assert.Zero(t, free(p), "16 MiB less one for page tables")
				}
			}
			assert.Equal(t, unix.ENOSPC, fw.Errno(err))
			assert.Greater(t, n, uint32(15+50))
			if last != 0 {
				assert.Equal(t, last, n)
			}
			last = n
			for handle := uint32(1); handle <= n; handle++ {
				fwtest.Must(p, abi.NrGemClose, &abi.GemClose{Handle: handle})
			}
		}
	}, fwtest.Config(small))
}
