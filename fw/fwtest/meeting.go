package fwtest

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// meeting is a fault that meets a workload.
type meeting struct {
	*Case
	e       *expected
	w       workload
	armed   []Armed
	outcome string
	skipped bool // the fault had no chance
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
	if may := m.e.when == losing || m.e.collateral && errors.Is(l.refused, unix.ECANCELED); !may {
		require.NoError(m, l.refused, "SUBMIT on a device that is not lost, of a context that lives")
	}
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

// load has the fault strike jobs while they run.
func (m *meeting) load() {
	u, by := m.open(), m.open()
	m.inject()
	l := m.start(u)
	if len(l.jobs) == 0 { // its context has died of the fault before the first: another begins
		u.close()
		u = m.open()
		l = m.start(u)
		require.NotEmpty(m, l.jobs)
	}
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
		err := by.Submit(by.NewQueue(abi.EngineCopy, fw.PriorityHigh), w.Job)
		if try == 0 && m.e.lost && errors.Is(err, unix.ECANCELED) {
			continue // it had a buffer in device memory when that was lost
		}
		require.NoError(m, err)
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

// ends holds how the jobs end: the first that fails as the struck one, those behind
// it as others of its context.
func (m *meeting) ends(l *load) {
	m.outcome = "completed"
	may, failed := m.e.mayEnd(m.w.name), false
	for i, j := range l.jobs {
		errno := m.Case.ended(l.u, j, endLimit)
		if errno == 0 {
			continue
		}
		require.NotZero(m, endOf(errno)&may, "job %d of %d ended with %d (%s); documented is %s", i+1, len(l.jobs), int(errno), name(errno), may)
		if !failed {
			m.outcome, failed = name(errno), true
			may = m.e.othersMayEnd(m.w.name)
		}
	}
	if reason, may := m.e.idle[m.w.name]; may && !m.struck() {
		m.outcome, m.skipped = "no chance: "+reason, true
	}
	require.True(m, m.struck() || m.skipped, "the fault has not struck")
	if !failed {
		m.settle()
		require.True(m, m.e.lost || l.right(), "every job ended well: the data are right")
		require.True(m, m.skipped || m.e.mayEnd(m.w.name)&fault.Well != 0, "the fault has struck, and no job shows it")
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
	require.NotZero(m, endOf(fw.Errno(err))&m.e.mayEnd(m.w.name), "probe: %v", err)
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
	require.NotZero(m, endOf(fw.Errno(err))&m.e.mayEnd(m.w.name), "%v", err)
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
			require.NotZero(m, endOf(unix.Errno(-s))&m.e.mayEnd(m.w.name), "errno %d", -s)
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
