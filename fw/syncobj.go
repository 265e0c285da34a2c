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
	refs     int // handles and descriptors
}

// payload is what a syncobj holds. A wait keeps the one it has found, as a
// kernel's keeps the fence, when Reset or Attach put another in its place.
type payload struct {
	of       *Syncobj
	fence    *Fence // binary
	timeline bool
	points   []*point // not reached yet, by value
	last     uint64   // highest point ever submitted
	reached  uint64   // everything up to it is signalled
	waits    int      // that have found it
	chains   int      // fences of points that are not signalled
	failed   []error  // of the points reached while there are such, in order
	own      point    // the first one's memory
}

// point is a fence of a payload, linked with the other points of that fence.
type point struct {
	of     *payload
	value  uint64
	fence  *Fence
	all    *Fence // is signalled with the point, if somebody has asked for one
	failed int    // points that had failed then
	before *point
	behind *point
}

// pointList is the points that wait for a fence, in order.
type pointList struct{ first, last *point }

func (l *pointList) add(pt *point) {
	if pt.before = l.last; l.last == nil {
		l.first = pt
	} else {
		l.last.behind = pt
	}
	l.last = pt
}

// remove takes a point out; one that is in no list stays so.
func (l *pointList) remove(pt *point) {
	switch {
	case pt.before != nil:
		pt.before.behind = pt.behind
	case l.first == pt:
		l.first = pt.behind
	default:
		return
	}
	if pt.behind != nil {
		pt.behind.before = pt.before
	} else {
		l.last = pt.before
	}
	pt.before, pt.behind = nil, nil
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
	if value != 0 {
		s.AddPoint(value, f)
		return
	}
	p := s.fresh()
	p.fence = f
	p.add(f, 0)
	s.settle(f)
}

// AddPoint adds a fence as a point of the timeline, also with the value 0.
func (s *Syncobj) AddPoint(value uint64, f *Fence) {
	s.now.attach(value, f)
	s.settle(f)
}

// settle follows a fence that has been put in.
func (s *Syncobj) settle(f *Fence) {
	if !f.done {
		s.changed()
		return
	}
	for _, ended := range s.now.advance(nil) {
		ended.tell()
	}
}

// Reset takes everything out.
func (s *Syncobj) Reset() { s.fresh() }

// fresh puts an empty payload in the place of the present one, whose memory it has
// when nobody looks at that any more.
func (s *Syncobj) fresh() *payload {
	if p := s.now; p.unused() {
		p.forget()
		*p = payload{of: s, points: p.points[:0]}
	} else {
		s.now = &payload{of: s}
	}
	return s.now
}

// get and put count handles and descriptors: with the last the fences go.
func (s *Syncobj) get() *Syncobj { s.refs++; return s }

func (s *Syncobj) put() {
	if s.refs--; s.refs == 0 {
		s.Reset()
	}
}

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

// add makes a point, which waits for its fence.
func (p *payload) add(f *Fence, value uint64) *point {
	pt := &p.own
	if pt.fence != nil {
		pt = new(point)
	}
	*pt = point{of: p, value: value, fence: f}
	if !f.done {
		f.points.add(pt)
	}
	return pt
}

// attach adds a point. One that is reached with the last needs no place of its
// own: what is signalled, and the last one's fence once more.
func (p *payload) attach(value uint64, f *Fence) {
	switch {
	case p.fence == nil:
	case p.fence.done:
		p.fence.points.remove(&p.own)
	default: // the timeline begins behind it
		p.points = append(p.points, &p.own)
	}
	p.fence, p.timeline = nil, true
	p.last = max(p.last, value)
	if n := len(p.points); n > 0 {
		if l := p.points[n-1]; f == l.fence || f == l.all || f.done && f.err == nil {
			l.value = p.last
			return
		}
	}
	p.points = append(p.points, p.add(f, p.last))
}

// advance moves the payload over points whose fences, and all before, are
// signalled. It appends the fences that end by it and returns them: the caller
// tells.
func (p *payload) advance(ended []*Fence) []*Fence {
	n := 0
	for n < len(p.points) && p.points[n].fence.done {
		pt := p.points[n]
		p.points[n] = nil
		pt.fence.points.remove(pt) // if the fence has still to tell
		if n++; n == len(p.points) || p.points[n].value > pt.value {
			p.reached = pt.value
		}
		if p.chains > 0 && pt.fence.err != nil {
			p.failed = append(p.failed, pt.fence.err)
		}
		if pt.all != nil {
			var err error
			if pt.failed < len(p.failed) {
				err = p.failed[pt.failed]
			}
			pt.all.end(err)
			ended = append(ended, pt.all)
			if p.chains--; p.chains == 0 {
				p.failed = nil
			}
		}
	}
	if left := p.points[n:]; len(left) > n {
		p.points = left
	} else { // to the front, so that the memory is used again
		p.points = append(p.points[:0], left...)
	}
	p.of.changed()
	return ended
}

// unused reports whether no wait and no fence of a point needs the payload.
func (p *payload) unused() bool { return p.waits == 0 && p.chains == 0 }

// forget lets go of all fences.
func (p *payload) forget() {
	if p.fence != nil {
		p.fence.points.remove(&p.own)
	}
	for _, pt := range p.points {
		pt.fence.points.remove(pt)
	}
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
		return p.until(len(p.points) - 1)
	}
	// The last of the points with the value that is the first not below it.
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].value >= value })
	for i+1 < len(p.points) && p.points[i+1].value == p.points[i].value {
		i++
	}
	return p.until(i)
}

// until is signalled when points 0 to i are, with the first of their errors.
func (p *payload) until(i int) *Fence {
	if i == 0 {
		return p.points[0].fence
	}
	pt := p.points[i]
	if pt.all == nil {
		pt.all, pt.failed = NewFence(p.of.kernel), len(p.failed)
		p.chains++
	}
	return pt.all
}
