package rt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// still is a kernel on which nothing happens by itself: waits end at once.
type still struct{ hw.Kernel }

func (still) Now() int64                          { return 5 }
func (still) Charge(hw.Cost)                      {}
func (still) Self() hw.Thread                     { return nil }
func (s still) NewWaitQueue() hw.WaitQueue        { return s }
func (still) Wait(string)                         {}
func (still) WaitUntil(why string, ns int64) bool { return false }
func (still) WakeAll()                            {}

// Release and Mapping implement fw.ObjectFuncs.
func (m memory) Release(*fw.Object)                     {}
func (m memory) Mapping(*fw.Object) (fw.Mapping, error) { return m, nil }

// stub is a driver that serves the uAPI without a device: jobs end at once.
type stub struct {
	handles []byte // of the last job
	bytes   []byte // of its command buffer
}

func (s *stub) driver() *fw.Driver {
	entry := func(name string, size int, fn func(*fw.File, []byte) error) fw.Ioctl {
		return fw.Ioctl{Name: name, Size: size, Fn: fn}
	}
	return &fw.Driver{Name: "stub", Features: fw.FeatureAccel | fw.FeatureGEM | fw.FeatureSyncobj, Ioctls: map[uint32]fw.Ioctl{
		abi.NrQuery:        entry("QUERY", abi.SizeOf[abi.Query](), s.query),
		abi.NrBOCreate:     entry("BO_CREATE", abi.SizeOf[abi.BOCreate](), s.create),
		abi.NrBOInfo:       entry("BO_INFO", abi.SizeOf[abi.BOInfo](), s.info),
		abi.NrQueueCreate:  entry("QUEUE_CREATE", abi.SizeOf[abi.QueueCreate](), func(*fw.File, []byte) error { return nil }),
		abi.NrQueueDestroy: entry("QUEUE_DESTROY", abi.SizeOf[abi.QueueDestroy](), func(*fw.File, []byte) error { return nil }),
		abi.NrQueueStatus:  entry("QUEUE_STATUS", abi.SizeOf[abi.QueueStatus](), func(*fw.File, []byte) error { return nil }),
		abi.NrSubmit:       entry("SUBMIT", abi.SizeOf[abi.Submit](), s.submit),
	}}
}

func (s *stub) query(f *fw.File, arg []byte) error {
	info := edge
	info.ABIVersion = abi.Version
	p := make([]byte, abi.SizeOf[abi.DeviceInfo]())
	abi.Store(p, &info)
	return f.User().CopyOut(abi.Load[abi.Query](arg).Ptr, p)
}

func (s *stub) create(f *fw.File, arg []byte) error {
	a := abi.Load[abi.BOCreate](arg)
	a.Size = (a.Size + 4095) &^ 4095
	o := f.Dev.NewObject(int64(a.Size), make(memory, a.Size))
	defer o.Put()
	var err error
	a.Handle, err = f.CreateHandle(o)
	a.DeviceAddr = o.MmapOffset()
	abi.Store(arg, &a)
	return err
}

func (s *stub) info(f *fw.File, arg []byte) error {
	a := abi.Load[abi.BOInfo](arg)
	o, err := f.Object(a.Handle)
	if err != nil {
		return err
	}
	a.MmapOffset = o.MmapOffset()
	o.Put()
	abi.Store(arg, &a)
	return nil
}

func (s *stub) submit(f *fw.File, arg []byte) error {
	a := abi.Load[abi.Submit](arg)
	s.handles = make([]byte, 4*a.NumBOs)
	out := make([]byte, 16*a.NumOutSync)
	for _, r := range []struct {
		addr uint64
		p    []byte
	}{{a.BOs, s.handles}, {a.OutSyncs, out}} {
		if err := f.User().CopyIn(r.addr, r.p); err != nil {
			return err
		}
	}
	o, err := f.Object(a.CommandBO)
	if err != nil {
		return err
	}
	defer o.Put()
	m, err := f.Mmap(o.MmapOffset(), int64(a.Length))
	if err != nil {
		return err
	}
	s.bytes = append([]byte(nil), m.Bytes()[:a.Length]...)
	for _, p := range decodeSyncs(out) {
		sync, err := f.Syncobj(p.Syncobj)
		if err != nil {
			return err
		}
		sync.Attach(p.Point, fw.SignaledFence(f.Kernel()))
	}
	a.Seqno = 1
	abi.Store(arg, &a)
	return nil
}

// The runtime and the framework agree on the uAPI, pointers included.
func TestLocal(t *testing.T) {
	s, class := &stub{}, fw.NewClass(still{})
	dev, err := class.NewDevice(s.driver(), "0000:01:00.0")
	require.NoError(t, err)
	require.NoError(t, dev.Register())
	arena := &fw.Arena{}
	file, err := class.Open(dev.Minor, arena)
	require.NoError(t, err)

	d, err := rt.Open(rt.Local(file, arena))
	require.NoError(t, err)
	assert.EqualValues(t, 16, d.Info.ArrayRows)
	q, err := d.NewQueue(rt.Compute, rt.PriorityNormal, 0)
	require.NoError(t, err)
	x, err := d.NewBuffer(10, abi.BODevice)
	require.NoError(t, err)
	_, err = x.WriteAt([]byte{42}, 9)
	require.NoError(t, err)

	c := q.Commands()
	c.Timestamp(x.Addr)
	ticket, err := q.Submit(&rt.Job{Commands: c, Buffers: []*rt.Buffer{x}})
	require.NoError(t, err)
	assert.Equal(t, []byte{byte(x.Handle), 0, 0, 0}, s.handles)
	var p abi.Packet
	_, st := p.Decode(s.bytes)
	require.Equal(t, abi.StatusOK, st)
	assert.Equal(t, abi.Packet{Op: abi.OpTimestamp, Addr: x.Addr}, p)
	require.NoError(t, q.Wait(ticket, rt.Forever))
	reached, err := ticket.Point.Syncobj.Reached()
	require.NoError(t, err)
	assert.EqualValues(t, 1, reached)
	assert.ErrorIs(t, d.Wait(6, rt.Point{Syncobj: ticket.Point.Syncobj, Value: 9}), unix.ETIME)

	require.NoError(t, x.Close())
	require.NoError(t, q.Close())
	require.NoError(t, d.Close())
	_, err = d.NewBuffer(1, abi.BODevice)
	assert.ErrorIs(t, err, unix.EBADF)
}
