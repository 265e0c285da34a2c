package fw_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// engine is a backend that takes each job a while.
type engine struct {
	k       hw.Kernel
	t       testing.TB
	takes   int64
	credits int
	busy    int
	order   []string
	freed   map[any]int
	timeout func(j *fw.Job) bool
	refuse  error
	fences  map[string]*fw.Fence
}

func newEngine(t testing.TB, k hw.Kernel, takes int64, credits int) (*engine, *fw.Scheduler) {
	b := &engine{k: k, t: t, takes: takes, credits: credits, freed: map[any]int{}, fences: map[string]*fw.Fence{}}
	return b, fw.NewScheduler(k, "sched", credits, b)
}

func (b *engine) Run(j *fw.Job) (*fw.Fence, error) {
	b.order = append(b.order, j.Private.(string))
	if b.refuse != nil {
		return nil, b.refuse
	}
	b.busy++
	require.LessOrEqual(b.t, b.busy, b.credits, "the credit limit")
	f := fw.NewFence(b.k)
	b.fences[j.Private.(string)] = f
	f.OnSignal(func() { b.busy-- })
	if b.takes > 0 {
		b.k.Timer("job", b.takes, func() { f.Signal(nil) })
	}
	return f, nil
}

func (b *engine) TimedOut(j *fw.Job) bool { return b.timeout(j) }
func (b *engine) Free(j *fw.Job) {
	assert.True(b.t, j.Finished.Done(), "the fence comes first")
	b.freed[j.Private]++
}

func push(e *fw.Entity, name string, deps ...*fw.Fence) *fw.Job {
	j := e.NewJob()
	j.Private = name
	for _, d := range deps {
		j.DependOn(d)
	}
	j.Push()
	return j
}

func TestFIFOAndPriorities(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 100, 1)
		low, a, c, high := sched.NewEntity(fw.PriorityLow), sched.NewEntity(fw.PriorityNormal), sched.NewEntity(fw.PriorityNormal), sched.NewEntity(fw.PriorityHigh)
		for i := range 2 {
			for _, e := range []struct {
				e    *fw.Entity
				name string
			}{{low, "low"}, {a, "a"}, {c, "c"}, {high, "high"}} {
				push(e.e, fmt.Sprint(e.name, i))
			}
		}
		low.Flush()
		assert.Equal(t, []string{"high0", "high1", "a0", "c0", "a1", "c1", "low0", "low1"}, b.order,
			"by priority, in turn among equals, in order within each")
		assert.NoError(t, sched.Idle())
	})
}

func TestDependenciesAcrossEntities(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 100, 4)
		x, y := sched.NewEntity(0), sched.NewEntity(0)
		outside := fw.NewFence(s.k)
		first := push(x, "first", outside)
		second := push(y, "second", first.Finished)
		third := push(x, "third", second.Finished, outside)
		push(y, "free")
		s.k.Sleep(1000)
		assert.Empty(t, b.order, "FIFO holds what comes behind")
		outside.Signal(nil)
		require.NoError(t, third.Finished.Wait(s.k.Now()+10_000))
		assert.Equal(t, []string{"first", "second", "free", "third"}, b.order)
		assert.Greater(t, third.Finished.SignaledAt(), second.Finished.SignaledAt())
	})
}

// A dependency that failed is a dependency that is over.
func TestDependencyWithError(t *testing.T) {
	simulate(t, func(s *system) {
		_, sched := newEngine(t, s.k, 100, 4)
		f := fw.NewFence(s.k)
		j := push(sched.NewEntity(0), "j", f)
		f.Signal(unix.EIO)
		require.NoError(t, j.Finished.Wait(s.k.Now()+1000))
		assert.NoError(t, j.Finished.Err())
	})
}

func TestTimeOutAsksForProgress(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 0, 1)
		e := sched.NewEntity(0)
		asked := 0
		b.timeout = func(j *fw.Job) bool {
			if asked++; asked < 3 {
				return true
			}
			b.fences["slow"].Signal(unix.ETIME)
			return false
		}
		j := e.NewJob()
		j.Private, j.TimeoutNS = "slow", 500
		j.Push()
		assert.ErrorIs(t, errOf(j, s.k.Now()+10_000), unix.ETIME)
		assert.Equal(t, 3, asked)
		assert.EqualValues(t, 1500, j.Finished.SignaledAt())
		s.k.Sleep(10_000)
		assert.Equal(t, 3, asked, "no time-out after the end")
	})
}

func errOf(j *fw.Job, until int64) error {
	if err := j.Finished.Wait(until); err != nil {
		return err
	}
	return j.Finished.Err()
}

func TestKillEndsWhatWaits(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 1000, 1)
		e, other := sched.NewEntity(0), sched.NewEntity(0)
		running, waiting := push(e, "running"), push(e, "waiting")
		bystander := push(other, "bystander")
		s.k.Sleep(10)
		e.Kill(fw.ErrCanceled)
		assert.ErrorIs(t, waiting.Finished.Err(), unix.ECANCELED)
		assert.False(t, running.Finished.Done(), "what is on hardware goes on")
		late := push(e, "late")
		assert.ErrorIs(t, late.Finished.Err(), unix.ECANCELED)
		e.Flush()
		assert.NoError(t, running.Finished.Err())
		other.Flush()
		assert.NoError(t, bystander.Finished.Err())
		assert.Equal(t, []string{"running", "bystander"}, b.order)
		assert.Equal(t, map[any]int{"running": 1, "waiting": 1, "bystander": 1, "late": 1}, b.freed, "each is freed once")
	})
}

func TestStopAndStart(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 10, 2)
		e := sched.NewEntity(0)
		sched.Stop()
		j := push(e, "j")
		s.k.Sleep(1000)
		assert.Empty(t, b.order)
		sched.Start()
		require.NoError(t, errOf(j, s.k.Now()+100))
	})
}

func TestBackendRefuses(t *testing.T) {
	simulate(t, func(s *system) {
		b, sched := newEngine(t, s.k, 10, 1)
		b.refuse = unix.EIO
		e := sched.NewEntity(0)
		for i := range 5 {
			j := push(e, fmt.Sprint(i))
			assert.ErrorIs(t, errOf(j, s.k.Now()+100), unix.EIO)
		}
		assert.NoError(t, sched.Idle())
		b.refuse = nil
		assert.NoError(t, errOf(push(e, "good"), s.k.Now()+100), "the credits are back")
	})
}

func TestEndEndsEverything(t *testing.T) {
	simulate(t, func(s *system) {
		_, sched := newEngine(t, s.k, 0, 1)
		e := sched.NewEntity(0)
		running, queued := push(e, "running"), push(e, "queued")
		s.k.Sleep(10)
		sched.End(unix.ENODEV)
		sched.End(unix.EIO) // once is enough
		for _, j := range []*fw.Job{running, queued, push(e, "late"), push(sched.NewEntity(0), "later")} {
			assert.ErrorIs(t, j.Finished.Err(), unix.ENODEV)
		}
		assert.NoError(t, sched.Idle())
	})
}

func TestAwaitRoom(t *testing.T) {
	simulate(t, func(s *system) {
		_, sched := newEngine(t, s.k, 100, 1)
		e := sched.NewEntity(0)
		for i := range 5 {
			push(e, fmt.Sprint(i))
		}
		assert.Equal(t, 5, e.Pending())
		f, _ := s.file(s.plug(&newToy().Driver))
		require.NoError(t, e.AwaitRoom(f, 3))
		assert.Equal(t, 2, e.Pending())
		assert.EqualValues(t, 300, s.k.Now())
	})
}

// Whatever is pushed, with whatever dependencies on earlier jobs, and killed or
// not: every job ends once, after what it depends on, in order within its
// entity, and no credit is lost.
func TestSchedulerProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		e := sim.New(1)
		k := host.NewKernel(e, host.Config{})
		e.Go("test", func(*sim.Proc) {
			b, sched := newEngine(t, k, int64(rapid.IntRange(1, 50).Draw(r, "takes")), rapid.IntRange(1, 5).Draw(r, "credits"))
			var entities []*fw.Entity
			for range rapid.IntRange(1, 4).Draw(r, "entities") {
				entities = append(entities, sched.NewEntity(rapid.IntRange(0, 3).Draw(r, "priority")))
			}
			last := map[*fw.Entity]int{}
			var jobs []*fw.Job
			for i := range rapid.IntRange(1, 40).Draw(r, "jobs") {
				en := rapid.SampledFrom(entities).Draw(r, "entity")
				var deps []*fw.Fence
				if len(jobs) > 0 && rapid.Bool().Draw(r, "depends") {
					deps = append(deps, rapid.SampledFrom(jobs).Draw(r, "on").Finished)
				}
				j := push(en, fmt.Sprint(i), deps...)
				jobs = append(jobs, j)
				j.Finished.OnSignal(func() {
					for _, d := range deps {
						if j.Finished.Err() == nil && !d.Done() {
							r.Errorf("job %d ended before what it depends on", i)
						}
					}
					if j.Finished.Err() == nil && i < last[en] {
						r.Errorf("job %d was overtaken by %d of its entity", i, last[en])
					}
					if j.Finished.Err() == nil {
						last[en] = i
					}
				})
				switch rapid.IntRange(0, 9).Draw(r, "then") {
				case 0:
					en.Kill(fw.ErrCanceled)
				case 1, 2:
					k.Sleep(int64(rapid.IntRange(1, 100).Draw(r, "pause")))
				}
			}
			for _, en := range entities {
				en.Flush()
				en.Close()
			}
			for i, j := range jobs {
				if err := j.Finished.Err(); !j.Finished.Done() || err != nil && !errors.Is(err, unix.ECANCELED) {
					r.Errorf("job %d: %v", i, err)
				}
				if b.freed[j.Private] != 1 {
					r.Errorf("job %d was freed %d times", i, b.freed[j.Private])
				}
			}
			if err := sched.Idle(); err != nil {
				r.Error(err)
			}
		})
		if err := e.Run(); err != nil {
			r.Fatal(err)
		}
		e.Shutdown()
	})
}
