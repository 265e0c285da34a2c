package sim

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestProcessesTakeTurnsInOrder(t *testing.T) {
	e := New(1)
	var log []string
	for _, name := range []string{"a", "b"} {
		e.Go(name, func(p *Proc) {
			assert.Same(t, p, e.Current())
			for range 2 {
				log = append(log, fmt.Sprint(p.Name(), e.Now()))
				e.Sleep(Nanosecond)
			}
		})
	}
	assert.Nil(t, e.Current())
	require.NoError(t, e.Run())
	assert.Equal(t, []string{"a0ps", "b0ps", "a1ns", "b1ns"}, log)
}

func TestAwait(t *testing.T) {
	e := New(1)
	var log []Time
	e.Go("reader", func(*Proc) {
		e.Await("a completion", func(done Call) { e.After(5, done) })
		log = append(log, e.Now())
		e.Await("one that is there at once", func(done Call) { e.Fire(done) })
		log = append(log, e.Now())
		var late Call
		e.Await("one of two", func(done Call) {
			late = done
			e.After(1, done)
			e.After(2, done)
		})
		log = append(log, e.Now())
		e.Fire(late) // stale: ends no later wait
		e.Sleep(10)
		log = append(log, e.Now())
	})
	require.NoError(t, e.Run())
	assert.Equal(t, []Time{5, 5, 6, 16}, log)
}

func TestProcessResumesProcessThatResumesIt(t *testing.T) {
	e := New(1)
	var wakeA, wakeB Call
	var log []string
	e.Go("a", func(p *Proc) {
		e.Await("b", func(done Call) { wakeA = done })
		log = append(log, "a")
		e.Fire(wakeB) // b runs now, within a
		assert.Same(t, p, e.Current())
		log = append(log, "a again")
	})
	e.Go("b", func(*Proc) {
		e.Await("a", func(done Call) { wakeB = done; e.After(1, wakeA) })
		log = append(log, "b")
	})
	require.NoError(t, e.Run())
	assert.Equal(t, []string{"a", "b", "a again"}, log)
}

// A sleep that nothing comes between is no event of the queue; whoever watches sees
// no difference, however the run is cut up.
func TestSleepIsAsAnEvent(t *testing.T) {
	type step struct{ do, d, who int }
	rapid.Check(t, func(t *rapid.T) {
		program := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			d := rapid.SampledFrom([]int{0, 1, 2, 3, 4094, 4096, 5000, 1 << 24})
			return step{rapid.IntRange(0, 6).Draw(t, "do"), d.Draw(t, "d"), rapid.IntRange(0, 3).Draw(t, "who")}
		}), 0, 12), 1, 4).Draw(t, "program")
		slice := Time(rapid.SampledFrom([]int{0, 1, 3, 4096, 1 << 23}).Draw(t, "slice"))
		run := func(sleep func(*Engine, Time)) (log []string) {
			e := New(1)
			woken := e.NewWaitQueue()
			fire := make([]Call, 4) // what the processes await
			note := func(what string, i int) { log = append(log, fmt.Sprint(what, i, " ", e.Now(), " ", e.Events())) }
			event := e.Register("event", func(i uint64) { note("event", int(i)) })
			for i, steps := range program {
				e.Go("process", func(*Proc) {
					for _, s := range steps {
						switch s.do {
						case 0:
							e.After(Time(s.d), Call{event, uint64(i)})
						case 1:
							woken.WakeAll()
						case 2:
							woken.WaitFor("a friend", Time(s.d))
						case 3:
							e.AtInstantEnd(Call{event, uint64(i)})
						case 4:
							e.Fire(fire[s.who])
						case 5:
							e.Await("a friend, or time", func(done Call) { fire[i] = done; e.After(Time(s.d), done) })
						default:
							sleep(e, Time(s.d))
						}
						note("process", i)
					}
				})
			}
			if slice > 0 {
				for at := Time(0); at < 100*slice; at += slice {
					require.NoError(t, e.RunUntil(at))
					note("slice", 0)
				}
			}
			require.NoError(t, e.Run())
			note("end", 0)
			return log
		}
		asEvent := func(e *Engine, d Time) { e.Await("time", func(done Call) { e.After(d, done) }) }
		assert.Equal(t, run(asEvent), run((*Engine).Sleep))
	})
}

func TestSleepLeavesTheInstantOfWhoResumedTheSleeper(t *testing.T) {
	e := New(1)
	var resume Call
	e.Go("sleeper", func(*Proc) {
		e.Await("the handler", func(done Call) { resume = done })
		e.Sleep(7)
		assert.Equal(t, 12*Picosecond, e.Now())
	})
	e.After(5, Call{H: e.Register("handler", func(uint64) {
		e.Fire(resume)
		assert.Equal(t, 5*Picosecond, e.Now())
	})})
	require.NoError(t, e.Run())
	assert.Equal(t, 12*Picosecond, e.Now())
}

func TestJoin(t *testing.T) {
	e := New(1)
	worker := e.Go("worker", func(*Proc) { e.Sleep(7) })
	ended := Time(0)
	e.Go("joiner", func(*Proc) {
		worker.Join()
		ended = e.Now()
		worker.Join() // has ended: returns at once
	})
	require.NoError(t, e.RunUntil(3))
	assert.False(t, worker.Done())
	require.NoError(t, e.Run())
	assert.True(t, worker.Done())
	assert.Equal(t, Time(7), ended)
}

func TestDeadlockNamesEachWaiter(t *testing.T) {
	e := New(1)
	m, q := e.NewMutex(), e.NewWaitQueue()
	holder := e.Go("holder", func(*Proc) { m.Lock(); q.Wait("the doorbell") })
	e.Go("second", func(*Proc) { m.Lock() })
	e.Go("joiner", func(*Proc) { holder.Join() })
	e.Go("irq", func(*Proc) { q.Wait("interrupts") }).Daemon()
	e.Go("reader", func(*Proc) { e.Await("a completion", func(Call) {}) })
	err := e.Run()
	require.ErrorIs(t, err, ErrDeadlock)
	assert.EqualError(t, err, "at 0 ps: no event is left and somebody still waits: holder waits for the doorbell; "+
		"second waits for the mutex held by holder; joiner waits for the end of holder; reader waits for a completion")
	e.Shutdown()
	assert.True(t, holder.Done())
	require.NoError(t, e.Run(), "nobody is left")
}

func TestDaemonsAloneAreNoDeadlock(t *testing.T) {
	e := New(1)
	e.Go("irq", func(*Proc) { e.NewWaitQueue().Wait("interrupts") }).Daemon()
	assert.NoError(t, e.Run())
}

func TestPanicSurfacesWithTheProcess(t *testing.T) {
	e := New(1)
	cause := errors.New("bad descriptor")
	other := e.Go("other", func(*Proc) { e.Sleep(100) })
	bad := e.Go("driver", func(*Proc) {
		e.Sleep(1)
		panic(cause)
	})
	func() {
		defer func() {
			p, ok := recover().(*ProcessPanic)
			require.True(t, ok)
			assert.Equal(t, "driver", p.Process)
			assert.Equal(t, cause, p.Value)
			assert.Contains(t, p.Error(), "process driver panicked: bad descriptor")
			assert.Contains(t, string(p.Stack), "proc_test.go")
		}()
		_ = e.Run()
	}()
	assert.True(t, bad.Done())
	assert.Nil(t, e.Current())
	require.NoError(t, e.Run(), "the rest goes on")
	assert.True(t, other.Done())
}

func TestGoexitInAProcessEndsIt(t *testing.T) {
	e := New(1)
	p := e.Go("test", func(*Proc) { runtime.Goexit() }) // as t.FailNow does
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Run()
		t.Error("Run returned, but its goroutine is exiting")
	}()
	<-ended
	assert.True(t, p.Done())
}

func TestKillUnwinds(t *testing.T) {
	e := New(1)
	q, m := e.NewWaitQueue(), e.NewMutex()
	var log []string
	victim := e.Go("victim", func(*Proc) {
		defer func() { log = append(log, "last") }()
		defer func() {
			log = append(log, "waits again")
			q.Wait("what never comes") // ends the call, does not hang
			log = append(log, "unreachable")
		}()
		m.Lock()
		defer m.Unlock()
		for {
			q.Wait("work")
		}
	})
	unborn := e.Go("unborn", func(*Proc) { log = append(log, "unreachable") })
	unborn.Kill()
	e.Go("heir", func(*Proc) { m.Lock(); log = append(log, "heir"); m.Unlock() })
	e.Go("killer", func(p *Proc) {
		e.Sleep(1)
		victim.Kill()
		victim.Kill() // is done
		assert.Same(t, p, e.Current())
		victim.Join()
		log = append(log, "joined")
		assert.Panics(t, p.Kill)
	})
	require.NoError(t, e.Run())
	assert.Equal(t, []string{"waits again", "last", "joined", "heir"}, log)
	assert.True(t, q.Empty())
}

func TestKilledHeirPassesTheMutexOn(t *testing.T) {
	e := New(1)
	m := e.NewMutex()
	var heir *Proc
	got := false
	e.Go("holder", func(*Proc) {
		m.Lock()
		e.Sleep(1)
		m.Unlock()
		heir.Kill() // has been handed the mutex and has not run
	})
	heir = e.Go("heir", func(*Proc) { m.Lock(); t.Error("runs") })
	e.Go("third", func(*Proc) { m.Lock(); got = true; m.Unlock() })
	require.NoError(t, e.Run())
	assert.True(t, got)
}

func TestShutdownRunsDefers(t *testing.T) {
	e := New(1)
	closed := 0
	for range 3 {
		e.Go("p", func(*Proc) {
			defer func() { closed++ }()
			e.NewWaitQueue().Wait("ever")
		})
	}
	require.ErrorIs(t, e.Run(), ErrDeadlock)
	e.Shutdown()
	assert.Equal(t, 3, closed)
}

func TestWaitTimeouts(t *testing.T) {
	e := New(1)
	q := e.NewWaitQueue()
	type outcome struct {
		woken bool
		at    Time
	}
	var got []outcome
	note := func(woken bool) { got = append(got, outcome{woken, e.Now()}) }
	e.Go("waiter", func(*Proc) {
		note(q.WaitFor("x", 10))
		note(q.WaitUntil("x", 10)) // now: others of this instant may still wake it
		note(q.WaitUntil("x", 9))  // past
		note(q.WaitFor("x", 10))   // woken at 15
		note(q.WaitUntil("x", 20)) // woken at 20, before the time-out runs
		note(q.WaitFor("x", Never))
	})
	wake := Call{H: e.Register("wake", func(uint64) { q.WakeOne() })}
	e.At(15, wake)
	e.At(20, wake)
	e.At(30, wake)
	require.NoError(t, e.Run())
	assert.Equal(t, []outcome{{false, 10}, {false, 10}, {false, 10}, {true, 15}, {true, 20}, {true, 30}}, got)
	assert.False(t, q.WakeOne())
}

func TestWakeUpIsNotLostToATimeoutOfTheSameInstant(t *testing.T) {
	e := New(1)
	q := e.NewWaitQueue()
	var got []bool
	e.After(5, Call{H: e.Register("wake", func(uint64) { q.WakeOne() })}) // before the time-out's event
	for range 2 {
		e.Go("waiter", func(*Proc) { got = append(got, q.WaitFor("x", 5)) })
	}
	require.NoError(t, e.Run())
	assert.ElementsMatch(t, []bool{true, false}, got)
}

// A time-out that came too late is gone: calling it off afterwards must not hit
// the event that took its place.
func TestIgnoredTimeoutIsNotCalledOffLater(t *testing.T) {
	e := New(1)
	q := e.NewWaitQueue()
	ran := 0
	last := Call{H: e.Register("last", func(uint64) { ran++ })}
	e.After(5, Call{H: e.Register("wake", func(uint64) { q.WakeOne() })})
	e.Go("waiter", func(*Proc) { assert.True(t, q.WaitFor("x", 5)) })
	e.At(1, Call{H: e.Register("h", func(uint64) { // between the time-out and the wake-up it lost to
		e.At(5, Call{H: e.Register("reuses the nodes", func(uint64) {
			e.At(100, last)
			e.At(101, last)
		})})
	})})
	require.NoError(t, e.Run())
	assert.Equal(t, 2, ran)
}

func TestTimeoutOfAWokenWaitDoesNotKeepTheClockGoing(t *testing.T) {
	e := New(1)
	q := e.NewWaitQueue()
	e.Go("waiter", func(*Proc) { q.WaitFor("x", 10*Second) })
	e.Go("waker", func(*Proc) { e.Sleep(5); q.WakeAll() })
	require.NoError(t, e.Run())
	assert.Equal(t, Time(5), e.Now())
	e.After(0, Call{H: e.Register("next", func(uint64) {})})
	require.NoError(t, e.Run())
	assert.Equal(t, Time(5), e.Now())
}

func TestMutexIsFairAndExcludes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(1)
		m := e.NewMutex()
		var asked, got []int
		inside := 0
		for i := range rapid.IntRange(1, 8).Draw(t, "processes") {
			start := Time(rapid.IntRange(0, 5).Draw(t, "start"))
			hold := Time(rapid.IntRange(0, 5).Draw(t, "hold"))
			e.Go(fmt.Sprint(i), func(*Proc) {
				for range 3 {
					e.Sleep(start)
					asked = append(asked, i)
					m.Lock()
					got = append(got, i)
					inside++
					assert.Equal(t, 1, inside)
					assert.False(t, m.TryLock())
					e.Sleep(hold)
					inside--
					m.Unlock() // and asks again at once: no barging
				}
			})
		}
		require.NoError(t, e.Run())
		assert.Equal(t, asked, got)
	})
	assert.Panics(t, func() { New(1).NewMutex().Unlock() })
}

// TestWaitQueueAgainstModel wakes, times out and kills at random; a plain list
// says who must go on, when and why.
func TestWaitQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(1)
		q := e.NewWaitQueue()
		n := rapid.IntRange(1, 6).Draw(t, "processes")
		type state struct {
			at    Time
			woken bool
		}
		got, want := make([]state, n), make([]state, n)
		until := make([]Time, n)
		var list []int
		ps := make([]*Proc, n)
		for i := range n {
			until[i] = 2*Time(rapid.IntRange(1, 20).Draw(t, "until")) + 1 // odd: wakers come at even times
			list = append(list, i)
			ps[i] = e.Go("p", func(*Proc) {
				woken := q.WaitUntil("x", until[i])
				got[i] = state{e.Now(), woken}
			})
		}
		last := Time(0)
		for at := Time(2); at < 40; at += 2 {
			expire := func(i int) bool {
				if until[i] < at {
					want[i] = state{until[i], false}
					last = max(last, until[i])
				}
				return until[i] < at
			}
			kept := list[:0]
			for _, i := range list {
				if !expire(i) {
					kept = append(kept, i)
				}
			}
			list = kept
			require.NoError(t, e.RunUntil(at))
			switch action := rapid.IntRange(0, 9).Draw(t, "action"); {
			case action == 0:
				q.WakeAll()
				for _, i := range list {
					want[i] = state{at, true}
				}
				list = nil
			case action <= 2:
				assert.Equal(t, len(list) > 0, q.WakeOne())
				if len(list) > 0 {
					want[list[0]] = state{at, true}
					list = list[1:]
				}
			case action == 3 && len(list) > 0:
				k := rapid.IntRange(0, len(list)-1).Draw(t, "victim")
				ps[list[k]].Kill()
				list = append(list[:k:k], list[k+1:]...)
			}
		}
		for _, i := range list {
			want[i] = state{until[i], false}
		}
		require.NoError(t, e.Run())
		assert.Equal(t, want, got)
		assert.True(t, q.Empty())
	})
}

func TestProcessSwitchDoesNotAllocate(t *testing.T) {
	e := New(1)
	m, q := e.NewMutex(), e.NewWaitQueue()
	rounds := 0
	for range 3 {
		e.Go("p", func(*Proc) {
			for {
				m.Lock()
				e.Sleep(3)
				m.Unlock()
				q.WakeAll()
				q.WaitFor("x", 10)
				rounds++
			}
		})
	}
	require.NoError(t, e.RunUntil(10*Nanosecond))
	assert.Zero(t, testing.AllocsPerRun(10, func() { require.NoError(t, e.RunUntil(e.Now()+10*Nanosecond)) }))
	assert.Greater(t, rounds, 1000)
	e.Shutdown()
}

func TestSlotsAreReusedAndTicketsAreNot(t *testing.T) {
	e := New(1)
	var stale Call
	e.Go("first", func(*Proc) {
		e.Await("x", func(done Call) { stale = done; e.After(1, done) })
	})
	require.NoError(t, e.Run())
	slept := Time(0)
	second := e.Go("second", func(*Proc) { e.Sleep(10); slept = e.Now() })
	e.After(5, stale)
	require.NoError(t, e.Run())
	assert.Equal(t, 0, second.slot)
	assert.Equal(t, Time(11), slept)
}

func TestWaitingOutsideAProcessPanics(t *testing.T) {
	e := New(1)
	assert.PanicsWithValue(t, "sim: Sleep outside a process", func() { e.Sleep(1) })
	assert.PanicsWithValue(t, "sim: Await outside a process", func() { e.Await("x", func(Call) {}) })
	assert.PanicsWithValue(t, "sim: Wait outside a process", func() { e.NewWaitQueue().Wait("x") })
	assert.PanicsWithValue(t, "sim: Lock outside a process", func() { e.NewMutex().Lock() })
}
