package rt_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// openServed opens the node of a served computer as a program of its own.
func openServed(d *fwtest.Device) (*rt.Device, error) {
	var node rt.Node
	err := d.Do("open", func() {
		arena := &fw.Arena{}
		if f, err := d.Class.Open(d.Driver.Minor, arena); err == nil {
			node = rt.Local(f, arena)
		}
	})
	if err != nil || node == nil {
		return nil, errors.Join(err, errors.New("the node does not open"))
	}
	return rt.Open(rt.Served(node, d))
}

// copies is a program: it sends bytes through device memory, round after round, and
// gives back everything it took.
func copies(d *rt.Device, who, rounds int) (err error) {
	const size = 8192
	check := func(e error) { err = errors.Join(err, e) }
	q, e := d.NewQueue(rt.Copy, rt.PriorityNormal, 0)
	if e != nil {
		return e
	}
	defer func() { check(q.Close()) }()
	var b [3]*rt.Buffer // host, device, host
	for i, flags := range []uint32{abi.BOHost, abi.BODevice, abi.BOHost} {
		if b[i], e = d.NewBuffer(size, flags); e != nil {
			return e
		}
		defer func() { check(b[i].Close()) }()
	}
	want, got := make([]byte, size), make([]byte, size)
	for round := range rounds {
		for i := range want {
			want[i] = byte(i*7 + who*31 + round*101)
		}
		if _, e := b[0].WriteAt(want, 0); e != nil {
			return e
		}
		c := q.Commands()
		c.CopyBytes(b[1].Addr, b[0].Addr, size)
		c.Then().CopyBytes(b[2].Addr, b[1].Addr, size)
		ticket, e := q.Submit(&rt.Job{Commands: c, Buffers: b[:]})
		if e != nil {
			return e
		}
		if e := q.Wait(ticket, rt.Forever); e != nil {
			return e
		}
		if _, e := b[2].ReadAt(got, 0); e != nil {
			return e
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("program %d, round %d: wrong bytes", who, round)
		}
	}
	return nil
}

const (
	goroutines = 8
	rounds     = 6
)

// together runs fn in goroutines of the test.
func together(t *testing.T, fn func(who int) error) {
	var all sync.WaitGroup
	errs := make([]error, goroutines)
	for who := range goroutines {
		all.Go(func() { errs[who] = fn(who) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

// Programs that are ordinary goroutines, each with a file of its own. The clean-up
// of the device finds what they leave behind.
func TestServedPrograms(t *testing.T) {
	d := fwtest.NewDevice(t)
	stop := d.Serve()
	defer stop()
	together(t, func(who int) error {
		dev, err := openServed(d)
		if err != nil {
			return err
		}
		return errors.Join(copies(dev, who, rounds), dev.Close())
	})
}

// Threads of one program: one device, a queue each.
func TestServedThreads(t *testing.T) {
	d := fwtest.NewDevice(t)
	stop := d.Serve()
	defer stop()
	dev, err := openServed(d)
	require.NoError(t, err)
	together(t, func(who int) error { return copies(dev, who, rounds) })
	require.NoError(t, dev.Close())
	_, err = dev.NewSyncobj(false)
	assert.ErrorIs(t, err, unix.EBADF)
}

// A thread that waits does not keep another from signalling.
func TestServedThreadsMeet(t *testing.T) {
	d := fwtest.NewDevice(t)
	stop := d.Serve()
	defer stop()
	dev, err := openServed(d)
	require.NoError(t, err)
	s, err := dev.NewSyncobj(false)
	require.NoError(t, err)
	waited := make(chan error)
	go func() { waited <- dev.Wait(rt.Forever, rt.Point{Syncobj: s, Value: 3}) }()
	require.NoError(t, s.Signal(3))
	require.NoError(t, <-waited)
	require.NoError(t, s.Close())
	require.NoError(t, dev.Close())
}

// Memory that the device writes is not to be had as a slice.
func TestServedMapping(t *testing.T) {
	d := fwtest.NewDevice(t)
	stop := d.Serve()
	defer stop()
	dev, err := openServed(d)
	require.NoError(t, err)
	b, err := dev.NewBuffer(4096, abi.BOHost)
	require.NoError(t, err)
	m, err := b.Map()
	require.NoError(t, err)
	assert.Nil(t, m.Bytes())
	_, err = m.WriteAt([]byte{1, 2}, 4095)
	assert.ErrorIs(t, err, unix.EFAULT)
	require.NoError(t, b.Close())
	_, err = m.ReadAt([]byte{0}, 0)
	assert.ErrorIs(t, err, unix.EFAULT, "unmapped")
	require.NoError(t, dev.Close())
}

// When nobody serves any more, calls say so instead of waiting.
func TestNotServed(t *testing.T) {
	d := fwtest.NewDevice(t)
	stop := d.Serve()
	dev, err := openServed(d)
	require.NoError(t, err)
	b, err := dev.NewBuffer(4096, abi.BOHost)
	require.NoError(t, err)
	m, err := b.Map()
	require.NoError(t, err)
	stop()

	_, err = dev.Telemetry()
	assert.ErrorIs(t, err, sim.ErrNotServed)
	_, err = m.ReadAt([]byte{0}, 0)
	assert.ErrorIs(t, err, sim.ErrNotServed)
	assert.ErrorIs(t, dev.Close(), sim.ErrNotServed)

	stop = d.Serve() // again
	_, err = dev.Telemetry()
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.NoError(t, dev.Close())
	stop()
}

// Called from processes, the same programs end at the same instant every time.
func TestProcessesAreReproducible(t *testing.T) {
	run := func() (end sim.Time) {
		d := fwtest.NewDevice(t)
		d.Run(func() {
			var procs []*sim.Proc
			for who := range goroutines {
				procs = append(procs, d.Go("program", func() {
					arena := &fw.Arena{}
					f, err := d.Class.Open(d.Driver.Minor, arena)
					require.NoError(t, err)
					dev, err := rt.Open(rt.Local(f, arena))
					require.NoError(t, err)
					require.NoError(t, copies(dev, who, 2))
					require.NoError(t, dev.Close())
				}))
			}
			for _, p := range procs {
				p.Join()
			}
		})
		return d.Engine.Now()
	}
	first := run()
	assert.Positive(t, first)
	assert.Equal(t, first, run())
}
