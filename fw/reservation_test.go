package fw_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/sim"
)

// reserved is a system with some objects.
func reserved(t *testing.T, n int, fn func(s *system, d *fw.Device, o []*fw.Object)) {
	simulate(t, func(s *system) {
		toy := newToy()
		d := s.plug(&toy.Driver)
		var o []*fw.Object
		for range n {
			o = append(o, d.NewObject(4096, toyObject{toy}))
		}
		fn(s, d, o)
	})
}

// put adds a new fence to an object.
func (s *system) put(o *fw.Object, u fw.Usage) *fw.Fence {
	var r fw.Reservations
	require.NoError(s, r.Lock(1, o))
	defer r.Unlock()
	f := fw.NewFence(s.k)
	r.Add(o, f, u)
	return f
}

// Who asks with a usage gets the fences of it and of those before it.
func TestReservationUsages(t *testing.T) {
	reserved(t, 1, func(s *system, _ *fw.Device, o []*fw.Object) {
		r := o[0].Reservation()
		usages := []fw.Usage{fw.UsageBookkeep, fw.UsageRead, fw.UsageWrite, fw.UsageKernel}
		var fences []*fw.Fence
		for i, u := range usages {
			assert.True(t, r.Idle(u))
			fences = append(fences, s.put(o[0], u))
			for j, v := range usages {
				n := 0
				r.Fences(v, func(*fw.Fence) bool { n++; return true })
				assert.Equal(t, max(0, i-j+1), n, "usage %d with all to %d", v, u)
			}
		}
		assert.ErrorIs(t, r.Wait(fw.UsageKernel, s.k.Now()+10), unix.ETIME)
		for i, f := range fences {
			s.e.Go("signal", func(*sim.Proc) { s.k.Sleep(int64(100 * (i + 1))); f.Signal(unix.EIO) })
		}
		start := s.k.Now()
		require.NoError(t, r.Wait(fw.UsageWrite, forever))
		assert.EqualValues(t, 400, s.k.Now()-start, "the kernel's is waited for too")
		assert.True(t, r.Idle(fw.UsageBookkeep))
	})
}

// A fence needs a slot that was reserved while the lock is held.
func TestReservationSlots(t *testing.T) {
	reserved(t, 2, func(s *system, d *fw.Device, o []*fw.Object) {
		var r fw.Reservations
		f := fw.NewFence(s.k)
		assert.Panics(t, func() { r.Add(o[0], f, fw.UsageWrite) }, "not locked")
		require.NoError(t, r.Lock(2, o...))
		r.Add(o[0], f, fw.UsageWrite)
		r.Add(o[0], f, fw.UsageWrite)
		assert.Panics(t, func() { r.Add(o[0], f, fw.UsageWrite) }, "a third in two slots")
		r.Add(o[1], f, fw.UsageWrite)
		r.Unlock()
		require.NoError(t, r.Lock(0, o...))
		assert.Panics(t, func() { r.Add(o[1], f, fw.UsageWrite) }, "a slot ends with the lock")
		r.Unlock()

		n := 0
		d.OnReserve(func() error {
			if n++; n == 2 {
				return unix.ENOMEM
			}
			return nil
		})
		assert.ErrorIs(t, r.Lock(1, o...), unix.ENOMEM)
		assert.Empty(t, r.Objects())
		require.NoError(t, r.Lock(1, o[1], o[0], o[1]), "nothing stayed locked")
		assert.Equal(t, o, r.Objects())
		r.Unlock()
		f.Signal(nil)
	})
}

// Those who lock the same objects in opposite orders do not wait for each other.
func TestReservationsLockInOneOrder(t *testing.T) {
	reserved(t, 3, func(s *system, _ *fw.Device, o []*fw.Object) {
		holders, ended := 0, 0
		for i := range 6 {
			s.e.Go("locker", func(*sim.Proc) {
				var r fw.Reservations
				for k := range 50 {
					require.NoError(t, r.Lock(1, o[(i+k)%3], o[(i+2*k+1)%3], o[i%3]))
					holders++
					all := len(r.Objects()) == 3
					assert.True(t, !all || holders == 1, "somebody else holds one of them")
					s.k.Sleep(int64(i + 1))
					holders--
					r.Unlock()
				}
				ended++
			})
		}
		s.k.Sleep(1e6)
		assert.Equal(t, 6, ended)
	})
}

// A job waits for the fences that it is told to, and signalled ones are not kept.
func TestReservationsDepend(t *testing.T) {
	reserved(t, 2, func(s *system, _ *fw.Device, o []*fw.Object) {
		_, sched := newEngine(t, s.k, 100, 1)
		move, read := s.put(o[0], fw.UsageKernel), s.put(o[1], fw.UsageRead)
		j := sched.NewEntity(0).NewJob()
		j.Private = "dependent"
		var r fw.Reservations
		require.NoError(t, r.Lock(1, o...))
		r.Depend(j, fw.UsageWrite)
		r.Add(o[0], j.Finished, fw.UsageWrite)
		j.Push()
		r.Unlock()
		s.k.Sleep(1000)
		assert.False(t, j.Finished.Done())
		move.Signal(nil)
		require.NoError(t, o[0].Reservation().Wait(fw.UsageBookkeep, forever))
		assert.True(t, j.Finished.Done())
		assert.False(t, read.Done(), "which it was not told of")
		sched.End(unix.ENODEV)
		for range 1000 {
			s.put(o[1], fw.UsageRead).Signal(nil)
		}
		held := allocated(func() {
			for range 1000 {
				s.put(o[1], fw.UsageRead).Signal(nil)
			}
		}) / 1000
		assert.Less(t, held, uint64(1000), "bytes a fence, behind one that is pending")
		read.Signal(nil)
	})
}
