package sim

import "math/bits"

// The event queue is a hierarchy of timing wheels in which an event's place is
// read off its time: with times written in digits of digitBits, an event lives
// on the wheel of the highest digit in which it differs from the queue's base,
// in the slot of that digit. Wheel 0 has a slot for each picosecond of the
// current block of slotCount; together the wheels reach to Never, so there is
// no far list and no comparison of events.
//
// Ties need no sequence number. A slot is a list in order of insertion, and a
// slot of a higher wheel is spread over the lower ones, in that order, at the
// moment the base enters it; what comes later for the same time is put behind.
//
// With many events pending their nodes are in no cache when a slot is spread, and
// a list tells where the next one is only when the one before has come. So nodes
// of the higher wheels point to the next but one, and two are on their way.
//
// Nodes are indices into one recycled pool without pointers, which the garbage
// collector does not scan.
type queue struct {
	base    Time // start of the block on wheel 0; no event is earlier
	free    uint32
	nodes   []node // node 0 is the end of the free list
	summary [wheelCount]uint64
	near    wheel[slot] // wheel 0
	far     [wheelCount - 1]wheel[farSlot]
}

const (
	digitBits  = 12
	slotCount  = 1 << digitBits
	slotMask   = slotCount - 1
	wheelCount = (63 + digitBits - 1) / digitBits
)

type node struct {
	at   Time
	arg  uint64
	h    Handler
	next uint32 // in the slot's list (on higher wheels the next but one) or in the free list
}

// wheel is one digit's slots. A bit of the queue's summary stands for a word of
// occupied, which stands for 64 slots; a slot's ends count only while it is occupied.
type wheel[S slot | farSlot] struct {
	occupied [slotCount / 64]uint64
	slots    [slotCount]S
}

type slot struct{ head, tail uint32 }

// farSlot has both ends of two lists that alternate.
type farSlot struct{ first, second, before, last uint32 }

func (q *queue) init() { q.nodes = make([]node, 1, 64) }

// push adds an event, which must not be earlier than the base. It returns the
// node, which is the event's until it is popped.
func (q *queue) push(t Time, c Call) uint32 {
	i := q.free
	if i == 0 {
		q.nodes = append(q.nodes, node{})
		i = uint32(len(q.nodes) - 1)
	}
	n := &q.nodes[i]
	q.free = n.next
	n.at, n.arg, n.h = t, c.Arg, c.H
	q.link(i, t)
	return i
}

// cancel takes a pending event's handler away; it is popped at its time as one
// that does nothing.
func (q *queue) cancel(i uint32) { q.nodes[i].h = 0 }

// rewind lets an empty queue accept events from t on, after events that were
// called off have moved the base further.
func (q *queue) rewind(t Time) { q.base = t &^ slotMask }

// link appends node i to its slot.
func (q *queue) link(i uint32, t Time) {
	if differs := uint64(t ^ q.base); differs < slotCount {
		q.linkNear(i, t)
	} else {
		q.linkFar(i, uint(bits.Len64(differs)-1)/digitBits, t)
	}
}

// linkNear is link for wheel 0.
func (q *queue) linkNear(i uint32, t Time) {
	digit := uint64(t) & slotMask
	s, bit := &q.near.slots[digit], uint64(1)<<(digit%64)
	if word := &q.near.occupied[digit/64]; *word&bit == 0 {
		*word |= bit
		q.summary[0] |= 1 << (digit / 64)
		s.head = i
	} else {
		q.nodes[s.tail].next = i
	}
	s.tail = i
}

// linkFar is link for a wheel above the first.
func (q *queue) linkFar(i uint32, level uint, t Time) {
	w := &q.far[level-1]
	digit := uint64(t) >> (level * digitBits) & slotMask
	s, bit := &w.slots[digit], uint64(1)<<(digit%64)
	if word := &w.occupied[digit/64]; *word&bit == 0 {
		*word |= bit
		q.summary[level] |= 1 << (digit / 64)
		*s = farSlot{first: i, last: i}
		return
	}
	second := s.second
	if second == 0 {
		second = i
	}
	q.nodes[s.before].next = i // of node 0, which nobody reads, when there was one event
	s.second, s.before, s.last = second, s.last, i
}

// pop removes the first event, if it is not later than limit.
func (q *queue) pop(limit Time) (Time, Call, bool) {
	if q.summary[0] == 0 {
		return q.advance(limit)
	}
	word := bits.TrailingZeros64(q.summary[0])
	digit := word*64 + bits.TrailingZeros64(q.near.occupied[word%len(q.near.occupied)])
	t := q.base + Time(digit)
	if t > limit {
		return 0, Call{}, false
	}
	s := &q.near.slots[digit%slotCount]
	i := s.head
	if i == s.tail {
		q.summary[0] = vacate(&q.near.occupied, q.summary[0], digit)
	}
	s.head = q.nodes[i].next
	return t, q.release(i), true
}

// release puts a node back and returns what it held.
func (q *queue) release(i uint32) Call {
	n := &q.nodes[i]
	n.next, q.free = q.free, i
	return Call{n.h, n.arg}
}

// lowest returns the first wheel that has an event, wheelCount if none has.
func (q *queue) lowest() int {
	level := 0
	for level < wheelCount && q.summary[level] == 0 {
		level++
	}
	return level
}

// next returns a time that the first event is not earlier than, Never when there is
// none: on a higher wheel it is that of the slot.
func (q *queue) next() Time {
	level := q.lowest()
	if level == wheelCount {
		return Never
	}
	occupied := &q.near.occupied
	if level > 0 {
		occupied = &q.far[level-1].occupied
	}
	word := bits.TrailingZeros64(q.summary[level])
	return q.start(level, word*64+bits.TrailingZeros64(occupied[word%len(occupied)]))
}

// vacate marks a slot of a wheel empty and returns the wheel's summary.
func vacate(occupied *[slotCount / 64]uint64, summary uint64, digit int) uint64 {
	word := digit / 64 % len(occupied)
	occupied[word] &^= 1 << (digit % 64)
	if occupied[word] == 0 {
		summary &^= 1 << word
	}
	return summary
}

// empty reports whether no event is pending.
func (q *queue) empty() bool { return q.lowest() == wheelCount }

// advance is pop when wheel 0 is empty: it moves the base to the first occupied
// slot that begins at limit or earlier, and spreads it, until wheel 0 has
// something. An event alone in its slot needs no spreading.
func (q *queue) advance(limit Time) (Time, Call, bool) {
	for q.summary[0] == 0 {
		level := q.lowest()
		if level == wheelCount {
			return 0, Call{}, false
		}
		w := &q.far[level-1]
		word := bits.TrailingZeros64(q.summary[level])
		digit := word*64 + bits.TrailingZeros64(w.occupied[word%len(w.occupied)])
		start := q.start(level, digit)
		if start > limit {
			return 0, Call{}, false
		}
		s := &w.slots[digit%slotCount]
		alone := s.first == s.last
		if alone {
			if at := q.nodes[s.first].at; at > limit {
				return 0, Call{}, false
			} else {
				start = at &^ slotMask
			}
		}
		q.summary[level] = vacate(&w.occupied, q.summary[level], digit)
		q.base = start
		if alone {
			return q.nodes[s.first].at, q.release(s.first), true
		}
		q.spread(*s)
	}
	return q.pop(limit)
}

// start returns the earliest time that a slot can hold.
func (q *queue) start(level, digit int) Time {
	shift := level * digitBits
	return (q.base>>shift&^slotMask | Time(digit)) << shift
}

// spread links the nodes of a vacated slot anew, in order.
func (q *queue) spread(s farSlot) {
	for i, then := s.first, s.second; ; {
		n := &q.nodes[i]
		next := n.next
		q.link(i, n.at)
		if i == s.last {
			return
		}
		i, then = then, next
	}
}
