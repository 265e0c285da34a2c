package mem

import "math/bits"

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
	c := &channel{rules: r, owner: o, index: index, amap: amap, stats: stats, tx: d.tx, burstPs: r.burst * d.tCK / r.tickDiv, freeList: none, freePcs: none, act2: none, next: never, admitted: -1}
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
		b.stack = b.group >> d.bits[0]
		b.rank = b.stack >> d.rank[1]
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
	c.refresher.init(c, cfg.Refresh)
	return c
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
	return c.pending[reads]|c.pending[writes]|c.active == 0 && c.queue[reads].head == none && c.queue[writes].head == none
}

// newPiece returns a piece from the pool.
func (c *channel) newPiece(p piece) int32 {
	p.next = none
	if i := c.freePcs; i != none {
		c.freePcs = c.pieces[i].next
		c.pieces[i] = p
		return i
	}
	c.pieces = append(c.pieces, p)
	return int32(len(c.pieces) - 1)
}

// accept queues transactions [y, y+n) that arrive at a tick not before now.
func (c *channel) accept(kind int, tag int64, y uint64, n, tick int64) int32 {
	c.wake(tick)
	i := c.newPiece(piece{tag: tag, y: y, left: n, unserved: n, tick: tick})
	q := &c.queue[kind]
	if q.tail == none {
		q.head = i
	} else {
		c.pieces[q.tail].next = i
	}
	q.tail = i
	return i
}

// admit moves what has arrived by tick t into the buffers, as far as they have room.
func (c *channel) admit(t int64) {
	if c.admitted == t {
		return
	}
	c.admitted = t
	for kind := range c.queue {
		q := &c.queue[kind]
		for q.head != none && c.used[kind] < c.limit[kind] {
			i := q.head
			p := &c.pieces[i]
			if p.tick > t {
				break
			}
			c.admitRun(kind, i, t)
			p = &c.pieces[i]
			if p.left == 0 {
				q.head = p.next
				if q.head == none {
					q.tail = none
				}
				if kind == writes || p.unserved == 0 {
					c.finish(i)
				}
			}
		}
	}
}

// admitRun moves one row run of piece i, or what fits of it, into its buffer.
func (c *channel) admitRun(kind int, i int32, t int64) {
	p := &c.pieces[i]
	runEnd := (p.y>>c.amap.runBits + 1) << c.amap.runBits
	n := int32(min(p.left, int64(runEnd-p.y), int64(c.limit[kind]-c.used[kind])))
	at := c.amap.decode(p.y)
	p.y += uint64(n)
	p.left -= int64(n)
	if kind == writes {
		p.end = t + c.writeAck
	}
	c.insert(kind, i, at, n, t)
}

// insert puts n transactions of piece i into a buffer. Those that the write
// buffer holds already are merged into it or answered by it.
func (c *channel) insert(kind int, i int32, at coord, n int32, t int64) {
	c.planned = false
	if same := c.buffered(at, n); same > 0 {
		n -= same
		p := &c.pieces[i]
		if kind == reads {
			c.stats.Forwarded += int64(same)
			p.unserved -= int64(same)
			p.end = max(p.end, t+c.readLatency)
		}
	}
	if n == 0 {
		return
	}
	c.used[kind] += n
	e := c.last[kind]
	if e != none {
		l := &c.entries[e]
		if l.piece == i && l.bank == at.bank && l.row == at.row && l.col+l.n == at.col {
			l.n += n
			c.seq[kind] += int64(n)
			return
		}
	}
	e = c.newEntry(entry{age: c.seq[kind], tick: t, row: at.row, col: at.col, n: n, piece: i, bank: at.bank, write: kind == writes})
	c.seq[kind] += int64(n)
	c.last[kind] = e
	c.link(kind, e)
}

// buffered returns how many of n transactions the write buffer holds.
func (c *channel) buffered(at coord, n int32) (same int32) {
	if c.pending[writes]>>at.bank&1 == 0 {
		return 0
	}
	for e := c.banks[at.bank].queue[writes].head; e != none; e = c.entries[e].next {
		if w := &c.entries[e]; w.row == at.row {
			same += max(0, min(w.col+w.n, at.col+n)-max(w.col, at.col))
		}
	}
	return same
}

func (c *channel) newEntry(e entry) int32 {
	if i := c.freeList; i != none {
		c.freeList = c.entries[i].next
		c.entries[i] = e
		return i
	}
	c.entries = append(c.entries, e)
	return int32(len(c.entries) - 1)
}

func (c *channel) freeEntry(i int32) {
	c.entries[i].next = c.freeList
	c.freeList = i
}

// link appends an entry to its bank's queue.
func (c *channel) link(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	e.prev, e.next = q.tail, none
	if q.tail == none {
		q.head = i
		c.pending[kind] |= 1 << e.bank
	} else {
		c.entries[q.tail].next = i
	}
	q.tail = i
	if e.row == b.row {
		if q.hit == none {
			q.hit = i
		}
	} else if q.miss == none {
		q.miss = i
	}
}

// unlink takes an entry out of its bank's queue.
func (c *channel) unlink(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	if e.prev == none {
		q.head = e.next
	} else {
		c.entries[e.prev].next = e.next
	}
	if e.next == none {
		q.tail = e.prev
	} else {
		c.entries[e.next].prev = e.prev
	}
	if q.head == none {
		c.pending[kind] &^= 1 << e.bank
	}
	switch i {
	case q.hit:
		q.hit = c.firstFrom(e.next, b.row, true)
	case q.miss:
		q.miss = c.firstFrom(e.next, b.row, false)
	}
	if c.last[kind] == i {
		c.last[kind] = none
	}
}

// firstFrom returns the first entry from i on whose row is (or is not) row.
func (c *channel) firstFrom(i, row int32, hit bool) int32 {
	for i != none && (c.entries[i].row == row) != hit {
		i = c.entries[i].next
	}
	return i
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
}

// served notes that one transaction of piece i has its data at tick end.
func (c *channel) served(i int32, end int64) {
	p := &c.pieces[i]
	p.unserved--
	p.end = max(p.end, end)
	if p.unserved == 0 && p.left == 0 {
		c.finish(i)
	}
}

func (c *channel) finish(i int32) {
	end := c.pieces[i].end
	c.owner.finished(c, i, end)
	c.pieces[i].next = c.freePcs
	c.freePcs = i
}

// lowest returns the number of the lowest bank of a set.
func lowest(set uint64) int32 { return int32(bits.TrailingZeros64(set)) }

// drainTicks is how long buffered writes alone may go without a wake-up.
const drainTicks = 1000

// visible returns a tick before which nothing that is still to be decided can
// be seen from outside, never when nothing is to be decided. now is the tick
// up to which the channel has to be brought before that.
func (c *channel) visible(now int64) int64 {
	at := never
	next := max(c.next, now)
	switch {
	case c.queue[writes].head != none:
		at = next + min(c.writeAck, c.readLatency) - 1
	case c.used[reads] > 0 || c.active != 0 || c.act2 != none || c.queue[reads].head != none:
		at = next + c.readLatency - 1
	case c.used[writes] > 0:
		at = next + drainTicks
	}
	return at
}
