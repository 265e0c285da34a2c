package fwtest

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// TB is what a test needs of whoever runs it: *testing.T has it, and a plain
// program can.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	FailNow()
	Failed() bool
	Cleanup(fn func())
}

// Node is an open accel node with the memory and the descriptors of the program
// that opened it: all that the portable tests call.
type Node interface {
	// Ioctl is the system call: an encoded number and the address of a struct.
	Ioctl(request uint32, arg uint64) error
	Mmap(offset uint64, length int64) (View, error)
	// FDInfo is the text of /proc/PID/fdinfo/FD.
	FDInfo() string
	Close() error
	// Dup gives the open file another descriptor; the last to close closes it.
	Dup() (Node, error)

	// Map gives bytes an address that ioctls take, Unmap takes it away.
	Map(p []byte) uint64
	Unmap(addr uint64)

	// NewEventfd returns a descriptor at 0; ReadEventfd waits for it until an
	// absolute time in ns (EAGAIN).
	NewEventfd() (int32, error)
	ReadEventfd(fd int32, until int64) (uint64, error)
	// FenceStatus is that of a sync file: 0 pending, 1 signalled, or -errno.
	FenceStatus(fd int32) (int, error)
	CloseFD(fd int32) error
}

// View is a mapped buffer.
type View interface {
	fw.Mapping
	Unmap()
}

// User is a program on an open node that calls ioctls as C would. Its methods end
// the test when what they ask for fails.
type User struct {
	t     TB
	node  Node
	areas []View
}

// caller has an open node.
type caller interface{ user() *User }

func (u *User) user() *User { return u }

// Ioctl calls a read-write ioctl with a struct.
func Ioctl[T any](p caller, nr uint32, arg *T) error {
	buf := make([]byte, abi.SizeOf[T]())
	abi.Store(buf, arg)
	err := p.user().raw(abi.RequestOf[T](nr), buf)
	*arg = abi.Load[T](buf)
	return err
}

// raw calls an ioctl with bytes.
func (u *User) raw(request uint32, buf []byte) error {
	at := u.node.Map(buf)
	defer u.node.Unmap(at)
	return u.node.Ioctl(request, at)
}

// Must is Ioctl that has to succeed.
func Must[T any](p caller, nr uint32, arg *T) {
	p.user().t.Helper()
	require.NoError(p.user().t, Ioctl(p, nr, arg))
}

// Array puts u32 values in the program's memory and returns the address.
func (u *User) Array(v ...uint32) uint64 {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], x)
	}
	return u.node.Map(b)
}

// Array64 is Array for u64 values.
func (u *User) Array64(v ...uint64) uint64 {
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
	return u.node.Map(b)
}

// Buffer is a buffer object of a program.
type Buffer struct {
	p      *User
	Handle uint32
	Addr   uint64 // in the file's address space
	Size   uint64
	area   View
}

// NewBuffer creates a buffer.
func (u *User) NewBuffer(size uint64, flags uint32) *Buffer {
	u.t.Helper()
	a := abi.BOCreate{Size: size, Flags: flags}
	Must(u, abi.NrBOCreate, &a)
	return &Buffer{p: u, Handle: a.Handle, Addr: a.DeviceAddr, Size: a.Size}
}

// Map maps the buffer, once.
func (b *Buffer) Map() View {
	b.p.t.Helper()
	if b.area == nil {
		info := abi.BOInfo{Handle: b.Handle}
		Must(b.p, abi.NrBOInfo, &info)
		var err error
		b.area, err = b.p.node.Mmap(info.MmapOffset, int64(info.Size))
		require.NoError(b.p.t, err)
		b.p.areas = append(b.p.areas, b.area)
	}
	return b.area
}

// Unmap ends the buffer's mapping.
func (b *Buffer) Unmap() {
	if b.area != nil {
		b.area.Unmap()
		b.p.areas = slices.DeleteFunc(b.p.areas, func(x View) bool { return x == b.area })
		b.area = nil
	}
}

// Write stores bytes through the mapping.
func (b *Buffer) Write(off int64, data []byte) {
	b.p.t.Helper()
	_, err := b.Map().WriteAt(data, off)
	require.NoError(b.p.t, err)
}

// Read loads bytes through the mapping.
func (b *Buffer) Read(off int64, n int) []byte {
	b.p.t.Helper()
	data := make([]byte, n)
	_, err := b.Map().ReadAt(data, off)
	require.NoError(b.p.t, err)
	return data
}

// Close closes the handle.
func (b *Buffer) Close() {
	b.p.t.Helper()
	Must(b.p, abi.NrGemClose, &abi.GemClose{Handle: b.Handle})
}

func (u *User) unmapAll() {
	for _, a := range u.areas {
		a.Unmap()
	}
	u.areas = nil
}

// NewQueue creates a queue.
func (u *User) NewQueue(engine, priority uint32) uint32 {
	u.t.Helper()
	a := abi.QueueCreate{Engine: engine, Priority: priority}
	Must(u, abi.NrQueueCreate, &a)
	return a.Queue
}

// NewSyncobj creates a syncobj that holds nothing.
func (u *User) NewSyncobj() uint32 {
	u.t.Helper()
	a := abi.SyncobjCreate{}
	Must(u, abi.NrSyncobjCreate, &a)
	return a.Handle
}

// Job is a submission: what it runs, what it touches and waits for. Submit fills
// in the rest.
type Job struct {
	Packets []abi.Packet
	Buffers []*Buffer
	In, Out []abi.Sync
	Timeout uint64 // ns
	Flags   uint32

	Commands *Buffer // made by Submit unless given
	Done     uint32  // the syncobj that the job signals
	Seqno    uint64  // of the queue
}

// Submit submits a job to a queue and returns SUBMIT's error.
func (u *User) Submit(queue uint32, j *Job) error {
	u.t.Helper()
	var raw []byte
	for i := range j.Packets {
		k := &j.Packets[i]
		raw = append(raw, make([]byte, k.Size())...)
		k.Encode(raw[len(raw)-k.Size():])
	}
	if j.Commands == nil {
		j.Commands = u.NewBuffer(uint64(len(raw)), abi.BOHost|abi.BOCommand)
	}
	j.Commands.Write(0, raw)
	if j.Done == 0 {
		j.Done = u.NewSyncobj()
	}
	handles := make([]uint32, len(j.Buffers))
	for i, b := range j.Buffers {
		handles[i] = b.Handle
	}
	out := append([]abi.Sync{{Syncobj: j.Done}}, j.Out...)
	a := abi.Submit{Queue: queue, Flags: j.Flags, CommandBO: j.Commands.Handle, Length: uint64(len(raw)),
		NumBOs: uint32(len(handles)), BOs: u.Array(handles...), InSyncs: u.syncs(j.In), NumInSyncs: uint32(len(j.In)),
		OutSyncs: u.syncs(out), NumOutSync: uint32(len(out)), TimeoutNS: j.Timeout}
	err := Ioctl(u, abi.NrSubmit, &a)
	u.node.Unmap(a.BOs)
	u.node.Unmap(a.InSyncs)
	u.node.Unmap(a.OutSyncs)
	j.Seqno = a.Seqno
	return err
}

func (u *User) syncs(v []abi.Sync) uint64 {
	size := abi.SizeOf[abi.Sync]()
	b := make([]byte, size*len(v))
	for i := range v {
		abi.Store(b[i*size:], &v[i])
	}
	return u.node.Map(b)
}

// Start is Submit that has to succeed.
func (u *User) Start(queue uint32, j *Job) *Job {
	u.t.Helper()
	require.NoError(u.t, u.Submit(queue, j))
	return j
}

// Forever is a time-out that does not come.
const Forever = math.MaxInt64

// Wait waits for a syncobj until an absolute time in ns and returns
// SYNCOBJ_WAIT's error.
func (u *User) Wait(syncobj uint32, until int64) error {
	u.t.Helper()
	a := abi.SyncobjWait{Handles: u.Array(syncobj), Count: 1, TimeoutNS: until}
	defer u.node.Unmap(a.Handles)
	return Ioctl(u, abi.NrSyncobjWait, &a)
}

// Finish waits for the end of a job and returns the error that its fence ended
// with: that of the queue, as programs see it.
func (u *User) Finish(queue uint32, j *Job) error {
	u.t.Helper()
	require.NoError(u.t, u.Wait(j.Done, Forever))
	s := u.Status(queue)
	if s.Error != 0 && s.FailedSeqno <= j.Seqno {
		return unix.Errno(-s.Error)
	}
	return nil
}

// Status returns a queue's status.
func (u *User) Status(queue uint32) abi.QueueStatus {
	u.t.Helper()
	s := abi.QueueStatus{Queue: queue}
	Must(u, abi.NrQueueStatus, &s)
	return s
}

// Telemetry returns the device's counters.
func (u *User) Telemetry() abi.TelemetryInfo {
	u.t.Helper()
	return Query[abi.TelemetryInfo](u, abi.QueryTelemetry)
}

// Query asks for a struct of information.
func Query[T any](p caller, kind uint32) T {
	u := p.user()
	u.t.Helper()
	raw := make([]byte, abi.SizeOf[T]())
	q := abi.Query{Type: kind, Size: uint32(len(raw)), Ptr: u.node.Map(raw)}
	Must(u, abi.NrQuery, &q)
	u.node.Unmap(q.Ptr)
	return abi.Load[T](raw)
}

// Copy is a packet that copies n bytes.
func Copy(dst, src, n uint64) abi.Packet {
	return abi.Packet{Op: abi.OpCopy, Src: src, Dst: dst, RowBytes: n, Counts: [2]uint32{1, 1}}
}

// Fill is a packet that fills n bytes with an 8-byte pattern.
func Fill(dst, pattern, n uint64) abi.Packet {
	return abi.Packet{Op: abi.OpFill, Dst: dst, Value: pattern, RowBytes: n, Counts: [2]uint32{1, 1}}
}

// WaitFor is a packet that waits for a slot to reach a value: with a slot that
// nobody writes, an engine that hangs.
func WaitFor(slot, value uint64) abi.Packet {
	return abi.Packet{Op: abi.OpWait, Addr: slot, Value: value}
}
