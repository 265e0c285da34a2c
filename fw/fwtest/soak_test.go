package fwtest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/sim"
)

var (
	soakTime = flag.Duration("soak", 3*time.Second, "how long TestSoak goes on with new seeds")
	soakSeed = flag.Uint64("soakseed", 1, "TestSoak's first seed")
)

// TestSoak has programs, an administrator and every kind of fault meet at random,
// a computer a seed, until the time is up. Every job ends in bounded time with an
// errno that is documented, one that ends well has the right data, and at the end
// of each seed the device works and nothing is left over. A seed that fails fails
// again by itself: -soakseed N -soak 1ns.
func TestSoak(t *testing.T) {
	ran := map[string]int{}
	for start, seed := time.Now(), *soakSeed; seed == *soakSeed || time.Since(start) < *soakTime; seed++ {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { newSoak(t, seed).run(ran) }) {
			return
		}
	}
	t.Log(ran)
	require.NotZero(t, ran["job"], "no job was waited for")
}

// soak is one computer.
type soak struct {
	*Device
	t       *testing.T
	rng     *rand.Rand
	kinds   []fault.Kind // that this seed arms
	exact   bool         // none of them makes data wrong behind a good end
	crowded bool         // programs want more of device memory than there is
	over    bool
	drivers []*npudrv.Device
	ran     map[string]int
}

// blurs lists kinds behind which a job's data may be wrong or late although it
// ends well, as their rows say.
var blurs = []fault.Kind{fault.CompletionEarly, fault.StaleTLB, fault.WrongContext, fault.SurpriseReset}

// soakEnds are the errnos that a fault, a reset, an unplug or a close may end a
// job with.
var soakEnds = []unix.Errno{0, unix.EIO, unix.ETIME, unix.EFAULT, unix.EINVAL, unix.ECANCELED, unix.ENODEV}

// soakLimit bounds a wait for a job: the ladder's steps and a boot, several times.
const soakLimit = 60e9 // ns

func newSoak(t *testing.T, seed uint64) *soak {
	s := &soak{t: t, rng: rand.New(rand.NewPCG(seed, 1)), exact: true}
	s.crowded = s.rng.IntN(3) == 0
	for range 1 + s.rng.IntN(6) {
		k := fault.Kind(1 + s.rng.IntN(int(fault.NumKinds)-1))
		s.kinds = append(s.kinds, k)
		s.exact = s.exact && !slices.Contains(blurs, k)
	}
	t.Logf("kinds %v", s.kinds)
	chaos := uint64(0)
	if s.rng.IntN(2) == 0 {
		chaos = seed
	}
	s.Device = NewDevice(t, Unbound(), Seed(seed), Pool(kern.NewPool(1)), Config(func(c *configs.Config) {
		c.Chaos.Seed = chaos
		if s.crowded {
			c.DRAM.Size = 4 * sim.MiB
		}
	}))
	return s
}

func (s *soak) run(ran map[string]int) {
	s.ran = ran
	watch := s.Bus.Timer("watchdog of the soak", 3600e9, func() {
		s.T.Errorf("the soak hangs")
		s.Engine.Stop()
	})
	s.Run(func() {
		s.probe()
		var join []func()
		for i := range 2 + s.rng.IntN(4) {
			rng := rand.New(rand.NewPCG(s.rng.Uint64(), uint64(i)))
			join = append(join, s.Go("program", func() {
				for !s.over {
					s.program(rng)
				}
			}).Join)
		}
		for range 10 + s.rng.IntN(20) {
			s.Bus.Sleep(1 + s.rng.Int64N(3e6))
			s.administer()
		}
		s.over = true
		for _, wait := range join {
			wait()
		}
		s.recover()
	})
	watch()
}

// did counts what has been done.
func (s *soak) did(what string) { s.ran[what]++ }

// recover holds that without faults, after a function-level reset, a new driver
// finds a device that works, and that the old ones have nothing left.
func (s *soak) recover() {
	s.NPU.Faults().Clear()
	s.Bus.Sleep(20e6) // what lasts for a while ends
	require.NoError(s.t, s.Class.Sys.Store(fmt.Sprintf("class/accel/accel%d/device/power/control", s.minor), []byte("on")))
	for end := s.Bus.Now() + soakLimit; s.Driver.PowerUsers() > 1 && s.Bus.Now() < end; {
		s.Bus.Sleep(1e6)
	}
	require.Equal(s.t, 1, s.Driver.PowerUsers(), "only power/control keeps the device awake with every file closed")
	s.unbind()
	s.repair()
	require.NoError(s.t, s.Probe())
	for _, drv := range s.drivers {
		assert.NoError(s.t, drv.Leaks(), "of a driver that is gone")
	}
	p := s.Open()
	for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
		w, q := p.copying(16<<10, byte(engine)), p.NewQueue(engine, fw.PriorityNormal)
		require.NoError(s.t, p.Finish(q, p.Start(q, w.Job)))
		require.True(s.t, w.right())
	}
	p.unmapAll()
	p.Close()
}

// repair brings back the link and resets the function; one whose reset hangs for
// good (reset-hang without a duration) takes no other, and needs its power taken.
func (s *soak) repair() {
	if s.Link.IsDown() {
		s.Link.Up()
	}
	if s.NPU.Function().InReset() {
		s.did("power cycle")
		s.Engine.Await("a power cycle", func(done sim.Call) { s.NPU.PowerCycle(done) })
		s.Bus.Sleep(1e6)
	}
	require.NoError(s.t, s.Bus.ResetFunction())
}

// probe binds the driver. Faults may let it fail; without them and after a reset
// it does not.
func (s *soak) probe() {
	if err := s.Probe(); err == nil {
		return
	}
	s.did("probe failed")
	s.NPU.Faults().Clear()
	s.Bus.Sleep(20e6)
	s.repair()
	require.NoError(s.t, s.Probe())
}

func (s *soak) unbind() {
	s.drivers = append(s.drivers, s.Driver)
	s.Remove()
}

// administer does one thing that somebody with privileges may do, or has a fault
// strike.
func (s *soak) administer() {
	debug, sys := "accel/"+s.Bus.Address()+"/", fmt.Sprintf("class/accel/accel%d/device/", s.minor)
	switch s.rng.IntN(12) {
	case 0:
		s.did("unplug")
		s.unbind()
		s.probe()
	case 1:
		s.did("reset")
		s.allow(s.Class.Debug.Store(debug+"reset", []byte("1")), unix.EIO)
	case 2:
		s.did("reset by the host")
		_ = s.Host.Bus().ResetDevice() // fails on a link that is down
	case 3:
		s.suspend()
	case 4:
		s.did("auto")
		s.allow(s.Class.Sys.Store(sys+"power/autosuspend_delay_ms", []byte("1")))
		s.allow(s.Class.Sys.Store(sys+"power/control", []byte([]string{"on", "auto"}[s.rng.IntN(2)])))
	case 5:
		s.did("read everything")
		s.readAll(s.Class.Sys)
		s.readAll(s.Class.Debug)
	default:
		s.inject()
	}
}

// allow holds that a call ends well or with one of some errnos.
func (s *soak) allow(err error, errnos ...unix.Errno) {
	s.t.Helper()
	assert.True(s.t, err == nil || slices.Contains(errnos, fw.Errno(err)), "%v", err)
}

// suspend has the system sleep a while.
func (s *soak) suspend() {
	if err := s.Driver.Suspend(); err != nil {
		s.did("suspend refused")
		return
	}
	s.did("suspend")
	s.Bus.Sleep(s.rng.Int64N(2e6))
	s.Driver.Resume()
}

func (s *soak) readAll(tree fs.FS) {
	assert.NoError(s.t, fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			_, err = fs.ReadFile(tree, name)
			if s.allow(err, unix.EACCES, unix.EBUSY, unix.EIO, unix.ETIME, unix.ENODEV); err != nil {
				return nil
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
}

// inject arms one of the seed's kinds.
func (s *soak) inject() {
	k := s.kinds[s.rng.IntN(len(s.kinds))]
	f := fault.Spec{Kind: k.String(), Space: s.rng.IntN(200), Times: 1 + s.rng.IntN(3), Interval: s.rng.IntN(20)}
	if s.rng.IntN(3) == 0 {
		f.Probability = s.rng.Float64()
	}
	span := fault.Kinds[k].Span
	if span != fault.Moment && (s.rng.IntN(2) == 0 || k == fault.LinkLoss || k == fault.AERPermanent) {
		f.Duration = sim.Time(1+s.rng.IntN(2_000_000)) * sim.Nanosecond
	}
	a, err := s.NPU.Inject(f)
	require.NoError(s.t, err)
	s.did("fault " + a.Spec.Kind)
}

// program is the life of a program: buffers, queues, jobs of which some hang, and
// an end that sometimes does not wait for them.
func (s *soak) program(rng *rand.Rand) {
	p, err := s.Device.open(&fw.Arena{})
	if err != nil {
		s.allow(err, unix.ENODEV, unix.EIO, unix.ETIME, unix.ENOSPC)
		s.Bus.Sleep(100e3)
		return
	}
	s.did("file")
	var areas []View
	for range 1 + rng.IntN(4) {
		x := &soakJob{soak: s, p: p, n: 1 + rng.IntN(30_000), seed: byte(rng.IntN(256))}
		ok := x.prepare(rng)
		areas = append(areas, x.areas...)
		if !ok {
			break
		}
		if rng.IntN(8) > 0 && !x.ended() {
			break
		}
	}
	for _, a := range areas {
		a.Unmap()
	}
	require.NoError(s.t, p.File.Close())
	s.Bus.Sleep(1 + rng.Int64N(200e3))
}

// soakJob is a copy to device memory and back, or a job that hangs.
type soakJob struct {
	*soak
	p     *Program
	n     int
	seed  byte
	areas []View
	dst   View
	done  uint32
	hangs bool
}

// refusals are the errnos that a call of a program may end with when the device is
// in trouble.
var refusals = []unix.Errno{unix.ENODEV, unix.EIO, unix.ETIME, unix.ECANCELED}

// call is an ioctl that may be refused.
func soakCall[T any](x *soakJob, nr uint32, arg *T) bool {
	x.t.Helper()
	err := Ioctl(x.p, nr, arg)
	x.allow(err, refusals...)
	return err == nil
}

// buffer makes a buffer and maps it.
func (x *soakJob) buffer(size int, flags uint32, data []byte) (a abi.BOCreate, v View, ok bool) {
	a = abi.BOCreate{Size: uint64(size), Flags: flags}
	if !soakCall(x, abi.NrBOCreate, &a) {
		return a, nil, false
	}
	info := abi.BOInfo{Handle: a.Handle}
	if !soakCall(x, abi.NrBOInfo, &info) {
		return a, nil, false
	}
	v, err := x.p.node.Mmap(info.MmapOffset, int64(info.Size))
	if err != nil {
		x.allow(err, refusals...)
		return a, nil, false
	}
	x.areas = append(x.areas, v)
	_, err = v.WriteAt(data, 0)
	x.allow(err, refusals...)
	return a, v, err == nil
}

// prepare submits the job.
func (x *soakJob) prepare(rng *rand.Rand) bool {
	src, _, ok := x.buffer(x.n, abi.BOHost, pattern(x.n, x.seed))
	if !ok {
		return false
	}
	mid := abi.BOCreate{Size: uint64(x.n), Flags: abi.BODevice}
	if x.crowded {
		mid.Size += uint64(rng.IntN(1 << 20))
	}
	if !soakCall(x, abi.NrBOCreate, &mid) {
		return false
	}
	dst, view, ok := x.buffer(x.n, abi.BOHost, nil)
	if x.dst = view; !ok {
		return false
	}
	n := uint64(x.n)
	back := Copy(dst.DeviceAddr, mid.DeviceAddr, n)
	back.Flags = abi.FlagBarrier
	packets := []abi.Packet{Copy(mid.DeviceAddr, src.DeviceAddr, n), back}
	if x.hangs = rng.IntN(16) == 0; x.hangs {
		packets = append(packets, WaitFor(dst.DeviceAddr, math.MaxUint64))
	}
	var raw []byte
	for i := range packets {
		b := make([]byte, packets[i].Size())
		packets[i].Encode(b)
		raw = append(raw, b...)
	}
	commands, _, ok := x.buffer(len(raw), abi.BOHost|abi.BOCommand, raw)
	q := abi.QueueCreate{Engine: uint32(rng.IntN(abi.NumEngines)), Priority: uint32(rng.IntN(fw.PriorityHigh + 1))}
	so := abi.SyncobjCreate{}
	if !ok || !soakCall(x, abi.NrQueueCreate, &q) || !soakCall(x, abi.NrSyncobjCreate, &so) {
		return false
	}
	x.done = so.Handle
	return soakCall(x, abi.NrSubmit, &abi.Submit{Queue: q.Queue, CommandBO: commands.Handle, Length: uint64(len(raw)),
		NumBOs: 3, BOs: x.p.Array(src.Handle, mid.Handle, dst.Handle),
		OutSyncs: x.p.syncs([]abi.Sync{{Syncobj: x.done}}), NumOutSync: 1, TimeoutNS: uint64(1e6 + rng.IntN(4e6))})
}

// ended waits for the job and holds how it ends; false: the device is gone.
func (x *soakJob) ended() bool {
	x.did("job")
	err := x.p.Wait(x.done, x.Bus.Now()+soakLimit)
	if err != nil {
		require.ErrorIs(x.t, err, unix.ENODEV, "a fence has to be signalled")
		return false
	}
	a := abi.SyncobjHandle{Handle: x.done, Flags: abi.SyncobjSyncFile}
	if !soakCall(x, abi.NrSyncobjHandleToFD, &a) {
		return false
	}
	status, err := x.p.node.FenceStatus(a.FD)
	require.NoError(x.t, err)
	require.NoError(x.t, x.p.node.CloseFD(a.FD))
	require.NotZero(x.t, status, "pending")
	if status != 1 {
		x.did("job " + name(unix.Errno(-status)))
		require.Contains(x.t, soakEnds, unix.Errno(-status))
		return true
	}
	require.False(x.t, x.hangs && x.exact, "a job that hangs does not end well")
	got := make([]byte, x.n)
	if _, err = x.dst.ReadAt(got, 0); err != nil {
		x.allow(err, refusals...)
		return false
	}
	if x.exact {
		require.True(x.t, bytes.Equal(pattern(x.n, x.seed), got), "a job that ended well has the right data")
	}
	return true
}
