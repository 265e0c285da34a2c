package fw

import (
	"cmp"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
)

// Usage says what the work behind a fence does with an object's memory. Who asks
// for a usage gets the fences of it and of those before it (dma_resv_usage).
type Usage uint8

// Usages.
const (
	UsageKernel   Usage = iota // the driver moves or clears the memory: everybody waits
	UsageWrite                 // a job writes it
	UsageRead                  // a job reads it
	UsageBookkeep              // whatever else: nobody waits but who moves or frees the memory
)

// Reservation is the fences of what uses an object's memory, wherever the object
// was exported to (dma_resv). It is changed by who has it locked. A fence gets a
// slot that was reserved before: reserving can fail, adding cannot, so that a job
// is armed when nothing can fail any more.
type Reservation struct {
	kernel hw.Kernel
	locked bool
	free   hw.WaitQueue // made when somebody waits for the lock
	fences []usage      // signalled ones go by and by
	slots  int          // reserved and not used
	fail   *func() error
}

// usage is a fence with what it stands for.
type usage struct {
	fence *Fence
	usage Usage
}

// maxFences bounds a reservation, so that programs cannot exhaust memory.
const maxFences = 1 << 20

// lock waits until the reservation is free and takes it.
func (r *Reservation) lock() {
	for r.locked {
		if r.free == nil {
			r.free = r.kernel.NewWaitQueue()
		}
		r.free.Wait("a reservation")
	}
	r.locked = true
}

// unlock lets it go, and slots that were not used.
func (r *Reservation) unlock() {
	r.locked, r.slots = false, 0
	if r.free != nil {
		r.free.WakeAll()
	}
}

// reserve makes room for n fences.
func (r *Reservation) reserve(n int) error {
	if *r.fail != nil {
		if err := (*r.fail)(); err != nil {
			return err
		}
	}
	done := 0
	for done < len(r.fences) && r.fences[done].fence.Done() { // as a rule they are signalled in order
		r.fences[done] = usage{}
		done++
	}
	if left := r.fences[done:]; len(left) > done {
		r.fences = left
	} else {
		r.fences = append(r.fences[:0], left...)
		clear(left)
	}
	need := r.slots + n
	if len(r.fences)+need > cap(r.fences) {
		r.fences = slices.DeleteFunc(r.fences, func(u usage) bool { return u.fence.Done() })
		if len(r.fences) > maxFences-need {
			return errnof(unix.ENOMEM, "%d fences use a buffer", len(r.fences))
		}
		r.fences = slices.Grow(r.fences, need+len(r.fences))
	}
	r.slots = need
	return nil
}

// add puts a fence into a slot.
func (r *Reservation) add(f *Fence, u Usage) {
	if !r.locked || r.slots == 0 {
		panic("fw: a fence for a reservation in which no slot was reserved for it")
	}
	r.slots--
	r.fences = append(r.fences, usage{f, u})
}

// Fences calls yield for each fence of a usage, and those before it, that is not
// signalled.
func (r *Reservation) Fences(u Usage, yield func(*Fence) bool) {
	for _, x := range r.fences {
		if x.usage <= u && !x.fence.Done() && !yield(x.fence) {
			return
		}
	}
}

// pending returns a fence that is not signalled, nil if there is none.
func (r *Reservation) pending(u Usage) (f *Fence) {
	r.Fences(u, func(x *Fence) bool { f = x; return false })
	return f
}

// Idle reports whether every fence of a usage is signalled.
func (r *Reservation) Idle(u Usage) bool { return r.pending(u) == nil }

// Wait waits until that is so; ETIME when an absolute time in ns passes first.
func (r *Reservation) Wait(u Usage, until int64) error {
	return r.each(u, func(f *Fence) error { return f.Wait(until) })
}

// each waits for one fence of a usage after another.
func (r *Reservation) each(u Usage, wait func(*Fence) error) error {
	for f := r.pending(u); f != nil; f = r.pending(u) {
		if err := wait(f); err != nil {
			return err
		}
	}
	return nil
}

// Await is Wait for as long as it takes, within an ioctl of a file: EINTR after a
// signal to the calling thread.
func (r *Reservation) Await(f *File, u Usage) error { return r.each(u, f.WaitFence) }

// Reservation returns the object's.
func (o *Object) Reservation() *Reservation { return &o.reservation }

// Reservations are those of several objects, locked together (drm_exec). The zero
// value is none; it may be used again and again.
type Reservations struct{ objects []*Object }

// Lock locks the reservations of a device's objects, in one order for everybody, so
// that nobody waits for one who waits for him, and reserves slots in each. An
// object that is named twice is locked once. After an error nothing is locked.
func (x *Reservations) Lock(slots int, objects ...*Object) error {
	x.objects = append(x.objects[:0], objects...)
	if len(objects) > 1 {
		slices.SortFunc(x.objects, func(a, b *Object) int { return cmp.Compare(a.offset, b.offset) })
		x.objects = slices.Compact(x.objects)
	}
	for i, o := range x.objects {
		o.reservation.lock()
		if err := o.reservation.reserve(slots); err != nil {
			clear(x.objects[i+1:])
			x.objects = x.objects[:i+1]
			x.Unlock()
			return err
		}
	}
	return nil
}

// Objects returns what is locked, each once.
func (x *Reservations) Objects() []*Object { return x.objects }

// Add puts a fence into a slot of an object that is locked. A slot that was not
// reserved is the driver's bug.
func (x *Reservations) Add(o *Object, f *Fence, u Usage) { o.reservation.add(f, u) }

// Depend makes a job wait for the fences of a usage in all that is locked.
func (x *Reservations) Depend(j *Job, u Usage) {
	for _, o := range x.objects {
		o.reservation.Fences(u, func(f *Fence) bool { j.DependOn(f); return true })
	}
}

// Wait waits for the fences of a usage in all that is locked.
func (x *Reservations) Wait(u Usage) {
	for _, o := range x.objects {
		_ = o.reservation.Wait(u, math.MaxInt64) // no time passes it
	}
}

// Unlock lets all of them go.
func (x *Reservations) Unlock() {
	for _, o := range x.objects {
		o.reservation.unlock()
	}
	clear(x.objects)
	x.objects = x.objects[:0]
}

// OnReserve has fn decide whether slots can be reserved in the device's objects,
// for tests; nil lets them all.
func (d *Device) OnReserve(fn func() error) { d.onReserve = fn }
