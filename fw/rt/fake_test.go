package rt_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// sent is an ioctl as the fake node saw it.
type sent struct {
	nr   uint32
	arg  []byte
	refs [][]byte // by field, in order
}

// fake is a node that keeps what it is told and answers like a driver.
type fake struct {
	t       *testing.T
	info    abi.DeviceInfo
	log     []sent
	fail    map[uint32]unix.Errno // by number, once
	handles uint32
	addr    uint64
	mem     map[uint64]memory // by mmap offset
	offsets map[uint32]uint64
	addrs   map[uint32]uint64 // of buffers
	open    map[uint32]bool   // buffers
	syncs   map[uint32]bool
	queues  map[uint32]bool
	seqno   uint64
	reached uint64
	status  abi.QueueStatus
	closed  bool
}

func newFake(t *testing.T) *fake {
	info := datacenter
	info.ABIVersion = abi.Version
	return &fake{t: t, info: info, fail: map[uint32]unix.Errno{}, addr: 1 << 32, mem: map[uint64]memory{},
		offsets: map[uint32]uint64{}, addrs: map[uint32]uint64{}, open: map[uint32]bool{}, syncs: map[uint32]bool{}, queues: map[uint32]bool{}}
}

// memory is a mapping of plain bytes.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error)  { return copy(p, m[off:]), nil }
func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }
func (m memory) Bytes() []byte                            { return m }

func (f *fake) Close() error { f.closed = true; return nil }

func (f *fake) Mmap(offset uint64, length int64) (rt.Mapping, error) {
	m, ok := f.mem[offset]
	if !ok || length > int64(len(m)) {
		return nil, unix.EINVAL
	}
	return m, nil
}

func (f *fake) Ioctl(request uint32, arg []byte, refs ...rt.Ref) error {
	require.Equal(f.t, uint32(abi.IoctlRead|abi.IoctlWrite), request>>30)
	require.Equal(f.t, uint32(abi.DRMType), request>>8&0xff)
	require.Equal(f.t, len(arg), int(request>>16&0x3fff))
	nr := request & 0xff
	s := sent{nr: nr, arg: append([]byte(nil), arg...)}
	for _, r := range refs {
		require.Zero(f.t, r.Offset%8, "pointer field of ioctl %#x", nr)
		require.Zero(f.t, binary.LittleEndian.Uint64(arg[r.Offset:]))
		s.refs = append(s.refs, append([]byte(nil), r.Data...))
	}
	f.log = append(f.log, s)
	if errno, ok := f.fail[nr]; ok {
		delete(f.fail, nr)
		return errno
	}
	return f.serve(nr, arg, refs)
}

func (f *fake) serve(nr uint32, arg []byte, refs []rt.Ref) error {
	switch nr {
	case abi.NrQuery:
		return f.query(arg, refs)
	case abi.NrBOCreate:
		a := abi.Load[abi.BOCreate](arg)
		a.Size = (a.Size + 4095) &^ 4095
		f.handles++
		a.Handle, a.DeviceAddr = f.handles, f.addr
		f.addrs[a.Handle] = f.addr
		f.addr += a.Size + 1<<20
		f.offsets[a.Handle] = uint64(a.Handle) << 32
		f.mem[f.offsets[a.Handle]], f.open[a.Handle] = make(memory, a.Size), true
		abi.Store(arg, &a)
	case abi.NrBOInfo:
		a := abi.Load[abi.BOInfo](arg)
		if !f.open[a.Handle] {
			return unix.ENOENT
		}
		a.MmapOffset = f.offsets[a.Handle]
		abi.Store(arg, &a)
	case abi.NrGemClose:
		return f.drop(f.open, abi.Load[abi.GemClose](arg).Handle)
	case abi.NrQueueCreate:
		a := abi.Load[abi.QueueCreate](arg)
		f.handles++
		a.Queue, f.queues[f.handles] = f.handles, true
		abi.Store(arg, &a)
	case abi.NrQueueDestroy:
		return f.drop(f.queues, abi.Load[abi.QueueDestroy](arg).Queue)
	case abi.NrSubmit:
		a := abi.Load[abi.Submit](arg)
		f.seqno++
		a.Seqno = f.seqno
		abi.Store(arg, &a)
	case abi.NrQueueStatus:
		abi.Store(arg, &f.status)
	case abi.NrSyncobjCreate:
		a := abi.Load[abi.SyncobjCreate](arg)
		f.handles++
		a.Handle, f.syncs[f.handles] = f.handles, true
		abi.Store(arg, &a)
	case abi.NrSyncobjDestroy:
		return f.drop(f.syncs, abi.Load[abi.SyncobjCreate](arg).Handle)
	case abi.NrSyncobjQuery:
		binary.LittleEndian.PutUint64(refs[1].Data, f.reached)
	case abi.NrSyncobjTimeWait:
		a := abi.Load[abi.SyncobjTimelineWait](arg)
		a.FirstSignaled = a.Count - 1
		abi.Store(arg, &a)
	case abi.NrSyncobjSignal, abi.NrSyncobjTimeSignal, abi.NrSyncobjReset:
	default:
		return unix.ENOTTY
	}
	return nil
}

func (f *fake) query(arg []byte, refs []rt.Ref) error {
	a := abi.Load[abi.Query](arg)
	switch a.Type {
	case abi.QueryDevice:
		abi.Store(refs[0].Data, &f.info)
	case abi.QueryTelemetry:
		abi.Store(refs[0].Data, &abi.TelemetryInfo{Faults: 3})
	case abi.QueryReset:
		abi.Store(refs[0].Data, &abi.ResetInfo{State: 2})
	}
	return nil
}

func (f *fake) drop(set map[uint32]bool, handle uint32) error {
	if !set[handle] {
		return unix.EINVAL
	}
	delete(set, handle)
	return nil
}

// last is the latest ioctl of a number.
func (f *fake) last(nr uint32) sent {
	for i := len(f.log) - 1; i >= 0; i-- {
		if f.log[i].nr == nr {
			return f.log[i]
		}
	}
	require.Fail(f.t, "ioctl was not called", "number %#x", nr)
	return sent{}
}

// count is how many ioctls of a number there were.
func (f *fake) count(nr uint32) (n int) {
	for _, s := range f.log {
		if s.nr == nr {
			n++
		}
	}
	return n
}

// opened is a device on a fake node.
func opened(t *testing.T) (*fake, *rt.Device) {
	f := newFake(t)
	d, err := rt.Open(f)
	require.NoError(t, err)
	return f, d
}
