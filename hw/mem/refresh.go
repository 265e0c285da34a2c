package mem

// refresher makes refresh requests. They come before all reads and writes
// except those for which a row has just been opened.
type refresher struct {
	mode     uint8
	interval int64
	next     int64   // tick of the next request
	queue    []int32 // ranks, or banks, in order; a ring of its capacity is never exceeded
	head     int
	bank     int // per-bank: the bank in turn within each rank
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
	perRank := len(c.banks) / len(c.ranks)
	for i := range c.ranks {
		r.queue = append(r.queue, nth(c.inRank[i], r.bank))
	}
	r.bank = (r.bank + 1) % perRank
}

// nth returns the k-th bank of a set.
func nth(set uint64, k int) int32 {
	for range k {
		set &= set - 1
	}
	return lowest(set)
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
		r.bank = int((int64(r.bank) + k) % perRank)
	}
	for set := c.opened; set != 0; set &= set - 1 {
		c.setRow(lowest(set), none)
	}
	c.planned = false
}
