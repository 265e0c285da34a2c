package fwtest

import (
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

// lost is a fault record that finds no room.
var lost = fault.Spec{Kind: "record-lost"}

// forced are the resets that an administrator can ask for.
var forced = []struct {
	name  string
	reset func(c *Case) error
}{
	{"debugfs", func(c *Case) error { return c.StoreDebug(c.debugDir()+"reset", "1") }},
	{"function", func(c *Case) error { return c.ResetDevice() }},
}

// A job that has ended when a reset comes has ended, though no interrupt told.
func s18Completed(c *Case) {
	for _, x := range forced {
		u := c.open()
		f, err := c.Inject(fault.Spec{Kind: "irq-lost"})
		require.NoError(c, err)
		j := u.Start(u.NewQueue(abi.EngineCompute, fw.PriorityNormal), nop())
		c.Sleep(200e3)
		require.Equal(c, 1, f.Struck())
		require.NoError(c, x.reset(c))
		assert.Zero(c, c.ended(u, j, 1e9), x.name)
		u.close()
	}
}

// Behind a reset invalidations are answered as ever: a buffer that is closed costs
// no time-out and no other reset.
func s20Invalidates(c *Case) {
	u := c.open()
	for range 5 {
		u.NewBuffer(4096, abi.BODevice).Close()
	}
	for i, x := range forced {
		require.NoError(c, x.reset(c))
		start := c.Now()
		v := c.open()
		for range 3 {
			v.NewBuffer(4096, abi.BODevice).Close()
		}
		v.close()
		assert.Less(c, c.Now()-start, int64(20e6), x.name)
		assert.EqualValues(c, i+1, Query[abi.ResetInfo](u, abi.QueryReset).ResetCount, x.name)
	}
	u.close()
}

// awaitReset waits until a reset is under way.
func (c *Case) awaitReset() {
	c.Helper()
	for deadline := c.Now() + 1e9; c.sys("device/state") != "resetting"; c.Sleep(10e3) {
		require.Less(c, c.Now(), deadline, "no reset comes")
	}
}

// begun are resets that take a while, each as somebody brings it about.
var begun = []struct {
	name   string
	faults []fault.Spec
	forced func(c *Case) error // nil: a job hangs
	memory bool                // device memory is kept
}{
	{"of a queue", []fault.Spec{slowReset(abi.ResetQueue)}, nil, true},
	{"of the compute part, as that of the queue fails", []fault.Spec{{Kind: "reset-fail", Target: fault.On(abi.ResetQueue)}, slowReset(abi.ResetCompute)}, nil, true},
	{"of the function, as no other helps", []fault.Spec{{Kind: "reset-fail", Times: 2}}, nil, false},
	{"of the function, which has reset itself", []fault.Spec{{Kind: "surprise-reset"}}, nil, false},
	{"of the compute part, forced", []fault.Spec{slowReset(abi.ResetCompute)}, forced[0].reset, true},
	{"of the function, by the host", nil, forced[1].reset, false},
}

func slowReset(domain int) fault.Spec {
	return fault.Spec{Kind: "reset-hang", Target: fault.On(domain), Duration: 20 * sim.Millisecond}
}

// What programs ask for during a reset waits for its end: new jobs on the rings
// that are reset, buffers that are mapped and unmapped.
func s20During(c *Case) {
	for _, x := range begun {
		var armed []Armed
		for _, f := range x.faults {
			a, err := c.Inject(f)
			require.NoError(c, err)
			armed = append(armed, a)
		}
		place := uint32(abi.BODevice)
		if !x.memory {
			place = abi.BOHost // who has nothing in device memory goes on
		}
		guilty, by := c.open(), c.open()
		src, gone := by.NewBuffer(16<<10, abi.BOHost), by.NewBuffer(64<<10, place)
		src.Write(0, pattern(16<<10, 7))
		var queues []uint32
		var dst []*Buffer
		var jobs []*Job
		for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} { // all that there is to make, but for one buffer
			to := by.NewBuffer(16<<10, abi.BOHost)
			queues, dst = append(queues, by.NewQueue(engine, fw.PriorityNormal)), append(dst, to)
			jobs = append(jobs, &Job{Packets: []abi.Packet{Copy(to.Addr, src.Addr, to.Size)}, Buffers: []*Buffer{src, to},
				Commands: by.NewBuffer(4096, abi.BOHost|abi.BOCommand)})
		}
		join := func() {}
		var hung *Job
		if x.forced == nil {
			hung = guilty.Start(guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal), guilty.hang(2e6))
		} else {
			join = c.Spawn(func() { assert.NoError(c, x.forced(c), x.name) })
		}
		c.awaitReset()
		c.Sleep(1e6)
		for i, j := range jobs {
			by.Start(queues[i], j)
		}
		maps, closes := c.Spawn(func() { by.NewBuffer(4096, abi.BOHost) }), c.Spawn(gone.Close)
		if hung != nil {
			assert.NotZero(c, c.ended(guilty, hung, 1e9), x.name)
		}
		join()
		maps()
		closes()
		for i, j := range jobs {
			assert.Zero(c, c.ended(by, j, 1e9), x.name)
			assert.Equal(c, pattern(16<<10, 7), dst[i].Read(0, 16<<10), x.name)
		}
		for i, a := range armed {
			assert.Positive(c, a.Struck(), "%s: %s", x.name, x.faults[i].Kind)
		}
		guilty.close()
		by.close()
	}
	c.healthy()
}

// tells runs fn and returns what the device tells meanwhile, by uevents.
func (c *Case) tells(fn func()) (env []string) {
	before := len(c.Uevents())
	fn()
	for _, e := range c.Uevents()[before:] {
		env = append(env, e.Env...)
	}
	return env
}

// told returns the value of a uevent's variable.
func told(env []string, key string) (value string, ok bool) {
	i := slices.IndexFunc(env, func(s string) bool { return strings.HasPrefix(s, key+"=") })
	if i < 0 {
		return "", false
	}
	return strings.TrimPrefix(env[i], key+"="), true
}

// A reset that was asked for is told as one that was not: uevent, core dump,
// count and state.
func s27Forced(c *Case) {
	u := c.open()
	for i, x := range forced {
		u.Start(u.NewQueue(abi.EngineCopy, fw.PriorityNormal), u.hang(0))
		c.Sleep(100e3)
		env := c.tells(func() { require.NoError(c, x.reset(c)) })
		_, ok := told(env, "WEDGED")
		assert.True(c, ok, "%s: %v", x.name, env)
		at, ok := told(env, "DEVCOREDUMP")
		require.True(c, ok, "%s: %v", x.name, env)
		dump, err := fs.ReadFile(c.Sysfs(), at+"/data")
		require.NoError(c, err)
		assert.Contains(c, string(dump), "STATE = ", "%s: registers, before the reset", x.name)
		require.NoError(c, c.StoreSys(at+"/data", "1"), "the next reset's dump has room")
		info := Query[abi.ResetInfo](u, abi.QueryReset)
		assert.EqualValues(c, i+1, info.ResetCount, x.name)
		assert.Zero(c, info.State)
		assert.Equal(c, "ok", c.sys("device/state"))
	}
	u.close()
}

// A forced reset that does not help says so.
func s27Fails(c *Case) {
	a, err := c.Inject(fault.Spec{Kind: "reset-fail", Target: fault.On(abi.ResetCompute), Times: fault.Unlimited})
	require.NoError(c, err)
	c.is(c.StoreDebug(c.debugDir()+"reset", "1"), unix.EIO)
	assert.Equal(c, "wedged", c.sys("device/state"))
	c.is(c.StoreDebug(c.debugDir()+"reset", "1"), unix.EIO)
	a.Disarm()
}

// What happens to a device that sleeps is told when it wakes.
func s27Asleep(c *Case) {
	u := c.open()
	c.autosuspend()
	c.suspends("nobody uses it")
	f, err := c.Inject(fault.Spec{Kind: "thermal", At: sim.Time(c.Now())*sim.Nanosecond + sim.Millisecond})
	require.NoError(c, err)
	c.Sleep(20e6)
	require.Equal(c, 1, f.Struck())
	require.Equal(c, "suspended", c.power())
	env := c.tells(func() {
		u.NewBuffer(4096, abi.BODevice)
		c.Sleep(1e6)
	})
	_, ok := told(env, "THERMAL")
	assert.True(c, ok, "%v", env)
	u.close()
}

// The device's troubles are told: a thermal limit, a heartbeat that stands still.
// Jobs go on. A function-level reset, when nobody has the device open, brings the
// controller back.
func s27Health(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	for _, x := range []struct{ kind, key, value string }{{"thermal", "THERMAL", "110000"}, {"heartbeat-lost", "HEARTBEAT", "lost"}} {
		env := c.tells(func() {
			f, err := c.Inject(fault.Spec{Kind: x.kind})
			require.NoError(c, err)
			w := u.copying(16<<10, 3)
			u.Start(q, w.Job)
			assert.Zero(c, c.ended(u, w.Job, 1e9))
			assert.True(c, w.right())
			c.Sleep(20e6)
			require.Equal(c, 1, f.Struck())
		})
		value, ok := told(env, x.key)
		require.True(c, ok, "%s: %v", x.kind, env)
		assert.Equal(c, x.value, value)
	}
	assert.Equal(c, "lost", c.sys("device/heartbeat"))
	assert.Equal(c, "0", c.sys("device/reset_count"), "while the device is open nothing is reset")
	u.close()
	c.healthy()
	assert.Equal(c, "ok", c.sys("device/heartbeat"))
	assert.Equal(c, "1", c.sys("device/reset_count"))
	assert.Equal(c, "1.0.0", c.sys("device/firmware_version"))
}

// A heartbeat that comes back by itself is no longer called lost, and the next loss
// is told like the first.
func s27HeartbeatReturns(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	for round := range 3 {
		env := c.tells(func() {
			_, err := c.Inject(fault.Spec{Kind: "heartbeat-lost", Duration: 10 * sim.Millisecond})
			require.NoError(c, err)
			assert.Zero(c, c.ended(u, u.Start(q, u.copying(16<<10, 3).Job), 1e9))
			c.Sleep(5e6)
		})
		assert.Contains(c, env, "HEARTBEAT=lost", "round %d", round)
		if round > 0 {
			assert.Equal(c, "lost", c.sys("device/heartbeat"))
		}
		c.Sleep(20e6)
		if round > 0 { // in the first, nobody asks
			assert.Equal(c, "ok", c.sys("device/heartbeat"))
		}
	}
	assert.Equal(c, "0", c.sys("device/reset_count"))
	u.close()
}

// Where the reset of a ring does not help, the whole compute part is reset, and still
// only the guilty context fails: what runs on the other engine comes to its end before,
// and what waits there runs behind it.
func s20Wider(c *Case) {
	guilty, by := c.open(), c.open()
	const n = 1 << 20
	src := by.NewBuffer(n, abi.BOHost)
	src.Write(0, pattern(n, 9))
	q := by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	copies := func(times int64) (*Job, *Buffer) {
		to := by.NewBuffer(n, abi.BOHost)
		j := &Job{Buffers: []*Buffer{src, to}}
		for range times {
			j.Packets = append(j.Packets, Copy(to.Addr, src.Addr, n))
		}
		return by.Start(q, j), to
	}
	start := c.Now()
	first, _ := copies(1)
	require.Zero(c, c.ended(by, first, 1e9))
	some := 20e6/(c.Now()-start) + 1 // 20 ms of copies, whatever the machine
	f, err := c.Inject(fault.Spec{Kind: "reset-fail", Target: fault.On(abi.ResetQueue)})
	require.NoError(c, err)
	hung := guilty.Start(guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal), guilty.hang(2e6))
	running, to := copies(some)
	waiting, behind := copies(some)
	require.Equal(c, unix.ETIME, c.ended(guilty, hung, 1e9))
	assert.Equal(c, 1, f.Struck())
	for i, j := range []*Job{running, waiting} {
		assert.Zero(c, c.ended(by, j, 1e9), "job %d", i)
		assert.Equal(c, pattern(n, 9), []*Buffer{to, behind}[i].Read(0, n))
	}
	guilty.close()
	by.close()
	c.healthy()
}
