package mmu

import "math"

// Replacement is how a TLB chooses its victim.
type Replacement uint8

// Replacement policies.
const (
	LRU Replacement = iota
	FIFO
)

// Entry is one cached translation: the page VPN<<Shift of the space Tag.
type Entry struct {
	Tag   uint64
	VPN   uint64 // address >> Shift
	PA    uint64 // of the page's first byte
	Aux   uint64
	Shift uint8 // log2 of the page's bytes
	Perm  Perm

	live       bool
	chain      int32 // next in the hash bucket
	prev, next int32 // in the set's order of use
}

// TLB is a cache of translations of any page size, fully or set associative.
// Entries stay until they are replaced or dropped: a stale one shows. Lookup
// takes constant time and nothing allocates after New.
type TLB struct {
	entries []Entry
	buckets []int32
	sets    []tlbSet
	ways    int
	policy  Replacement
	// present lists the page sizes in use, smallest first.
	present []uint8
	count   [64]int32
}

// tlbSet is the order of use of a set's slots; free ones stand at the tail.
type tlbSet struct{ head, tail int32 }

const none = int32(-1)

// NewTLB returns an empty TLB. entries and ways are positive; ways divides
// entries and entries/ways is a power of two. ways == entries is fully
// associative.
func NewTLB(entries, ways int, policy Replacement) *TLB {
	t := &TLB{ways: ways, policy: policy, present: make([]uint8, 0, 64)}
	t.entries = make([]Entry, entries)
	n := 4
	for n < 2*entries {
		n *= 2
	}
	t.buckets = make([]int32, n)
	t.sets = make([]tlbSet, entries/ways)
	t.Flush()
	return t
}

// Len returns how many entries are live.
func (t *TLB) Len() (n int) {
	for _, c := range t.count {
		n += int(c)
	}
	return n
}

// Flush drops everything.
func (t *TLB) Flush() {
	for i := range t.buckets {
		t.buckets[i] = none
	}
	for s := range t.sets {
		first, last := int32(s*t.ways), int32((s+1)*t.ways-1)
		t.sets[s] = tlbSet{first, last}
		for i := first; i <= last; i++ {
			t.entries[i] = Entry{prev: i - 1, next: i + 1}
		}
		t.entries[first].prev, t.entries[last].next = none, none
	}
	t.present = t.present[:0]
	t.count = [64]int32{}
}

func tlbHash(tag, vpn uint64, shift uint8) uint64 {
	h := (vpn+uint64(shift)<<56)*0x9e3779b97f4a7c15 ^ tag*0xbf58476d1ce4e5b9
	return h ^ h>>29
}

// Lookup returns the entry that covers an address in a space, nil if there is
// none; of several the smallest page. It counts as a use. The entry is valid
// until the next call of Insert, Drop or Flush.
func (t *TLB) Lookup(tag, addr uint64) *Entry {
	for _, s := range t.present {
		vpn := addr >> s
		h := tlbHash(tag, vpn, s)
		for i := t.buckets[h&uint64(len(t.buckets)-1)]; i != none; {
			e := &t.entries[i]
			if e.VPN == vpn && e.Tag == tag && e.Shift == s {
				if t.policy == LRU {
					t.toFront(i, h)
				}
				return e
			}
			i = e.chain
		}
	}
	return nil
}

func (t *TLB) setOf(h uint64) *tlbSet { return &t.sets[h>>32&uint64(len(t.sets)-1)] }

// toFront makes a slot the most recently used of its set.
func (t *TLB) toFront(i int32, h uint64) {
	set := t.setOf(h)
	if set.head == i {
		return
	}
	t.unlink(set, i)
	e := &t.entries[i]
	e.prev, e.next = none, set.head
	t.entries[set.head].prev = i
	set.head = i
}

// toBack makes a slot the next victim.
func (t *TLB) toBack(i int32, h uint64) {
	set := t.setOf(h)
	if set.tail == i {
		return
	}
	t.unlink(set, i)
	e := &t.entries[i]
	e.prev, e.next = set.tail, none
	t.entries[set.tail].next = i
	set.tail = i
}

// unlink takes a slot that is not alone out of its set's order.
func (t *TLB) unlink(set *tlbSet, i int32) {
	e := &t.entries[i]
	if e.prev != none {
		t.entries[e.prev].next = e.next
	} else {
		set.head = e.next
	}
	if e.next != none {
		t.entries[e.next].prev = e.prev
	} else {
		set.tail = e.prev
	}
}

// Insert caches a translation (its exported fields), over one of the same page
// if there is one, else in place of the set's victim.
func (t *TLB) Insert(n Entry) {
	h := tlbHash(n.Tag, n.VPN, n.Shift)
	b := h & uint64(len(t.buckets)-1)
	for i := t.buckets[b]; i != none; i = t.entries[i].chain {
		e := &t.entries[i]
		if e.VPN == n.VPN && e.Tag == n.Tag && e.Shift == n.Shift {
			e.PA, e.Aux, e.Perm = n.PA, n.Aux, n.Perm
			t.toFront(i, h)
			return
		}
	}
	i := t.setOf(h).tail
	if t.entries[i].live {
		t.remove(i)
	}
	e := &t.entries[i]
	n.live, n.prev, n.next, n.chain = true, e.prev, e.next, t.buckets[b]
	*e = n
	t.buckets[b] = i
	t.toFront(i, h)
	if t.count[n.Shift]++; t.count[n.Shift] == 1 {
		t.listSize(n.Shift)
	}
}

// listSize adds a page size in order.
func (t *TLB) listSize(s uint8) {
	t.present = append(t.present, s)
	for i := len(t.present) - 1; i > 0 && t.present[i-1] > s; i-- {
		t.present[i], t.present[i-1] = t.present[i-1], s
	}
}

// remove takes a live entry out of the hash and frees its slot.
func (t *TLB) remove(i int32) {
	e := &t.entries[i]
	h := tlbHash(e.Tag, e.VPN, e.Shift)
	at := &t.buckets[h&uint64(len(t.buckets)-1)]
	for *at != i {
		at = &t.entries[*at].chain
	}
	*at = e.chain
	e.live = false
	t.toBack(i, h)
	if t.count[e.Shift]--; t.count[e.Shift] == 0 {
		for k, s := range t.present {
			if s == e.Shift {
				t.present = append(t.present[:k], t.present[k+1:]...)
				break
			}
		}
	}
}

// Filter says which entries to drop: those of the spaces with
// tag & TagMask == Tag that overlap [Addr, Addr+Bytes). Bytes 0 is every address.
type Filter struct {
	Tag, TagMask uint64
	Addr, Bytes  uint64
	KeepGlobal   bool // entries of global mappings stay
}

func (f *Filter) matches(e *Entry) bool {
	if e.Tag&f.TagMask != f.Tag || f.KeepGlobal && e.Perm&GlobalPage != 0 {
		return false
	}
	if f.Bytes == 0 {
		return true
	}
	first, last := e.VPN<<e.Shift, e.VPN<<e.Shift+(1<<e.Shift-1)
	end := f.Addr + (f.Bytes - 1)
	if end < f.Addr { // beyond the last address
		end = math.MaxUint64
	}
	return first <= end && last >= f.Addr
}

// Drop removes the entries that match and returns how many they were.
func (t *TLB) Drop(f Filter) (dropped int) {
	for i := range t.entries {
		if e := &t.entries[i]; e.live && f.matches(e) {
			t.remove(int32(i))
			dropped++
		}
	}
	return dropped
}
