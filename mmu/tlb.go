package mmu

import "math"

// Entry is one cached translation: the page VPN<<Shift of the space Tag.
type Entry struct {
	Tag   uint64
	VPN   uint64 // address >> Shift
	PA    uint64 // of the page's first byte
	Aux   uint64
	Shift uint8 // log2 of the page's bytes
	Perm  Perm

	live  bool
	chain int32  // next in the hash bucket, or in the set's free list
	used  uint64 // when it was used last: the TLB's clock
}

// TLB is a cache of translations of any page size, fully or set associative, that
// replaces the least recently used. Entries stay until they are replaced or dropped:
// a stale one shows. Lookup takes constant time and nothing allocates after New.
type TLB struct {
	entries []Entry
	buckets []int32
	free    []int32 // by set: slots without an entry
	order   []turn  // by set: a heap of its slots
	ways    int
	clock   uint64
	// present lists the page sizes in use, smallest first.
	present []uint8
	count   [64]int32
}

// turn is a slot in the order of replacement, by when it was used last as far as
// that is known there: a use is noted at the entry alone, and the order hears of it
// when the slot's turn has come.
type turn struct {
	used uint64
	slot int32
}

const none = int32(-1)

// NewTLB returns an empty TLB. entries and ways are positive; ways divides
// entries and entries/ways is a power of two. ways == entries is fully
// associative.
func NewTLB(entries, ways int) *TLB {
	t := &TLB{ways: ways, present: make([]uint8, 0, 64)}
	t.entries = make([]Entry, entries)
	n := 4
	for n < 2*entries {
		n *= 2
	}
	t.buckets = make([]int32, n)
	t.free = make([]int32, entries/ways)
	t.order = make([]turn, entries)
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
	for s := range t.free {
		t.free[s] = none
	}
	for i := len(t.entries) - 1; i >= 0; i-- {
		t.order[i] = turn{slot: int32(i)}
		t.entries[i] = Entry{}
		t.release(int32(i))
	}
	t.present = t.present[:0]
	t.count = [64]int32{}
}

// release puts a slot into its set's free list.
func (t *TLB) release(i int32) {
	free := &t.free[int(i)/t.ways]
	t.entries[i].chain = *free
	*free = i
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
		vpn := addr >> (s & 63)
		h := tlbHash(tag, vpn, s)
		for i := t.buckets[h&uint64(len(t.buckets)-1)]; i != none; {
			e := &t.entries[i]
			if e.VPN == vpn && e.Tag == tag && e.Shift == s {
				t.clock++
				e.used = t.clock
				return e
			}
			i = e.chain
		}
	}
	return nil
}

// take returns a free slot of a set, which it makes if there is none.
func (t *TLB) take(set int) int32 {
	if t.free[set] == none {
		t.evict(t.order[set*t.ways:][:t.ways])
	}
	i := t.free[set]
	t.free[set] = t.entries[i].chain
	return i
}

// evict removes the entry of a full set whose last use is longest ago.
func (t *TLB) evict(order []turn) {
	for {
		first := &order[0]
		used := t.entries[first.slot].used
		if first.used == used {
			t.remove(first.slot)
			return
		}
		first.used = used
		sink(order)
	}
}

// sink moves the first of a heap to where it belongs.
func sink(heap []turn) {
	for i, c := 0, 1; c < len(heap); c = 2*i + 1 {
		if c+1 < len(heap) && heap[c+1].used < heap[c].used {
			c++
		}
		if heap[i].used <= heap[c].used {
			return
		}
		heap[i], heap[c] = heap[c], heap[i]
		i = c
	}
}

// Insert caches a translation (its exported fields), over one of the same page
// if there is one, else in place of the least recently used of its set.
func (t *TLB) Insert(n Entry) {
	h := tlbHash(n.Tag, n.VPN, n.Shift)
	b := h & uint64(len(t.buckets)-1)
	t.clock++
	for i := t.buckets[b]; i != none; i = t.entries[i].chain {
		e := &t.entries[i]
		if e.VPN == n.VPN && e.Tag == n.Tag && e.Shift == n.Shift {
			e.PA, e.Aux, e.Perm, e.used = n.PA, n.Aux, n.Perm, t.clock
			return
		}
	}
	i := t.take(int(h >> 32 & uint64(len(t.free)-1)))
	n.live, n.used, n.chain = true, t.clock, t.buckets[b]
	t.entries[i] = n
	t.buckets[b] = i
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
	t.release(i)
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
