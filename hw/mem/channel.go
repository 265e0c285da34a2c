package mem

import (
	"math/bits"
)

// never is later than every tick.
const never = int64(1) << 62

// none is the absence of an entry or piece.
const none = int32(-1)

// Buffers of a channel, also the index of an entry's kind.
const (
	reads = iota
	writes
)

// piece is a request's part in one channel: transactions [y, y+left) still to
// be admitted, unserved of them not done.
type piece struct {
	tag      int64 // the owner's name for it
	y        uint64
	left     int64
	unserved int64
	tick     int64 // arrival
	end      int64 // latest tick of data, or of acceptance, so far
	next     int32 // behind it in the queue; in the free list
	at       int32 // in channel.reading
}

// entry is a row run in a buffer: n transactions of one piece to one row.
type entry struct {
	age        int64 // order of arrival of the first transaction in its buffer
	tick       int64 // when it arrived
	row, col   int32
	n          int32
	piece      int32
	prev, next int32 // of the same bank and buffer; next in the free list
	bank       int32
	seen       bool // the first transaction has been counted as hit, miss or conflict
	write      bool
}

// bankState is a bank: its row, its waiting entries and its own timestamps.
type bankState struct {
	act, pre, rd, wr int64 // earliest tick of each command, as far as the bank goes
	row              int32 // open row, none when closed
	active           int32 // entry for which the row was opened, until its column command
	columns          int32 // column commands since the row was opened
	group, stack     int32
	rank             int32
	queue            [2]struct{ head, tail, hit, miss int32 } // by buffer; hit and miss: oldest of each
}

type groupState struct{ act, rd, wr int64 }

type stackState struct{ rd, wr int64 }

type rankState struct {
	act, pre, preAll, refresh, rd, wr int64
	faw                               [4]int64 // the last four activates
	fawAt                             int
	stacks                            []stackState
}

// owner hears about the pieces of a channel.
type owner interface {
	// finished: the last data of a read piece arrives at tick end; the
	// acceptance of a write piece is known at tick end.
	finished(c *channel, p int32, end int64)
}

// channel is a memory controller with its devices. Its time runs in ticks and
// is brought up to date by advance: what is decided at a tick depends on what
// arrived up to it.
type channel struct {
	*rules
	owner   owner
	index   int
	amap    *addrMap
	policy  policy
	gaps    [2][64]int64 // column to column by kind and difference of banks
	run     burstState
	wide    wide
	sum     summary
	stats   *Stats
	tx      int64 // bytes of a transaction
	burstPs int64

	banks  []bankState
	groups []groupState
	stacks []stackState
	ranks  []rankState

	entries  []entry
	freeList int32
	pieces   []piece
	reading  []int32 // read pieces not done
	freePcs  int32
	queue    [2]struct{ head, tail int32 } // pieces not wholly admitted
	last     [2]int32                      // entry admitted last, by buffer

	used    [2]int32  // transactions in a buffer
	limit   [2]int32  // its size
	pending [2]uint64 // banks with entries in a buffer
	seq     [2]int64  // arrivals so far
	active  uint64    // banks with an active entry
	opened  uint64    // banks with an open (or opening) row
	inRank  []uint64  // banks of a rank
	writing bool      // draining writes

	next      int64 // tick to look at next; all before it is decided
	rowFrom   int64 // first tick at which the row bus (or the one bus) is free
	colFrom   int64
	admitted  int64 // tick of the last admission
	rowNext   int64 // earliest row command of the buffer in turn, as of the plan
	planned   bool  // plan is still right
	plan      choice
	refresher refresher
	act2      int32 // LPDDR5: bank between its two activate commands
	act2By    int64
	clockTo   int64 // LPDDR5: the data clock runs until here
}

// policy is what the configuration decides about a controller.
type policy struct {
	closeAfter int32 // 0: open rows
	high, low  int32 // of the write buffer: drain above high, stop below low
}

// newChannel returns a channel at tick 0 with all rows closed.
func newChannel(d *device, r *rules, amap *addrMap, cfg Config, index int, o owner, stats *Stats) *channel {
	c := &channel{rules: r, owner: o, index: index, amap: amap, stats: stats, tx: d.tx, burstPs: r.burstLen * d.tCK / r.tickDiv, freeList: none, freePcs: none, act2: none, next: never, admitted: -1}
	ranks := 1 << d.rank[0]
	stacks := ranks << d.rank[1]
	groups := stacks << d.bits[0]
	banks := groups << d.bits[1]
	c.stacks = make([]stackState, stacks)
	c.groups = make([]groupState, groups)
	c.ranks = make([]rankState, ranks)
	c.banks = make([]bankState, banks)
	c.inRank = make([]uint64, ranks)
	for i := range c.banks {
		b := &c.banks[i]
		b.row, b.active = none, none
		b.group = int32(i >> d.bits[1])
		field := b.group >> d.bits[0] // pseudo-channel in the low bits, stack id above
		b.rank = field & (1<<d.rank[0] - 1)
		b.stack = b.rank<<d.rank[1] | field>>d.rank[0]
		for k := range b.queue {
			q := &b.queue[k]
			q.head, q.tail, q.hit, q.miss = none, none, none, none
		}
		c.inRank[b.rank] |= 1 << i
	}
	for i := range c.ranks {
		c.ranks[i].faw = [4]int64{-never, -never, -never, -never}
		c.ranks[i].stacks = c.stacks[i<<d.rank[1] : (i+1)<<d.rank[1]]
	}
	for k := range c.queue {
		c.queue[k].head, c.queue[k].tail, c.last[k] = none, none, none
	}
	c.limit = [2]int32{int32(cfg.ReadEntries), int32(cfg.WriteEntries)}
	c.policy.high = int32(cfg.HighWatermark * float64(cfg.WriteEntries))
	c.policy.low = ceil(cfg.LowWatermark * float64(cfg.WriteEntries))
	if cfg.Policy == "closed" {
		c.policy.closeAfter = int32(cfg.CloseAfter)
	}
	for x := range c.banks {
		c.gaps[reads][x], c.gaps[writes][x] = c.gap(x, reads), c.gap(x, writes)
	}
	c.refresher.init(c, cfg.Refresh)
	c.wide.init(c)
	return c
}

// gap returns the ticks between columns of banks whose numbers differ by an
// exclusive or of x. It must agree with columnTiming.
func (c *channel) gap(x int, kind int) int64 {
	near := &c.banks[x]
	groupL, groupS, stack := c.readL, c.readS, c.readR
	if kind == writes {
		groupL, groupS, stack = c.writeL, c.writeS, 0
	}
	switch {
	case near.rank != 0:
		return c.colLen
	case near.stack != 0:
		return max(c.colLen, c.burstLen, stack)
	case near.group != 0:
		return max(c.colLen, c.burstLen, groupS)
	default:
		return max(c.colLen, c.burstLen, groupL)
	}
}

func ceil(v float64) int32 {
	n := int32(v)
	if float64(n) < v {
		n++
	}
	return n
}

// idle reports that nothing waits or is under way.
func (c *channel) idle() bool {
	return c.wide.empty() && c.pending[reads]|c.pending[writes]|c.active == 0 && c.act2 == none && c.queue[reads].head == none && c.queue[writes].head == none
}

// setRow opens a row of a bank, or closes it, and sorts its entries anew.
func (c *channel) setRow(bank, row int32) {
	b := &c.banks[bank]
	b.row, b.columns = row, 0
	for k := range b.queue {
		q := &b.queue[k]
		if row == none {
			q.hit, q.miss = none, q.head
			continue
		}
		q.hit = c.firstFrom(q.head, row, true)
		q.miss = c.firstFrom(q.head, row, false)
	}
	if row == none {
		c.opened &^= 1 << bank
	} else {
		c.opened |= 1 << bank
	}
	c.summarise(bank)
}

// lowest returns the number of the lowest bank of a set.
func lowest(set uint64) int32 { return int32(bits.TrailingZeros64(set)) }
