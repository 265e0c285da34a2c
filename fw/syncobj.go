package fw

import (
	"sort"

	"github.com/presi-sim/presi/hw"
)

// Syncobj is a container of fences that programs share: a binary one holds one
// fence, a timeline fences at rising points. A point is signalled when its fence
// and all before it are (drm_syncobj and dma_fence_chain).
type Syncobj struct {
	kernel   hw.Kernel
	now      *payload
	watchers watchers
}

// payload is what a syncobj holds. A wait keeps the one it has found, as a
// kernel's keeps the fence, when Reset or Attach put another in its place.
type payload struct {
	of       *Syncobj
	fence    *Fence // binary
	timeline bool
	points   []point // not reached yet, by value
	last     uint64  // highest point ever submitted
	reached  uint64  // everything up to it is signalled
}

type point struct {
	value uint64
	fence *Fence
}

// watcher is told of changes.
type watcher struct{ changed func() }

// watchers is who is told.
type watchers []*watcher

func (w *watchers) add(x *watcher) { *w = append(*w, x) }

func (w *watchers) remove(x *watcher) {
	for i, y := range *w {
		if x == y {
			*w = append((*w)[:i], (*w)[i+1:]...)
			return
		}
	}
}

// NewSyncobj returns one that holds nothing.
func NewSyncobj(k hw.Kernel) *Syncobj {
	s := &Syncobj{kernel: k}
	s.now = &payload{of: s}
	return s
}

// Attach puts a fence in: value 0 replaces everything by it, else it is added as
// a point of the timeline. A point that is not above the last one takes the last
// one's value, behind it.
func (s *Syncobj) Attach(value uint64, f *Fence) {
	if value == 0 {
		s.now = &payload{of: s, fence: f}
	} else {
		s.now.attach(value, f)
	}
	f.OnSignal(s.now.advance)
	s.changed()
}

// Reset takes everything out.
func (s *Syncobj) Reset() { s.now = &payload{of: s} }

// Payload returns the timeline's reached point, and the last one submitted.
func (s *Syncobj) Payload() (reached, submitted uint64) { return s.now.reached, s.now.last }

// At returns a fence for a point (0: for everything there is): nil when nothing
// has been submitted for it.
func (s *Syncobj) At(value uint64) *Fence { return s.now.at(value) }

func (s *Syncobj) changed() {
	for i := 0; i < len(s.watchers); {
		w := s.watchers[i]
		w.changed()
		if i < len(s.watchers) && s.watchers[i] == w { // it has not gone
			i++
		}
	}
}

func (p *payload) attach(value uint64, f *Fence) {
	if p.fence != nil { // the timeline begins behind it
		p.points = append(p.points, point{0, p.fence})
		p.fence = nil
	}
	p.timeline = true
	p.last = max(p.last, value)
	p.points = append(p.points, point{p.last, f})
}

// advance moves the payload over points whose fences, and all before, are signalled.
func (p *payload) advance() {
	n := 0
	for n < len(p.points) && p.points[n].fence.Done() {
		n++
		if v := p.points[n-1].value; n == len(p.points) || p.points[n].value > v {
			p.reached = v
		}
	}
	p.points = append(p.points[:0], p.points[n:]...)
	p.of.changed()
}

// state reports whether a fence was submitted for a point, and whether it is
// signalled.
func (p *payload) state(value uint64) (submitted, signalled bool) {
	switch {
	case p.timeline && value == 0:
		return true, len(p.points) == 0
	case p.timeline:
		return value <= p.last, value <= p.reached
	case value == 0 && p.fence != nil:
		return true, p.fence.Done()
	}
	return false, false
}

func (p *payload) at(value uint64) *Fence {
	submitted, signalled := p.state(value)
	switch {
	case !submitted:
		return nil
	case p.fence != nil:
		return p.fence
	case signalled:
		return SignaledFence(p.of.kernel)
	case value == 0:
		return p.chain(len(p.points) - 1)
	}
	// The last of the points with the value that is the first not below it.
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].value >= value })
	for i+1 < len(p.points) && p.points[i+1].value == p.points[i].value {
		i++
	}
	return p.chain(i)
}

// chain is signalled when points 0 to i are, with the first of their errors.
func (p *payload) chain(i int) *Fence {
	if i == 0 {
		return p.points[0].fence
	}
	all := NewFence(p.of.kernel)
	left := i + 1
	var err error
	for _, pt := range p.points[:i+1] {
		pt.fence.OnSignal(func() {
			if err == nil {
				err = pt.fence.Err()
			}
			if left--; left == 0 {
				all.Signal(err)
			}
		})
	}
	return all
}
