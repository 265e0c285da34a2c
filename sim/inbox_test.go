package sim

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serve(t *testing.T, e *Engine) (stop func()) {
	quit, ended := make(chan struct{}), make(chan error)
	go func() { ended <- e.Serve(quit) }()
	return func() {
		close(quit)
		require.NoError(t, <-ended)
	}
}

func TestDoRunsProcessesForGoroutines(t *testing.T) {
	e := New(1)
	stop := serve(t, e)
	m := e.NewMutex()
	var wg sync.WaitGroup
	total := 0
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				assert.NoError(t, e.Do("ioctl", func(p *Proc) {
					m.Lock()
					defer m.Unlock()
					before := total
					e.Sleep(Microsecond)
					total = before + 1
				}))
			}
		}()
	}
	wg.Wait()
	stop()
	assert.Equal(t, 400, total)
	assert.Equal(t, 400*Microsecond, e.Now())
}

func TestDoWithoutServe(t *testing.T) {
	e := New(1)
	serve(t, e)()
	assert.ErrorIs(t, e.Do("late", func(*Proc) { t.Error("runs") }), ErrNotServed)
	require.NoError(t, e.Run())

	stop := serve(t, e) // served again, once a posted call has run
	running := make(chan struct{})
	e.Post(func() { close(running) })
	<-running
	assert.NoError(t, e.Do("ioctl", func(*Proc) { e.Sleep(1) }))
	entered, result := make(chan struct{}), make(chan error)
	go func() {
		result <- e.Do("stuck", func(*Proc) {
			close(entered)
			e.NewWaitQueue().Wait("ever")
		})
	}()
	<-entered
	stop()
	assert.ErrorIs(t, <-result, ErrNotServed)
	e.Shutdown()
}

func TestDoThatEndsTheServingHasEnded(t *testing.T) {
	for range 200 {
		e := New(1)
		ended := make(chan error)
		go func() { ended <- e.Serve(nil) }()
		assert.NoError(t, e.Do("last", func(*Proc) { e.Stop() }))
		assert.NoError(t, <-ended)
	}
}

func TestServeEndsThoughEventsGoOn(t *testing.T) {
	e := New(1)
	var h Handler
	h = e.Register("tick", func(uint64) { e.After(Microsecond, Call{H: h}) })
	e.After(0, Call{H: h})
	stop := serve(t, e)
	ran := make(chan struct{})
	e.Post(func() { close(ran) })
	<-ran
	stop()
	assert.Positive(t, e.Now())
}

func TestServeReturnsFailure(t *testing.T) {
	e := New(1)
	e.Post(func() { e.Fail(assert.AnError) })
	assert.ErrorIs(t, e.Serve(nil), assert.AnError)
}

func TestPostedCallsRunInOrder(t *testing.T) {
	e := New(1)
	var log []int
	for i := range 3 {
		e.Post(func() {
			log = append(log, i)
			e.Post(func() { log = append(log, 10+i) })
		})
	}
	require.NoError(t, e.Run())
	assert.Equal(t, []int{0, 1, 2, 10, 11, 12}, log)
}
