package fwtest

import (
	"encoding/binary"
	"math"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// Program is a program that has opened the node and calls ioctls as C would. Its
// methods run in a process and end the test when what they ask for fails.
type Program struct {
	*Device
	File   *fw.File
	Memory *fw.Arena
	areas  []*fw.VMA
}

// Open opens the device's node for a new program.
func (d *Device) Open(flags ...fw.OpenFlags) *Program {
	d.T.Helper()
	return d.OpenIn(&fw.Arena{}, flags...)
}

// OpenIn opens the node once more within a program that has memory already.
func (d *Device) OpenIn(memory *fw.Arena, flags ...fw.OpenFlags) *Program {
	d.T.Helper()
	p := &Program{Device: d, Memory: memory}
	var err error
	p.File, err = d.Class.Open(d.Driver.Minor, memory, flags...)
	require.NoError(d.T, err)
	d.programs = append(d.programs, p)
	return p
}

// Close closes the file.
func (p *Program) Close() {
	p.T.Helper()
	require.NoError(p.T, p.File.Close())
}

// Ioctl calls a read-write ioctl with a struct.
func Ioctl[T any](p *Program, nr uint32, arg *T) error {
	buf := make([]byte, abi.SizeOf[T]())
	abi.Store(buf, arg)
	at := p.Memory.Map(buf)
	defer p.Memory.Unmap(at)
	err := p.File.Ioctl(abi.RequestOf[T](nr), at)
	*arg = abi.Load[T](buf)
	return err
}

// Must is Ioctl that has to succeed.
func Must[T any](p *Program, nr uint32, arg *T) {
	p.T.Helper()
	require.NoError(p.T, Ioctl(p, nr, arg))
}

// Array puts u32 values in the program's memory and returns the address.
func (p *Program) Array(v ...uint32) uint64 {
	b := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(b[4*i:], x)
	}
	return p.Memory.Map(b)
}

// Array64 is Array for u64 values.
func (p *Program) Array64(v ...uint64) uint64 {
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], x)
	}
	return p.Memory.Map(b)
}

// Peek reads n bytes of the program's memory.
func (p *Program) Peek(addr uint64, n int) []byte {
	b := make([]byte, n)
	require.NoError(p.T, p.Memory.CopyIn(addr, b))
	return b
}

// Buffer is a buffer object of a program.
type Buffer struct {
	p      *Program
	Handle uint32
	Addr   uint64 // in the file's address space
	Size   uint64
	area   *fw.VMA
}

// NewBuffer creates a buffer.
func (p *Program) NewBuffer(size uint64, flags uint32) *Buffer {
	p.T.Helper()
	a := abi.BOCreate{Size: size, Flags: flags}
	Must(p, abi.NrBOCreate, &a)
	return &Buffer{p: p, Handle: a.Handle, Addr: a.DeviceAddr, Size: a.Size}
}

// Map maps the buffer, once.
func (b *Buffer) Map() *fw.VMA {
	b.p.T.Helper()
	if b.area == nil {
		info := abi.BOInfo{Handle: b.Handle}
		Must(b.p, abi.NrBOInfo, &info)
		var err error
		b.area, err = b.p.File.Mmap(info.MmapOffset, int64(info.Size))
		require.NoError(b.p.T, err)
		b.p.areas = append(b.p.areas, b.area)
	}
	return b.area
}

// Write stores bytes through the mapping.
func (b *Buffer) Write(off int64, data []byte) {
	b.p.T.Helper()
	_, err := b.Map().WriteAt(data, off)
	require.NoError(b.p.T, err)
}

// Read loads bytes through the mapping.
func (b *Buffer) Read(off int64, n int) []byte {
	b.p.T.Helper()
	data := make([]byte, n)
	_, err := b.Map().ReadAt(data, off)
	require.NoError(b.p.T, err)
	return data
}

// Close closes the handle.
func (b *Buffer) Close() {
	b.p.T.Helper()
	Must(b.p, abi.NrGemClose, &abi.GemClose{Handle: b.Handle})
}

func (p *Program) unmapAll() {
	for _, a := range p.areas {
		a.Unmap()
	}
	p.areas = nil
}

// NewQueue creates a queue.
func (p *Program) NewQueue(engine, priority uint32) uint32 {
	p.T.Helper()
	a := abi.QueueCreate{Engine: engine, Priority: priority}
	Must(p, abi.NrQueueCreate, &a)
	return a.Queue
}

// NewSyncobj creates a syncobj that holds nothing.
func (p *Program) NewSyncobj() uint32 {
	p.T.Helper()
	a := abi.SyncobjCreate{}
	Must(p, abi.NrSyncobjCreate, &a)
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
func (p *Program) Submit(queue uint32, j *Job) error {
	p.T.Helper()
	var raw []byte
	for i := range j.Packets {
		k := &j.Packets[i]
		raw = append(raw, make([]byte, k.Size())...)
		k.Encode(raw[len(raw)-k.Size():])
	}
	if j.Commands == nil {
		j.Commands = p.NewBuffer(uint64(len(raw)), abi.BOHost|abi.BOCommand)
	}
	j.Commands.Write(0, raw)
	if j.Done == 0 {
		j.Done = p.NewSyncobj()
	}
	handles := make([]uint32, len(j.Buffers))
	for i, b := range j.Buffers {
		handles[i] = b.Handle
	}
	out := append([]abi.Sync{{Syncobj: j.Done}}, j.Out...)
	a := abi.Submit{Queue: queue, Flags: j.Flags, CommandBO: j.Commands.Handle, Length: uint64(len(raw)),
		NumBOs: uint32(len(handles)), BOs: p.Array(handles...), InSyncs: p.syncs(j.In), NumInSyncs: uint32(len(j.In)),
		OutSyncs: p.syncs(out), NumOutSync: uint32(len(out)), TimeoutNS: j.Timeout}
	err := Ioctl(p, abi.NrSubmit, &a)
	p.Memory.Unmap(a.BOs)
	p.Memory.Unmap(a.InSyncs)
	p.Memory.Unmap(a.OutSyncs)
	j.Seqno = a.Seqno
	return err
}

func (p *Program) syncs(v []abi.Sync) uint64 {
	size := abi.SizeOf[abi.Sync]()
	b := make([]byte, size*len(v))
	for i := range v {
		abi.Store(b[i*size:], &v[i])
	}
	return p.Memory.Map(b)
}

// Start is Submit that has to succeed.
func (p *Program) Start(queue uint32, j *Job) *Job {
	p.T.Helper()
	require.NoError(p.T, p.Submit(queue, j))
	return j
}

// Forever is a time-out that does not come.
const Forever = math.MaxInt64

// Wait waits for a syncobj until an absolute time in ns and returns
// SYNCOBJ_WAIT's error.
func (p *Program) Wait(syncobj uint32, until int64) error {
	p.T.Helper()
	a := abi.SyncobjWait{Handles: p.Array(syncobj), Count: 1, TimeoutNS: until}
	defer p.Memory.Unmap(a.Handles)
	return Ioctl(p, abi.NrSyncobjWait, &a)
}

// Finish waits for the end of a job and returns the error that its fence ended
// with: that of the queue, as programs see it.
func (p *Program) Finish(queue uint32, j *Job) error {
	p.T.Helper()
	require.NoError(p.T, p.Wait(j.Done, Forever))
	s := p.Status(queue)
	if s.Error != 0 && s.FailedSeqno <= j.Seqno {
		return unix.Errno(-s.Error)
	}
	return nil
}

// Status returns a queue's status.
func (p *Program) Status(queue uint32) abi.QueueStatus {
	p.T.Helper()
	s := abi.QueueStatus{Queue: queue}
	Must(p, abi.NrQueueStatus, &s)
	return s
}

// Telemetry returns the device's counters.
func (p *Program) Telemetry() abi.TelemetryInfo {
	p.T.Helper()
	raw := make([]byte, abi.SizeOf[abi.TelemetryInfo]())
	q := abi.Query{Type: abi.QueryTelemetry, Size: uint32(len(raw)), Ptr: p.Memory.Map(raw)}
	Must(p, abi.NrQuery, &q)
	p.Memory.Unmap(q.Ptr)
	return abi.Load[abi.TelemetryInfo](raw)
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
