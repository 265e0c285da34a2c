package fw

import (
	"math"
	"sort"

	"github.com/presi-sim/presi/hw"
)

// Syncobj is a container of fences that programs share: a binary one holds one
// fence; a timeline holds fences at rising points. A point is signalled when
// its fence and all before it are.
type Syncobj struct {
	kernel  hw.Kernel
	refs    int
	fence   *Fence  // binary
	points  []point // timeline, by value
	last    uint64  // highest point ever submitted
	reached uint64  // highest point below which everything is signalled
	waiters hw.WaitQueue
}

type point struct {
	value uint64
	fence *Fence
}

// NewSyncobj returns one with a reference.
func NewSyncobj(k hw.Kernel) *Syncobj {
	return &Syncobj{kernel: k, refs: 1, waiters: k.NewWaitQueue()}
}

// Get takes a reference.
func (s *Syncobj) Get() *Syncobj { s.refs++; return s }

// Put drops a reference.
func (s *Syncobj) Put() { s.refs-- }

// Attach puts a fence in: value 0 replaces the binary fence, else it is added
// as a point of the timeline. A point not above the last one is added as the
// kernel adds it: it takes the last one's place in order.
func (s *Syncobj) Attach(value uint64, f *Fence) {
	if value == 0 {
		s.fence, s.points = f, nil
	} else {
		s.last = max(s.last, value)
		s.points = append(s.points, point{s.last, f})
		s.points[len(s.points)-1].value = max(value, s.last)
		s.fence = f
	}
	f.OnSignal(s.advance)
	s.waiters.WakeAll()
}

// Reset takes the fence out.
func (s *Syncobj) Reset() { s.fence, s.points, s.last, s.reached = nil, nil, 0, 0 }

// advance moves the payload over points whose fences, and all before, are signalled.
func (s *Syncobj) advance() {
	n := 0
	for n < len(s.points) && s.points[n].fence.Done() {
		s.reached = s.points[n].value
		n++
	}
	s.points = append(s.points[:0], s.points[n:]...)
	s.waiters.WakeAll()
}

// Payload returns the timeline's reached point, and the last one submitted.
func (s *Syncobj) Payload() (reached, submitted uint64) { return s.reached, s.last }

// At returns a fence for a point: nil when nothing has been submitted for it.
// A point that has passed gives a signalled fence.
func (s *Syncobj) At(value uint64) *Fence {
	if value == 0 {
		return s.fence
	}
	if value <= s.reached {
		return SignaledFence(s.kernel)
	}
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].value >= value })
	if i == len(s.points) {
		return nil
	}
	return s.chain(i)
}

// chain is signalled when points 0 to i are.
func (s *Syncobj) chain(i int) *Fence {
	if i == 0 {
		return s.points[0].fence
	}
	all := NewFence(s.kernel)
	left := i + 1
	var err error
	for _, p := range s.points[:i+1] {
		p.fence.OnSignal(func() {
			if err == nil {
				err = p.fence.Err()
			}
			if left--; left == 0 {
				all.Signal(err)
			}
		})
	}
	return all
}

// forever is an absolute time that does not come.
const forever = math.MaxInt64
