package fwtest

import (
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
)

// Serve runs the simulation for ordinary goroutines, which enter it through Do, until
// stop is called: outside of Run and before the end of the test.
func (d *Device) Serve() (stop func()) {
	quit, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- d.Engine.Serve(quit) }()
	for d.Do("served", func() {}) != nil && len(ended) == 0 { // after an earlier Serve it takes a moment
	}
	return func() {
		d.T.Helper()
		close(quit)
		require.NoError(d.T, <-ended)
	}
}

// Do runs fn as a process of the simulation that Serve runs and returns when it has
// ended; sim.ErrNotServed when nobody serves it any more. fn must not call FailNow.
func (d *Device) Do(name string, fn func()) error {
	return d.Engine.Do(name, func(*sim.Proc) { fn() })
}
