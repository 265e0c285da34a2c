package fwtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// Cell is a kind of fault under a workload. Variant says what it strikes, for
// kinds that end differently by that.
type Cell struct{ Kind, Variant, Workload string }

// CellReport is the outcome of a cell.
type CellReport struct {
	Kind     string   `json:"kind"`
	Variant  string   `json:"variant,omitempty"`
	Workload string   `json:"workload"`
	Outcome  string   `json:"outcome"`
	Status   string   `json:"status"`
	Log      []string `json:"log,omitempty"`
}

// Name is the kind, with what it strikes where that matters.
func (r *CellReport) Name() string {
	if r.Variant == "" {
		return r.Kind
	}
	return r.Kind + " (" + r.Variant + ")"
}

// When a fault of a kind is brought about.
const (
	running    = iota // while jobs run
	binding           // while the driver binds
	mailing           // while the management controller is asked
	pulling           // while jobs run, and then the driver is unbound
	freeing           // when buffers are unmapped
	resets            // during the reset that another fault leads to
	recordLoss        // with another fault that makes a record
	losing            // while jobs run, and the device is lost until the driver is bound anew
)

// expected says how jobs end under a kind of fault, by its row in the table of
// kinds.
type expected struct {
	variant string
	spec    fault.Spec
	when    int
	// ends are the errnos that the struck job may end with: 0 is a good end.
	ends []unix.Errno
	// beside is another kind that has to strike for this one to have a chance.
	beside string
	// collateral says that jobs of others that had begun may end with EIO.
	collateral bool
	// lost says that device memory is lost, and with it the contexts that had
	// buffers there.
	lost bool
	// many is the count under the workload of that name, where the next entry is
	// fetched before the first one's commands.
	many int
	// again says that the next job on the ring finds the fault once more.
	again bool
	// late says that the data come after the job's end.
	late bool
}

// matrix has a row for every kind.
var matrix = []expected{
	{spec: fault.Spec{Kind: "all-ones", Target: fault.On(abi.BARRegisters), Duration: 20 * sim.Microsecond}, when: mailing, ends: []unix.Errno{0, unix.EIO}},
	{spec: fault.Spec{Kind: "link-loss", Duration: 2 * sim.Millisecond}, when: pulling, ends: []unix.Errno{unix.ENODEV, unix.EIO}},
	{variant: "ring entry", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0)}, ends: []unix.Errno{unix.ETIME}},
	{variant: "commands", spec: fault.Spec{Kind: "dma-error", Target: fault.On(0), Count: 2}, many: 3, ends: []unix.Errno{unix.EIO}},
	{variant: "ring entry", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Duration: 60 * sim.Microsecond}, ends: []unix.Errno{unix.ETIME}},
	{variant: "commands", spec: fault.Spec{Kind: "lost-completion", Target: fault.On(0), Count: 2, Duration: 60 * sim.Microsecond}, many: 3, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "fewer-vectors"}, when: binding, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "aer-corrected"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "aer-nonfatal"}, ends: []unix.Errno{0, unix.EIO}},
	{spec: fault.Spec{Kind: "aer-fatal"}, ends: []unix.Errno{0, unix.EIO, unix.ECANCELED}, collateral: true, lost: true},

	{spec: fault.Spec{Kind: "aer-permanent", Duration: 2 * sim.Millisecond}, when: losing, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "irq-lost"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-doubled"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-spurious"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-late"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "irq-storm"}, ends: []unix.Errno{0}},

	{spec: fault.Spec{Kind: "completion-early"}, ends: []unix.Errno{0}, late: true},
	{spec: fault.Spec{Kind: "completion-twice"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "completion-unknown"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "completion-missing"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "completion-overflow"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "queue-stuck"}, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "bad-opcode"}, ends: []unix.Errno{unix.EINVAL}},
	{spec: fault.Spec{Kind: "stale-entry"}, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "page-fault"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "perm-fault"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "walk-abort"}, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "invalidate-hang"}, when: freeing, ends: []unix.Errno{0}, collateral: true},
	{spec: fault.Spec{Kind: "stale-tlb"}, when: freeing, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "wrong-context"}, ends: []unix.Errno{unix.EFAULT}},
	{spec: fault.Spec{Kind: "record-lost"}, when: recordLoss, beside: "page-fault", ends: []unix.Errno{unix.EFAULT}},

	{spec: fault.Spec{Kind: "ecc-corrected"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "ecc-uncorrectable"}, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "parity"}, ends: []unix.Errno{unix.EIO}},

	{spec: fault.Spec{Kind: "boot-error"}, when: binding, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "boot-hang"}, when: binding, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "mailbox-error"}, when: mailing, ends: []unix.Errno{unix.EIO}},
	{spec: fault.Spec{Kind: "mailbox-hang", Duration: 500 * sim.Millisecond}, when: mailing, ends: []unix.Errno{unix.ETIME}},
	{spec: fault.Spec{Kind: "heartbeat-lost"}, ends: []unix.Errno{0}},

	{spec: fault.Spec{Kind: "engine-hang"}, ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "engine-slow"}, ends: []unix.Errno{0}},
	{spec: fault.Spec{Kind: "not-idle"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true, again: true},
	{spec: fault.Spec{Kind: "reset-hang"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "reset-fail"}, when: resets, beside: "queue-stuck", ends: []unix.Errno{unix.ETIME}, collateral: true},
	{spec: fault.Spec{Kind: "surprise-reset"}, ends: []unix.Errno{0, unix.EIO, unix.ECANCELED}, collateral: true, lost: true},
	{spec: fault.Spec{Kind: "thermal"}, ends: []unix.Errno{0}},
}

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
	// refused says that the device was given up while jobs were submitted.
	refused bool
}

var workloads = []workload{
	{"copy", func(c *Case, u *User) *load {
		w := u.copying(32<<10, 1)
		u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityNormal), w.Job)
		return &load{u: u, jobs: []*Job{w.Job}, right: w.right}
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
		j := &Job{Packets: []abi.Packet{Fill(b.Addr+i*line, 0x0101010101010101*(i+1), line)}, Buffers: []*Buffer{b}, Timeout: 3e6}
		if err := u.Submit(q, j); i > 0 && errors.Is(err, unix.EIO) {
			l.refused = true
			break
		} else {
			require.NoError(c, err)
		}
		l.jobs = append(l.jobs, j)
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
	u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), j)
	return &load{u: u, jobs: []*Job{j}, right: func() bool { return slices.Equal(want, dst.Read(0, len(want))) }}
}

// startChain has a job of one engine wait for one of the other.
func startChain(c *Case, u *User) *load {
	first := u.copying(16<<10, 2)
	last := u.NewBuffer(16<<10, abi.BOHost)
	u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityNormal), first.Job)
	second := &Job{Packets: []abi.Packet{Copy(last.Addr, first.dst.Addr, 16<<10)}, Buffers: []*Buffer{first.dst, last},
		In: []abi.Sync{{Syncobj: first.Done}}, Timeout: 3e6}
	u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), second)
	return &load{u: u, jobs: []*Job{first.Job, second}, right: func() bool { return slices.Equal(first.want, last.Read(0, 16<<10)) }}
}

// Cells returns the matrix: every kind under every workload.
func Cells() (out []Cell) {
	for _, e := range matrix {
		for _, w := range workloads {
			out = append(out, Cell{e.spec.Kind, e.variant, w.name})
		}
	}
	return out
}

func (x Cell) conform(open Opener) CellReport {
	out := CellReport{Kind: x.Kind, Variant: x.Variant, Workload: x.Workload, Status: Pass}
	r := Execute(x.Kind+" under "+x.Workload, func(t TB) { out.Outcome = x.Execute(t, open) })
	if r.Failed {
		out.Status, out.Log = Fail, r.Log
	}
	return out
}

// Execute runs the cell on a system of its own and says how it ended.
func (x Cell) Execute(t TB, open Opener) (outcome string) {
	e := &matrix[slices.IndexFunc(matrix, func(e expected) bool { return e.spec.Kind == x.Kind && e.variant == x.Variant })]
	w := workloads[slices.IndexFunc(workloads, func(w workload) bool { return w.name == x.Workload })]
	s := open(t)
	c := &Case{TB: t, System: s}
	if in, ok := s.(*inProcess); ok {
		c.Dev = in.Device
	}
	s.RunTest(caseLimit, func() {
		m := &meeting{Case: c, e: e, w: w}
		m.run()
		outcome = m.outcome
	})
	return outcome
}

// meeting is a fault that meets a workload.
type meeting struct {
	*Case
	e       *expected
	w       workload
	armed   []Armed
	outcome string
}

// endLimit bounds how long a job may take to its end, whatever happens.
const endLimit = 5e9 // ns

func (m *meeting) inject() {
	if m.e.beside != "" {
		f, err := m.Inject(fault.Spec{Kind: m.e.beside})
		require.NoError(m, err)
		m.armed = append(m.armed, f)
	}
	spec := m.e.spec
	if m.e.many != 0 && m.w.name == "many" {
		spec.Count = m.e.many
	}
	f, err := m.Inject(spec)
	require.NoError(m, err)
	m.armed = append(m.armed, f)
}

// struck reports whether the cell's own fault has happened.
func (m *meeting) struck() bool { return m.armed[len(m.armed)-1].Struck() > 0 }

func (m *meeting) disarm() {
	for _, f := range m.armed {
		f.Disarm()
	}
}

// start starts the workload for a program.
func (m *meeting) start(u *User) *load {
	l := m.w.start(m.Case, u)
	require.True(m, !l.refused || m.e.when == losing, "SUBMIT on a device that is not lost")
	return l
}

func (m *meeting) run() {
	switch m.e.when {
	case binding:
		m.bind()
	case mailing:
		m.mail()
	case pulling:
		m.pull()
	case freeing:
		m.free()
	case losing:
		m.lose()
	default:
		m.load()
	}
	m.disarm()
	if m.e.harmless() {
		assert.Equal(m, "0", m.sys("device/reset_count"), "the fault needs no reset")
	}
	m.recovered()
}

// harmless says that no job shows the fault, and none is reset for it.
func (e *expected) harmless() bool {
	return e.when == running && !e.collateral && slices.Equal(e.ends, []unix.Errno{0})
}

// load has the fault strike jobs while they run.
func (m *meeting) load() {
	u, by := m.open(), m.open()
	m.inject()
	l := m.start(u)
	m.bystander(by, l)
	m.ends(l)
	by.close()
	u.close()
}

// bystander starts a job of another program as soon as the fault has struck, and
// holds that its data are right.
func (m *meeting) bystander(by *User, l *load) {
	for deadline := m.Now() + 20e6; !m.struck() && m.Now() < deadline; {
		if l.u.Wait(l.jobs[len(l.jobs)-1].Done, 0) == nil {
			break
		}
		m.Sleep(500)
	}
	if !m.struck() {
		m.disarm() // the workload gave it no chance: the bystander shall not
	}
	for try := range 2 {
		if try > 0 {
			by = m.open()
			defer by.close()
		}
		w := by.copying(16<<10, 9)
		w.Timeout = 50e6
		by.Start(by.NewQueue(abi.EngineCopy, fw.PriorityHigh), w.Job)
		errno := m.Case.ended(by, w.Job, endLimit)
		if try == 0 && (m.e.collateral && errno == unix.EIO || m.e.lost && errno == unix.ECANCELED) {
			continue // it had begun when the device was reset
		}
		require.Zero(m, errno, "the bystander ends well")
		m.settle()
		require.True(m, w.right(), "the bystander's data are right")
		return
	}
}

// settle lets data come that a fault has delayed.
func (m *meeting) settle() {
	if m.e.late {
		m.Sleep(1e6)
	}
}

// ends holds how the jobs end.
func (m *meeting) ends(l *load) {
	var errnos []unix.Errno
	for i, j := range l.jobs {
		errno := m.Case.ended(l.u, j, endLimit)
		allowed := slices.Contains(m.e.ends, errno) || errno == 0 ||
			errno == unix.ECANCELED && slices.Contains(m.e.ends, unix.ETIME) || errno == unix.EIO && m.e.collateral
		require.True(m, allowed, "job %d of %d ended with %d (%s); the fault documents %v", i+1, len(l.jobs), int(errno), name(errno), m.e.ends)
		errnos = append(errnos, errno)
	}
	failed := slices.IndexFunc(errnos, func(e unix.Errno) bool { return e != 0 })
	switch {
	case failed < 0:
		m.settle()
		require.True(m, m.e.lost || l.right(), "every job ended well: the data are right")
		m.outcome = "completed"
		if m.struck() {
			require.Contains(m, m.e.ends, unix.Errno(0), "the fault has struck, and no job shows it")
		}
	default:
		m.outcome = name(errnos[failed])
	}
	if !m.struck() {
		m.outcome += ", had no chance"
	}
}

func name(errno unix.Errno) string {
	if n := unix.ErrnoName(errno); n != "" {
		return n
	}
	return "0"
}

// recovered holds that the workload runs well once the fault is over.
func (m *meeting) recovered() {
	u := m.open()
	if m.e.again {
		l := m.start(u)
		for _, j := range l.jobs {
			m.Case.ended(u, j, endLimit)
		}
		u.close() // its context is dead
		u = m.open()
	}
	l := m.start(u)
	for _, j := range l.jobs {
		require.Zero(m, m.Case.ended(u, j, endLimit), "after recovery")
	}
	require.True(m, l.right(), "right data after recovery")
	u.close()
}

// bind has the fault strike the driver's probe.
func (m *meeting) bind() {
	m.Unbind()
	m.inject()
	err := m.Bind()
	require.True(m, m.struck(), "the fault had no chance")
	require.Contains(m, m.e.ends, fw.Errno(err), "probe: %v", err)
	m.outcome = "probe " + name(fw.Errno(err))
	if err == nil {
		m.outcome = "completed"
		m.healthy()
		return
	}
	_, open := m.OpenNode()
	m.is(open, unix.ENODEV, "a probe that fails leaves no node")
	m.disarm()
	if m.Dev != nil {
		require.NoError(m, m.Dev.Bus.ResetFunction())
	}
	require.NoError(m, m.Bind())
}

// mail asks the management controller while the workload runs.
func (m *meeting) mail() {
	u := m.open()
	m.inject()
	l := m.start(u)
	err := m.ask()
	require.Contains(m, m.e.ends, fw.Errno(err), "%v", err)
	require.True(m, m.struck())
	for _, j := range l.jobs {
		require.Zero(m, m.Case.ended(u, j, endLimit), "jobs go on")
	}
	require.True(m, l.right())
	u.close()
	m.disarm()
	m.Sleep(600e6)
	require.NoError(m, m.ask(), "when it works again")
	m.outcome = "completed, mailbox " + name(fw.Errno(err))
}

// pull has the link go down under jobs; then the driver is unbound, and bound
// again when the link is back.
func (m *meeting) pull() {
	u := m.open()
	m.inject()
	l := m.start(u)
	var files []int32
	for _, j := range l.jobs {
		files = append(files, u.syncFile(j.Done))
	}
	for deadline := m.Now() + 10e6; !m.struck() && m.Now() < deadline; {
		m.Sleep(500)
	}
	require.True(m, m.struck())
	m.Unbind()
	seen := map[string]bool{}
	for _, fd := range files {
		s, err := u.node.FenceStatus(fd)
		require.NoError(m, err)
		require.NotZero(m, s, "a fence is pending after unbind")
		if s != 1 {
			require.Contains(m, m.e.ends, unix.Errno(-s))
			seen[name(unix.Errno(-s))] = true
		}
		require.NoError(m, u.node.CloseFD(fd))
	}
	u.close()
	m.Sleep(5e6)
	if m.Dev != nil {
		require.NoError(m, m.Dev.Bus.ResetFunction())
	}
	require.NoError(m, m.Bind())
	m.outcome = "completed"
	if len(seen) > 0 {
		m.outcome = strings.Join(sorted(seen), ", ")
	}
}

// lose has the device lost under jobs: they end with the errno that says so, later
// ones are refused with it, and a driver that is bound anew when it is back works.
func (m *meeting) lose() {
	u := m.open()
	m.inject()
	l := m.start(u)
	m.ends(l)
	require.True(m, m.struck(), "the fault had no chance")
	u.close()
	late := m.open()
	m.is(late.Submit(late.NewQueue(abi.EngineCopy, fw.PriorityNormal), nop()), unix.EIO)
	assert.Equal(m, "wedged", m.sys("device/state"))
	late.close()
	m.Unbind()
	m.Sleep(5e6)
	if m.Dev != nil {
		require.NoError(m, m.Dev.Bus.ResetFunction())
	}
	require.NoError(m, m.Bind())
}

func sorted(set map[string]bool) (out []string) {
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// free has the fault strike the unmapping of buffers behind the workload.
func (m *meeting) free() {
	u, by := m.open(), m.open()
	l := m.start(u)
	for _, j := range l.jobs {
		require.Zero(m, m.Case.ended(u, j, endLimit))
	}
	require.True(m, l.right())
	m.inject()
	before := u.available()
	extra := u.NewBuffer(64<<10, abi.BODevice)
	extra.Close()
	require.True(m, m.struck(), "the fault had no chance")
	assert.Equal(m, before, u.available(), "the buffer is free")
	m.outcome = "completed"
	w := by.copying(16<<10, 9)
	by.Start(by.NewQueue(abi.EngineCopy, fw.PriorityHigh), w.Job)
	require.Zero(m, m.Case.ended(by, w.Job, endLimit), "the bystander ends well")
	require.True(m, w.right())
	u.close()
	by.close()
}

// ask has the driver talk to the management controller.
func (m *meeting) ask() error {
	_, err := fs.ReadFile(m.Sysfs(), m.sysDir()+"device/firmware_version")
	return err
}

// Matrix runs every cell.
func Matrix(t TB, open Opener) {
	for _, x := range Cells() {
		if r := x.conform(open); r.Status != Pass {
			t.Errorf("%s under %s: %s\n%s", r.Name(), r.Workload, fmt.Sprint(r.Outcome), strings.Join(r.Log, "\n"))
		}
	}
}
