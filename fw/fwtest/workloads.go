package fwtest

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// workload starts jobs of a program on queues of their own.
type workload struct {
	name  string
	start func(c *Case, u *User) *load
}

// load is what has been started.
type load struct {
	u    *User
	jobs []*Job
	// right says that the results are there, when every job has ended well.
	right func() bool
	// refused is what ended submitting: EIO when the device was given up meanwhile,
	// ECANCELED when the context was.
	refused error
}

// submit submits a job, unless the device was given up since the first one, or the
// context.
func (l *load) submit(c *Case, q uint32, j *Job) {
	c.Helper()
	if l.refused != nil {
		return
	}
	err := l.u.Submit(q, j)
	if len(l.jobs) > 0 && errors.Is(err, unix.EIO) || errors.Is(err, unix.ECANCELED) {
		l.refused = err
		return
	}
	require.NoError(c, err)
	l.jobs = append(l.jobs, j)
}

var workloads = []workload{
	{"copy", func(c *Case, u *User) *load {
		w := u.copying(32<<10, 1)
		l := &load{u: u, right: w.right}
		l.submit(c, u.NewQueue(abi.EngineCopy, fw.PriorityNormal), w.Job)
		return l
	}},
	{"kernel", startKernel},
	{"chain", startChain},
	{"many", startMany},
}

// startMany starts more small jobs than a ring takes at once: each fills a line of
// device memory.
func startMany(c *Case, u *User) *load {
	const jobs, line = 24, 64
	b := u.NewBuffer(jobs*line, abi.BODevice)
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	l := &load{u: u}
	for i := range uint64(jobs) {
		l.submit(c, q, &Job{Packets: []abi.Packet{Fill(b.Addr+i*line, 0x0101010101010101*(i+1), line)}, Buffers: []*Buffer{b}, Timeout: 3e6})
	}
	l.right = func() bool {
		data := b.Read(0, jobs*line)
		return !slices.ContainsFunc(l.jobs, func(j *Job) bool { return data[(j.Seqno-1)*line] != byte(j.Seqno) })
	}
	return l
}

// doubling describes the kernel that doubles 8 rows of 64 numbers.
func doubling(src, dst *Buffer) abi.Kernel {
	const cols, rows = 64, 8
	k := abi.Kernel{Kind: abi.KernelVector, Op: abi.VecAdd, InType: abi.F32, OutType: abi.F32, Scale: 1, OutScale: 1, ResScale: 1,
		Cores: 1, Buffers: [4]uint8{1, 1, 1, 0}, Spad: [4]uint32{0, 2048, 4096, 0}}
	k.Dims[abi.DimRows], k.Dims[abi.DimCols] = rows, cols
	k.Tile[abi.TileM], k.Tile[abi.TileN] = rows, cols
	k.Operands[abi.OperandInput] = abi.Operand{Addr: src.Addr, RowStride: 4 * cols}
	k.Operands[abi.OperandWeights] = k.Operands[abi.OperandInput]
	k.Operands[abi.OperandOutput] = abi.Operand{Addr: dst.Addr, RowStride: 4 * cols}
	return k
}

// startKernel doubles numbers in device memory: their exponents count up by one.
func startKernel(c *Case, u *User) *load {
	const n = 64 * 8
	src, dst, desc := u.NewBuffer(4*n, abi.BODevice), u.NewBuffer(4*n, abi.BODevice), u.NewBuffer(4096, abi.BODevice)
	in := make([]byte, 4*n)
	want := make([]byte, 4*n)
	for i := range n {
		const exponent = 1 << 23
		bits := uint32(0x3f800000 + i*7919)
		binary.LittleEndian.PutUint32(in[4*i:], bits)
		binary.LittleEndian.PutUint32(want[4*i:], bits+exponent)
	}
	src.Write(0, in)
	raw := make([]byte, abi.KernelSize)
	k := doubling(src, dst)
	k.Encode(raw)
	desc.Write(0, raw)
	j := &Job{Packets: []abi.Packet{{Op: abi.OpKernel, Addr: desc.Addr, Value: abi.KernelSize, Cores: 1}},
		Buffers: []*Buffer{src, dst, desc}, Timeout: 3e6}
	l := &load{u: u, right: func() bool { return slices.Equal(want, dst.Read(0, len(want))) }}
	l.submit(c, u.NewQueue(abi.EngineCompute, fw.PriorityNormal), j)
	return l
}

// startChain has a job of one engine wait for one of the other.
func startChain(c *Case, u *User) *load {
	first := u.copying(16<<10, 2)
	last := u.NewBuffer(16<<10, abi.BOHost)
	l := &load{u: u, right: func() bool { return slices.Equal(first.want, last.Read(0, 16<<10)) }}
	l.submit(c, u.NewQueue(abi.EngineCopy, fw.PriorityNormal), first.Job)
	l.submit(c, u.NewQueue(abi.EngineCompute, fw.PriorityNormal), &Job{Packets: []abi.Packet{Copy(last.Addr, first.dst.Addr, 16<<10)}, Buffers: []*Buffer{first.dst, last},
		In: []abi.Sync{{Syncobj: first.Done}}, Timeout: 3e6})
	return l
}
