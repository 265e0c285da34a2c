package mmu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// refTLB is a fully-associative TLB as a plain list, most recently used first.
type refTLB struct {
	list []Entry
	cap  int
}

func (r *refTLB) find(match func(*Entry) bool) int {
	for i := range r.list {
		if match(&r.list[i]) {
			return i
		}
	}
	return -1
}

func (r *refTLB) front(i int) {
	e := r.list[i]
	copy(r.list[1:i+1], r.list[:i])
	r.list[0] = e
}

func (r *refTLB) lookup(tag, addr uint64) *Entry {
	best := -1
	for i, e := range r.list {
		if e.Tag == tag && addr>>e.Shift == e.VPN && (best < 0 || e.Shift < r.list[best].Shift) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	r.front(best)
	return &r.list[0]
}

func (r *refTLB) insert(n Entry) {
	same := r.find(func(e *Entry) bool { return e.Tag == n.Tag && e.VPN == n.VPN && e.Shift == n.Shift })
	if same < 0 {
		if len(r.list) == r.cap {
			r.list = r.list[:r.cap-1]
		}
		r.list = append(r.list, n)
		same = len(r.list) - 1
	}
	r.list[same] = n
	r.front(same)
}

func (r *refTLB) drop(f Filter) (n int) {
	keep := r.list[:0]
	for _, e := range r.list {
		if f.matches(&e) {
			n++
		} else {
			keep = append(keep, e)
		}
	}
	r.list = keep
	return n
}

// check verifies the TLB's own structure: every slot free or live, once in its set's
// order, which knows of no use that was not; every live entry once in its bucket; the
// counts of sizes.
func (t *TLB) check(tt require.TestingT) {
	live, free := 0, 0
	for s := range t.free {
		seen := map[int32]bool{}
		order := t.order[s*t.ways:][:t.ways]
		for i, o := range order {
			require.Equal(tt, s, int(o.slot)/t.ways)
			require.LessOrEqual(tt, order[max(0, i-1)/2].used, o.used)
			require.LessOrEqual(tt, o.used, t.entries[o.slot].used)
			seen[o.slot] = true
		}
		require.Len(tt, seen, t.ways)
		for i := t.free[s]; i != none; i = t.entries[i].chain {
			require.Equal(tt, s, int(i)/t.ways)
			require.False(tt, t.entries[i].live)
			free++
		}
	}
	for _, b := range t.buckets {
		for i := b; i != none; i = t.entries[i].chain {
			require.True(tt, t.entries[i].live)
			live++
		}
	}
	require.Equal(tt, t.Len(), live)
	require.Equal(tt, len(t.entries), live+free)
}

func TestTLBEqualsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "entries")
		tlb, ref := NewTLB(n, n), &refTLB{cap: n}
		shifts := []uint8{12, 16, 21}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			tag := rapid.Uint64Range(0, 2).Draw(t, "tag")
			addr := rapid.Uint64Range(0, 1<<22).Draw(t, "addr")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				s := rapid.SampledFrom(shifts).Draw(t, "shift")
				e := Entry{Tag: tag, VPN: addr >> s, Shift: s, PA: rapid.Uint64().Draw(t, "pa"), Perm: Perm(addr & 0x3f)}
				tlb.Insert(e)
				ref.insert(e)
			case 2, 3:
				got, want := tlb.Lookup(tag, addr), ref.lookup(tag, addr)
				if want == nil {
					require.Nil(t, got)
				} else {
					require.NotNil(t, got)
					require.Equal(t, want.PA, got.PA)
				}
			case 4:
				f := Filter{Tag: tag, TagMask: 3, Addr: addr, Bytes: rapid.Uint64Range(0, 1<<20).Draw(t, "bytes"),
					KeepGlobal: rapid.Bool().Draw(t, "global")}
				require.Equal(t, ref.drop(f), tlb.Drop(f))
			}
			tlb.check(t)
			require.Equal(t, len(ref.list), tlb.Len())
		}
	})
}

func TestSetsAreBounded(t *testing.T) {
	tlb := NewTLB(64, 4)
	for i := range uint64(1000) {
		tlb.Insert(Entry{Tag: i % 3, VPN: i, Shift: pageShift, PA: i << pageShift})
		tlb.check(t)
		require.NotNil(t, tlb.Lookup(i%3, i<<pageShift))
	}
	require.Equal(t, 64, tlb.Len(), "every set fills")
	tlb.Flush()
	tlb.check(t)
	require.Zero(t, tlb.Len())
}

func TestTLBDoesNotAllocate(t *testing.T) {
	tlb := NewTLB(16, 4)
	i := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i++
		tlb.Insert(Entry{VPN: i, Shift: 12 + uint8(i%3)})
		tlb.Lookup(0, i<<12)
		if i%64 == 0 {
			tlb.Drop(Filter{Addr: i << 12, Bytes: 1 << 16})
		}
	}))
}

func TestDirCacheIsLRU(t *testing.T) {
	c := newDirCache[int](2)
	c.insert(0, 10)
	c.insert(1, 11)
	require.Equal(t, 10, *c.lookup(0))
	c.insert(2, 12)
	require.Nil(t, c.lookup(1), "the least recently used goes")
	require.Equal(t, 10, *c.lookup(0))
	c.insert(2, 13)
	require.Equal(t, 13, *c.lookup(2))
	c.drop(2, ^uint64(0))
	require.Nil(t, c.lookup(2))
	require.Equal(t, 10, *c.lookup(0))
}
