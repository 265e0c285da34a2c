package fwtest

import (
	"bytes"
	"fmt"
	"math"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

const readWrite = abi.IoctlRead | abi.IoctlWrite

func s07Dispatch(c *Case) {
	u := c.open()
	at := u.node.Map(make([]byte, 256))
	for _, x := range []struct {
		name    string
		request uint32
		want    unix.Errno
	}{
		{"another type byte", readWrite<<30 | 24<<16 | 'e'<<8 | abi.NrQuery, unix.ENOTTY},
		{"type 0", readWrite<<30 | 24<<16 | abi.NrQuery, unix.ENOTTY},
		{"a number behind the driver's last", abi.Request(readWrite, abi.NrQueueStatus+1, 24), unix.EINVAL},
		{"the last number of the driver's range", abi.Request(readWrite, abi.CommandEnd-1, 24), unix.EINVAL},
		{"a number of the core's that nobody has", abi.Request(readWrite, 0x0f, 24), unix.EINVAL},
		{"a number behind the core's last", abi.Request(readWrite, 0xe0, 24), unix.EINVAL},
		{"the last number of all", abi.Request(readWrite, 0xff, 24), unix.EINVAL},
	} {
		c.is(u.node.Ioctl(x.request, at), x.want, x.name)
	}
	u.close()
}

func s07Unplugged(c *Case) {
	u := c.open()
	at := u.node.Map(make([]byte, 256))
	c.Unbind()
	for _, request := range []uint32{abi.RequestOf[abi.Query](abi.NrQuery), abi.RequestOf[abi.VersionInfo](abi.NrVersion),
		abi.RequestOf[abi.SyncobjCreate](abi.NrSyncobjCreate), abi.Request(readWrite, abi.CommandEnd-1, 24), readWrite<<30 | 'e'<<8} {
		c.is(u.node.Ioctl(request, at), unix.ENODEV, "request %#x", request)
	}
	u.close()
}

func s08Short(c *Case) {
	u := c.open()
	full := abi.SizeOf[abi.Query]()
	// Type and size alone: the pointer is 0, so that the size is asked for.
	buf := make([]byte, full)
	for i := range buf {
		buf[i] = 0xee
	}
	copy(buf, []byte{abi.QueryDevice, 0, 0, 0, 0, 0, 0, 0})
	require.NoError(c, u.raw(abi.Request(readWrite, abi.NrQuery, 8), buf))
	q := abi.Load[abi.Query](buf)
	assert.EqualValues(c, abi.SizeOf[abi.DeviceInfo](), q.Size)
	assert.Equal(c, uint64(0xeeeeeeeeeeeeeeee), q.Ptr, "behind the caller's struct nothing is written")
	// Nothing at all of a struct that may be all zeros.
	require.NoError(c, u.raw(abi.Request(readWrite, abi.NrQuery, 0), buf))
	// A syncobj's struct without its flags.
	short := []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
	require.NoError(c, u.raw(abi.Request(readWrite, abi.NrSyncobjCreate, 4), short))
	assert.NotZero(c, short[0])
	assert.Equal(c, []byte{0xff, 0xff, 0xff, 0xff}, short[4:])
	u.close()
}

func s08Long(c *Case) {
	u := c.open()
	for _, size := range []int{32, 128, 4096, 1<<14 - 1} {
		buf := make([]byte, size)
		for i := range buf {
			buf[i] = 0xa5
		}
		q := abi.Query{Type: abi.QueryReset}
		abi.Store(buf, &q)
		require.NoError(c, u.raw(abi.Request(readWrite, abi.NrQuery, size), buf), "%d bytes", size)
		assert.EqualValues(c, abi.SizeOf[abi.ResetInfo](), abi.Load[abi.Query](buf).Size)
		for i, b := range buf[abi.SizeOf[abi.Query]():] {
			require.EqualValues(c, 0xa5, b, "byte %d of the tail", i)
		}
	}
	u.close()
}

// QUERY writes as many bytes as it is given room for: of the struct, and zeros
// behind it, however many. It says how many there are.
func s08Query(c *Case)      { c.queries(0, 1, 12, 31, 32, 33, 119, 120, 121, 128, 136, 200, 4095, 4096) }
func s08LargeQuery(c *Case) { c.queries(4097, 5000, 1<<16, 1<<20) }

func (c *Case) queries(sizes ...int) {
	c.Helper()
	u := c.open()
	for kind, full := range []int{abi.QueryDevice: abi.SizeOf[abi.DeviceInfo](), abi.QueryTelemetry: abi.SizeOf[abi.TelemetryInfo](),
		abi.QueryReset: abi.SizeOf[abi.ResetInfo]()} {
		whole := make([]byte, full)
		Must(u, abi.NrQuery, &abi.Query{Type: uint32(kind), Size: uint32(full), Ptr: u.node.Map(whole)})
		for _, size := range sizes {
			const untouched = 0xee
			buf := bytes.Repeat([]byte{untouched}, size+64)
			q := abi.Query{Type: uint32(kind), Size: uint32(size), Ptr: u.node.Map(buf)}
			Must(u, abi.NrQuery, &q)
			what := fmt.Sprintf("query %d with room for %d bytes", kind, size)
			assert.EqualValues(c, full, q.Size, what)
			some := min(size, full)
			if kind != abi.QueryTelemetry { // which goes on
				assert.Equal(c, whole[:some], buf[:some], what)
			}
			require.Equal(c, size-some, bytes.Count(buf[some:size], []byte{0}), "%s: zeros at the end", what)
			require.Equal(c, 64, bytes.Count(buf[size:], []byte{untouched}), "%s: nothing behind", what)
		}
	}
	u.close()
}

func s08Pointers(c *Case) {
	u := c.open()
	for _, at := range []uint64{0, 8, 1 << 63, math.MaxUint64 - 7} {
		c.is(u.node.Ioctl(abi.RequestOf[abi.Query](abi.NrQuery), at), unix.EFAULT, "struct at %#x", at)
	}
	c.is(Ioctl(u, abi.NrQuery, &abi.Query{Size: 120, Ptr: 8}), unix.EFAULT)
	c.is(Ioctl(u, abi.NrVersion, &abi.VersionInfo{NameLen: 5, Name: 8}), unix.EFAULT)
	c.is(Ioctl(u, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: 8, Count: 1}), unix.EFAULT)
	x := newSpoiled(u)
	for _, spoil := range []func(a *abi.Submit){
		func(a *abi.Submit) { a.BOs = 64 },
		func(a *abi.Submit) { a.NumBOs = 1000 },
		func(a *abi.Submit) { a.NumInSyncs, a.InSyncs = 1, 8 },
		func(a *abi.Submit) { a.NumOutSync, a.OutSyncs = 1, 8 },
	} {
		c.is(x.submit(spoil), unix.EFAULT)
	}
	require.NoError(c, x.submit(func(*abi.Submit) {}))
	u.close()
}

// spoiled is what sound calls refer to, to be spoiled one argument at a time.
type spoiled struct {
	*User
	queue, syncobj uint32
	data, cmd      *Buffer
}

func newSpoiled(u *User) *spoiled {
	x := &spoiled{User: u, queue: u.NewQueue(abi.EngineCompute, fw.PriorityNormal), syncobj: u.NewSyncobj(),
		data: u.NewBuffer(8192, abi.BOHost), cmd: u.NewBuffer(4096, abi.BOHost|abi.BOCommand)}
	raw := make([]byte, 16)
	(&abi.Packet{Op: abi.OpNop}).Encode(raw)
	x.cmd.Write(0, raw)
	return x
}

// submit is a sound SUBMIT of an empty packet, spoiled by change.
func (x *spoiled) submit(change func(a *abi.Submit)) error {
	a := abi.Submit{Queue: x.queue, CommandBO: x.cmd.Handle, Length: 16, NumBOs: 1, BOs: x.Array(x.data.Handle)}
	change(&a)
	return Ioctl(x.User, abi.NrSubmit, &a)
}

// spoil is a call with one thing wrong.
func (x *spoiled) out(s abi.Sync) func(a *abi.Submit) {
	return func(a *abi.Submit) { a.NumOutSync, a.OutSyncs = 1, x.syncs([]abi.Sync{s}) }
}

func (x *spoiled) in(s abi.Sync) func(a *abi.Submit) {
	return func(a *abi.Submit) { a.NumInSyncs, a.InSyncs = 1, x.syncs([]abi.Sync{s}) }
}

func s08Padding(c *Case) {
	u := c.open()
	x := newSpoiled(u)
	n := 0
	bad := func(name string, err error) { c.is(err, unix.EINVAL, name); n++ }
	bad("QUERY type", Ioctl(u, abi.NrQuery, &abi.Query{Type: 99}))
	bad("QUERY pad", Ioctl(u, abi.NrQuery, &abi.Query{Pad: 1}))
	bad("BO_CREATE pad", Ioctl(u, abi.NrBOCreate, &abi.BOCreate{Size: 4096, Flags: abi.BOHost, Pad: 1}))
	for name, b := range map[string]abi.BOCreate{"size 0": {Flags: abi.BOHost}, "size beyond all": {Size: math.MaxUint64, Flags: abi.BOHost},
		"nowhere": {Size: 4096}, "in both": {Size: 4096, Flags: abi.BOHost | abi.BODevice}, "flag": {Size: 4096, Flags: abi.BOHost | 1<<31}} {
		bad("BO_CREATE "+name, Ioctl(u, abi.NrBOCreate, &b))
	}
	bad("BO_INFO pad", Ioctl(u, abi.NrBOInfo, &abi.BOInfo{Handle: x.data.Handle, Pad: 1}))
	for name, q := range map[string]abi.QueueCreate{"engine": {Engine: 2}, "priority": {Priority: 4}, "cores": {CoreMask: 1 << 31},
		"flags": {Flags: 1}, "pad": {Pad: 1}} {
		bad("QUEUE_CREATE "+name, Ioctl(u, abi.NrQueueCreate, &q))
	}
	bad("QUEUE_DESTROY pad", Ioctl(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: x.queue, Pad: 1}))
	for name, change := range map[string]func(a *abi.Submit){
		"flags": func(a *abi.Submit) { a.Flags = 2 }, "commands in a data buffer": func(a *abi.Submit) { a.CommandBO = x.data.Handle },
		"offset misaligned": func(a *abi.Submit) { a.Offset = 8 }, "offset beyond": func(a *abi.Submit) { a.Offset = 4096 },
		"offset wraps": func(a *abi.Submit) { a.Offset = math.MaxUint64 - 15 }, "length 0": func(a *abi.Submit) { a.Length = 0 },
		"length misaligned": func(a *abi.Submit) { a.Length = 24 }, "length beyond": func(a *abi.Submit) { a.Length = 8192 },
		"length beyond the limit": func(a *abi.Submit) { a.Length = abi.MaxCommandBytes + 16 },
		"too many buffers":        func(a *abi.Submit) { a.NumBOs = math.MaxUint32 },
		"too many in-syncs":       func(a *abi.Submit) { a.NumInSyncs = 1 << 20 }, "too many out-syncs": func(a *abi.Submit) { a.NumOutSync = 1 << 20 },
		"in-sync flags": x.in(abi.Sync{Syncobj: x.syncobj, Flags: 1}), "in-sync holds nothing": x.in(abi.Sync{Syncobj: x.syncobj}),
		"out-sync flags": x.out(abi.Sync{Syncobj: x.syncobj, Flags: 1}),
	} {
		bad("SUBMIT "+name, x.submit(change))
	}
	bad("SYNCOBJ_CREATE flags", Ioctl(u, abi.NrSyncobjCreate, &abi.SyncobjCreate{Flags: 2}))
	bad("SYNCOBJ_DESTROY pad", Ioctl(u, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: x.syncobj, Flags: 1}))
	bad("SYNCOBJ_WAIT flags", Ioctl(u, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: u.Array(x.syncobj), Count: 1, Flags: 1 << 30}))
	bad("SYNCOBJ_RESET pad", Ioctl(u, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: u.Array(x.syncobj), Count: 1, Pad: 1}))
	bad("SYNCOBJ_TRANSFER pad", Ioctl(u, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: x.syncobj, Dst: x.syncobj, Pad: 1}))
	require.Greater(c, n, 30)
	require.NoError(c, x.submit(func(*abi.Submit) {}), "the sound call works")
	assert.EqualValues(c, 1, u.Status(x.queue).LastSubmitted)
	u.close()
}

func s09Master(c *Case) {
	u := c.open()
	const setVersion, modeSetCRTC, modeAtomic = 0x07, 0xa2, 0xbc // drm.h
	for name, request := range map[string]uint32{
		"AUTH_MAGIC": abi.Request(abi.IoctlWrite, abi.NrAuthMagic, 4), "SET_VERSION": abi.Request(readWrite, setVersion, 16),
		"MODE_SETCRTC": abi.Request(readWrite, modeSetCRTC, 104), "MODE_ATOMIC": abi.Request(readWrite, modeAtomic, 56),
	} {
		c.is(u.raw(request, make([]byte, 104)), unix.EACCES, name)
	}
	// SET_MASTER and DROP_MASTER are for everybody who may; then no file of the node
	// is a master (drm_setmaster_ioctl, drm_dropmaster_ioctl).
	for name, nr := range map[string]uint32{"SET_MASTER": abi.NrSetMaster, "DROP_MASTER": abi.NrDropMaster} {
		err := u.raw(abi.Request(abi.IoctlNone, nr, 0), make([]byte, 8))
		assert.Contains(c, []unix.Errno{unix.EACCES, unix.EINVAL}, fw.Errno(err), name)
	}
	u.close()
}

func s09Caps(c *Case) {
	u := c.open()
	for capability := range uint64(8) {
		a := abi.GetCap{Capability: capability, Value: 1}
		c.is(u.raw(abi.Request(abi.IoctlWrite, abi.NrSetClientCap, 16), bytesOf(&a)), unix.EOPNOTSUPP)
	}
	const monotonic = 6
	a := abi.GetCap{Capability: monotonic}
	assert.NoError(c, Ioctl(u, abi.NrGetCap, &a), "TIMESTAMP_MONOTONIC")
	assert.EqualValues(c, 1, a.Value, "TIMESTAMP_MONOTONIC")
	for _, capability := range []uint64{1, 2, 3, 4, 7, 8, 9, 0x10, 0x11, 0x12, 0x15, 1 << 40} {
		c.is(Ioctl(u, abi.NrGetCap, &abi.GetCap{Capability: capability}), unix.EOPNOTSUPP, "capability %#x", capability)
	}
	u.close()
}

func bytesOf[T any](v *T) []byte {
	p := make([]byte, abi.SizeOf[T]())
	abi.Store(p, v)
	return p
}

func s10Version(c *Case) {
	u := c.open()
	v := abi.VersionInfo{}
	Must(u, abi.NrVersion, &v)
	require.NotZero(c, v.NameLen)
	require.NotZero(c, v.DescLen)
	name, desc := make([]byte, 2), make([]byte, v.DescLen+10)
	w := abi.VersionInfo{NameLen: 2, Name: u.node.Map(name), DescLen: uint64(len(desc)), Desc: u.node.Map(desc)}
	Must(u, abi.NrVersion, &w)
	assert.Equal(c, v.NameLen, w.NameLen, "the full length, though the buffer was shorter")
	assert.Equal(c, v.DescLen, w.DescLen)
	assert.Equal(c, "pr", string(name))
	assert.NotZero(c, desc[v.DescLen-1])
	assert.Zero(c, desc[v.DescLen])
	u.close()
}

func s10Caps(c *Case) {
	u := c.open()
	for capability, want := range map[uint64]uint64{abi.CapPrime: abi.PrimeImport | abi.PrimeExport, abi.CapSyncobj: 1, abi.CapSyncobjTimeline: 1} {
		a := abi.GetCap{Capability: capability}
		Must(u, abi.NrGetCap, &a)
		assert.Equal(c, want, a.Value, "capability %#x", capability)
	}
	u.close()
}

func s10NoSyncobj(c *Case) {
	class := fw.NewClass(c.Dev.Bus)
	d, err := class.NewDevice(toy(fw.FeatureAccel), "0000:09:00.0")
	require.NoError(c, err)
	require.NoError(c, d.Register())
	a := &fw.Arena{}
	f, err := class.Open(0, a)
	require.NoError(c, err)
	at := a.Map(make([]byte, 64))
	for _, nr := range []uint32{abi.NrSyncobjCreate, abi.NrSyncobjDestroy, abi.NrSyncobjHandleToFD, abi.NrSyncobjFDToHandle,
		abi.NrSyncobjWait, abi.NrSyncobjReset, abi.NrSyncobjSignal, abi.NrSyncobjTimeWait, abi.NrSyncobjQuery,
		abi.NrSyncobjTransfer, abi.NrSyncobjTimeSignal, abi.NrSyncobjEventfd} {
		c.is(f.Ioctl(abi.Request(readWrite, nr, 48), at), unix.EOPNOTSUPP, "ioctl %#x", nr)
	}
}

func s11LookUps(c *Case) {
	u, other := c.open(), c.open()
	x := newSpoiled(u)
	var foreign *Buffer
	for range 10 {
		foreign = other.NewBuffer(4096, abi.BOHost)
	}
	for _, h := range []uint32{0, foreign.Handle, math.MaxUint32} {
		c.is(Ioctl(u, abi.NrBOInfo, &abi.BOInfo{Handle: h}), unix.ENOENT, "BO_INFO of handle %d", h)
		c.is(x.submit(func(a *abi.Submit) { a.CommandBO = h }), unix.ENOENT)
		c.is(x.submit(func(a *abi.Submit) { a.BOs = x.Array(h) }), unix.ENOENT)
		c.is(Ioctl(u, abi.NrPrimeHandleToFD, &abi.PrimeHandle{Handle: h}), unix.ENOENT)
	}
	for _, q := range []uint32{0, x.queue + 1, math.MaxUint32} {
		c.is(Ioctl(u, abi.NrQueueStatus, &abi.QueueStatus{Queue: q}), unix.ENOENT)
		c.is(Ioctl(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q}), unix.ENOENT)
		c.is(x.submit(func(a *abi.Submit) { a.Queue = q }), unix.ENOENT)
	}
	c.is(x.submit(x.in(abi.Sync{Syncobj: 77})), unix.ENOENT)
	c.is(x.submit(x.out(abi.Sync{Syncobj: 77})), unix.ENOENT)
	c.is(u.Wait(77, 0), unix.ENOENT)
	u.close()
	other.close()
}

func s11Full(c *Case) {
	u := c.open()
	info := Query[abi.DeviceInfo](u, abi.QueryDevice)
	c.is(Ioctl(u, abi.NrBOCreate, &abi.BOCreate{Size: info.MemSize, Flags: abi.BODevice}), unix.ENOSPC)
	assert.Equal(c, info.MemAvailable, Query[abi.DeviceInfo](u, abi.QueryDevice).MemAvailable, "what is refused takes nothing")
	require.NoError(c, Ioctl(u, abi.NrBOCreate, &abi.BOCreate{Size: 1 << 20, Flags: abi.BODevice}))
	u.close()
}

// A call that is refused leaves its arguments as they were, so that it can be
// issued again: what a restart after EINTR needs.
func s11Unchanged(c *Case) {
	u := c.open()
	never := u.NewSyncobj()
	w := abi.SyncobjWait{Handles: u.Array(never), Count: 1, TimeoutNS: c.Now() + 1000, Flags: abi.SyncobjWaitForSubmit, FirstSignaled: 99}
	before := w
	c.is(Ioctl(u, abi.NrSyncobjWait, &w), unix.ETIME)
	assert.Equal(c, before, w)
	b := abi.BOCreate{Size: 1<<62 + 1, Flags: abi.BODevice, Handle: 7, DeviceAddr: 9}
	was := b
	require.Error(c, Ioctl(u, abi.NrBOCreate, &b))
	assert.Equal(c, was, b)
	x := newSpoiled(u)
	a := abi.Submit{Queue: 99, CommandBO: x.cmd.Handle, Length: 16, Seqno: 5}
	sent := a
	c.is(Ioctl(u, abi.NrSubmit, &a), unix.ENOENT)
	assert.Equal(c, sent, a)
	u.close()
}

// A device whose resets all fail is given up: its jobs end with EIO, and later
// ones are refused with it.
func s11Wedged(c *Case) {
	u := c.open()
	q, other := u.NewQueue(abi.EngineCompute, fw.PriorityNormal), u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	f, err := c.Inject(fault.Spec{Kind: "reset-fail", Times: fault.Unlimited})
	require.NoError(c, err)
	env := c.tells(func() {
		hung := u.Start(q, u.hang(2e6))
		queued := u.Start(other, nop())
		assert.Equal(c, unix.EIO, c.ended(u, hung, 2e9))
		assert.Equal(c, unix.EIO, c.ended(u, queued, 2e9))
	})
	assert.Positive(c, f.Struck())
	recovery, ok := told(env, "WEDGED")
	assert.True(c, ok && recovery != "" && recovery != "none", "the uevent says what is left to do: %v", env)
	c.is(u.Submit(other, nop()), unix.EIO)
	info := Query[abi.ResetInfo](u, abi.QueryReset)
	assert.EqualValues(c, 2, info.State)
	assert.EqualValues(c, -int32(unix.EIO), info.LastError)
	assert.Equal(c, "wedged", c.sys("device/state"))
	c.noMaster()
	f.Disarm()
	u.close()
}

func s12Unique(c *Case) {
	u := c.open()
	assert.Error(c, u.raw(abi.Request(readWrite, abi.NrGetUnique, 16), make([]byte, 16)))
	assert.Error(c, u.raw(abi.Request(abi.IoctlRead, abi.NrGetMagic, 4), make([]byte, 4)))
	u.close()
}
