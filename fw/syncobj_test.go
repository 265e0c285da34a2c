package fw_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// client is a program with a file of the toy driver.
type client struct {
	*system
	f *fw.File
	a *fw.Arena
}

func withClient(t *testing.T, fn func(c *client)) {
	simulate(t, func(s *system) {
		c := &client{system: s}
		c.f, c.a = s.file(s.plug(&newToy().Driver))
		fn(c)
	})
}

func (c *client) u32s(v ...uint32) uint64 {
	p := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(p[4*i:], x)
	}
	return c.a.Map(p)
}

func (c *client) u64s(v ...uint64) uint64 {
	p := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(p[8*i:], x)
	}
	return c.a.Map(p)
}

func (c *client) create(flags uint32) uint32 {
	a := abi.SyncobjCreate{Flags: flags}
	require.NoError(c, call(c.f, c.a, abi.NrSyncobjCreate, &a))
	return a.Handle
}

// attach puts a fence into a point of a syncobj, as a driver's submit does.
func (c *client) attach(h uint32, point uint64) *fw.Fence {
	s, err := c.f.Syncobj(h)
	require.NoError(c, err)
	f := fw.NewFence(c.k)
	s.Attach(point, f)
	return f
}

// wait is TIMELINE_WAIT on points, or WAIT when there are none.
func (c *client) wait(handles []uint32, points []uint64, flags uint32, until int64) (uint32, error) {
	if points == nil {
		w := abi.SyncobjWait{Handles: c.u32s(handles...), Count: uint32(len(handles)), Flags: flags, TimeoutNS: until, FirstSignaled: 99}
		err := call(c.f, c.a, abi.NrSyncobjWait, &w)
		return w.FirstSignaled, err
	}
	w := abi.SyncobjTimelineWait{Handles: c.u32s(handles...), Points: c.u64s(points...), Count: uint32(len(handles)),
		Flags: flags, TimeoutNS: until, FirstSignaled: 99}
	err := call(c.f, c.a, abi.NrSyncobjTimeWait, &w)
	return w.FirstSignaled, err
}

func (c *client) query(h, flags uint32) uint64 {
	q := abi.SyncobjTimelineArray{Handles: c.u32s(h), Points: c.u64s(77), Count: 1, Flags: flags}
	require.NoError(c, call(c.f, c.a, abi.NrSyncobjQuery, &q))
	p := make([]byte, 8)
	require.NoError(c, c.a.CopyIn(q.Points, p))
	return binary.LittleEndian.Uint64(p)
}

func (c *client) later(ns int64, fn func()) {
	c.e.Go("later", func(*sim.Proc) { c.k.Sleep(ns); fn() })
}

const forever = math.MaxInt64

func TestSyncobjBadArguments(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		one := c.u32s(h)
		for _, b := range []struct {
			name string
			want unix.Errno
			err  error
		}{
			{"CREATE flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjCreate, &abi.SyncobjCreate{Flags: 2})},
			{"DESTROY pad", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: h, Flags: 1})},
			{"DESTROY handle", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: 55})},
			{"WAIT flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: one, Count: 1, Flags: 1 << 5})},
			{"WAIT for available points", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: one, Count: 1, Flags: abi.SyncobjWaitAvailable})},
			{"WAIT for too many", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: one, Count: 1 << 20})},
			{"WAIT address", unix.EFAULT, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: 4, Count: 1})},
			{"WAIT handle", unix.ENOENT, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: c.u32s(55), Count: 1})},
			{"WAIT without a fence", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Handles: one, Count: 1})},
			{"TIMELINE_WAIT flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjTimeWait, &abi.SyncobjTimelineWait{Handles: one, Count: 1, Flags: 1 << 4})},
			{"TIMELINE_WAIT points", unix.EFAULT, call(c.f, c.a, abi.NrSyncobjTimeWait, &abi.SyncobjTimelineWait{Handles: one, Points: 4, Count: 1})},
			{"RESET pad", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: one, Count: 1, Pad: 1})},
			{"RESET nothing", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: one})},
			{"RESET handle", unix.ENOENT, call(c.f, c.a, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: c.u32s(h, 9), Count: 2})},
			{"SIGNAL pad", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: one, Count: 1, Pad: 1})},
			{"SIGNAL handle", unix.ENOENT, call(c.f, c.a, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: c.u32s(h, 9), Count: 2})},
			{"TIMELINE_SIGNAL flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: one, Count: 1, Flags: 1})},
			{"QUERY flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjQuery, &abi.SyncobjTimelineArray{Handles: one, Count: 1, Flags: 2})},
			{"QUERY address", unix.EFAULT, call(c.f, c.a, abi.NrSyncobjQuery, &abi.SyncobjTimelineArray{Handles: one, Count: 1, Points: 4})},
			{"TRANSFER pad", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: h, Dst: h, Pad: 1})},
			{"TRANSFER flags", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: h, Dst: h, Flags: 1})},
			{"TRANSFER source", unix.ENOENT, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: 9, Dst: h})},
			{"TRANSFER destination", unix.ENOENT, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: h, Dst: 9})},
			{"TRANSFER of nothing", unix.EINVAL, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: h, Dst: h})},
		} {
			assert.ErrorIs(t, b.err, b.want, b.name)
		}
		assert.NoError(t, call(c.f, c.a, abi.NrSyncobjDestroy, &abi.SyncobjCreate{Handle: h}))
		assert.NoError(t, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Flags: abi.SyncobjWaitDeadline}), "a wait for nothing asks for flags")
		assert.ErrorIs(t, call(c.f, c.a, abi.NrSyncobjWait, &abi.SyncobjWait{Flags: 1 << 9}), unix.EINVAL)
	})
}

// A point 0 that is signalled comes behind those that are there, as every point that
// is not above the last.
func TestTimelineSignalOfPointZero(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		f := c.attach(h, 5)
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: c.u32s(h), Points: c.u64s(0), Count: 1}))
		_, err := c.wait([]uint32{h}, []uint64{5}, 0, c.k.Now()+100)
		assert.ErrorIs(t, err, unix.ETIME)
		_, err = c.wait([]uint32{h}, nil, 0, c.k.Now()+100)
		assert.ErrorIs(t, err, unix.ETIME, "everything there is")
		f.Signal(nil)
		_, err = c.wait([]uint32{h}, []uint64{5}, 0, 0)
		assert.NoError(t, err)
	})
}

func TestBinarySyncobj(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		_, err := c.wait([]uint32{h}, nil, 0, forever)
		assert.ErrorIs(t, err, unix.EINVAL, "it holds nothing")
		f := c.attach(h, 0)
		_, err = c.wait([]uint32{h}, nil, 0, 0)
		assert.ErrorIs(t, err, unix.ETIME, "0 polls")
		_, err = c.wait([]uint32{h}, nil, 0, -5)
		assert.ErrorIs(t, err, unix.ETIME)
		start := c.k.Now()
		_, err = c.wait([]uint32{h}, nil, 0, start+700)
		assert.ErrorIs(t, err, unix.ETIME)
		assert.Equal(t, start+700, c.k.Now(), "absolute, on the simulated clock")
		c.later(300, func() { f.Signal(unix.EIO) })
		_, err = c.wait([]uint32{h}, nil, 0, forever)
		assert.NoError(t, err, "an error of the fence is no error of the wait")
		assert.Equal(t, start+1000, c.k.Now())
		_, err = c.wait([]uint32{h}, nil, 0, 0)
		assert.NoError(t, err, "it stays signalled")
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: c.u32s(h), Count: 1}))
		_, err = c.wait([]uint32{h}, nil, 0, 0)
		assert.ErrorIs(t, err, unix.EINVAL, "empty again")
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjSignal, &abi.SyncobjArray{Handles: c.u32s(h), Count: 1}))
		_, err = c.wait([]uint32{h}, nil, 0, 0)
		assert.NoError(t, err)
		_, err = c.wait([]uint32{c.create(abi.SyncobjCreateSignaled)}, nil, 0, 0)
		assert.NoError(t, err)
	})
}

// A wait goes on with the fence it has found when the syncobj is reset or given
// another one.
func TestWaitKeepsItsFence(t *testing.T) {
	withClient(t, func(c *client) {
		h := c.create(0)
		f := c.attach(h, 0)
		c.later(100, func() {
			require.NoError(t, call(c.f, c.a, abi.NrSyncobjReset, &abi.SyncobjArray{Handles: c.u32s(h), Count: 1}))
		})
		c.later(200, func() { c.attach(h, 0) })
		c.later(300, func() { f.Signal(nil) })
		_, err := c.wait([]uint32{h}, nil, 0, 5000)
		assert.NoError(t, err)
		assert.EqualValues(t, 300, c.k.Now())
	})
}

func TestWaitAnyAndAll(t *testing.T) {
	withClient(t, func(c *client) {
		h := []uint32{c.create(0), c.create(0), c.create(0)}
		f := []*fw.Fence{c.attach(h[0], 0), c.attach(h[1], 0), c.attach(h[2], 0)}
		for i, at := range []int64{300, 100, 200} {
			c.later(at, func() { f[i].Signal(nil) })
		}
		first, err := c.wait(h, nil, 0, forever)
		require.NoError(t, err)
		assert.EqualValues(t, 1, first)
		assert.EqualValues(t, 100, c.k.Now())
		_, err = c.wait(h, nil, abi.SyncobjWaitAll, 250)
		assert.ErrorIs(t, err, unix.ETIME)
		first, err = c.wait(h, nil, abi.SyncobjWaitAll, forever)
		require.NoError(t, err)
		assert.Zero(t, first)
		assert.EqualValues(t, 300, c.k.Now())
	})
}

// A wait for submission waits for whichever syncobj gets its fence, one of many
// or all.
func TestWaitForSubmit(t *testing.T) {
	withClient(t, func(c *client) {
		h := []uint32{c.create(0), c.create(0)}
		c.later(100, func() { c.attach(h[1], 0).Signal(nil) })
		c.later(400, func() { c.attach(h[0], 0) })
		c.later(600, func() {
			s, _ := c.f.Syncobj(h[0])
			s.At(0).Signal(nil)
		})
		first, err := c.wait(h, nil, abi.SyncobjWaitForSubmit, forever)
		require.NoError(t, err)
		assert.EqualValues(t, 1, first)
		assert.EqualValues(t, 100, c.k.Now())
		_, err = c.wait(h, nil, abi.SyncobjWaitForSubmit|abi.SyncobjWaitAll, forever)
		require.NoError(t, err)
		assert.EqualValues(t, 600, c.k.Now())
	})
}

func TestTimeline(t *testing.T) {
	withClient(t, func(c *client) {
		h := []uint32{c.create(0)}
		two, five := c.attach(h[0], 2), c.attach(h[0], 5)
		assert.Zero(t, c.query(h[0], 0))
		assert.EqualValues(t, 5, c.query(h[0], abi.SyncobjQueryLastSubmitted))
		_, err := c.wait(h, []uint64{6}, 0, forever)
		assert.ErrorIs(t, err, unix.EINVAL, "beyond what was submitted")
		_, err = c.wait(h, []uint64{5}, abi.SyncobjWaitAvailable, 0)
		assert.NoError(t, err, "available though not signalled")
		five.Signal(nil)
		assert.Zero(t, c.query(h[0], 0), "a point waits for those before it")
		_, err = c.wait(h, []uint64{3}, 0, c.k.Now()+10)
		assert.ErrorIs(t, err, unix.ETIME)
		_, err = c.wait(h, []uint64{0}, 0, c.k.Now()+10)
		assert.ErrorIs(t, err, unix.ETIME, "point 0 is the whole timeline")
		c.later(100, func() { two.Signal(nil) })
		_, err = c.wait(h, []uint64{3}, 0, forever)
		assert.NoError(t, err)
		assert.EqualValues(t, 5, c.query(h[0], 0))
		_, err = c.wait(h, []uint64{0}, 0, 0)
		assert.NoError(t, err)

		require.NoError(t, call(c.f, c.a, abi.NrSyncobjTimeSignal, &abi.SyncobjTimelineArray{Handles: c.u32s(h...), Points: c.u64s(9), Count: 1}))
		assert.EqualValues(t, 9, c.query(h[0], 0))
		c.later(100, func() { c.attach(h[0], 12).Signal(nil) })
		_, err = c.wait(h, []uint64{11}, abi.SyncobjWaitForSubmit, forever)
		assert.NoError(t, err)
		assert.EqualValues(t, 12, c.query(h[0], 0))

		low := c.attach(h[0], 4) // out of order: behind 12, with its value
		assert.EqualValues(t, 12, c.query(h[0], abi.SyncobjQueryLastSubmitted))
		_, err = c.wait(h, []uint64{0}, 0, 0)
		assert.ErrorIs(t, err, unix.ETIME)
		low.Signal(nil)
		c.attach(h[0], 0)
		assert.Zero(t, c.query(h[0], 0), "a binary fence ends the timeline")
		_, err = c.wait(h, []uint64{1}, 0, 0)
		assert.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestTransfer(t *testing.T) {
	withClient(t, func(c *client) {
		src, dst := c.create(0), c.create(0)
		three := c.attach(src, 3)
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: src, SrcPoint: 2, Dst: dst, DstPoint: 7}))
		_, err := c.wait([]uint32{dst}, []uint64{7}, 0, 0)
		assert.ErrorIs(t, err, unix.ETIME)
		three.Signal(nil)
		_, err = c.wait([]uint32{dst}, []uint64{7}, 0, 0)
		assert.NoError(t, err)
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: src, SrcPoint: 3, Dst: dst}))
		assert.Zero(t, c.query(dst, 0), "to a binary one")
		_, err = c.wait([]uint32{dst}, nil, 0, 0)
		assert.NoError(t, err)

		c.later(100, func() { c.attach(src, 10).Signal(nil) })
		require.NoError(t, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: src, SrcPoint: 10, Dst: dst, DstPoint: 20, Flags: abi.SyncobjWaitForSubmit}))
		assert.EqualValues(t, 20, c.query(dst, 0))
		start := c.k.Now()
		assert.ErrorIs(t, call(c.f, c.a, abi.NrSyncobjTransfer, &abi.SyncobjTransfer{Src: src, SrcPoint: 99, Dst: dst, Flags: abi.SyncobjWaitForSubmit}), unix.ETIME)
		assert.EqualValues(t, int64(5e9), c.k.Now()-start, "bounded, as the kernel's")
	})
}

// Against a flat model: a point is signalled when its fence and all of those
// attached before it are, and stays so.
func TestTimelineProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := host.NewKernel(sim.New(1), host.Config{})
		s := fw.NewSyncobj(k)
		type pt struct {
			value uint64
			f     *fw.Fence
		}
		var all []pt
		var last, reached uint64
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			if len(all) == 0 || rapid.Bool().Draw(r, "attach") {
				v := uint64(rapid.IntRange(1, 60).Draw(r, "value"))
				f := fw.NewFence(k)
				s.Attach(v, f)
				last = max(last, v)
				all = append(all, pt{last, f})
			} else {
				all[rapid.IntRange(0, len(all)-1).Draw(r, "which")].f.Signal(nil)
			}
			// signalled(v): all fences up to the last with the first value ≥ v are done
			for v := uint64(1); v <= last; v++ {
				done, target := true, uint64(0)
				for _, p := range all {
					if target != 0 && p.value > target {
						break
					}
					if p.value >= v && target == 0 {
						target = p.value
					}
					done = done && p.f.Done()
				}
				if done {
					reached = max(reached, target)
				}
				require.Equal(r, v <= reached, s.At(v).Done(), "point %d", v)
			}
			require.Nil(r, s.At(last+1))
			got, submitted := s.Payload()
			require.Equal(r, last, submitted)
			require.Equal(r, reached, got)
		}
	})
}
