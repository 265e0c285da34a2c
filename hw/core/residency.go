package core

// tag names a tile of an operand by where it begins.
type tag struct{ o, b, m, k int64 }

// residency knows which tiles are in an operand's slots. Slots are filled in
// turn. For each it keeps which load fills it and which operation used it last,
// as completion counts of those units.
type residency struct {
	n, next, hint int64
	valid         int64 // slots filled so far
	tags          [256]tag
	loaded        [256]uint64
	used          [256]uint64
}

func (r *residency) reset(slots int64) {
	r.n, r.next, r.hint, r.valid = slots, 0, 0, 0
	clear(r.used[:slots])
	clear(r.loaded[:slots])
}

// find returns the slot of a tile; on a miss, the slot to load it into, which
// is from then on the tile's. Tiles come round in the order of their slots, so
// the search begins behind the last hit.
func (r *residency) find(t tag) (slot int64, hit bool) {
	for i, s := int64(0), r.hint; i < r.valid; i++ {
		if s >= r.valid {
			s = 0
		}
		if r.tags[s] == t {
			r.hint = s + 1
			return s, true
		}
		s++
	}
	s := r.next
	r.tags[s] = t
	r.valid = max(r.valid, s+1)
	r.next = s + 1
	if r.next == r.n {
		r.next = 0
	}
	r.hint = r.next
	return s, false
}

// turns hands out slots one after another and remembers who used each last.
type turns struct {
	n, next int64
	used    [256]uint64
}

func (t *turns) reset(slots int64) {
	t.n, t.next = slots, 0
	clear(t.used[:slots])
}

func (t *turns) take() int64 {
	s := t.next
	t.next++
	if t.next == t.n {
		t.next = 0
	}
	return s
}
