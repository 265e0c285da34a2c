package mem

import "slices"

// refresher makes refresh requests. They come before all reads and writes
// except those for which a row has just been opened.
type refresher struct {
	mode     uint8
	interval int64
	next     int64   // tick of the next request
	queue    []int32 // ranks, or banks, in order; a ring of its capacity is never exceeded
	head     int
	left     []uint64 // per-bank: the banks of each rank that this round has yet to refresh
}

const (
	_ = iota // off
	refreshRanks
	refreshBanks
)

func (r *refresher) init(c *channel, mode string) {
	r.next = never
	perRank := len(c.banks) / len(c.ranks)
	switch mode {
	case refreshAllBank:
		r.mode, r.interval = refreshRanks, c.refi
	case refreshPerBank:
		r.mode, r.interval = refreshBanks, max(c.refi/int64(perRank), 1)
	default:
		return
	}
	r.left = slices.Clone(c.inRank)
	r.next = r.interval
	r.queue = make([]int32, 0, 4*len(c.banks))
}

func (r *refresher) pending() bool { return r.head < len(r.queue) }

func (r *refresher) pop() {
	if r.head++; r.head == len(r.queue) {
		r.queue, r.head = r.queue[:0], 0
	}
}

// due queues the requests of tick t.
func (r *refresher) due(c *channel, t int64) {
	if t < r.next {
		return
	}
	c.planned = false
	r.next += r.interval
	if r.mode == refreshRanks {
		for i := range c.ranks {
			r.queue = append(r.queue, int32(i))
		}
		return
	}
	for i := range c.ranks {
		r.queue = append(r.queue, r.take(c, i))
	}
}

// take returns the bank of a rank to refresh next: of those that the round has
// left the first that nobody waits for, or the first. The standards leave the
// order within a round open, and busy banks are better left to its end (Chang et
// al., "Improving DRAM performance by parallelizing refreshes with accesses",
// HPCA 2014).
func (r *refresher) take(c *channel, rank int) int32 {
	left := &r.left[rank]
	set := *left &^ (c.pending[reads] | c.pending[writes] | c.active)
	if set == 0 {
		set = *left
	}
	bank := lowest(set)
	if *left &^= 1 << bank; *left == 0 {
		*left = c.inRank[rank]
	}
	return bank
}

// skip jumps over whole refresh intervals of an idle channel up to tick t.
// They close all rows, which takes one interval, or one for each bank of a
// rank; the rest leave no trace but their count.
func (r *refresher) skip(c *channel, t int64) {
	perRank := int64(len(c.banks) / len(c.ranks))
	round := int64(1)
	if r.mode == refreshBanks {
		round = perRank
	}
	if r.pending() || t-r.next < (round+1)*r.interval {
		return
	}
	k := (t-r.next)/r.interval - 1 // the last is done in full
	r.next += k * r.interval
	c.stats.Refreshes += k * int64(len(c.ranks))
	if r.mode == refreshBanks {
		for range k % perRank {
			for i := range r.left {
				r.take(c, i)
			}
		}
	}
	for set := c.opened; set != 0; set &= set - 1 {
		c.setRow(lowest(set), none)
	}
	c.planned = false
}
